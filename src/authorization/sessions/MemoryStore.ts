/**
 * Stores the owners of sessions in memory.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as sessionTable from "../../store/SessionTable.ts"
import type { Store } from "./Store.ts"

/**
 * Configures the store in memory.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemoryOptions {
  /** The maximum number of sessions of all principals together, from 1 to 10,000,000. Default: 100,000. */
  readonly capacity?: number | undefined
  /** The maximum number of sessions of all anonymous callers together, from 1 to 10,000,000. Default: 10,000. */
  readonly anonymous?: number | undefined
}

/** The rules of the limits. */
export const limits = {
  capacity: ConfigOption.wholeNumber(1, 100_000, 10_000_000),
  anonymous: ConfigOption.wholeNumber(1, 10_000, 10_000_000)
} satisfies ConfigOption.Table<keyof MemoryOptions>

/**
 * Stores the owners of sessions in the memory of one process, for several gates in this process and for tests.
 *
 * @category stores
 * @since 0.1.0
 */
export const memory = (options: MemoryOptions = {}): Effect.Effect<Store, AuthConfigError> =>
  Effect.map(
    Effect.fromResult(ConfigOption.attempt(() => ConfigOption.check(options, "SessionStore.memory", limits))),
    () => make(options)
  )

/** Creates an empty store. The options are not checked. */
const make = ({ anonymous = limits.anonymous.default, capacity = limits.capacity.default }: MemoryOptions): Store => {
  const groupsOf = new Map<string, ReadonlyArray<string>>()
  const table = sessionTable.make({ anonymous, capacity }, (session) => groupsOf.delete(session))
  return {
    open: ({ groups, id, limit, owner }) =>
      Effect.sync(() => {
        const isNew = !table.has(id)
        const isOwn = table.open(id, owner, limit)
        if (isNew) groupsOf.set(id, groups)
        return isOwn
      }),
    access: ({ groups, id, limit, owner }) =>
      Effect.sync(() => {
        const access = table.access(id, owner, limit)
        // The table ends a session of an anonymous caller before it records the new owner, so the groups are missing then.
        if (access === "own" && !groupsOf.has(id)) groupsOf.set(id, groups)
        return access
      }),
    end: (id) => Effect.sync(() => table.end(id)),
    endAll: (group) =>
      Effect.sync(() => {
        for (const [id, groups] of groupsOf) if (groups.includes(group)) table.end(id)
      })
  }
}
