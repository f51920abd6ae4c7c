/**
 * Stores records in Redis, for all instances of a program.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Redis } from "effect/persistence/Redis"
import * as RedisClient from "../RedisClient.ts"
import { withLimits } from "./RecordLimits.ts"
import { RecordStoreUnavailable, type Store, type Version } from "./RecordStore.ts"
import { makeVersion, versionLength } from "./RecordVersion.ts"

const down = Effect.fail(new RecordStoreUnavailable({ reason: "down", retryAfter: 5 }))

// `WATCH` would not work: it belongs to a connection, and Effect's `Redis` shares one connection between all fibers. Each script
// has one key, so the scripts run in a cluster as well.
const putScript = `local found = redis.call('GET', KEYS[1])
if (found and string.sub(found, 1, ${versionLength}) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

const removeScript = `local found = redis.call('GET', KEYS[1])
if not found or (ARGV[1] ~= '' and string.sub(found, 1, ${versionLength}) ~= ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])`

/**
 * Creates a store in Redis.
 *
 * **Details**
 *
 * `prefix` is the prefix of the keys in Redis. Default: `effect-mcp-auth:records:`. An operation that Redis does not answer
 * within 2 seconds fails (`down`). Such a write may have happened.
 *
 * **Gotchas**
 *
 * Redis must allow `EVAL` (Redis 5 or newer), must not evict records before they expire (`maxmemory-policy noeviction`), and
 * should keep its data when it restarts (`appendonly yes`).
 *
 * **Example** (A layer)
 *
 * ```ts
 * import { RecordStore, RedisStore } from "effect-mcp-auth/store"
 * import { Effect, Layer } from "effect"
 * import { Redis } from "effect/persistence"
 *
 * const Records = Layer.effect(RecordStore.RecordStore, Effect.map(Redis.Redis, (redis) => RedisStore.make(redis)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (redis: Pick<Redis["Service"], "send">, prefix = "effect-mcp-auth:records:"): Store => {
  RedisClient.check(redis, "RedisStore.make")
  const send = (...[command, ...args]: [string, ...ReadonlyArray<string>]) =>
    redis.send<unknown>(command, ...args).pipe(
      Effect.timeout("2 seconds"),
      Effect.catch(() => down)
    )
  const wins = (answer: unknown): Effect.Effect<boolean, RecordStoreUnavailable> =>
    answer === 1 || answer === 0 ? Effect.succeed(answer === 1) : down

  return withLimits({
    get: (key) =>
      Effect.flatMap(send("GET", prefix + key), (answer) => {
        if (answer === null || answer === undefined) return Effect.undefined
        // Another program may have written the key.
        if (typeof answer !== "string" || answer.length < versionLength) return down
        return Effect.succeed({
          value: answer.slice(versionLength),
          version: answer.slice(0, versionLength) as Version
        })
      }),
    put: (key, value, lifetime, expected) =>
      Effect.suspend(() => {
        const version = makeVersion()
        const have = expected === "absent" ? "" : expected
        return Effect.map(
          Effect.flatMap(send("EVAL", putScript, "1", prefix + key, have, version + value, `${lifetime}`), wins),
          (written) => written ? version : undefined
        )
      }),
    remove: (key, expected) => Effect.flatMap(send("EVAL", removeScript, "1", prefix + key, expected ?? ""), wins)
  })
}
