import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as base64url from "../../crypto/Base64Url.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import { RecordStoreUnavailable, type Store, type Version } from "../../store/records/RecordStore.ts"
import type { RecordKeys } from "../keys/RecordKeys.ts"
import * as records from "./GrantRecord.ts"

/* Reads and writes the records of codes, grants and persons. Every write expects what was read. */

/** A record, and the version that a write expects. */
export interface Found<A> {
  readonly record: A
  readonly version: Version
}

/** The records of one kind, by name. */
export interface Records<A> {
  /** Returns the record of a name. A damaged record is absent. */
  readonly get: (name: string) => Effect.Effect<Found<A> | undefined, RecordStoreUnavailable>
  /** Writes a record for a time in milliseconds. Returns whether the store contained what was expected. */
  readonly put: (
    name: string,
    record: A,
    lifetime: number,
    expected: "absent" | Version
  ) => Effect.Effect<boolean, RecordStoreUnavailable>
  /** Removes a record. Returns whether there was one. */
  readonly remove: (name: string) => Effect.Effect<boolean, RecordStoreUnavailable>
}

/** The records of grants and codes, and the grants of persons. */
export interface GrantRecords {
  readonly codes: Records<records.CodeRecord>
  readonly grants: Records<records.GrantRecord>
  readonly persons: Records<records.PersonRecord>
}

/** Creates the records in a store. */
export const make = (store: Store, keyFor: RecordKeys): GrantRecords => {
  const of = <A extends Parameters<typeof records.encode>[0]>(
    kind: "code" | "grant" | "person",
    decode: (text: string) => A | undefined
  ): Records<A> => ({
    get: (name) =>
      Effect.flatMap(keyFor(kind, name), (key) =>
        Effect.map(store.get(key), (found) => {
          const record = found && decode(found.value)
          return found === undefined || record === undefined ? undefined : { record, version: found.version }
        })),
    put: (name, record, lifetime, expected) =>
      Effect.flatMap(keyFor(kind, name), (key) =>
        Effect.map(
          store.put(key, records.encode(record), { lifetime, expected }),
          (version) => version !== undefined
        )),
    remove: (name) => Effect.flatMap(keyFor(kind, name), (key) => store.remove(key))
  })
  return {
    codes: of("code", records.decodeCode),
    grants: of("grant", records.decodeGrant),
    persons: of("person", records.decodePerson)
  }
}

/** Reports that other processes changed a record at every attempt to change it. */
export const contended = Effect.fail(
  new RecordStoreUnavailable({ reason: "down", detail: "other processes change the same record", retryAfter: 1 })
)

/** The number of attempts to change a record that other processes also change. */
export const mostAttempts = 24

/** Creates 32 random bytes in base64url, for a code. */
export const makeCode = (): string => base64url.encode(crypto.getRandomValues(new Uint8Array(32)))

/** Creates 16 random bytes in base64url, for the seed of a grant. */
export const makeSeed = (): string => base64url.encode(crypto.getRandomValues(new Uint8Array(16)))

/**
 * Returns the id of the grant of a code: 22 characters of a hash, so two redemptions of a code create one grant, and the id reveals
 * nothing about the code.
 */
export const grantIdOf = (code: string): Effect.Effect<string> =>
  Effect.map(sha256(`effect-mcp-auth/proxy/grant/${code}`), (hash) => hash.slice(0, 22))

/** Returns the time in milliseconds since 1970. */
export const now: Effect.Effect<number> = Clock.currentTimeMillis
