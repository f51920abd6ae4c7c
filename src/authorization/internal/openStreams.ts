import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { BoundedMap } from "../../store/BoundedMap.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as TokenCache from "../../verification/tokens/TokenCache.ts"
import * as callerStreams from "./callerStreams.ts"

/* Ends open streams, bounds those of each caller, and tells whether a token was invalidated after its request was authenticated. */

/** The maximum number of open streams of all principals. A further stream ends the oldest one. */
const maximumStreams = 100_000

/**
 * The number of invalidated targets that are kept. If more were invalidated since a request was authenticated, the request is
 * verified again, even if none of them matches.
 */
const maximumTargets = 256

type Service = Principal

export interface Options {
  readonly revocation:
    | { readonly untilRevoked: (principal: Service, interval: Duration.Duration) => Effect.Effect<void> }
    | undefined
  /** The time between two checks of an open stream: for a revocation, and for the expiry by the wall clock. */
  readonly interval: Duration.Duration
  /** The maximum number of open streams of one caller. */
  readonly perCaller: number
}

export interface OpenStreams extends Pick<callerStreams.CallerStreams, "isAnyFull" | "isFull"> {
  /** Returns the number of targets that were invalidated so far. A request stores the number at its authentication. */
  readonly revision: () => number
  /** Returns whether a target that was invalidated after the revision `since` matches this principal, or may match it. */
  readonly isConcerned: (principal: Service, since: number) => boolean
  /** Records an invalidated target, and ends the streams of the principals that match it. */
  readonly end: (target: TokenCache.Target) => void
  /**
   * Waits until a stream must end: at `end` (in milliseconds since 1970), when an invalidated target matches its principal, when
   * its token is revoked, or when its caller opens more streams than it may have. The stream counts as open until then, or until the
   * wait is interrupted. `since` is the revision at which the request was authenticated.
   */
  readonly untilEnd: (principal: Service | undefined, end: number, since: number | undefined) => Effect.Effect<void>
}

export const make = ({ interval, perCaller, revocation }: Options): OpenStreams => {
  // Anonymous callers have no entry, so they cannot end the streams of principals.
  const streams = new BoundedMap<callerStreams.OpenStream & { readonly principal: Service }, true>(maximumStreams)
  const byCaller = callerStreams.make(perCaller)
  const targets: Array<(principal: Service) => boolean> = []
  let revision = 0

  const isConcerned: OpenStreams["isConcerned"] = (principal, since) => {
    const missed = revision - since
    if (missed <= 0) return false
    return missed > targets.length || targets.slice(-missed).some((isMeant) => isMeant(principal))
  }

  const untilExpiry = (end: number): Effect.Effect<void> =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const started = clock.monotonicTimeNanosUnsafe()
      const longest = end - clock.currentTimeMillisUnsafe()
      const period = Duration.toMillis(interval)
      for (;;) {
        const age = Number(clock.monotonicTimeNanosUnsafe() - started) / 1e6
        // The wall clock decides. If it is set back, the monotonic age limits the wait to the time that was left at the start.
        const left = Math.min(longest - age, end - clock.currentTimeMillisUnsafe())
        if (!(left > 0)) return
        yield* Effect.sleep(Math.min(left, period))
      }
    })

  return {
    isAnyFull: byCaller.isAnyFull,
    isFull: byCaller.isFull,
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
      // Uninterruptible, because an interruption between the registration of the stream and its finalizer would keep the entry.
      Effect.uninterruptibleMask((restore) => {
        // The token may have been invalidated after the last check of the request and before this stream was registered.
        if (principal !== undefined && since !== undefined && isConcerned(principal, since)) return Effect.void
        const ended = Deferred.makeUnsafe<void>()
        const stream = principal === undefined ? { principal, ended } : { principal, ended }
        const oldest = byCaller.add(stream)
        if (oldest !== undefined) Deferred.doneUnsafe(oldest.ended, Exit.void)
        if (stream.principal === undefined) {
          return Effect.ensuring(restore(Deferred.await(ended)), Effect.sync(() => byCaller.remove(stream)))
        }
        const oldestOfAll = streams.set(stream, true)
        if (oldestOfAll !== undefined) Deferred.doneUnsafe(oldestOfAll.ended, Exit.void)
        return Effect.ensuring(
          restore(Effect.raceAllFirst([
            Deferred.await(ended),
            untilExpiry(end),
            ...(revocation === undefined ? [] : [revocation.untilRevoked(stream.principal, interval)])
          ])),
          Effect.sync(() => {
            byCaller.remove(stream)
            streams.delete(stream)
          })
        )
      })
  }
}
