/** The stores that processes of tests share, by kind. */
import { Effect, Layer } from "effect"
import { PostgresStore, RecordStore, RedisStore } from "effect-mcp-auth/store"
import { FileStore, SqliteStore } from "effect-mcp-auth/store-node"

/** Each process loads only the client that it needs, because loading one takes longer than the rest of the work. */
export const stores: Record<string, (place: string) => Promise<Layer.Layer<RecordStore.RecordStore, unknown>>> = {
  file: async (place) => FileStore.layer({ file: place }),
  sqlite: async (place) => SqliteStore.layer({ file: place }),
  redis: async (place) => {
    const NodeRedis = await import("@effect/platform-node/NodeRedis")
    const { Redis } = await import("effect/persistence/Redis")
    const store = Layer.effect(RecordStore.RecordStore, Effect.map(Redis, (redis) => RedisStore.make(redis)))
    return Layer.provide(store, NodeRedis.layer({ url: place }))
  },
  postgres: async (place) => {
    const { clientOf } = await import("../../postgres.ts")
    const { SqlClient } = await import("effect/sql/SqlClient")
    const store = Layer.effect(RecordStore.RecordStore, Effect.flatMap(SqlClient, (sql) => PostgresStore.make(sql)))
    return Layer.provide(store, clientOf(Number(place)))
  }
}
