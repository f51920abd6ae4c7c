import type * as Effect from "effect/Effect"
import * as base64url from "../../crypto/Base64Url.ts"
import { sha256 } from "../../crypto/Sha256.ts"

/* Proof Key for Code Exchange with the method S256 (RFC 7636). */

/** Creates 32 random bytes in base64url, for a verifier or a `state`. */
export const makeSecret = (): string => base64url.encode(crypto.getRandomValues(new Uint8Array(32)))

/** Returns the challenge of a verifier (RFC 7636 §4.2). */
export const challengeOf = (verifier: string): Effect.Effect<string> => sha256(verifier)

/**
 * Tells whether an authorization server accepts S256. Metadata without the member do not say so, and a server that ignores PKCE would
 * accept a stolen code, so only an option of the author replaces the member.
 */
export const isSupported = (methods: ReadonlyArray<string> | undefined, assumesS256: boolean): boolean =>
  methods?.includes("S256") ?? assumesS256
