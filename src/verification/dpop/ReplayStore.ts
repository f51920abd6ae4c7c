/**
 * Stores the proofs that were used (RFC 9449 §11.1): in memory, or in a Redis that several instances share.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Redis } from "effect/persistence/Redis"
import { type AuthConfigError, ReplayStoreUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import * as RedisClient from "../../store/RedisClient.ts"

/**
 * Describes the use of a proof.
 *
 * @category models
 * @since 0.1.0
 */
export interface Use {
  /** The thumbprint of the key. It is part of the identifier of a use, because two clients may choose the same `jti`. */
  readonly thumbprint: string
  readonly jti: string
  /**
   * `Principal.owner` of the caller. A store can limit the uses of each owner. A limit for each key would not help, because a
   * caller can have many keys.
   */
  readonly owner: string
  /**
   * The wall-clock time until which the use must be kept, in milliseconds since 1970. It is later than the time at which the
   * proof becomes stale, by a margin for latency and for differences between clocks.
   */
  readonly until: number
  /** How long the use must be kept from now on, in milliseconds: the time until `until`. */
  readonly lifetime: number
}

/**
 * Stores uses of proofs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Store {
  /**
   * Records a use. Returns `true` only for the first use of a proof, even if several uses arrive at the same time. If the store
   * cannot decide, it must fail, and the server answers 503.
   *
   * A store must keep a use for its `lifetime`, measured by a monotonic clock. If the wall clock of the store has passed
   * `until`, the store may have evicted an earlier use of the same proof. In this case, it must fail and not return `true`.
   */
  readonly firstUse: (use: Use) => Effect.Effect<boolean, ReplayStoreUnavailable>
}

const full = Effect.fail(new ReplayStoreUnavailable({ reason: "replay-store-full", retryAfter: 10 }))
const evicted = Effect.fail(new ReplayStoreUnavailable({ reason: "replay-store-clock", retryAfter: 30 }))
const down = Effect.fail(new ReplayStoreUnavailable({ reason: "replay-store-down", retryAfter: 1 }))

/** The length of an interval, in milliseconds. Uses that end in the same interval are evicted together. */
const generation = 5_000

/** Creates a bounded store in memory. `capacity` is not checked. */
export const memoryOf = (capacity: number): Store & { readonly size: () => number } => {
  const share = Math.max(1, Math.floor(capacity / 4))
  // Not a `BoundedMap`: a full store rejects new uses, because a proof whose use is evicted could be used again.
  const used = new Set<string>()
  const ofOwner = new Map<string, number>()
  const generations = new Map<number, { until: number; readonly uses: Array<Use> }>()
  // The latest `until` of all evicted uses. Unless the wall clock steps back, every fresh proof has a later `until`.
  let evictedUntil = Number.NEGATIVE_INFINITY

  // Evicts a use only after both the monotonic clock and the wall clock have passed its end. Otherwise, a use would be evicted
  // too early if the wall clock steps forward and back.
  const evict = (now: number, wall: number) => {
    for (const [end, { until: last, uses }] of generations) {
      if (end > now || last >= wall) continue
      generations.delete(end)
      evictedUntil = Math.max(evictedUntil, last)
      for (const { jti, owner, thumbprint } of uses) {
        used.delete(thumbprint + jti)
        const left = ofOwner.get(owner)! - 1
        if (left === 0) ofOwner.delete(owner)
        else ofOwner.set(owner, left)
      }
    }
  }

  return {
    size: () => used.size,
    firstUse: (use) =>
      Clock.clockWith((clock) => {
        const now = monotonic.millisOf(clock)
        evict(now, use.until - use.lifetime)
        // All thumbprints have the same length, so the joined text identifies the thumbprint and the `jti`.
        const key = use.thumbprint + use.jti
        if (used.has(key)) return Effect.succeed(false)
        if (use.until <= evictedUntil) return evicted
        const own = ofOwner.get(use.owner) ?? 0
        if (used.size >= capacity || own >= share) return full
        used.add(key)
        ofOwner.set(use.owner, own + 1)
        const end = Math.ceil((now + use.lifetime) / generation) * generation
        const others = generations.get(end)
        if (others === undefined) generations.set(end, { until: use.until, uses: [use] })
        else {
          others.until = Math.max(others.until, use.until)
          others.uses.push(use)
        }
        return Effect.succeed(true)
      })
  }
}

