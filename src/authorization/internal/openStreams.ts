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

/* Open streams, and what has been revoked or invalidated since a request was authenticated. */

/** At most this many streams are open at once; a further one ends the oldest. Each of them holds a connection anyway. */
const maximumStreams = 100_000

/** How many targets are kept to compare requests with. A request that is older than all of them is verified again. */
const maximumTargets = 256

/** How many streams call `revocation` at the same time. Later ones try again shortly after. */
const maximumChecks = 16

/** How long a stream waits until it tries again, in milliseconds. */
const pause = 100

/** If more streams wait, each waits longer, so that an outage of `revocation` does not keep the processor busy. */
const waitingAtOnce = 1_000

/** An answer that takes longer counts as an outage. */
const checkTimeout = Duration.seconds(5)

type Service = Principal

export interface Options {
  readonly revocation:
    | ((principal: Service) => Effect.Effect<boolean, AuthorizationServerUnavailable>)
    | undefined
  /** How often an open stream calls `revocation` again. */
  readonly interval: Duration.Duration
}

export interface OpenStreams {
  /** Grows with every target. A request keeps the number that it was authenticated at. */
  readonly revision: () => number
  /** Whether a target since that revision means this principal. */
  readonly isConcerned: (principal: Service, since: number) => boolean
  /** Ends the streams that a target means, now. */
  readonly end: (target: TokenCache.Target) => void
  /**
   * Waits until a stream must end: at `end` (in milliseconds since 1970), when a target means its principal, or when
   * `revocation` says so. `since` is the revision that the request was authorized at.
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

  /** `false` also for an outage: what a store that fails would say is not known, and the token is still valid. */
  const isRevoked = (principal: Service): Effect.Effect<boolean> =>
    revocation === undefined ? Effect.succeed(false) : Effect.suspend(() => {
      checks++
      return Effect.suspend(() => revocation(principal))
    }).pipe(
      Effect.timeoutOption(checkTimeout),
      Effect.map((answer) => answer._tag === "Some" && answer.value !== false),
      Effect.catch(() => Effect.succeed(false)),
      // A function that throws or dies has not approved of the token.
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
        // By the wall clock, which may have been set since, and never longer than it looked at first.
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
        // Between the decision and the first byte of the answer nothing has watched.
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
