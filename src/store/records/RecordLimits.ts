import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type PutOptions, RecordStoreUnavailable, type Store, type Version } from "./RecordStore.ts"

/** The operations of a database. Keys and values were checked, and the lifetime is in milliseconds. */
export interface Operations {
  readonly get: Store["get"]
  readonly put: (
    key: string,
    value: string,
    lifetime: number,
    expected: PutOptions["expected"]
  ) => Effect.Effect<Version | undefined, RecordStoreUnavailable>
  readonly remove: Store["remove"]
}

const longestValue = 262_144
const keys = /^[!-~]{1,512}$/

/** Returns whether a store accepts a value. */
export const isValue = (value: string): boolean => value.length <= longestValue && !value.includes("\0")

/** The failure of an operation with a key or a value that a store does not accept. */
export const limits = Effect.fail(new RecordStoreUnavailable({ reason: "limits", retryAfter: 1 }))

/** Creates a store whose operations check their arguments. */
export const withLimits = ({ get, put, remove }: Operations): Store => ({
  get: (key) => keys.test(key) ? get(key) : limits,
  put: (key, value, { expected, lifetime }) => {
    if (!keys.test(key) || !isValue(value)) return limits
    const milliseconds = Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(lifetime)))
    // A record that expires at once is a mistake of the caller. A store without expiry would treat it differently from Redis.
    return Number.isSafeInteger(milliseconds) && milliseconds >= 1
      ? put(key, value, milliseconds, expected)
      : Effect.die(new Error("The lifetime of a record must be a finite time of at least one millisecond"))
  },
  remove: (key, expected) => keys.test(key) ? remove(key, expected) : limits
})
