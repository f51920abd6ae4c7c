import * as Effect from "effect/Effect"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Consent } from "./GrantRecord.ts"

/*
 * Caches the existence of a grant for a few seconds, so that a busy caller costs one read of the store in that time. The absence of a
 * grant is never cached, and a failure of the store is never an answer.
 */

/** The part of a grant that its access tokens repeat. */
export type Approval = Pick<Consent, "subject" | "clientId" | "resource" | "scopes">

/** The number of grants in the cache. An evicted grant costs one more read. */
const capacity = 10_000

/** The cache of living grants. */
export interface Liveness {
  /** Returns the approval of a grant: from the cache, or the result of `read`. */
  readonly find: <E>(id: string, read: Effect.Effect<Approval | undefined, E>) => Effect.Effect<Approval | undefined, E>
  /** Evicts a grant that this process has ended. */
  readonly evict: (id: string) => void
}

/** Creates the cache. `lifetime` is in milliseconds. */
export const make = (lifetime: number): Liveness => {
  const entries = new BoundedMap<string, { readonly approval: Approval; readonly until: number }>(capacity)
  let evictions = 0
  return {
    find: (id, read) =>
      Effect.flatMap(monotonic.millis, (now) => {
        const known = entries.get(id)
        if (known !== undefined && now < known.until) return Effect.succeed(known.approval)
        entries.delete(id)
        const before = evictions
        return Effect.tap(read, (approval) =>
          Effect.sync(() => {
            // The time of the request counts, because the grant can end while the store answers. If this process ended a grant
            // meanwhile, it may be this one.
            if (approval !== undefined && lifetime > 0 && evictions === before) {
              entries.set(id, { approval, until: now + lifetime })
            }
          }))
      }),
    evict: (id) => {
      evictions++
      entries.delete(id)
    }
  }
}
