/**
 * A client that holds a key and proves it (RFC 9449), for tests of what a resource server makes of proofs.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { base64url, calculateJwkThumbprint, type JWK } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import { defined, generate, segment, signSegments } from "./internal/keys.ts"
import { type Promised, promised } from "./internal/promised.ts"

/**
 * What a proof is for.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProofOptions {
  readonly method: string
  /** Query and fragment are left out, as RFC 9449 §4.2 has it. */
  readonly url: string
  /** Gives the claim `ath`. */
  readonly token?: string | undefined
  readonly nonce?: string | undefined
  /** Merged over everything else; `undefined` removes a claim. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Merged over the protected header; `undefined` removes a member. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
}

/**
 * A client's key, and the proofs that it makes.
 *
 * @category models
 * @since 0.1.0
 */
export interface DpopClient {
  readonly algorithm: Algorithm
  readonly publicJwk: JWK
  /** `jkt` of tokens that are bound to the key. */
  readonly thumbprint: string
  /** A proof: the value of the `DPoP` header. Each is new (`jti`), and of this moment (`iat`). */
  readonly proof: (options: ProofOptions) => Effect.Effect<string>
  /** Both headers of a request with a bound token. */
  readonly headers: (
    options: ProofOptions & { readonly token: string }
  ) => Effect.Effect<{ readonly authorization: string; readonly dpop: string }>
}

/**
 * Makes a client with a new key.
 *
 * **Example** (A token bound to the key, and a request with it)
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
export const make = (options: { readonly algorithm?: Algorithm | undefined } = {}): Effect.Effect<DpopClient> =>
  Effect.gen(function*() {
    const algorithm = options.algorithm ?? "ES256"
    const key = yield* generate(algorithm, "client")
    const { alg: _alg, kid: _kid, use: _use, ...publicJwk } = key.publicJwk
    const thumbprint = yield* Effect.promise(() => calculateJwkThumbprint(publicJwk))

    const proof = (asked: ProofOptions): Effect.Effect<string> =>
      Effect.gen(function*() {
        const millis = yield* Clock.currentTimeMillis
        const url = new URL(asked.url)
        const { token } = asked
        const claims = defined({
          jti: crypto.randomUUID(),
          htm: asked.method,
          htu: `${url.origin}${url.pathname}`,
          iat: Math.floor(millis / 1000),
          ath: token === undefined ? undefined : yield* Effect.promise(() => hash(token)),
          nonce: asked.nonce,
          ...asked.claims
        })
        const header = defined({ typ: "dpop+jwt", alg: algorithm, jwk: publicJwk, ...asked.header })
        return yield* signSegments(key, segment(header), segment(claims))
      })

    return {
      algorithm,
      publicJwk,
      thumbprint,
      proof,
      headers: (asked) => Effect.map(proof(asked), (dpop) => ({ authorization: `DPoP ${asked.token}`, dpop }))
    }
  })

const hash = async (token: string): Promise<string> =>
  base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))))

/**
 * `make` for tests without Effect: every method gives a promise.
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
  options: { readonly algorithm?: Algorithm | undefined } = {}
): Promise<Promised<DpopClient>> => Effect.runPromise(Effect.map(make(options), promised))
