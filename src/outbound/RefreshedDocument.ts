import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import { sanitize } from "../protocol/RemoteText.ts"
import * as monotonic from "../store/MonotonicTime.ts"
import { Freshness } from "./Freshness.ts"
import type { DocumentError } from "./JsonDocument.ts"
import { Sharing } from "./Sharing.ts"

/** What a fetch yields: the value, and how long its server says it stays fresh (seconds). */
export interface Fetched<A> {
  readonly value: A
  readonly maxAge: number | undefined
}

/** Where a value comes from, for errors and the log. */
export interface Source {
  readonly issuer: string
  /** Such as `key set`. */
  readonly document: string
}

/** A value that lives at an authorization server. */
export interface Remote<A> {
  /** The value: fresh, or the last good one while its server fails. */
  readonly get: Effect.Effect<A, DocumentError>
  /**
   * The value after a fetch, for a token that misses something in it; at most one fetch per `unknownKidCooldown`. While no fetch is
   * allowed, and the last one began before the token was issued (`issuedAt`, in seconds, not verified), the error is
   * `AuthorizationServerUnavailable`: the token may be fine. `isFound` tells whether a value has what is missed.
   */
  readonly refetch: (
    issuedAt: number | undefined,
    isFound: (value: A) => boolean
  ) => Effect.Effect<A, DocumentError>
  /** The value, if it is fresh and needs no fetch. `now` is monotonic time in milliseconds. */
  readonly fresh: (now: number) => A | undefined
  /** The number of fetches that have started so far. */
  readonly started: () => number
  /** The number of the fetch that the value comes from: more than an earlier `started` if it began after that reading. */
  readonly loadedBy: () => number
  /** Whether the fetch that the value comes from began after a token was issued. `true` where `issuedAt` is not known. */
  readonly isLaterThan: (issuedAt: number | undefined, clock: Clock.Clock) => boolean
  /** Makes the value overdue: the next `get` waits for a fetch, and uses this value only if that fails. */
  readonly expire: () => void
}

const unsharedRefetches = 8

/** By how much the clocks of an authorization server and of this server may differ, in milliseconds. */
const clockSkew = 30_000

/**
 * Makes remote values that keep the discipline that an outage asks for: one fetch at a time, shared by all who wait and
 * owned by the layer (a cancelled request cancels nobody's fetch); a refresh in the background once three quarters of
 * the time are over; the last good value while fetches fail; growing pauses between failures.
 *
 * Where requests may not share (see `Sharing`) each fetches for itself, once the value is overdue; unknown keys cause at
 * most `unsharedRefetches` fetches in the time of one.
 */
