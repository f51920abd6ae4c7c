import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sha256 } from "../../../crypto/Sha256.ts"
import type { EndpointGuard } from "../../../outbound/EndpointGuard.ts"
import { BoundedMap } from "../../../store/BoundedMap.ts"
import * as monotonic from "../../../store/MonotonicTime.ts"
import * as Claims from "../../claims/Claims.ts"
import type { RequestClaims, Unavailable } from "./introspectionRequest.ts"

/* Requests the answers of an introspection endpoint, within the limits of `EndpointGuard`. */

/** An answer, and the time at which it was requested. */
export interface IntrospectionAnswer {
  readonly claims: Claims.Claims
  /** The wall-clock time, in milliseconds since 1970. Other instances can compare it with their clock. */
  readonly at: number
  /** The monotonic time of this process, in milliseconds. The age of an answer is measured with it. */
  readonly since: number
}

/** Returns the answer about a token. */
export type GetAnswer = (token: Redacted.Redacted) => Effect.Effect<IntrospectionAnswer, Unavailable>

/** Maximum number of tokens that are recorded as verified. */
const maximumVerified = 10_000

/** Tells whether an answer reports an active token. `active` must be the boolean `true`, not the string. */
export const isActive = ({ claims }: Pick<IntrospectionAnswer, "claims">): boolean =>
  Claims.own(claims, "active") === true

/**
 * Requests answers through the guard of the endpoint. Requests for tokens that were recorded as verified have priority. If such
 * a token is inactive now, the answer does not count against the limit of answers about inactive tokens.
 */
export const guarded = (guard: EndpointGuard, requestClaims: RequestClaims): {
  readonly request: GetAnswer
  readonly recordVerified: (token: Redacted.Redacted) => Effect.Effect<void>
} => {
  const verified = new BoundedMap<string, true>(maximumVerified)
  return {
    request: (token) =>
      Effect.flatMapEager(sha256(Redacted.value(token)), (hash) => {
        const answer = Clock.clockWith((clock) => {
          const at = clock.currentTimeMillisUnsafe()
          const since = monotonic.millisOf(clock)
          return Effect.map(requestClaims(token), (claims): IntrospectionAnswer => ({ claims, at, since }))
        })
        return Effect.tap(
          guard.protect(verified.has(hash) ? "verified" : "unverified", answer),
          (answer) => isActive(answer) || verified.delete(hash) ? Effect.void : guard.countInactive
        )
      }),
    recordVerified: (token) =>
      Effect.mapEager(sha256(Redacted.value(token)), (hash) => {
        verified.set(hash, true)
      })
  }
}
