import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Signature from "../../crypto/Signature.ts"
import type { AuthorizationServerUnavailable, InvalidMetadata } from "../../protocol/AuthError.ts"
import * as Claims from "../claims/Claims.ts"
import type { JwkSet, KeyHint, KeySource } from "../keys/JwkSet.ts"
import type { VerificationError } from "../TokenVerifier.ts"

/** A token whose signature is not verified yet, and the key that it needs. */
export interface Unverified {
  readonly server: KeySource
  readonly hint: KeyHint
  readonly claims: Claims.Claims
  readonly rules: { readonly tolerance: Claims.Tolerance }
}

/**
 * Maximum number of keys that are tried for a token, so that a client cannot cause unlimited work. If none of them verifies a
 * token without `kid`, at most the same number of newly fetched keys is tried.
 */
const maximumTries = 4

/** Finds the key that signed a token, or fails with the reason for the rejection. */
export type FindSigner = (
  token: string,
  unverified: Unverified
) => Effect.Effect<Signature.PublicKey, VerificationError>

/** Creates the function that finds the key of a token's signature. */
export const makeFindSigner = (keys: JwkSet["Service"]): FindSigner => {
  /**
   * Finds the keys that may have signed a token. If a cooldown delays the fetch that could find the key, a token whose times
   * are invalid is rejected. Any other token may be valid, so the effect fails with the error, and the server reports an
   * outage.
   */
  const find = (
    { claims, rules, server }: Unverified,
    hint: KeyHint
  ): Effect.Effect<ReadonlyArray<Signature.PublicKey>, AuthorizationServerUnavailable | InvalidMetadata> =>
    Effect.catchEager(
      keys.find(server, hint),
      (error) =>
        error.reason !== "keys-cooling-down" ? Effect.fail(error) : Clock.clockWith((clock) => {
          const times = Claims.checkTimes(claims, clock.currentTimeMillisUnsafe() / 1000, rules.tolerance)
          return Result.isFailure(times) ? Effect.succeed([]) : Effect.fail(error)
        })
    )

  return (token, unverified) => {
    const { hint } = unverified
    return Effect.flatMapEager(find(unverified, hint), (found) =>
      found.length === 0
        ? Effect.fromResult(Claims.reject("unknown-key"))
        : Effect.flatMapEager(signerAmong(found, token), (key) => {
          if (key !== undefined) return Effect.succeed(key)
          if (hint.kid !== undefined) return Effect.fromResult(Claims.reject("signature"))
          // If a token has no `kid` and no cached key verifies its signature, the key of the token may not be cached yet.
          return Effect.flatMap(find(unverified, { ...hint, excluded: found }), (others) =>
            Effect.flatMap(signerAmong(others, token), (key) =>
              key === undefined ? Effect.fromResult(Claims.reject("signature")) : Effect.succeed(key)))
        }))
  }
}

/** Returns the first key that verifies the signature of a token, or `undefined`. Tries at most `maximumTries` keys. */
const signerAmong = (
  keys: ReadonlyArray<Signature.PublicKey>,
  token: string,
  tried: number = 0
): Effect.Effect<Signature.PublicKey | undefined> => {
  const key = tried < maximumTries ? keys[tried] : undefined
  return key === undefined
    ? Effect.succeed(undefined)
    : Effect.flatMapEager(
      key.verify(token),
      (isSigned) => isSigned ? Effect.succeed(key) : signerAmong(keys, token, tried + 1)
    )
}
