import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { sha256 } from "../../../crypto/Sha256.ts"
import * as CircuitBreaker from "../../../outbound/CircuitBreaker.ts"
import { Sharing } from "../../../outbound/Sharing.ts"
import { isRecord } from "../../../protocol/Json.ts"
import * as OptionValue from "../../../protocol/OptionValue.ts"
import { sanitize } from "../../../protocol/RemoteText.ts"
import { BoundedMap } from "../../../store/BoundedMap.ts"
import * as monotonic from "../../../store/MonotonicTime.ts"
import * as Claims from "../../claims/Claims.ts"
import type { Parts } from "../../issuers/OpaqueTokens.ts"
import type { SharedStore } from "../IntrospectionOptions.ts"
import { type GetAnswer, type IntrospectionAnswer, isActive } from "./introspectionAnswer.ts"

/* Answers that the instances of a server share in a store. */

/** The value of an entry in the store. */
type Stored = Pick<IntrospectionAnswer, "at" | "claims">

/**
 * The time limit for one operation of the store, in milliseconds. A slower store counts as failed: it would delay every new token,
 * although an introspection request usually takes less time.
 */
const storeTime = 250

/** Maximum number of answers whose age this instance measures. */
const maximumAges = 10_000

/** Maximum number of answers that are being written. Further answers are not stored. */
const maximumWrites = 64

/** Two failures in a row open the circuit. A probe that takes longer than `probeTime` counts as lost. In milliseconds. */
const circuit: CircuitBreaker.Settings = { failures: 2, minBackoff: 5_000, maxBackoff: 60_000, probeTime: 10_000 }

/**
 * Creates the function that reads an answer from the store, or else requests it and stores it if the token is active.
 * `timeToLive` is in milliseconds.
 *
 * The store must not delay requests. A request waits for it only to read, and only while it works: after two failures in a row, the
 * store is not used for 5 seconds or, after further failures, up to a minute. Answers are written in the background.
 */
export const make = Effect.fnUntraced(function*(
  store: SharedStore,
  request: GetAnswer,
  { authorizationServer, lastInvalidation, rules }: Parts,
  timeToLive: number
): Effect.fn.Return<GetAnswer, never, Scope.Scope> {
  const scope = yield* Effect.scope
  // In a Worker, nothing may run after the response, so the request waits for the write.
  const writesBehind = yield* Sharing
  const { use, write } = guardStore(sanitize(authorizationServer.issuer))

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
    const stored = yield* use(() => store.get(key))
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
      const writing = write(() => store.set(key, value, Duration.millis(until - now)))
      yield* writesBehind ? Effect.forkIn(writing, scope, { startImmediately: true }) : writing
    }
    return answer
  })
})

/** Creates the functions that use the store while it works. */
const guardStore = (issuer: string) => {
  const breaker = CircuitBreaker.make(circuit)
  let writes = 0

  const fail = (call: CircuitBreaker.Call) =>
    Effect.gen(function*() {
      const cooldown = breaker.fail(call, yield* monotonic.millis, {
        isDecisive: false,
        retryAfter: 0,
        random: yield* Random.next
      })
      if (cooldown === undefined) return
      // The errors of the store are left out, because they may quote tokens and claims.
      yield* Effect.logWarning(
        `The shared store of introspection answers for ${issuer} fails or takes more than ${storeTime} milliseconds. It is not used for ` +
          `${Math.ceil(cooldown / 1_000)} seconds; each instance sends its own requests meanwhile.`
      )
    })

  /** Returns the result of the store, or `undefined` if it fails, throws, is slow or is not used at the moment. */
  const use = <A, E>(operation: () => Effect.Effect<A, E>): Effect.Effect<A | undefined> =>
    Effect.flatMap(monotonic.millis, (now) => {
      const call = breaker.admit(now)
      if (typeof call === "number") return Effect.undefined
      return Effect.suspend(() => OptionValue.toEffect(operation(), "a function of the shared store")).pipe(
        Effect.timeout(storeTime),
        Effect.tap(() => Effect.sync(() => breaker.succeed(call))),
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.andThen(Effect.sync(() => breaker.abandon(call)), Effect.interrupt)
            : Effect.as(fail(call), undefined)
        )
      )
    })

  /** Writes to the store, unless too many writes are running. */
  const write = <A, E>(operation: () => Effect.Effect<A, E>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (writes >= maximumWrites) return Effect.void
      writes++
      return Effect.ensuring(Effect.asVoid(use(operation)), Effect.sync(() => void writes--))
    })

  return { use, write }
}

const isStored = (value: unknown): value is Stored => {
  const { at, claims } = (value ?? {}) as Partial<Stored>
  return typeof at === "number" && isRecord(claims)
}
