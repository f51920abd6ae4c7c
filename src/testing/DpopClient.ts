/**
 * A client that proves possession of a key (RFC 9449), for tests of resource servers with DPoP.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { calculateJwkThumbprint, type JWK } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import * as dpopProof from "../crypto/DpopProof.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { defined, generate, segment, signSegments } from "./internal/keys.ts"
import { type Promised, toPromises } from "./internal/promises.ts"

/**
 * The contents of a proof.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProofOptions {
  /** The HTTP method of the request. */
  readonly method: string
  /** The URL of the request. The proof contains this URL without query and fragment (RFC 9449 §4.2). */
  readonly url: string
  /** The access token, for the claim `ath`. Default: the proof has no `ath`. */
  readonly token?: string | undefined
  /** The nonce that the server named. Default: the proof has no nonce. */
  readonly nonce?: string | undefined
  /** Adds claims or replaces claims of the same name; `undefined` removes a claim. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Adds members to the protected header or replaces members of the same name; `undefined` removes a member. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
}

/**
 * The key of a client, and functions that create proofs.
 *
 * @category models
 * @since 0.1.0
 */
export interface DpopClient {
  readonly algorithm: Algorithm
  readonly publicJwk: JWK
  /** The JWK thumbprint of the key (RFC 7638), which is the `jkt` of tokens that are bound to the key. */
  readonly thumbprint: string
  /** Creates a proof, the value of the `DPoP` header, with a new `jti` and the current time as `iat`. */
  readonly proof: (options: ProofOptions) => Effect.Effect<string>
  /** Creates the `Authorization` and `DPoP` headers of a request with a bound token. */
  readonly headers: (
    options: ProofOptions & { readonly token: string }
  ) => Effect.Effect<{ readonly authorization: string; readonly dpop: string }>
}

/**
 * The options of a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  /** The signature algorithm of the key. Default: ES256. */
  readonly algorithm?: Algorithm | undefined
}

/**
 * Creates a client with a new key.
 *
 * **Example** (A request with a bound token)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
 *
 * const headers = Effect.gen(function*() {
 *   const issuer = yield* TestIssuer.TestIssuer
 *   const client = yield* DpopClient.make()
 *   const token = yield* issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint })
 *   return yield* client.headers({ method: "POST", url: issuer.resource, token })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (settings: Settings = {}): Effect.Effect<DpopClient> =>
  Effect.gen(function*() {
    ConfigOption.checkNames(settings, "DpopClient.make", ["algorithm"])
    const algorithm = settings.algorithm ?? "ES256"
    const key = yield* generate(algorithm, "client")
    const { alg: _alg, kid: _kid, use: _use, ...publicJwk } = key.publicJwk
    const thumbprint = yield* Effect.promise(() => calculateJwkThumbprint(publicJwk))

    const proof = (options: ProofOptions): Effect.Effect<string> =>
      Effect.gen(function*() {
        ConfigOption.check(options, "proof", proofTable)
        const content = yield* dpopProof.contentOf({ algorithm, publicJwk }, options)
        const claims = defined({ ...content.claims, ...options.claims })
        const header = defined({ ...content.header, ...options.header })
        return yield* signSegments(key, segment(header), segment(claims))
      })

    return {
      algorithm,
      publicJwk,
      thumbprint,
      proof,
      headers: (options) => Effect.map(proof(options), (dpop) => ({ authorization: `DPoP ${options.token}`, dpop }))
    }
  })

const proofTable: ConfigOption.Table<keyof ProofOptions> = {
  method: true,
  url: true,
  token: true,
  nonce: true,
  claims: true,
  header: true
}

/**
 * Creates a client for tests without Effect. Every method returns a promise.
 *
 * **Example** (A proof)
 *
 * ```ts
 * import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const issuer = await TestIssuer.start()
 * const client = await DpopClient.start()
 * const token = await issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint })
 * const headers = await client.headers({ method: "POST", url: issuer.resource, token })
 *
 * assert.ok(headers.authorization.startsWith("DPoP "))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (
  options: Settings = {}
): Promise<Promised<DpopClient>> => Effect.runPromise(Effect.map(make(options), toPromises))
