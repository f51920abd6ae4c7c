import * as Clock from "effect/Clock"
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
import * as SingleFlight from "./SingleFlight.ts"

/** The result of a fetch: the value, and how long it stays fresh according to its server, in seconds. */
export interface Fetched<A> {
  readonly value: A
  readonly maxAge: number | undefined
}

/** Names the origin of a value in errors and logs. */
export interface Source {
  readonly issuer: string
  /** The kind of document, such as `key set`. */
  readonly document: string
}

/** A value that is fetched from an authorization server and cached. */
export interface RefreshedDocument<A> {
  /** Returns the value. While its server fails, returns the stale value for at most `maxStale`. */
  readonly get: Effect.Effect<A, DocumentError>
  /**
   * Fetches the value again, because the cached value lacks something that a token needs, such as a key. `isFound` returns
   * whether a value contains the missing part. Each such fetch starts the cooldown `unknownKidCooldown`, in which no unknown
   * key causes another fetch. If requests may not share fetches, there is an exception: see `factory`. During the cooldown,
   * returns the cached value if its fetch began at least 31 seconds after the token was issued (`issuedAt`, in seconds, not
   * verified). Otherwise fails with `AuthorizationServerUnavailable`, because the token may be newer than the cached value, and
   * valid. After a failed fetch, the backoff applies instead of the cooldown.
   */
  readonly refetch: (
    issuedAt: number | undefined,
    isFound: (value: A) => boolean
  ) => Effect.Effect<A, DocumentError>
  /** Returns the value if it is fresh and needs no fetch. `now` is monotonic time, in milliseconds. */
  readonly fresh: (now: number) => A | undefined
  /** Returns the number of fetches that have started. */
  readonly started: () => number
  /**
   * Returns the number of the fetch that loaded the value. If it is greater than an earlier result of `started`, the fetch
   * began after that call.
   */
  readonly loadedBy: () => number
  /** Tells whether the value was fetched after a token was issued. Returns `true` if `issuedAt` is unknown. */
  readonly isLaterThan: (issuedAt: number | undefined, clock: Clock.Clock) => boolean
  /** Expires the value: the next `get` waits for a fetch, and uses this value only if the fetch fails. */
  readonly expire: () => void
}

const codeOf = (error: DocumentError) => error._tag === "InvalidMetadata" ? undefined : error.code

const unsharedRefetches = 8

/** The accepted difference between the clocks of an authorization server and of this server, in milliseconds. */
const clockSkew = 30_000

/**
 * Creates cached documents that bound the load on their server during an outage. Concurrent fetches are coalesced. A fetch runs
 * in the scope of the layer, so a cancelled request does not cancel it. A value is refreshed in the background after three
 * quarters of its lifetime. While fetches fail, the stale value stays in use, and the backoff grows with each failure.
 *
 * If requests may not share fetches (see `Sharing`), each request fetches an expired value itself. Unknown keys then cause
 * at most `unsharedRefetches` fetches per `unknownKidCooldown`.
 */
