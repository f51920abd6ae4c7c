/** The store of all records: tokens, registrations of the client, sign-ins that have begun, and web sessions. */
import { NodeRedis } from "@effect/platform-node"
import { Config, Context, Effect, Layer, Option } from "effect"
import { MemoryStore, RecordStore, RedisStore, SealedStore } from "effect-mcp-auth/store"
import { Redis } from "effect/persistence"

export const layer = Layer.effect(
  RecordStore.RecordStore,
  Effect.gen(function*() {
    const url = yield* Config.option(Config.String("REDIS_URL"))
    // Without Redis, the records end with the process: enough for a first try.
    if (Option.isNone(url)) return yield* MemoryStore.make()
    const redis = Context.get(yield* Layer.build(NodeRedis.layer({ url: url.value })), Redis.Redis)
    const secret = yield* Config.Redacted("STORE_SECRET")
    return SealedStore.make(RedisStore.make(redis), SealedStore.withSecrets(secret))
  })
)
