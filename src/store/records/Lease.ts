/**
 * Lets one of several processes do something at a time.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { RecordStoreUnavailable, Store } from "./RecordStore.ts"

/**
 * The options of a lease.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The time after which another process takes the lease. It must be longer than the work, including its time limit. */
  readonly lifetime: Duration.Input
}

/**
 * Runs an effect while this process has the lease of a key. Waits until the lease is free, asking about every 50 milliseconds.
 *
 * **Details**
 *
 * The lease is removed when the effect ends. If the process ends before that, the lease expires after its `lifetime`, so a
 * process that was stopped for longer than that can run the effect beside another one. Writes of the effect must therefore
 * expect a version.
 *
 * Throws `AuthConfigError` for an unknown option.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withLease = (store: Store, key: string, options: Options) => {
  ConfigOption.check(options, "withLease", table, "Give one such as { lifetime: \"30 seconds\" }")
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | RecordStoreUnavailable, R> =>
    Effect.acquireUseRelease(
      acquire(store, key, options.lifetime),
      () => effect,
      // Only the lease of this process is removed. If the removal fails, the lease expires.
      (version) => Effect.ignore(store.remove(key, version))
    )
}

const table: ConfigOption.Table<keyof Options> = { lifetime: true }

const acquire = (store: Store, key: string, lifetime: Duration.Input) =>
  Effect.gen(function*() {
    while (true) {
      const version = yield* store.put(key, "", { lifetime, expected: "absent" })
      if (version !== undefined) return version
      // Interruptible, unlike the rest of `acquireUseRelease`'s first effect: nothing is held yet.
      yield* Effect.interruptible(Effect.sleep(Duration.millis(25 + 50 * (yield* Random.next))))
    }
  })
