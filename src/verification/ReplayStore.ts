/**
 * The proofs that were used already (RFC 9449 §11.1): in memory, or in a Redis that several instances share.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Redis } from "effect/persistence/Redis"
import { ReplayStoreUnavailable } from "../protocol/AuthError.ts"

/**
 * One use of a proof.
 *
 * @category models
 * @since 0.1.0
 */
export interface Use {
  /** The thumbprint of the key: two clients may choose the same `jti`. */
  readonly thumbprint: string
  readonly jti: string
  /** When the proof is too old to be used, in milliseconds since 1970: nothing has to be remembered longer. */
  readonly until: number
}

/**
 * Remembers proofs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Store {
  /**
   * `true` for the first use of a proof alone, however many come at once. A failure is answered with 503: a store that
   * cannot be asked admits nothing.
   */
  readonly firstUse: (use: Use) => Effect.Effect<boolean, ReplayStoreUnavailable>
}

/**
 * Where used proofs are remembered. By default (`"memory"`) each layer has a bounded memory of its own.
 *
 * **When to use**
 *
 * Behind a balancer: a proof that one instance saw is new to the others. Provide `inRedis`, or a store of your own, to
 * `AuthLayer`.
 *
 * @category references
 * @since 0.1.0
 */
export const ReplayStore: Context.Reference<Store | "memory"> = Context.Reference<Store | "memory">(
  "effect-mcp-auth/ReplayStore",
  { defaultValue: () => "memory" as const }
)

const full = Effect.fail(new ReplayStoreUnavailable({ reason: "replay-store-full", retryAfter: 10 }))

/** Entries that end within the same time are forgotten together. */
const generation = 5_000

/**
 * A bounded memory.
 *
 * **When to use**
 *
 * One instance serves all requests, and the default is too small or has to be looked into.
 *
 * **Details**
 *
 * It holds at most `capacity` proofs, each until it is too old to be used, and of one key at most a quarter. Beyond that a
 * proof is refused with 503: what was forgotten early could be used again.
 *
 * **Example** (The second use of a proof)
 *
 * ```ts
 * import { ReplayStore } from "effect-mcp-auth"
 * import { Layer } from "effect"
 *
 * // More than `replayCapacity` says, for one layer alone.
 * const Roomy = Layer.succeed(ReplayStore.ReplayStore, ReplayStore.memory(1_000_000))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const memory = (capacity: number): Store & { readonly size: () => number } => {
  const share = Math.max(1, Math.floor(capacity / 4))
  const used = new Set<string>()
  const ofKey = new Map<string, number>()
  const generations = new Map<number, Array<Use>>()

  const forget = (now: number) => {
    for (const [end, uses] of generations) {
      if (end > now) continue
      generations.delete(end)
      for (const { jti, thumbprint } of uses) {
        used.delete(thumbprint + jti)
        const left = ofKey.get(thumbprint)! - 1
        if (left === 0) ofKey.delete(thumbprint)
        else ofKey.set(thumbprint, left)
      }
    }
  }

  return {
    size: () => used.size,
    firstUse: (use) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        forget(now)
        // Thumbprints are of one length, so no two pairs give the same text.
        const key = use.thumbprint + use.jti
        if (used.has(key)) return Effect.succeed(false)
        const others = ofKey.get(use.thumbprint) ?? 0
        if (used.size >= capacity || others >= share) return full
        used.add(key)
        ofKey.set(use.thumbprint, others + 1)
        const end = Math.ceil(use.until / generation) * generation
        const uses = generations.get(end)
        if (uses === undefined) generations.set(end, [use])
        else uses.push(use)
        return Effect.succeed(true)
      })
  }
}

/**
 * A store in Redis, for all instances together: one `SET … NX PX` a proof, which Redis forgets by itself.
 *
 * **Details**
 *
 * `prefix` is that of the names. Default: `effect-mcp-auth:dpop:`.
 *
 * **Example** (Instances behind a balancer)
 *
 * ```ts
 * import { AuthLayer, ReplayStore } from "effect-mcp-auth"
 * import { Effect, Layer } from "effect"
 * import { Redis } from "effect/persistence"
 *
 * declare const RedisLive: Layer.Layer<Redis.Redis>
 *
 * const Shared = Layer.effect(ReplayStore.ReplayStore, Effect.map(Redis.Redis, (redis) => ReplayStore.inRedis(redis))).pipe(
 *   Layer.provide(RedisLive)
 * )
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   dpop: "required"
 * }).pipe(Layer.provide(Shared))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const inRedis = (redis: Pick<Redis["Service"], "send">, prefix = "effect-mcp-auth:dpop:"): Store => ({
  firstUse: Effect.fnUntraced(function*({ jti, thumbprint, until }) {
    const now = yield* Clock.currentTimeMillis
    const lifetime = String(Math.max(1, Math.ceil(until - now)))
    const answer = yield* redis.send<unknown>("SET", `${prefix}${thumbprint}:${jti}`, "1", "NX", "PX", lifetime).pipe(
      Effect.timeout("2 seconds"),
      Effect.mapError(() => new ReplayStoreUnavailable({ reason: "replay-store-down", retryAfter: 1 }))
    )
    return answer === "OK"
  })
})
