import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { sha256 } from "./Sha256.ts"

/* Writes the contents of DPoP proofs (RFC 9449 §4.2). */

/** The request that a proof is for. */
export interface ProofTarget {
  readonly method: string
  /** The URL of the request. The proof contains it without query and fragment. */
  readonly url: string
  /** The access token of the request, for the claim `ath`. */
  readonly token?: string | undefined
  /** The nonce that the server named. */
  readonly nonce?: string | undefined
}

/** The header and the claims of a proof. */
export interface ProofContent {
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: string }
  readonly claims: Readonly<Record<string, unknown>>
}

/** Writes a proof with a new `jti` and the current time as `iat`. Its signature is added by the owner of the key. */
export const contentOf = (
  { algorithm, publicJwk }: { readonly algorithm: string; readonly publicJwk: object },
  { method, nonce, token, url }: ProofTarget
): Effect.Effect<ProofContent> =>
  Effect.gen(function*() {
    const { origin, pathname } = new URL(url)
    const millis = yield* Clock.currentTimeMillis
    return {
      header: { typ: "dpop+jwt", alg: algorithm, jwk: publicJwk },
      claims: {
        jti: crypto.randomUUID(),
        htm: method,
        htu: `${origin}${pathname}`,
        iat: Math.floor(millis / 1000),
        ...(token === undefined ? {} : { ath: yield* sha256(token) }),
        ...(nonce === undefined ? {} : { nonce })
      }
    }
  })
