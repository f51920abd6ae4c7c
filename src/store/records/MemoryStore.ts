/**
 * Stores records in the memory of one process.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as monotonic from "../MonotonicTime.ts"
import { withLimits } from "./RecordLimits.ts"
import { RecordStore, RecordStoreUnavailable, type Store, type Stored } from "./RecordStore.ts"
import { makeVersion } from "./RecordVersion.ts"

interface Entry extends Stored {
  /** The monotonic time at which the record expires, in milliseconds. */
  readonly until: number
}

const full = Effect.fail(new RecordStoreUnavailable({ reason: "full", retryAfter: 30 }))

/** The number of expired records that one write removes at most. */
const sweepSize = 500

/**
 * Creates a store in memory. Its records end with the process.
 *
 * **Details**
 *
 * The store keeps at most `capacity` records, and fails (`full`) instead of dropping one before it expires. `capacity` is a whole
 * number from 1 to 10,000,000. Default: 100,000. Fails with `AuthConfigError` for another value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (capacity = 100_000): Effect.Effect<Store, AuthConfigError> =>
  Number.isSafeInteger(capacity) && capacity >= 1 && capacity <= 10_000_000
    ? Effect.sync(() => makeUnsafe(capacity))
    : Effect.fail(
      ConfigOption.invalid("capacity", capacity, "a whole number from 1 to 10000000", "Leave it out for 100000")
    )

/**
 * Provides a store in memory, as `make` creates it. Each layer has a separate store.
 *
 * **Example** (A write that one caller wins)
 *
 * ```ts
 * import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const store = yield* RecordStore.RecordStore
 *   const version = yield* store.put("job", "mine", { lifetime: "1 minute", expected: "absent" })
 *   return version !== undefined
 * }).pipe(Effect.provide(MemoryStore.layer()))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (capacity?: number): Layer.Layer<RecordStore, AuthConfigError> =>
  Layer.effect(RecordStore, make(capacity))

const makeUnsafe = (capacity: number): Store => {
  const entries = new Map<string, Entry>()
  // The keys in the order in which sweeps visit them.
  let rest = entries.keys()

  const find = (key: string, now: number): Entry | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || entry.until > now) return entry
    entries.delete(key)
    return undefined
  }

  /** Removes expired records of a part of the store. Each part is visited again after all others. */
  const sweep = (now: number): void => {
    for (let visited = 0; visited < sweepSize; visited++) {
      const next = rest.next()
      if (next.done === true) {
        rest = entries.keys()
        return
      }
      find(next.value, now)
    }
  }

  const withTime = <A, E>(use: (now: number) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Clock.clockWith((clock) => use(monotonic.millisOf(clock)))

  return withLimits({
    get: (key) =>
      withTime((now) => {
        const entry = find(key, now)
        return Effect.succeed(entry && { value: entry.value, version: entry.version })
      }),
    put: (key, value, lifetime, expected) =>
      withTime((now) => {
        const entry = find(key, now)
        if ((entry?.version ?? "absent") !== expected) return Effect.undefined
        if (entry === undefined && entries.size >= capacity) {
          // A full store looks at every record, because a write that fails is worse than a slow one.
          for (const other of entries.keys()) find(other, now)
          if (entries.size >= capacity) return full
        }
        const version = makeVersion()
        entries.set(key, { value, version, until: now + lifetime })
        sweep(now)
        return Effect.succeed(version)
      }),
    remove: (key, expected) =>
      withTime((now) => {
        const entry = find(key, now)
        if (entry === undefined || (expected !== undefined && entry.version !== expected)) return Effect.succeed(false)
        return Effect.succeed(entries.delete(key))
      })
  })
}
