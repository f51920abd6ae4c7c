import * as Predicate from "effect/Predicate"
import * as ConfigOption from "../protocol/ConfigOption.ts"

/* Checks the clients of Redis that the author of a server passes to a store. */

/**
 * Throws `AuthConfigError` if a value is not a `Redis` of `effect/persistence`. Without this check, another client, a URL or the
 * service itself would be noticed only at the first request. `option` is the function that received the value.
 */
export const check = (redis: unknown, option: string): void => {
  if (Predicate.hasProperty(redis, "send") && Predicate.isFunction(redis.send)) return
  throw ConfigOption.invalid(
    option,
    redis,
    "a Redis of effect/persistence",
    `Write Effect.map(Redis.Redis, (redis) => ${option}(redis)), and provide a layer such as NodeRedis.layer({ url })`
  )
}
