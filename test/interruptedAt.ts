import { Effect, Fiber, Scheduler } from "effect"

/** Counts steps, and interrupts the fiber at step `at`. With other schedulers, interruptions occur only at steps that wait. */
class Interrupting extends Scheduler.MixedScheduler {
  readonly #at: number
  #steps = 0

  constructor(at: number) {
    super()
    this.#at = at
  }

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (++this.#steps !== this.#at) return super.shouldYield(fiber)
    fiber.interruptUnsafe()
    return true
  }
}

/** Runs an effect, and interrupts it at the given step. An effect that waits is interrupted after some milliseconds. */
export const interruptedAt = <A, E>(at: number, effect: Effect.Effect<A, E>): Effect.Effect<void> =>
  Effect.gen(function*() {
    const fiber = Effect.runFork(Effect.provideService(effect, Scheduler.Scheduler, new Interrupting(at)))
    yield* Effect.timeoutOption(Fiber.await(fiber), "5 millis")
    yield* Fiber.interrupt(fiber)
  })
