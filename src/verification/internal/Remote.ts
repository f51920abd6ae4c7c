import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import { Freshness } from "../Freshness.ts"
import type { DocumentError } from "./fetchDocument.ts"
import * as monotonic from "./monotonic.ts"
import { Sharing } from "./sharing.ts"

/** What a fetch yields: the value, and how long its server says it stays fresh (seconds). */
export interface Fetched<A> {
  readonly value: A
  readonly maxAge: number | undefined
}

/** A value that lives at an authorization server. */
export interface Remote<A> {
  /** The value: fresh, or the last good one while its server fails. */
  readonly get: Effect.Effect<A, DocumentError>
  /** The value after a fetch, for somebody who misses something in it; at most one fetch per `unknownKey`. */
  readonly refetch: Effect.Effect<A, DocumentError>
  /** The value, if it is fresh and needs no fetch. `now` is monotonic time in milliseconds. */
  readonly fresh: (now: number) => A | undefined
  /** Counts the values so far: two equal readings mean that nothing was fetched in between. */
  readonly generation: () => number
}

const unsharedRefetches = 8

/**
 * Makes remote values that keep the discipline that an outage asks for: one fetch at a time, shared by all who wait and
 * owned by the layer (a cancelled request cancels nobody's fetch); a refresh in the background once three quarters of
 * the time are over; the last good value while fetches fail; growing pauses between failures.
 *
 * Where requests may not share (see `Sharing`) each fetches for itself, once the value is overdue; unknown keys cause at
 * most `unsharedRefetches` fetches in the time of one.
 */
export const factory: Effect.Effect<
  <A>(fetch: Effect.Effect<Fetched<A>, DocumentError>) => Remote<A>,
  never,
  Scope.Scope
> = Effect.gen(function*() {
  const scope = yield* Effect.scope
  const freshness = yield* Freshness
  const shares = yield* Sharing
  const times = {
    refresh: Duration.toMillis(freshness.refresh),
    shortest: Duration.toMillis(freshness.shortest),
    longest: Duration.toMillis(freshness.longest),
    lastGood: Duration.toMillis(freshness.lastGood),
    unknownKey: Duration.toMillis(freshness.unknownKey),
    pause: Duration.toMillis(freshness.pause),
    longestPause: Duration.toMillis(freshness.longestPause)
  }

  return <A>(fetch: Effect.Effect<Fetched<A>, DocumentError>): Remote<A> => {
    let good:
      | { readonly value: A; readonly succeed: Effect.Effect<A>; readonly at: number; readonly refresh: number }
      | undefined
    let failed: { readonly error: DocumentError; readonly until: number; readonly times: number } | undefined
    let running: Deferred.Deferred<A, DocumentError> | undefined
    let refetchedAt = Number.NEGATIVE_INFINITY
    let refetches: ReadonlyArray<number> = []
    let generation = 0

    const settle = (exit: Exit.Exit<Fetched<A>, DocumentError>) =>
      Effect.map(monotonic.millis, (now) => {
        if (Exit.isSuccess(exit)) {
          const { maxAge, value } = exit.value
          const asked = maxAge === undefined ? times.refresh : maxAge * 1000
          good = {
            value,
            succeed: Effect.succeed(value),
            at: now,
            // Without a word from the server the configured time counts as it is, even outside the bounds.
            refresh: maxAge === undefined ? asked : Math.min(Math.max(asked, times.shortest), times.longest)
          }
          failed = undefined
          generation++
          return
        }
        const error = Exit.findErrorOption(exit)
        if (error._tag === "None") return // interrupted: the layer is closing
        const count = (failed?.times ?? 0) + 1
        // Longer where the server asks for it, and never so long that it would decide how long an outage is. One second
        // is what those say who were told nothing.
        const asked = error.value._tag === "AuthorizationServerUnavailable" ? error.value.retryAfter : 1
        const longer = asked > 1 ? asked * 1000 : 0
        const pause = Math.min(Math.max(times.pause * 2 ** (count - 1), longer), times.longestPause)
        failed = { error: error.value, until: now + pause, times: count }
      })

    // Leaves nothing behind that another request could wait for: this one may never come to its end.
    const startAlone = Effect.suspend(() => {
      const deferred = Deferred.makeUnsafe<A, DocumentError>()
      return fetch.pipe(
        Effect.onExit(settle),
        Effect.map((_) => _.value),
        Effect.exit,
        Effect.map((exit) => {
          Deferred.doneUnsafe(deferred, exit)
          return deferred
        })
      )
    })
    const startShared = Effect.suspend(() => {
      const deferred = Deferred.makeUnsafe<A, DocumentError>()
      running = deferred
      return fetch.pipe(
        Effect.onExit(settle),
        Effect.map((_) => _.value),
        Effect.forkIn(scope, { startImmediately: true }),
        Effect.map((fiber) => {
          // Not a finalizer of the fetch: once the layer is closed nothing of it runs, and nobody may wait for ever.
          fiber.addObserver((exit) => {
            running = undefined
            Deferred.doneUnsafe(deferred, exit)
          })
          return deferred
        })
      )
    })
    const start = shares ? startShared : startAlone
    const wait = (deferred: Deferred.Deferred<A, DocumentError>) => Deferred.await(deferred)
    const mayStart = (now: number) => failed === undefined || now >= failed.until

    // What the last attempt met, with the pause that is left.
    const remembered = (now: number): Effect.Effect<never, DocumentError> => {
      const { error, until } = failed!
      return Effect.fail(
        error._tag === "InvalidMetadata" ? error : new AuthorizationServerUnavailable({
          issuer: error.issuer,
          reason: error.reason,
          retryAfter: Math.max(1, Math.ceil((until - now) / 1000))
        })
      )
    }

    const get = Effect.withFiber((fiber): Effect.Effect<A, DocumentError> => {
      const now = monotonic.millisOf(fiber.getRef(Clock.Clock))
      if (good !== undefined && now - good.at < times.lastGood) {
        const { succeed } = good
        const age = now - good.at
        if (age < good.refresh * (shares ? 0.75 : 1)) return succeed
        if (running === undefined && !mayStart(now)) return succeed
        const attempt = running === undefined ? start : Effect.succeed(running)
        // Overdue: somebody has to see the new value before the old one is trusted again, unless a fetch failed already.
        return age < good.refresh || failed !== undefined
          ? Effect.andThen(attempt, succeed)
          : Effect.flatMap(attempt, wait).pipe(Effect.catch(() => succeed))
      }
      if (running !== undefined) return wait(running)
      return mayStart(now) ? Effect.flatMap(start, wait) : remembered(now)
    })

    const refetch = Effect.flatMap(monotonic.millis, (now): Effect.Effect<A, DocumentError> => {
      if (running !== undefined) return wait(running)
      if (!mayStart(now)) return remembered(now)
      if (now - refetchedAt < times.unknownKey && failed === undefined) return get
      if (shares) {
        refetchedAt = now
        return Effect.flatMap(start, wait)
      }
      refetches = refetches.filter((at) => now - at < times.unknownKey)
      if (refetches.length >= unsharedRefetches) return get
      refetches = [...refetches, now]
      return Effect.flatMap(start, wait).pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            refetchedAt = now
          })
        )
      )
    })

    const fresh = (now: number): A | undefined =>
      good !== undefined && now - good.at < Math.min(good.refresh * 0.75, times.lastGood)
        ? good.value
        : undefined

    return { get, refetch, fresh, generation: () => generation }
  }
})
