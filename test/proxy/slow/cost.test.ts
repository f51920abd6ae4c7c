/** The price of a refresh: CPU time with the store in memory, and time with 100,000 sealed grants in each other store. */
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { MemoryStore, PostgresStore, type RecordStore, RedisStore, SealedStore } from "effect-mcp-auth/store"
import { SqliteStore } from "effect-mcp-auth/store-node"
import { Redis } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { performance } from "node:perf_hooks"
import { DatabaseSync } from "node:sqlite"
import { encode, type GrantRecord } from "../../../src/proxy/grants/GrantRecord.ts"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"
import * as RecordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import * as RecordSeal from "../../../src/proxy/keys/RecordSeal.ts"
import { clientOf } from "../../postgres.ts"
import { stores } from "../grants/instances.ts"
import { alice, approved, issuer, makeWorld, secretA, type World } from "../grants/world.ts"

/** Returns the CPU time of one run in milliseconds: the smallest of several rounds, because other programs only add to it. */
const cpuOf = (runs: number, run: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < 5; round++) {
      const before = process.cpuUsage()
      for (let time = 0; time < runs; time++) yield* run
      const { system, user } = process.cpuUsage(before)
      least = Math.min(least, (system + user) / 1_000 / runs)
    }
    return least
  })

/** Signs in. Returns an effect that refreshes the grant, each time with the next token. */
const refreshing = (world: World) =>
  Effect.map(world.signIn(), ({ refresh }) => {
    let token = refresh
    return Effect.suspend(() => Effect.map(world.refresh(token), (next) => void (token = next.refresh)))
  })

/** Other grants that the store contains. */
const others = 100_000

/** The keys and values of the other grants, sealed as the proxy writes them. */
const makeOthers = Effect.gen(function*() {
  const keyFor = yield* RecordKeys.make(issuer)
  const seal = RecordSeal.make(yield* ProxyKeys.make(secretA), issuer)
  const now = Date.now()
  return yield* Effect.forEach(Array.from({ length: others }, (_, index) => index), (index) => {
    const record: GrantRecord = {
      clientId: approved.clientId,
      subject: `github|${index}`,
      display: alice.display,
      resource: approved.resource,
      scopes: approved.scopes,
      upstreamKey: "upstream-key",
      createdAt: now,
      usedAt: now,
      checkedAt: now,
      endsAt: now + 86_400_000,
      generation: 3,
      kid: "AAAAAAAA",
      sealedBy: "AAAAAAAA",
      seed: "A".repeat(22),
      retired: [[2, now]]
    }
    return Effect.flatMap(
      keyFor("grant", `grant-${index}`),
      (key) => Effect.map(seal.seal(encode(record), key), (value) => [key, value] as const)
    )
  })
})

type Rows = Effect.Success<typeof makeOthers>

/** Opens a store, starts a proxy on it, and returns an effect that refreshes a grant, with the time until the grant exists. */
const start = (open: Effect.Effect<Filled, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const before = performance.now()
    const { store } = yield* open
    const seal = RecordSeal.make(yield* ProxyKeys.make(secretA), issuer)
    const world = yield* makeWorld({ store: SealedStore.make(store, seal) })
    const refresh = yield* refreshing(world)
    return { refresh, time: performance.now() - before }
  })

const version = "A".repeat(12)
const day = 86_400_000

/** A store, and the function that fills it faster than one write at a time. */
interface Filled {
  readonly store: RecordStore.Store
  readonly fill: (rows: Rows) => Effect.Effect<void, unknown>
}

const kinds: Readonly<Record<string, (place: string) => Effect.Effect<Filled, unknown, Scope.Scope>>> = {
  sqlite: (file) =>
    Effect.map(SqliteStore.make({ file }), (store) => ({
      store,
      fill: (rows) =>
        Effect.sync(() => {
          const database = new DatabaseSync(file)
          const insert = database.prepare("INSERT INTO records (key, value, version, until) VALUES (?, ?, ?, ?)")
          database.exec("BEGIN")
          for (const [key, value] of rows) insert.run(key, value, version, Date.now() + day)
          database.exec("COMMIT")
          database.close()
        })
    })),
  redis: (url) =>
    Effect.map(Layer.build(NodeRedis.layer({ url })), (context) => {
      const redis = Context.get(context, Redis.Redis)
      return {
        store: RedisStore.make(redis),
        fill: (rows) =>
          Effect.forEach(
            rows,
            ([key, value]) => redis.send("SET", `effect-mcp-auth:records:${key}`, version + value, "PX", `${day}`),
            { concurrency: 500, discard: true }
          )
      }
    }),
  postgres: (port) =>
    Effect.gen(function*() {
      const sql = Context.get(yield* Layer.build(clientOf(Number(port))), SqlClient.SqlClient)
      const store = yield* PostgresStore.make(sql)
      return {
        store,
        fill: (rows) =>
          sql.unsafe(
            "INSERT INTO effect_mcp_auth_records (key, value, version, until) SELECT row->>0, row->>1, $2, " +
              "now() + interval '1 day' FROM json_array_elements($1::json) AS row",
            [JSON.stringify(rows), version]
          )
      }
    })
}

const medianOf = (times: ReadonlyArray<number>): number => times.toSorted((a, b) => a - b)[times.length >> 1]!

describe("the price of a refresh", () => {
  it.live("is at most ten signatures of CPU time with the store in memory", () =>
    Effect.gen(function*() {
      const keys = yield* ProxyKeys.make(secretA)
      // As in a proxy, where the store seals all records.
      const store = SealedStore.make(yield* MemoryStore.make(), RecordSeal.make(keys, issuer))
      const world = yield* makeWorld({ store })
      const refresh = yield* refreshing(world)
      const signature = keys.sign({ sub: "alice" })
      yield* cpuOf(100, refresh)
      const signed = yield* cpuOf(300, signature)
      const refreshed = yield* cpuOf(300, refresh)
      console.log(`a signature: ${signed.toFixed(3)} ms, a refresh: ${refreshed.toFixed(3)} ms of CPU time`)
      assert.isBelow(refreshed / signed, 10)
    }))

  it.live.each(Object.entries(stores).flatMap(([kind, store]) => store.exists ? [{ kind, ...store }] : []))(
    "does not grow with 100,000 grants in the store ($kind)",
    ({ kind, place }) =>
      Effect.gen(function*() {
        const [small, large] = [yield* place, yield* place]
        const rows = yield* makeOthers
        yield* Effect.scoped(Effect.flatMap(kinds[kind]!(large), ({ fill }) => fill(rows)))
        yield* Effect.scoped(kinds[kind]!(small))
        const starts = [yield* start(kinds[kind]!(small)), yield* start(kinds[kind]!(large))]
        const refreshes = starts.map(({ refresh }) => refresh)
        console.log(`${kind}: start and first sign-in in ${starts.map(({ time }) => time.toFixed(0)).join(" and ")} ms`)
        const times: ReadonlyArray<Array<number>> = [[], []]
        // The two take turns, so other programs slow both down.
        for (let time = 0; time < 400; time++) {
          for (const [index, refresh] of refreshes.entries()) {
            const before = performance.now()
            yield* refresh
            times[index]!.push(performance.now() - before)
          }
        }
        const [few, many] = times.map((each) => medianOf(each.slice(100)))
        console.log(`${kind}: ${few!.toFixed(2)} ms, with ${others} other grants ${many!.toFixed(2)} ms`)
        assert.isBelow(many! / few!, 2)
      })
  )
})