/**
 * Stores used proofs in the memory of one instance. Each layer has a separate store.
 *
 * **Details**
 *
 * The store keeps at most `capacity` uses, and at most a quarter of `capacity` for one caller, even if the caller has several
 * keys. At either limit, the server answers 503, because a proof whose use was evicted early could be used again. `capacity` is
 * a whole number from 100 to 10,000,000. Default: 100,000.
 *
 * A use is kept until both the monotonic clock and the wall clock have passed its end. If the wall clock steps back so far that
 * a proof whose use was evicted looks fresh again, the server answers 503 for proofs of that age.
 *
 * **Example** (A larger capacity)
 *
 * ```ts
 * import { Dpop } from "effect-mcp-auth/dpop"
 *
 * const dpop = Dpop.required({ replay: Dpop.memory(1_000_000) })
 * ```
 *
 * @category stores
 * @since 0.1.0
 */
export const memory = (capacity = 100_000): Effect.Effect<Store, AuthConfigError> =>
  Number.isSafeInteger(capacity) && capacity >= 100 && capacity <= 10_000_000
    ? Effect.sync(() => memoryOf(capacity))
    : Effect.fail(
      ConfigOption.invalid(
        "dpop.replay",
        capacity,
        "a whole number from 100 to 10000000",
        "Write Dpop.memory() for 100000"
      )
    )

/**
 * Stores used proofs in Redis, for all instances of a server. Calls one script for each proof. Redis expires the entries.
 *
 * **Details**
 *
 * `prefix` is the prefix of the keys in Redis. Default: `effect-mcp-auth:dpop:`.
 *
 * The script compares `until` with the time of Redis. If the clock of an instance steps back, Redis may have evicted the use of
 * a proof already. Then the server answers 503 (`replay-store-clock`). If the clock of Redis is minutes ahead of the clocks of
 * the instances, the server answers 503 for every proof.
 *
 * **Gotchas**
 *
 * Redis must allow `EVAL` (Redis 5 or newer), and must not evict entries before they expire: set `maxmemory-policy noeviction`.
 *
 * **Example** (Several instances behind a load balancer)
 *
 * ```ts
 * import { Dpop } from "effect-mcp-auth/dpop"
 * import { Effect } from "effect"
 * import { Redis } from "effect/persistence"
 *
 * const dpop = Dpop.required({ replay: Effect.map(Redis.Redis, (redis) => Dpop.redis(redis)) })
 * ```
 *
 * @category stores
 * @since 0.1.0
 */
export const redis = (redis: Pick<Redis["Service"], "send">, prefix = "effect-mcp-auth:dpop:"): Store => {
  RedisClient.check(redis, "Dpop.redis")
  return {
    firstUse: ({ jti, lifetime, thumbprint, until }) =>
      redis.send<unknown>(
        "EVAL",
        script,
        "1",
        `${prefix}${thumbprint}:${jti}`,
        String(Math.ceil(until)),
        String(Math.max(1, Math.ceil(lifetime)))
      ).pipe(
        Effect.timeout("2 seconds"),
        Effect.matchEffect({
          onFailure: () => down,
          onSuccess: (answer) =>
            answer === 1 ? Effect.succeed(true) : answer === 0 ? Effect.succeed(false) : answer === -1 ? evicted : down
        })
      )
  }
}

// An entry is kept until both the clock of Redis and that of the instance have passed `until`, but at most for 15 minutes.
// Without this limit, a Redis whose clock is hours behind would become full.
const script = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then return -1 end
local lifetime = math.min(math.max(tonumber(ARGV[2]), ARGV[1] - now + 1), 900000)
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', string.format('%.0f', lifetime)) then return 1 end
return 0`
