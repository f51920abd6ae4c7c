import * as Effect from "effect/Effect"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"

/*
 * Caches for a few seconds that a grant exists, so that a busy caller costs one read of the store in that time. The absence of a
 * grant is never cached, and a failure of the store is never an answer.
 */

/** The number of grants in the cache. An evicted grant costs one more read. */
const capacity = 10_000

/** The cache of living grants. */
export interface Liveness {
  /** Returns `true` for a grant in the cache, and the result of `read` for any other one. */
  readonly isAlive: <E>(id: string, read: Effect.Effect<boolean, E>) => Effect.Effect<boolean, E>
  /** Evicts a grant that this process has ended. */
  readonly evict: (id: string) => void
}

/** Creates the cache. `lifetime` is in milliseconds. */
export const make = (lifetime: number): Liveness => {
  const entries = new BoundedMap<string, number>(capacity)
  let evictions = 0
  return {
    isAlive: (id, read) =>
      Effect.flatMap(monotonic.millis, (now) => {
        const until = entries.get(id)
        if (until !== undefined && now < until) return Effect.succeed(true)
        entries.delete(id)
        const before = evictions
        return Effect.tap(read, (isAlive) =>
          Effect.sync(() => {
            // The time of the request counts, because the grant can end while the store answers. If this process ended a grant
            // meanwhile, it may be this one.
            if (isAlive && lifetime > 0 && evictions === before) entries.set(id, now + lifetime)
          }))
      }),
    evict: (id) => {
      evictions++
      entries.delete(id)
    }
  }
}
