/**
 * Stores the records of API keys: in memory, or in a Redis that several instances share.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "effect/persistence/Redis"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as RedisClient from "../../store/RedisClient.ts"
import { type ApiKeyRecord, readRecord } from "./ApiKeyRecord.ts"

/**
 * Finds the records of API keys. This is all that the verification of keys needs, so any table or secret manager can be a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Store {
  /**
   * Finds the record of a key by its public identifier. Returns `undefined` if there is none, for example because the key was
   * revoked. If the store fails or takes more than 5 seconds, the server answers 503.
   */
  readonly find: (identifier: string) => Effect.Effect<ApiKeyRecord | undefined, unknown>
}

/**
 * A store that also writes records.
 *
 * @category models
 * @since 0.1.0
 */
export interface WritableStore<out E = never> extends Store {
  readonly find: (identifier: string) => Effect.Effect<ApiKeyRecord | undefined, E>
  /** Stores a record. Replaces the record with the same identifier. */
  readonly put: (record: ApiKeyRecord) => Effect.Effect<void, E>
  /** Removes a record, which revokes the key. */
  readonly remove: (identifier: string) => Effect.Effect<void, E>
}

/**
 * Stores records in the memory of one instance. Throws `AuthConfigError` if a record is incomplete.
 *
 * **When to use**
 *
 * Use it in tests, and for keys whose records are part of the configuration.
 *
 * **Example** (A record from the configuration)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { ApiKeys } from "effect-mcp-auth/api-keys"
 *
 * const { record } = await Effect.runPromise(
 *   ApiKeys.generate({ subject: "nightly-report", scopes: ["todos:read"] })
 * )
 * const apiKeys = ApiKeys.make({ store: ApiKeys.memory([record]), header: "x-api-key" })
 * ```
 *
 * @category stores
 * @since 0.1.0
 */
export const memory = (records: Iterable<ApiKeyRecord> = []): WritableStore => {
  // Not a `BoundedMap`: only the author of the server adds records.
  const byIdentifier = new Map(checkRecords(records).map((record) => [record.identifier, record]))
  return {
    find: (identifier) => Effect.sync(() => byIdentifier.get(identifier)),
    put: (record) => Effect.sync(() => void byIdentifier.set(record.identifier, record)),
    remove: (identifier) => Effect.sync(() => void byIdentifier.delete(identifier))
  }
}

/** Returns the records, or throws `AuthConfigError`. A key with an incomplete record would get 503 only when it is used. */
const checkRecords = (records: Iterable<ApiKeyRecord>): ReadonlyArray<ApiKeyRecord> => {
  if (!Predicate.isIterable(records) || typeof records === "string") {
    throw ConfigOption.invalid("ApiKeys.memory", records, "a list of records", "Write ApiKeys.memory([record])")
  }
  return Array.from(records, (record, index) => {
    const read = readRecord(record)
    if (Result.isSuccess(read)) return record
    throw ConfigOption.error(
      `ApiKeys.memory[${index}]`,
      `${read.failure}. Write the record that ApiKeys.generate returned with the key`
    )
  })
}

/**
 * Stores records in Redis, for all instances of a server. Throws `AuthConfigError` if `redis` is not a Redis of `effect/persistence`.
 *
 * **Details**
 *
 * Each record is a JSON text under `prefix` and its identifier. Default of `prefix`: `effect-mcp-auth:api-key:`. If a record has
 * `expiresAt`, Redis deletes it at that time.
 *
 * **Gotchas**
 *
 * A Redis that evicts entries (`maxmemory-policy` other than `noeviction`) revokes the keys of these entries.
 *
 * **Example** (Several instances behind a load balancer)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { ApiKeys } from "effect-mcp-auth/api-keys"
 * import { Redis } from "effect/persistence"
 *
 * // The layer of the server needs a `Redis`.
 * const apiKeys = ApiKeys.make({
 *   store: Effect.map(Redis.Redis, (redis) => ApiKeys.redis(redis)),
 *   header: "x-api-key"
 * })
 * ```
 *
 * @category stores
 * @since 0.1.0
 */
export const redis = (
  redis: Pick<Redis["Service"], "send">,
  prefix = "effect-mcp-auth:api-key:"
): WritableStore<RedisError> => {
  RedisClient.check(redis, "ApiKeys.redis")
  return {
    find: (identifier) =>
      // A text that is not JSON is not a record, so the server answers 503.
      Effect.map(redis.send<unknown>("GET", `${prefix}${identifier}`), (text) =>
        text === null || text === undefined ? undefined : parseJson(String(text)) as ApiKeyRecord),
    put: (record) =>
      Effect.asVoid(redis.send(
        "SET",
        `${prefix}${record.identifier}`,
        JSON.stringify(record),
        ...(record.expiresAt === undefined ? [] : ["EXAT", String(Math.ceil(record.expiresAt))])
      )),
    remove: (identifier) => Effect.asVoid(redis.send("DEL", `${prefix}${identifier}`))
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
