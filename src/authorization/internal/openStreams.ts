import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import { sanitizeCause } from "../../protocol/RemoteText.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as TokenCache from "../../verification/tokens/TokenCache.ts"

/* Ends open streams, and tells whether a token was invalidated after its request was authenticated. */

/** The maximum number of open streams. A further stream ends the oldest one. */
const maximumStreams = 100_000

/** How many invalidated targets are kept. A request that was authenticated before the oldest of them is verified again. */
const maximumTargets = 256

/** How many streams may call `revocation` at the same time. Other streams wait for `pause` and try again. */
const maximumChecks = 16

/** The time until a stream tries again to call `revocation`, in milliseconds. */
const pause = 100

/**
 * The number of waiting streams above which `pause` grows in proportion to that number. Otherwise the attempts of many streams
 * would keep the processor busy during an outage of `revocation`.
 */
const waitingAtOnce = 1_000

/** The time limit of a call of `revocation`. A slower answer counts as an outage. */
const checkTimeout = Duration.seconds(5)

type Service = Principal

export interface Options {
  readonly revocation:
    | ((principal: Service) => Effect.Effect<boolean, AuthorizationServerUnavailable>)
    | undefined
  /** The time between two calls of `revocation` for an open stream. */
  readonly interval: Duration.Duration
}

export interface OpenStreams {
  /** Returns the number of targets that were invalidated so far. A request stores the number at its authentication. */
  readonly revision: () => number
  /** Returns whether a target that was invalidated after the revision `since` matches this principal, or may match it. */
  readonly isConcerned: (principal: Service, since: number) => boolean
  /** Records an invalidated target, and ends the streams of the principals that match it. */
  readonly end: (target: TokenCache.Target) => void
  /**
   * Waits until a stream must end: at `end` (in milliseconds since 1970), when an invalidated target matches its principal, or
   * when `revocation` returns `true`. `since` is the revision at which the request was authenticated.
   */
  readonly untilEnd: (principal: Service, end: number, since: number | undefined) => Effect.Effect<void>
}

export const make = ({ interval, revocation }: Options): OpenStreams => {
  const streams = new BoundedMap<{ readonly principal: Service; readonly ended: Deferred.Deferred<void> }, true>(
    maximumStreams
  )
  const targets: Array<(principal: Service) => boolean> = []
  let revision = 0
  let checks = 0
  let waiting = 0

  const waitForTurn = (left: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      waiting++
      return Effect.ensuring(
        Effect.sleep(Math.min(left, pause * Math.max(1, waiting / waitingAtOnce))),
        Effect.sync(() => {
          waiting--
        })
      )
    })

  const isConcerned: OpenStreams["isConcerned"] = (principal, since) => {
    const missed = revision - since
    if (missed <= 0) return false
    return missed > targets.length || targets.slice(-missed).some((isMeant) => isMeant(principal))
  }

  /** Returns `false` for an outage as well: the token was valid before, and an outage must not end all open streams. */
  const isRevoked = (principal: Service): Effect.Effect<boolean> =>
    revocation === undefined ? Effect.succeed(false) : Effect.suspend(() => {
      checks++
      return Effect.suspend(() => revocation(principal))
    }).pipe(
      Effect.timeoutOption(checkTimeout),
      Effect.map((answer) => answer._tag === "Some" && answer.value !== false),
      Effect.catch(() => Effect.succeed(false)),
      // If the function throws or dies, the token counts as revoked: a defect fails closed.
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError(
            "The revocation option failed for an open stream, which is closed",
            sanitizeCause(Cause.die(defect))
          ),
          true
        )
      ),
      Effect.ensuring(Effect.sync(() => {
        checks--
      }))
    )

  const untilExpiry = (principal: Service, end: number): Effect.Effect<void> =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const started = clock.monotonicTimeNanosUnsafe()
      const longest = end - clock.currentTimeMillisUnsafe()
      const period = Duration.toMillis(interval)
      let checkedAt = 0
      for (;;) {
        const age = Number(clock.monotonicTimeNanosUnsafe() - started) / 1e6
        // The wall clock decides. If it is set back, the monotonic age limits the wait to the time that was left at the start.
        const left = Math.min(longest - age, end - clock.currentTimeMillisUnsafe())
        if (!(left > 0)) return
        if (revocation !== undefined && age - checkedAt >= period) {
          if (checks >= maximumChecks) {
            yield* waitForTurn(left)
            continue
          }
          if (yield* isRevoked(principal)) return
          checkedAt = age
        }
        yield* Effect.sleep(Math.min(left, period - (age - checkedAt) % period))
      }
    })

  return {
    revision: () => revision,
    isConcerned,
    end: (target) => {
      const isMeant = TokenCache.matcher(target)
      revision++
      targets.push(isMeant)
      if (targets.length > maximumTargets) targets.shift()
      for (const { ended, principal } of streams.keys()) {
        if (isMeant(principal)) Deferred.doneUnsafe(ended, Exit.void)
      }
    },
    untilEnd: (principal, end, since) =>
      Effect.suspend(() => {
        // The token may have been invalidated after the last check of the request and before this stream was registered.
        if (since !== undefined && isConcerned(principal, since)) return Effect.void
        const stream = { principal, ended: Deferred.makeUnsafe<void>() }
        const oldest = streams.set(stream, true)
        if (oldest !== undefined) Deferred.doneUnsafe(oldest.ended, Exit.void)
        return Effect.ensuring(
          Effect.raceFirst(Deferred.await(stream.ended), untilExpiry(principal, end)),
          Effect.sync(() => {
            streams.delete(stream)
          })
        )
      })
  }
}
