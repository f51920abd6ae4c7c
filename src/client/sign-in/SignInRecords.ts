import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { sha256 } from "../../crypto/Sha256.ts"
import { isRecord } from "../../protocol/Json.ts"
import type { RecordStoreUnavailable, Store, Version } from "../../store/records/RecordStore.ts"
import { Unavailable } from "../ClientError.ts"

/* Reads and writes the records of clients. Each record names its own key, so that a record moved to another key is rejected. */

/** A record that was read, and its version. */
export interface Read {
  readonly members: Readonly<Record<string, unknown>>
  readonly version: Version
}

/** The records of clients in one store. */
export interface SignInRecords {
  /** Returns the record of a key. Removes a record that is damaged, of another version or of another key. */
  readonly get: (key: string) => Effect.Effect<Read | undefined, Unavailable>
  /** Writes a record in place of `replaced`. Returns whether the store contained what was expected. */
  readonly put: (
    key: string,
    members: Readonly<Record<string, unknown>>,
    lifetime: Duration.Duration,
    replaced: Version | undefined
  ) => Effect.Effect<boolean, Unavailable>
  /** Removes a record in this version. Returns whether this call has removed it. */
  readonly remove: (key: string, version: Version) => Effect.Effect<boolean, Unavailable>
}

/** The version of the format of records. */
const format = 1

/** Records without an expiry are kept for this time after the last write. */
export const longestLifetime: Duration.Duration = Duration.days(365)

/** Returns the key of a record. Its parts are hashed, because keys are not sealed and have limits. */
export const keyOf = (
  kind: "account" | "flow" | "registration" | "token",
  ...parts: ReadonlyArray<unknown>
): Effect.Effect<string> => Effect.map(sha256(JSON.stringify(parts)), (hash) => `mcp-client/${kind}/${hash}`)

/** The error for a store that fails. */
export const unavailable = (error: RecordStoreUnavailable): Unavailable =>
  new Unavailable({ detail: error.message, retryAfter: error.retryAfter })

/** Creates the records in a store. */
export const make = (store: Store): SignInRecords => ({
  get: (key) =>
    Effect.flatMap(Effect.mapError(store.get(key), unavailable), (stored) => {
      if (stored === undefined) return Effect.undefined
      const members = parse(stored.value, key)
      return members === undefined
        ? Effect.as(Effect.mapError(store.remove(key, stored.version), unavailable), undefined)
        : Effect.succeed({ members, version: stored.version })
    }),
  put: (key, members, lifetime, replaced) =>
    store.put(key, JSON.stringify({ ...members, format, key }), { lifetime, expected: replaced ?? "absent" }).pipe(
      Effect.mapBoth({ onFailure: unavailable, onSuccess: (version) => version !== undefined })
    ),
  remove: (key, version) => Effect.mapError(store.remove(key, version), unavailable)
})

const parse = (text: string, key: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) && value["format"] === format && value["key"] === key ? value : undefined
  } catch {
    return undefined
  }
}

/** Returns a member that is a text. */
export const text = ({ members }: Read, name: string): string | undefined => {
  const value = members[name]
  return typeof value === "string" ? value : undefined
}

/** Returns a member that is a list of texts. */
export const texts = ({ members }: Read, name: string): ReadonlyArray<string> | undefined => {
  const value = members[name]
  return Array.isArray(value) && value.every((each) => typeof each === "string") ? value : undefined
}

/** Returns a member that is a number. */
export const number = ({ members }: Read, name: string): number | undefined => {
  const value = members[name]
  return typeof value === "number" ? value : undefined
}
