import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A body that is being read, as a node of a linked list. The list has the order in which the reads began. */
export class Pending {
  /** The deadline, in nanoseconds of the monotonic clock. */
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
 * One fiber checks the deadlines of all bodies. A timer for each body would add a tenth to the time that the gate spends on a
 * small message. The fiber ends at most one second after the last body, so it does not keep the process alive.
 */
export class BodyDeadlines {
  readonly #clock: Clock.Clock
  readonly #fork: (watch: Effect.Effect<void>) => unknown
  readonly #timeout: bigint
  // A linked list in the order in which the reads began, so the first entry expires first. A `Set` would replace its internal
  // table when it grows, and each old table would keep its entries and their requests alive until a full garbage collection.
  #first: Pending | undefined
  #last: Pending | undefined
  #isWatching = false

  constructor(clock: Clock.Clock, fork: (watch: Effect.Effect<void>) => unknown, timeout: Duration.Duration) {
    this.#clock = clock
    this.#fork = fork
    this.#timeout = BigInt(Math.ceil(Duration.toMillis(timeout))) * 1_000_000n
  }

  /** Starts the deadline of a body. Calls `expire` at the deadline, unless `delete` is called before. */
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

  /** Cancels the deadline of a body that was read to its end or whose reading was stopped. */
  delete(pending: Pending): void {
    if (pending.expire === undefined) return
    const { after, before } = pending
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    // V8 may keep a deleted entry until a full garbage collection. The entry must not keep later entries alive as well.
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
