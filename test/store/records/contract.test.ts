/** Every store of records keeps the contract that the testing kit exports. */
import { NodeRedis } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { MemoryStore, PostgresStore, type RecordStore, RedisStore, SealedStore } from "effect-mcp-auth/store"
import { FileStore, SqliteStore } from "effect-mcp-auth/store-node"
import { RecordStoreContract } from "effect-mcp-auth/testing"
import { Redis } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as postgres from "../../postgres.ts"
import { freePort, runs, start } from "../../program.ts"

/** Creates a folder that is removed when the scope closes. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "records-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

const sleep = (milliseconds: number) => Effect.sleep(milliseconds)

const redisServer = Layer.unwrap(Effect.gen(function*() {
  const port = yield* freePort
  yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
  return NodeRedis.layer({ url: `redis://127.0.0.1:${port}` })
}))

describe("a store in memory", () => {
  it.effect.each(RecordStoreContract.rules)(
    "$title",
    ({ check }) =>
      Effect.flatMap(MemoryStore.make(), (store) => check(store, (milliseconds) => TestClock.adjust(milliseconds)))
  )
})

describe("a sealed store", () => {
  const seal = SealedStore.withSecrets(Redacted.make("0123456789abcdef0123456789abcdef"))
  it.effect.each(RecordStoreContract.rules)(
    "$title",
    ({ check }) =>
      Effect.flatMap(
        MemoryStore.make(),
        (store) => check(SealedStore.make(store, seal), (milliseconds) => TestClock.adjust(milliseconds))
      )
  )
})

/** Stores that use real time and real files or servers. */
const stores: Record<string, Effect.Effect<RecordStore.Store, unknown, Scope.Scope>> = {
  "a file": Effect.flatMap(folder, (made) => FileStore.make({ file: join(made, "records.json") })),
  "SQLite": Effect.flatMap(folder, (made) => SqliteStore.make({ file: join(made, "records.db") }))
}

describe.each(Object.keys(stores))("a store in %s", (name) => {
  it.live.each(RecordStoreContract.rules)(
    "$title",
    ({ check }) => Effect.flatMap(stores[name]!, (store) => check(store, sleep))
  )
})

describe.skipIf(!runs("redis-server"))("a store in Redis (skipped where redis-server is not installed)", () => {
  it.layer(redisServer, { excludeTestServices: true })((it) => {
    it.effect.each(RecordStoreContract.rules)(
      "$title",
      ({ check }) => Effect.flatMap(Redis.Redis, (redis) => check(RedisStore.make(redis), sleep))
    )
  })
})

describe.skipIf(!runs("postgres"))("a store in PostgreSQL (skipped where postgres is not installed)", () => {
  it.layer(postgres.layer, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect.each(RecordStoreContract.rules)("$title", ({ check }) =>
      Effect.gen(function*() {
        const store = yield* PostgresStore.make(yield* SqlClient.SqlClient)
        yield* check(store, sleep)
      }))
  })
})
