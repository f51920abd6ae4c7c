/**
 * Stores records by key, with an expiry and with writes that depend on the stored version.
 *
 * Three operations are enough for single use, leases and rotations by several processes: each is atomic, and `put` and `remove`
 * can require a version. A `put` that requires `"absent"` succeeds for one of several callers.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"

/**
 * The version of a record: a random text that is new after every write. A counter would return to an earlier value when a
 * record is removed and created again.
 *
 * @category models
 * @since 0.1.0
 */
export type Version = string & { readonly "~effect-mcp-auth/RecordStore/Version": unique symbol }

/**
 * A value, and the version of the record that contains it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored {
  readonly value: string
  readonly version: Version
}

/**
 * The options of a write.
 *
 * @category models
 * @since 0.1.0
 */
export interface PutOptions {
  /** The time after which the record is absent. */
  readonly lifetime: Duration.Input
  /** The write succeeds only if the store contains no record of this key (`"absent"`), or the record in this version. */
  readonly expected: "absent" | Version
}

/**
 * The operations of a store.
 *
 * **Details**
 *
 * Each operation is atomic, also between processes that share the store. An expired record is absent. A store must never drop a
 * record before it expires, and must fail if it cannot write.
 *
 * Keys have 1 to 512 characters from `!` to `~`. Values have at most 262,144 characters, none of which is NUL, because
 * PostgreSQL cannot store it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Store {
  /** Returns the record of a key, or `undefined`. */
  readonly get: (key: string) => Effect.Effect<Stored | undefined, RecordStoreUnavailable>
  /** Writes a record. Returns its new version, or `undefined` if the store did not contain what the options expect. */
  readonly put: (
    key: string,
    value: string,
    options: PutOptions
  ) => Effect.Effect<Version | undefined, RecordStoreUnavailable>
  /** Removes a record, or only this version of it. Returns whether there was one. */
  readonly remove: (key: string, expected?: Version) => Effect.Effect<boolean, RecordStoreUnavailable>
}

/**
 * Provides a store of records.
 *
 * @category services
 * @since 0.1.0
 */
export class RecordStore extends Context.Service<RecordStore, Store>()("effect-mcp-auth/RecordStore") {}

const messages = {
  down: "The store of records fails or does not answer in time",
  full: "The store of records is full",
  limits: "A key or a value exceeds the limits of the store of records",
  unsafe: "The file of the store of records is not safe"
}

/**
 * Reports that a store can neither read nor write.
 *
 * **Details**
 *
 * - `down`: the store fails or does not answer in time.
 * - `full`: the store has no room for another record.
 * - `limits`: a key or a value is too long, or has a character that is not allowed.
 * - `unsafe`: other users could read or replace the file of the store.
 *
 * `detail` can tell more. It contains no value of a record. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecordStoreUnavailable extends Data.TaggedError("RecordStoreUnavailable")<{
  readonly reason: keyof typeof messages
  readonly detail?: string | undefined
  readonly retryAfter: number
}> {
  override get message(): string {
    return this.detail === undefined ? messages[this.reason] : `${messages[this.reason]}: ${this.detail}`
  }
}
