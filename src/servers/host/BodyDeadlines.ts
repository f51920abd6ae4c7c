import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A body that has not come to its end: an entry of a list, between those that began before it and after it. */
export class Pending {
  /** On the monotonic clock, in nanoseconds. */
  readonly until: bigint
  expire: (() => void) | undefined
  before: Pending | undefined
  after: Pending | undefined

  constructor(until: bigint, expire: (() => void) | undefined) {
    this.until = until
    this.expire = expire
  }
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
  // In the order in which they began, so the first expires first. Not a `Set`: the tables that it leaves behind would keep
  // what they held, requests included, until a full collection.
  #first: Pending | undefined
  #last: Pending | undefined
  #isWatching = false

  constructor(clock: Clock.Clock, fork: (watch: Effect.Effect<void>) => unknown, timeout: Duration.Duration) {
    this.#clock = clock
    this.#fork = fork
    this.#timeout = BigInt(Math.ceil(Duration.toMillis(timeout))) * 1_000_000n
  }

  /** Watches over a body from now on. */
  add(expire: () => void): Pending {
    const pending = new Pending(this.#clock.monotonicTimeNanosUnsafe() + this.#timeout, expire)
    if (this.#last === undefined) this.#first = pending
    else {
      pending.before = this.#last
      this.#last.after = pending
    }
    this.#last = pending
    if (!this.#isWatching) {
      this.#isWatching = true
      this.#fork(this.#watch)
    }
    return pending
  }

  /** The body has come to its end. */
  delete(pending: Pending): void {
    if (pending.expire === undefined) return
    const { after, before } = pending
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    // An entry that has grown old must not keep younger ones alive.
    pending.expire = pending.before = pending.after = undefined
  }

  readonly #watch: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.#clock.monotonicTimeNanosUnsafe()
    let next = this.#first
    while (next !== undefined && next.until <= now) {
      const { expire } = next
      this.delete(next)
      expire?.()
      next = this.#first
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
