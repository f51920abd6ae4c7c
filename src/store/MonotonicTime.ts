import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/*
 * Reads monotonic time in milliseconds, for ages, cooldowns, backoffs and cache lifetimes. Monotonic time never jumps. Its
 * origin has no meaning, so compare a value only with other values of the same process. The times in claims are compared with
 * the wall clock.
 */

/** Returns the monotonic time of a clock, in milliseconds with fractions. */
export const millisOf = (clock: Clock.Clock): number => millisOfNanos(clock.monotonicTimeNanosUnsafe())

/** Converts a reading of the monotonic clock that was already taken (`Decision.RequestTiming.since`) to milliseconds. */
export const millisOfNanos = (nanos: bigint): number => Number(nanos) / 1e6

/** Returns the monotonic time of the fiber's clock, in milliseconds with fractions. */
export const millis: Effect.Effect<number> = Clock.clockWith((clock) => Effect.succeed(millisOf(clock)))
