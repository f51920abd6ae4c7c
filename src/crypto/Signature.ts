/**
 * The cryptography: importing public keys and verifying signatures. The only file that hands anything to a crypto
 * library, so the only one that knows its exceptions.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compactVerify, type CryptoKey, importJWK, type JWK, type JWTHeaderParameters, SignJWT } from "jose"
import * as base64url from "./Base64Url.ts"
import * as platform from "./internal/nodeCrypto.ts"

type NodeCrypto = platform.NodeCrypto

/**
 * A public key, ready for one algorithm.
 *
 * @category models
 * @since 0.1.0
 */
export type PublicKey = CryptoKey

/**
 * Imports a public JSON Web Key for one algorithm; `undefined` when the key is not fit for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const importKey = (
  jwk: Readonly<Record<string, unknown>>,
  algorithm: string
): Effect.Effect<PublicKey | undefined> =>
  Effect.promise(() =>
    importJWK(jwk as unknown as JWK, algorithm).then(
      (key) => key instanceof Uint8Array ? undefined : key as PublicKey,
      () => undefined
    )
  )

/**
 * Verifies a compact JWS under one key and one algorithm: `false` for whatever makes it invalid. The key was imported for
 * that algorithm; the form of the token, its header and its claims are judged by whoever asks.
 *
 * @category models
 * @since 0.1.0
 */
export type Verify = (token: string, key: PublicKey, algorithm: string) => Effect.Effect<boolean>

/**
 * By jose, on WebCrypto: what every platform has.
 *
 * @category verification
 * @since 0.1.0
 */
export const viaJose: Verify = (token, key, algorithm) =>
  Effect.callback<boolean>((resume) => {
    compactVerify(token, key, { algorithms: [algorithm] }).then(() => resume(valid), () => resume(invalid))
  })

const valid = Effect.succeed(true)
const invalid = Effect.succeed(false)

/**
 * Who verifies signatures. Default: `viaJose`.
 *
 * @category references
 * @since 0.1.0
 */
export const Signature: Context.Reference<Verify> = Context.Reference<Verify>("effect-mcp-auth/Signature", {
  defaultValue: () => viaJose
})

/**
 * Verifies signatures by `node:crypto`: at once, where WebCrypto hands each one to another thread and back.
 *
 * **When to use**
 *
 * On Node, where requests bring many tokens that were not seen before. `McpAuthNode` and the SDK v1 adapter do so already;
 * on Effect's router, provide it to `AuthLayer`.
 *
 * **Details**
 *
 * The keys are those that jose imported, and everything else about a token is judged by the same code. Where the
 * platform has no `node:crypto`, jose goes on.
 *
 * **Gotchas**
 *
 * A signature takes the thread of the server for 20 to 100 microseconds, as long as the algorithm takes.
 *
 * **Example** (A server on Node)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Signature } from "effect-mcp-auth/verification"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * }).pipe(Layer.provide(Signature.layerNode))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNode: Layer.Layer<never> = Layer.sync(Signature, () => viaNode ?? viaJose)

interface NodeKey {
  readonly algorithm: string
  readonly hash: string | null
  readonly key: Parameters<NodeCrypto["verify"]>[2]
}

const curves: Readonly<Record<number, string>> = { 256: "P-256", 384: "P-384", 512: "P-521" }

/** RFC 7518 §3.3–3.5, RFC 8037: a key for the algorithm that it was imported for, as `node:crypto` wants it. */
const toNodeKey = (key: PublicKey, algorithm: string, { constants, KeyObject }: NodeCrypto): NodeKey | undefined => {
  const { hash, name, namedCurve } = key.algorithm as {
    readonly name: string
    readonly hash?: { readonly name: string }
    readonly namedCurve?: string
  }
  const bits = Number(algorithm.slice(-3))
  const made = (options?: Readonly<Record<string, unknown>>, digest: string | null = `sha${bits}`): NodeKey => ({
    algorithm,
    hash: digest,
    // A bare key where that says enough: Node takes longer over an object around it than over some signatures.
    key: options === undefined ? KeyObject.from(key) : { key: KeyObject.from(key), ...options }
  })
  const isFor = (prefix: string) => algorithm.startsWith(prefix) && (hash === undefined || hash.name === `SHA-${bits}`)
  switch (name) {
    case "RSASSA-PKCS1-v1_5":
      return isFor("RS") ? made() : undefined // PKCS #1 v1.5 is Node's own default for such a key
    case "RSA-PSS":
      return isFor("PS") ? made({ padding: constants["RSA_PKCS1_PSS_PADDING"], saltLength: bits / 8 }) : undefined
    case "ECDSA":
      return isFor("ES") && namedCurve === curves[bits] ? made({ dsaEncoding: "ieee-p1363" }) : undefined
    case "Ed25519":
      return algorithm === "EdDSA" || algorithm === "Ed25519" ? made(undefined, null) : undefined
    default:
      return undefined
  }
}

const makeViaNode = (crypto: NodeCrypto, bytesOf: NonNullable<typeof platform.bytesOf>): Verify => {
  const prepared = new WeakMap<PublicKey, NodeKey>()
  return (token, key, algorithm) => {
    try {
      const before = prepared.get(key)
      const known = before?.algorithm === algorithm ? before : toNodeKey(key, algorithm, crypto)
      const first = token.indexOf(".")
      const end = token.indexOf(".", first + 1)
      const signature = base64url.isCanonical(token.slice(end + 1))
        ? bytesOf(token.slice(end + 1), "base64url")
        : undefined
      if (known === undefined || first < 0 || end < 0 || signature === undefined) return Effect.succeed(false)
      if (known !== before) prepared.set(key, known)
      return Effect.succeed(crypto.verify(known.hash, bytesOf(token.slice(0, end), "latin1"), known.key, signature))
    } catch {
      // A platform that has the module and not all of it. What jose says counts.
      return viaJose(token, key, algorithm)
    }
  }
}

/**
 * By `node:crypto`; `undefined` where the platform has none.
 *
 * @category verification
 * @since 0.1.0
 */
export const viaNode: Verify | undefined = platform.crypto === undefined || platform.bytesOf === undefined
  ? undefined
  : makeViaNode(platform.crypto, platform.bytesOf)

/**
 * Signs claims of this server's own as a compact JWT: to prove to an authorization server who asks.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sign = (
  key: CryptoKey,
  header: { readonly alg: string; readonly kid?: string | undefined },
  claims: Readonly<Record<string, unknown>>
): Effect.Effect<string> =>
  Effect.promise(() =>
    new SignJWT({ ...claims }).setProtectedHeader({ typ: "JWT", ...header } as JWTHeaderParameters).sign(key)
  )
