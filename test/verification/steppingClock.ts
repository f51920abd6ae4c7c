/**
 * A test clock whose wall clock can be changed, as an administrator or NTP does, without a change of monotonic time.
 *
 * `TestClock.setTime` cannot do that. A step forward also advances monotonic time, and a step back also postpones the
 * deadlines of sleeping fibers.
 */
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"

/** A clock on top of the `TestClock`, and a function that changes only its wall clock. */
export interface SteppingClock {
  readonly clock: TestClock.TestClock
  /** Moves the wall clock forward or, with a negative number, backward. In milliseconds. */
  readonly step: (millis: number) => Effect.Effect<void>
}

/** Makes a stepping clock. Time passes with `TestClock.adjust`, as in every other test. */
export const make: Effect.Effect<SteppingClock> = TestClock.testClockWith((base) =>
  Effect.sync(() => {
    let offset = 0
    const currentTimeMillisUnsafe = () => base.currentTimeMillisUnsafe() + offset
    const currentTimeNanosUnsafe = () => base.currentTimeNanosUnsafe() + BigInt(Math.round(offset * 1e6))
    return {
      clock: {
        ...base,
        currentTimeMillisUnsafe,
        currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
        currentTimeNanosUnsafe,
        currentTimeNanos: Effect.sync(currentTimeNanosUnsafe),
        setTime: (timestamp: number) => base.setTime(timestamp - offset)
      },
      step: (millis: number) =>
        Effect.sync(() => {
          offset += millis
        })
    }
  })
)

/** One hour back, in milliseconds: the step that the tests take. */
export const hourBack = -Duration.toMillis(Duration.hours(1))

/**
 * Runs a test on a stepping clock.
 *
 * ```ts
 * it.effect("…", () => steppingClock.use((step) => Effect.gen(function*() {
 *   yield* step(steppingClock.hourBack)
 *   yield* TestClock.adjust("55 minutes")
 * })))
 * ```
 */
export const use = <A, E, R>(
  test: (step: SteppingClock["step"]) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(make, ({ clock, step }) => Effect.provideService(test(step), Clock.Clock, clock))