export const factory: Effect.Effect<
  <A>(source: Source, fetch: Effect.Effect<Fetched<A>, DocumentError>) => Remote<A>,
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
    maxStale: Duration.toMillis(freshness.maxStale),
    unknownKidCooldown: Duration.toMillis(freshness.unknownKidCooldown),
    minBackoff: Duration.toMillis(freshness.minBackoff),
    maxBackoff: Duration.toMillis(freshness.maxBackoff)
  }

  return <A>(source: Source, fetch: Effect.Effect<Fetched<A>, DocumentError>): Remote<A> => {
    let good:
      | {
        readonly value: A
        readonly succeed: Effect.Effect<A>
        readonly startedAt: number
        readonly number: number
        readonly at: number
        refresh: number
      }
      | undefined
    let failed: { readonly error: DocumentError; readonly until: number; readonly times: number } | undefined
    let running: Deferred.Deferred<A, DocumentError> | undefined
    let refetchedAt = Number.NEGATIVE_INFINITY
    let refetches: ReadonlyArray<number> = []
    let started = 0

    const settle = (startedAt: number, number: number, exit: Exit.Exit<Fetched<A>, DocumentError>) =>
      Effect.flatMap(monotonic.millis, (now) => {
        if (Exit.isSuccess(exit)) {
          const { maxAge, value } = exit.value
          const asked = maxAge === undefined ? times.refresh : maxAge * 1000
          failed = undefined
          // Fetches that are not shared overlap: an older look-up does not replace a newer one.
          if (good !== undefined && good.number > number) return Effect.void
          good = {
            value,
            succeed: Effect.succeed(value),
            startedAt,
            number,
            at: now,
            // Without a word from the server the configured time counts as it is, even outside the bounds.
            refresh: maxAge === undefined ? asked : Math.min(Math.max(asked, times.shortest), times.longest)
          }
          return Effect.void
        }
        const error = Exit.findErrorOption(exit)
        if (error._tag === "None") return Effect.void // interrupted: the layer is closing
        const count = (failed?.times ?? 0) + 1
        // Longer where the server asks for it, and never so long that it would decide how long an outage is. One second
        // is what those say who were told nothing.
        const asked = error.value._tag === "AuthorizationServerUnavailable" ? error.value.retryAfter : 1
        const longer = asked > 1 ? asked * 1000 : 0
        const backoff = Math.min(Math.max(times.minBackoff * 2 ** (count - 1), longer), times.maxBackoff)
        failed = { error: error.value, until: now + backoff, times: count }
        // Once per outage. Without a value to fall back on, every request reports the error itself.
        return count > 1 || good === undefined || now - good.at >= times.maxStale ? Effect.void : Effect.logWarning(
          `The ${source.document} of the authorization server ${sanitize(source.issuer)} could not be refreshed ` +
            `(${error.value.reason}). The previous one stays in use for at most ${Duration.format(freshness.maxStale)}.`
        )
      })

    const attempt = Effect.suspend(() => {
      const number = ++started
      return Effect.flatMap(monotonic.millis, (startedAt) =>
        fetch.pipe(
          Effect.onExit((exit) => settle(startedAt, number, exit)),
          Effect.map((_) => _.value)
        ))
    })

    // Leaves nothing behind that another request could wait for: this one may never come to its end.
    const startAlone = Effect.suspend(() => {
      const deferred = Deferred.makeUnsafe<A, DocumentError>()
      return attempt.pipe(
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
      return attempt.pipe(
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

    // What the last attempt met, with the backoff that is left.
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

    const coolingDown = (remaining: number): Effect.Effect<never, DocumentError> =>
      Effect.fail(
        new AuthorizationServerUnavailable({
          issuer: source.issuer,
          reason: "keys-cooling-down",
          retryAfter: Math.max(1, Math.ceil(remaining / 1000))
        })
      )

    const get = Effect.withFiber((fiber): Effect.Effect<A, DocumentError> => {
      const now = monotonic.millisOf(fiber.getRef(Clock.Clock))
      if (good !== undefined && now - good.at < times.maxStale) {
        const { succeed } = good
        const age = now - good.at
        if (age < good.refresh * (shares ? 0.75 : 1)) return succeed
        if (running === undefined && !mayStart(now)) return succeed
        const fetching = running === undefined ? start : Effect.succeed(running)
        // Overdue: somebody has to see the new value before the old one is trusted again, unless a fetch failed already.
        return age < good.refresh || failed !== undefined
          ? Effect.andThen(fetching, succeed)
          : Effect.flatMap(fetching, wait).pipe(Effect.catch(() => succeed))
      }
      if (running !== undefined) return wait(running)
      return mayStart(now) ? Effect.flatMap(start, wait) : remembered(now)
    })

    /**
     * Whether the last good fetch began after a token was issued, so that it shows the key of that token. The age of the
     * fetch is monotonic and counted back from now: the wall clock may have been set since. `issuedAt` has whole seconds.
     */
    const isLater = (issuedAt: number, skew: number, clock: Clock.Clock): boolean =>
      good !== undefined &&
      clock.currentTimeMillisUnsafe() - (monotonic.millisOf(clock) - good.startedAt) >= (issuedAt + 1) * 1000 + skew

    const isLaterThan: Remote<A>["isLaterThan"] = (issuedAt, clock) =>
      issuedAt === undefined || isLater(issuedAt, 0, clock)

    /** For how much longer no fetch is allowed on behalf of a token, in milliseconds. */
    const cooldown = (now: number): number => {
      if (failed !== undefined) return 0
      if (!shares) {
        refetches = refetches.filter((at) => now - at < times.unknownKidCooldown)
        if (refetches.length >= unsharedRefetches) return refetches[0]! + times.unknownKidCooldown - now
      }
      return refetchedAt + times.unknownKidCooldown - now
    }

    const refetch: Remote<A>["refetch"] = (issuedAt, isFound) =>
      Clock.clockWith((clock): Effect.Effect<A, DocumentError> => {
        const now = monotonic.millisOf(clock)
        if (running !== undefined) {
          // It began before this request came, which is not yet after its token was issued.
          return Effect.flatMap(
            wait(running),
            (value) =>
              isFound(value) || isLaterThan(issuedAt, clock)
                ? Effect.succeed(value)
                : refetch(issuedAt, isFound)
          )
        }
        if (!mayStart(now)) return remembered(now)
        const remaining = cooldown(now)
        if (remaining > 0) {
          return issuedAt !== undefined && isLater(issuedAt, clockSkew, clock) ? get : coolingDown(remaining)
        }
        if (shares) {
          refetchedAt = now
          return Effect.flatMap(start, wait)
        }
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
      good !== undefined && now - good.at < Math.min(good.refresh * 0.75, times.maxStale)
        ? good.value
        : undefined

    const expire = () => {
      if (good !== undefined) good.refresh = 0
    }

    return { get, refetch, fresh, started: () => started, loadedBy: () => good?.number ?? 0, isLaterThan, expire }
  }
})
