/**
 * Imports public keys and verifies signatures.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Jose from "./internal/jose.ts"
import * as nodeSignature from "./internal/nodeSignature.ts"
import { publicMembers, usableAlgorithms } from "./PublicJwk.ts"

/**
 * Represents a public key that was imported for one algorithm.
 *
 * @category models
 * @since 0.1.0
 */
export interface PublicKey {
  /** The algorithm (`alg`) of the signatures that the key verifies. */
  readonly algorithm: string
  /**
   * Verifies the signature of a compact JWS. Returns `false` for every invalid signature and malformed token. The caller must
   * check the header, including `alg`, and the claims.
   */
  readonly verify: (token: string) => Effect.Effect<boolean>
}

/**
 * Imports a public JSON Web Key (RFC 7517) for one algorithm. Returns `undefined` if the key cannot be used with the algorithm:
 * a private or symmetric key, a key of another type or curve, a key with another `use` or `alg`, or RSA outside 2048–8192 bits.
 *
 * @category models
 * @since 0.1.0
 */
export type ImportKey = (
  jwk: Readonly<Record<string, unknown>>,
  algorithm: string
) => Effect.Effect<PublicKey | undefined>

let jose: typeof Jose | undefined

// Each caller starts a separate import, because in a Worker a request must not wait for another one (see `Sharing`).
const loadJose: Effect.Effect<typeof Jose> = Effect.suspend(() =>
  jose !== undefined
    ? Effect.succeed(jose)
    : Effect.promise(() => import("./internal/jose.ts").then((loaded) => jose = loaded))
)

/**
 * Verifies signatures with jose, which uses WebCrypto and works on every platform. Loads jose when the first key is imported.
 *
 * @category verification
 * @since 0.1.0
 */
export const viaJose: ImportKey = (jwk, algorithm) =>
  isFit(jwk, algorithm)
    ? Effect.flatMap(loadJose, ({ compactVerify, importJWK }) =>
      Effect.map(
        Effect.promise(() => importJWK(publicMembers(jwk), algorithm).catch(() => undefined)),
        (key): PublicKey | undefined =>
          key === undefined || key instanceof Uint8Array ? undefined : {
            algorithm,
            verify: (token) =>
              Effect.callback<boolean>((resume) => {
                compactVerify(token, key, { algorithms: [algorithm] }).then(() => resume(valid), () => resume(invalid))
              })
          }
      ))
    : unfit

/**
 * Verifies signatures with `node:crypto` if it exists and needs less CPU time, and otherwise with jose. Selects one of them
 * when a key is imported.
 *
 * **Details**
 *
 * On Node and Bun, `node:crypto` verifies RS256 to RS512, PS256 to PS512, ES256 and EdDSA. On Deno, it verifies only EdDSA. On
 * workerd with `nodejs_compat`, it verifies RS256 to RS512 and EdDSA. All other checks of a token use the same code on all
 * platforms.
 *
 * **Gotchas**
 *
 * With `node:crypto`, each verification blocks the thread of the server for 15 to 70 microseconds, depending on the algorithm.
 * jose verifies on another thread and needs up to four times the CPU time. To keep the thread free for other work, provide
 * `layerJose`.
 *
 * @category verification
 * @since 0.1.0
 */
export const viaPlatform: ImportKey = (jwk, algorithm) =>
  Effect.suspend(() => {
    const verify = isFit(jwk, algorithm) ? nodeSignature.prepare(jwk, algorithm) : undefined
    return verify === undefined
      ? viaJose(jwk, algorithm)
      : Effect.succeed<PublicKey>({ algorithm, verify: (token) => verify(token) ? valid : invalid })
  })

const isFit = (jwk: Readonly<Record<string, unknown>>, algorithm: string): boolean =>
  usableAlgorithms(jwk).includes(algorithm)

const valid = Effect.succeed(true)
const invalid = Effect.succeed(false)
const unfit = Effect.succeed(undefined)

/**
 * Configures how keys are imported and signatures are verified. `AuthLayer` reads the setting when the layer is built,
 * `importKey` on each call. Default: `viaPlatform`.
 *
 * @category references
 * @since 0.1.0
 */
export const Signature: Context.Reference<ImportKey> = Context.Reference<ImportKey>("effect-mcp-auth/Signature", {
  defaultValue: () => viaPlatform
})

/**
 * Imports a public key with the function that `Signature` configures, for custom verifiers.
 *
 * **Example** (Verifying a signature)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { SigningKey } from "effect-mcp-auth/testing"
 * import { Signature } from "effect-mcp-auth/verification"
 * import assert from "node:assert/strict"
 *
 * const program = Effect.gen(function*() {
 *   const signer = yield* SigningKey.make({ algorithm: "ES256" })
 *   const token = yield* signer.sign({}, { sub: "alice" })
 *   const key = yield* Signature.importKey({ ...signer.publicJwk }, "ES256")
 *   return yield* key!.verify(token)
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), true)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const importKey: ImportKey = (jwk, algorithm) =>
  Effect.flatMap(Signature, (importKey) => importKey(jwk, algorithm))

/**
 * Verifies all signatures with jose.
 *
 * **When to use**
 *
 * Use it if signatures must not block the thread of the server, or if your security rules require jose or WebCrypto.
 *
 * **Example** (jose on every platform)
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
 * }).pipe(Layer.provide(Signature.layerJose))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerJose: Layer.Layer<never> = /*#__PURE__*/ Layer.succeed(Signature, viaJose)