export const factory: Effect.Effect<
  <A>(source: Source, fetch: Effect.Effect<Fetched<A>, DocumentError>) => RefreshedDocument<A>,
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

  return <A>(source: Source, fetch: Effect.Effect<Fetched<A>, DocumentError>): RefreshedDocument<A> => {
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
    let refetchedAt = Number.NEGATIVE_INFINITY
    let refetches: ReadonlyArray<number> = []
    let started = 0

    const settle = (startedAt: number, number: number, exit: Exit.Exit<Fetched<A>, DocumentError>) =>
      Effect.flatMap(monotonic.millis, (now) => {
        if (Exit.isSuccess(exit)) {
          const { maxAge, value } = exit.value
          const given = maxAge === undefined ? times.refresh : maxAge * 1000
          failed = undefined
          // Fetches that are not shared can overlap. The result of an older fetch must not replace the result of a newer one.
          if (good !== undefined && good.number > number) return Effect.void
          good = {
            value,
            succeed: Effect.succeed(value),
            startedAt,
            number,
            at: now,
            // If the server sends no `max-age`, the configured time applies, even outside the bounds.
            refresh: maxAge === undefined ? given : Math.min(Math.max(given, times.shortest), times.longest)
          }
          return Effect.void
        }
        const error = Exit.findErrorOption(exit)
        if (error._tag === "None") return Effect.void // interrupted: the layer is closing
        const count = (failed?.times ?? 0) + 1
        // `Retry-After` extends the backoff up to `maxBackoff`, so that a server cannot stop all fetches for long. If the
        // server sent no `Retry-After`, `retryAfter` is 1, which does not extend the backoff.
        const retryAfter = error.value._tag === "AuthorizationServerUnavailable" ? error.value.retryAfter : 1
        const longer = retryAfter > 1 ? retryAfter * 1000 : 0
        const backoff = Math.min(Math.max(times.minBackoff * 2 ** (count - 1), longer), times.maxBackoff)
        failed = { error: error.value, until: now + backoff, times: count }
        // Logged once per outage. Without a stale value, every request reports the error itself.
        return count > 1 || good === undefined || now - good.at >= times.maxStale ? Effect.void : Effect.logWarning(
          `The ${source.document} of the authorization server ${sanitize(source.issuer)} could not be refreshed ` +
            `(${codeOf(error.value) ?? error.value.reason}). The previous one stays in use for at most ${
              Duration.format(freshness.maxStale)
            }.`
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

    const flights = SingleFlight.make<A, DocumentError>(scope)
    const join = () => flights.join(source.document)
    // Without sharing, a fetch leaves no state that another request could wait for, because the platform may stop this
    // request before the fetch ends.
    const start: Effect.Effect<Effect.Effect<A, DocumentError>> = shares
      ? flights.start(source.document, attempt)
      : Effect.exit(attempt)
    const mayStart = (now: number) => failed === undefined || now >= failed.until

    // Fails with the error of the last attempt and the remaining backoff.
    const lastError = (now: number): Effect.Effect<never, DocumentError> => {
      const { error, until } = failed!
      return Effect.fail(
        error._tag === "InvalidMetadata" ? error : new AuthorizationServerUnavailable({
          issuer: error.issuer,
          reason: error.reason,
          retryAfter: Math.max(1, Math.ceil((until - now) / 1000)),
          code: error.code
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
        const running = join()
        if (running === undefined && !mayStart(now)) return succeed
        const fetching = running === undefined ? start : Effect.succeed(running)
        // An expired value is used only if a fetch has failed. Otherwise the request waits for a fetch.
        return age < good.refresh || failed !== undefined
          ? Effect.andThen(fetching, succeed)
          : Effect.catch(Effect.flatten(fetching), () => succeed)
      }
      return join() ?? (mayStart(now) ? Effect.flatten(start) : lastError(now))
    })

    /**
     * Tells whether the last successful fetch began after a token was issued. If it did, the document must contain the key of
     * that token. The start of the fetch is computed from its monotonic age and the current time, because the wall clock may have
     * been set since. `issuedAt` has whole seconds, so one second is added.
     */
    const isLater = (issuedAt: number, skew: number, clock: Clock.Clock): boolean =>
      good !== undefined &&
      clock.currentTimeMillisUnsafe() - (monotonic.millisOf(clock) - good.startedAt) >= (issuedAt + 1) * 1000 + skew

    const isLaterThan: RefreshedDocument<A>["isLaterThan"] = (issuedAt, clock) =>
      issuedAt === undefined || isLater(issuedAt, 0, clock)

    /**
     * Returns the rest of the cooldown, in milliseconds. During the cooldown, an unknown key does not cause a fetch. If the
     * result is 0 or less, the cooldown is over.
     */
    const cooldown = (now: number): number => {
      if (failed !== undefined) return 0
      if (!shares) {
        refetches = refetches.filter((at) => now - at < times.unknownKidCooldown)
        if (refetches.length >= unsharedRefetches) return refetches[0]! + times.unknownKidCooldown - now
      }
      return refetchedAt + times.unknownKidCooldown - now
    }

    const refetch: RefreshedDocument<A>["refetch"] = (issuedAt, isFound) =>
      Clock.clockWith((clock): Effect.Effect<A, DocumentError> => {
        const now = monotonic.millisOf(clock)
        const running = join()
        if (running !== undefined) {
          // The running fetch began before this request, and possibly before the token was issued, so its result may lack the
          // key.
          return Effect.flatMap(
            running,
            (value) =>
              isFound(value) || isLaterThan(issuedAt, clock)
                ? Effect.succeed(value)
                : refetch(issuedAt, isFound)
          )
        }
        if (!mayStart(now)) return lastError(now)
        const remaining = cooldown(now)
        if (remaining > 0) {
          return issuedAt !== undefined && isLater(issuedAt, clockSkew, clock) ? get : coolingDown(remaining)
        }
        if (shares) {
          refetchedAt = now
          return Effect.flatten(start)
        }
        refetches = [...refetches, now]
        return Effect.map(Effect.flatten(start), (value) => {
          refetchedAt = now
          return value
        })
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
