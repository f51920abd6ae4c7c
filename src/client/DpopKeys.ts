/**
 * Binds the tokens of a client to a key that only the client has (DPoP, RFC 9449). A stolen token is worth nothing without the key.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Algorithm } from "../crypto/Algorithm.ts"
import type { ProofKey } from "../crypto/ProofKey.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { BoundedMap } from "../store/BoundedMap.ts"
import { type BoundKey, type BoundKeys, mark } from "./BoundKey.ts"

/**
 * The option `dpop` of a client. `make` creates it.
 *
 * @category models
 * @since 0.1.0
 */
export interface DpopKeys {
  readonly [mark]: () => BoundKeys
}

/**
 * The options of keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The signature algorithm of proofs. Default: `"ES256"`. */
  readonly algorithm?: Algorithm | undefined
}

const table = {
  algorithm: ConfigOption.oneOf(
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
    "PS256",
    "PS384",
    "PS512",
    "RS256",
    "RS384",
    "RS512"
  )
} satisfies ConfigOption.Table<keyof Options>

/** The number of servers whose nonces are kept. */
const maximumServers = 256

/** A nonce consists of these characters (RFC 9449 §8.1). */
const nonces = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/

/**
 * Creates the keys of a client. Throws `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * Each token request and each request to the MCP server has a new proof. If a server asks for a nonce, the client sends the request
 * once more with the nonce, and keeps it for later requests to the same origin. A token that is not bound to the key is rejected with
 * `Mismatch`.
 *
 * A machine client has one key, which cannot leave the process. A person's connection has a separate key for each sign-in. It is
 * stored in the record of the token, so `SealedStore` seals both. If the record has no usable key, the client removes the record, and
 * the person must sign in.
 *
 * **Example** (Connections whose tokens are bound to keys)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { DpopKeys } from "effect-mcp-auth/client"
 * import { Connections } from "effect-mcp-auth/sign-in"
 * import { MemoryStore } from "effect-mcp-auth/store"
 *
 * const ConnectionsLive = Connections.layer({
 *   client: { name: "Calendar assistant" },
 *   redirectUri: "https://assistant.example.com/oauth/callback",
 *   allowIssuers: ["https://auth.example.com"],
 *   dpop: DpopKeys.make()
 * }).pipe(Layer.provide(MemoryStore.layer()))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): DpopKeys => {
  ConfigOption.check(options, "DpopKeys.make", table)
  const { algorithm = table.algorithm.default } = options
  return { [mark]: () => makeKeys(algorithm) }
}

/** Loads the functions that create and read keys. Clients need them only after the first 401. */
const load = Effect.promise(() => import("../crypto/ProofKey.ts"))

const makeKeys = (algorithm: Algorithm): BoundKeys => {
  const latest = new BoundedMap<string, string>(maximumServers)
  const toBoundKey = ({ prove, stored, thumbprint }: ProofKey): BoundKey => ({
    thumbprint,
    stored,
    prove: ({ method, token, url }) =>
      prove({ method, url, token: token && Redacted.value(token), nonce: latest.use(new URL(url).origin) }),
    acceptNonce: (url, nonce) => {
      if (nonce !== undefined && nonces.test(nonce)) latest.set(new URL(url).origin, nonce)
    }
  })
  return {
    algorithm,
    create: (options) => Effect.map(Effect.flatMap(load, ({ generate }) => generate(algorithm, options)), toBoundKey),
    restore: (stored, thumbprint) =>
      Effect.map(
        Effect.flatMap(load, ({ restore }) => restore(stored, algorithm)),
        (key) => key?.thumbprint === thumbprint ? toBoundKey(key) : undefined
      )
  }
}
