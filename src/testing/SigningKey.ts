/**
 * A key pair that signs: an issuer's, a client's (`private_key_jwt`), a stranger's.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { CryptoKey, JWK } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import * as keys from "./internal/keys.ts"
import { type Promised, promised } from "./internal/promised.ts"

/**
 * A key pair. The private half can be exported: it is for tests alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface SigningKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  /** As a key set publishes it. */
  readonly publicJwk: JWK
  /** As a client keeps it. */
  readonly privateJwk: JWK
  /** A token of exactly these claims. The header has `alg` and `kid` unless it says otherwise; `undefined` removes a member. */
  readonly sign: (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string>
  /** Signs two segments as they stand, whatever they hold. */
  readonly signSegments: (header: string, claims: string) => Effect.Effect<string>
}

/**
 * What a key is to be.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: ES256, which is the quickest to generate. */
  readonly algorithm?: Algorithm | undefined
  /** Default: `key`. */
  readonly kid?: string | undefined
  /** How many bits an RSA key has. With fewer than 2048 it verifies nothing (RFC 7518 §3.3). Default: 2048. */
  readonly modulusLength?: number | undefined
  /** The public exponent of an RSA key. Default: 65537. */
  readonly publicExponent?: number | undefined
}

/**
 * Generates a key pair.
 *
 * **Example** (A server that is given the keys of its issuer)
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

/**
 * `make` for tests without Effect: every method gives a promise.
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
  Effect.runPromise(Effect.map(make(options), promised))
