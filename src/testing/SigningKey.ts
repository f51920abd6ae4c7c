/**
 * Key pairs that sign tokens. They belong to an issuer, to a client (`private_key_jwt`) or to a forger.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { CryptoKey, JWK } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as keys from "./internal/keys.ts"
import { type Promised, toPromises } from "./internal/promises.ts"

/**
 * A key pair for tests. Its private key is extractable.
 *
 * @category models
 * @since 0.1.0
 */
export interface SigningKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  /** The public key, as a key set publishes it. */
  readonly publicJwk: JWK
  /** The private key, as a client stores it. */
  readonly privateJwk: JWK
  /** Signs a token with exactly these claims. The header contains `alg` and `kid` by default; `undefined` removes a member. */
  readonly sign: (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string>
  /** Signs two segments unchanged, even if they are malformed. */
  readonly signSegments: (header: string, claims: string) => Effect.Effect<string>
}

/**
 * The options of a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The signature algorithm. Default: ES256, whose keys are the fastest to generate. */
  readonly algorithm?: Algorithm | undefined
  /** The key identifier. Default: `key`. */
  readonly kid?: string | undefined
  /** The size of an RSA key, in bits. Verifiers reject keys of less than 2048 bits (RFC 7518 §3.3). Default: 2048. */
  readonly modulusLength?: number | undefined
  /** The public exponent of an RSA key. Default: 65537. */
  readonly publicExponent?: number | undefined
}

/**
 * Generates a key pair.
 *
 * **Example** (A server with configured keys)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 * import { SigningKey } from "effect-mcp-auth/testing"
 *
 * const program = Effect.gen(function*() {
 *   const { publicJwk, sign } = yield* SigningKey.make()
 *   const Auth = AuthLayer.make({
 *     resource: "https://todos.example.com/mcp",
 *     authorizationServers: [{ issuer: "https://auth.example.com", jwks: { keys: [publicJwk] } }],
 *     scopes: ["todos:read"]
 *   })
 *   return { Auth, sign }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<SigningKey> =>
  Effect.gen(function*() {
    ConfigOption.check(options, "SigningKey.make", table)
    const key = yield* keys.generate(options.algorithm ?? "ES256", options.kid ?? "key", options)
    const signSegments: SigningKey["signSegments"] = (header, claims) => keys.signSegments(key, header, claims)
    return {
      ...key,
      privateJwk: yield* keys.privateJwk(key),
      signSegments,
      sign: (header, claims) =>
        signSegments(
          keys.segment(keys.defined({ alg: key.algorithm, kid: key.kid, ...header })),
          keys.segment(keys.defined(claims))
        )
    }
  })

const table: ConfigOption.Table<keyof Options> = {
  algorithm: true,
  kid: true,
  modulusLength: true,
  publicExponent: true
}

/**
 * Generates a key pair for tests without Effect. Every method returns a promise.
 *
 * **Example** (A key without Effect)
 *
 * ```ts
 * import { SigningKey } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const { publicJwk } = await SigningKey.start()
 *
 * assert.ok(!("d" in publicJwk))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: Options = {}): Promise<Promised<SigningKey>> =>
  Effect.runPromise(Effect.map(make(options), toPromises))
