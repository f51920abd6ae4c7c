import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A body that has not come to its end. */
export interface Pending {
  /** On the monotonic clock, in nanoseconds. */
  readonly until: bigint
  readonly expire: () => void
}

/**
 * Ends the reading of bodies that take too long.
 *
 * One fiber watches over all bodies of a host: a timer for each would cost a tenth of all that the gate does with a small
 * message. The fiber ends at most a second after the last body, so that it keeps no process alive.
 */
export class BodyDeadlines {
  readonly #clock: Clock.Clock
  readonly #fork: (watch: Effect.Effect<void>) => unknown
  readonly #timeout: bigint
  /** In the order in which they began, so the first expires first. */
  readonly #pending = new Set<Pending>()
  #isWatching = false

  constructor(clock: Clock.Clock, fork: (watch: Effect.Effect<void>) => unknown, timeout: Duration.Duration) {
    this.#clock = clock
    this.#fork = fork
    this.#timeout = BigInt(Math.ceil(Duration.toMillis(timeout))) * 1_000_000n
  }

  /** Watches over a body from now on. */
  add(expire: () => void): Pending {
    const pending = { until: this.#clock.monotonicTimeNanosUnsafe() + this.#timeout, expire }
    this.#pending.add(pending)
    if (!this.#isWatching) {
      this.#isWatching = true
      this.#fork(this.#watch)
    }
    return pending
  }

  /** The body has come to its end. */
  delete(pending: Pending): void {
    this.#pending.delete(pending)
  }

  readonly #watch: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.#clock.monotonicTimeNanosUnsafe()
    let next: Pending | undefined
    for (const pending of this.#pending) {
      if (pending.until > now) {
        next = pending
        break
      }
      this.#pending.delete(pending)
      pending.expire()
    }
    if (next === undefined) {
      this.#isWatching = false
      return Effect.void
    }
    const nanos = next.until - now
    return Effect.andThen(
      Effect.sleep(Duration.millis(Math.min(1000, Math.ceil(Number(nanos) / 1e6)))),
      this.#watch
    )
  })
}
