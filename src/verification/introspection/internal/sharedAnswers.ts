import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sha256 } from "../../../crypto/Sha256.ts"
import { isRecord } from "../../../protocol/Json.ts"
import { BoundedMap } from "../../../store/BoundedMap.ts"
import * as monotonic from "../../../store/MonotonicTime.ts"
import * as Claims from "../../claims/Claims.ts"
import type { Parts } from "../../issuers/OpaqueTokens.ts"
import type { SharedStore } from "../IntrospectionOptions.ts"
import { type GetAnswer, type IntrospectionAnswer, isActive } from "./introspectionAnswer.ts"

/* Answers that the instances of a server share in a store. */

/** The value of an entry in the store. */
type Stored = Pick<IntrospectionAnswer, "at" | "claims">

/** The time limit for the store. A slower store counts as failed. */
const storeTime = "1 second"

/** Maximum number of answers whose age this instance measures. */
const maximumAges = 10_000

/**
 * Creates the function that reads an answer from the store, or else requests it and stores it if the token is active.
 * `timeToLive` is in milliseconds.
 */
export const make = (
  store: SharedStore,
  request: GetAnswer,
  { authorizationServer, lastInvalidation, rules }: Parts,
  timeToLive: number
): GetAnswer => {
  // Instances have only the wall clock in common. If it steps back, an answer looks younger than it is. So each instance also
  // measures the time since it first read the answer. The time to live of the entry in the store bounds the time before this
  // first read.
  const ages = new BoundedMap<string, { readonly at: number; readonly since: number }>(maximumAges)
  const sinceOf = (key: string, at: number, now: number, monotonicNow: number): number => {
    const known = ages.get(key)
    if (known?.at === at) return known.since
    const since = monotonicNow - (now - at)
    ages.set(key, { at, since })
    return since
  }

  return Effect.fnUntraced(function*(token) {
    const key = yield* sha256(JSON.stringify([authorizationServer.issuer, rules.resource, Redacted.value(token)]))
    const stored = yield* unlessStoreFails(() => store.get(key))
    const now = yield* Clock.currentTimeMillis
    const monotonicNow = yield* monotonic.millis
    if (isStored(stored) && stored.at <= now && now < stored.at + timeToLive && stored.at > lastInvalidation.at) {
      const since = sinceOf(key, stored.at, now, monotonicNow)
      if (monotonicNow - since < timeToLive && since > lastInvalidation.since) return { ...stored, since }
    }
    const answer = yield* request(token)
    if (!isActive(answer)) return answer
    const { at, claims, since } = answer
    ages.set(key, { at, since })
    const exp = Claims.own(claims, "exp")
    const until = Math.min(at + timeToLive, typeof exp === "number" ? exp * 1000 : Number.POSITIVE_INFINITY)
    if (until > now) {
      const value: Stored = { claims, at }
      yield* unlessStoreFails(() => store.set(key, value, Duration.millis(until - now)))
    }
    return answer
  })
}

/**
 * Returns the result of a store, or `undefined` if it fails, throws or is slow. Drops its errors, because they may quote tokens
 * and claims.
 */
const unlessStoreFails = <A, E>(use: () => Effect.Effect<A, E>): Effect.Effect<A | undefined> =>
  Effect.suspend(use).pipe(
    Effect.timeout(storeTime),
    Effect.catchCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed(undefined))
  )

const isStored = (value: unknown): value is Stored => {
  const { at, claims } = (value ?? {}) as Partial<Stored>
  return typeof at === "number" && isRecord(claims)
}
