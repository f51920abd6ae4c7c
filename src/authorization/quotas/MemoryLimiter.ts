import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as monotonic from "../../store/MonotonicTime.ts"

/*
 * Limits rates in the memory of one process. The store in memory of Effect's `RateLimiter` is not used, because it never removes a
 * key and measures time with the wall clock.
 */

/** The limits of a rate. `window` is in milliseconds. */
export interface Limits {
  readonly limit: number
  readonly window: number
}

/** Takes one from the quota of a key. Returns 0, or the time in milliseconds after which one is left again. */
export type Take = (key: string) => Effect.Effect<number>

/** The maximum number of callers with a separate quota. Further callers share one quota until another one is full again. */
const capacity = 100_000

/** The key of the callers that share a quota. Every other key has a prefix. */
const shared = ""

/** The time between two visits of all keys, in milliseconds. */
const evictionInterval = 1_000

/** Absorbs the rounding of fractions, in milliseconds. */
const rounding = 1e-6

/**
 * Creates a limiter. A caller can use its whole quota at once, and then gets it back evenly over the window (the generic cell rate
 * algorithm).
 */
export const make = ({ limit, window }: Limits, maximum = capacity): Take => {
  const interval = window / limit
  // For each key, the monotonic time at which its quota is full again.
  const fullAt = new Map<string, number>()
  let nextEviction = Number.NEGATIVE_INFINITY

  /**
   * Removes the keys whose quota is full again. A key without an entry has a full quota, so nothing is lost. All keys are visited,
   * because a caller that used much may be followed by many that used little. So that invented keys cause little work, at most
   * once per second.
   */
  const evict = (now: number): void => {
    if (now < nextEviction) return
    nextEviction = now + evictionInterval
    for (const [key, time] of fullAt) if (time <= now) fullAt.delete(key)
  }

  return (given) =>
    Clock.clockWith((clock) => {
      const now = monotonic.millisOf(clock)
      if (!fullAt.has(given) && fullAt.size >= maximum) evict(now)
      const key = fullAt.has(given) || fullAt.size < maximum ? given : shared
      const full = Math.max(fullAt.get(key) ?? now, now) + interval
      const wait = full - window - now
      if (wait > rounding) return Effect.succeed(wait)
      fullAt.set(key, full)
      return Effect.succeed(0)
    })
}
