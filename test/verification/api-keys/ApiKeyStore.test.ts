import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { Redis } from "effect/persistence"
import { authenticate } from "../../authorization/steps.ts"
import { gate as gateWith, rejected, request } from "../../authorization/support.ts"
import { freePort, runs, start } from "../../program.ts"

describe("the store of API keys in memory", () => {
  it.effect("finds the records that it contains, and replaces and removes them", () =>
    Effect.gen(function*() {
      const { record } = yield* ApiKeys.generate({ subject: "cron", scopes: ["todos:read"] })
      const store = ApiKeys.memory([record])
      assert.strictEqual(yield* store.find(record.identifier), record)
      yield* store.put({ ...record, scopes: [] })
      assert.deepStrictEqual((yield* store.find(record.identifier))?.scopes, [])
      yield* store.remove(record.identifier)
      assert.isUndefined(yield* store.find(record.identifier))
    }))

  it.effect("rejects records that no key can use when it is made, and names the member", () =>
    Effect.gen(function*() {
      const { key, record } = yield* ApiKeys.generate({ subject: "cron", scopes: ["todos:read"] })
      for (
        const [records, error] of [
          [record, "ApiKeys.memory: an object is not a list of records"],
          ["records", "ApiKeys.memory: \"records\" is not a list of records"],
          [[{ key, record }], "ApiKeys.memory[0]: identifier is not the public part of a key"],
          [[record, { ...record, hash: "ab".repeat(32) }], "ApiKeys.memory[1]: hash is not the SHA-256 of the key"],
          [[{ ...record, expiresAt: 1.8e12 }], "ApiKeys.memory[0]: expiresAt is not a time in seconds since 1970"]
        ] as const
      ) assert.throws(() => ApiKeys.memory(records as never), `Invalid configuration at ${error}`)
    }))
})

describe("the store of API keys in Redis", () => {
  it.effect("[T-APIKEY-05] makes the server answer 503 if Redis fails or contains a text that is not a record", () =>
    Effect.gen(function*() {
      const { key } = yield* ApiKeys.generate({ subject: "cron", scopes: ["todos:read"] })
      const reasonOf = (answer: Effect.Effect<unknown, Redis.RedisError>) =>
        Effect.gen(function*() {
          const store = ApiKeys.redis({ send: (() => answer) as Redis.Redis["Service"]["send"] })
          const { gate } = yield* gateWith({ apiKeys: ApiKeys.make({ store, header: "x-api-key" }) })
          return (yield* rejected(authenticate(gate, request({ "x-api-key": Redacted.value(key) })))).reason
        })
      assert.strictEqual(yield* reasonOf(Effect.fail(new Redis.RedisError({ cause: "closed" }))), "api-key-store-down")
      for (const text of ["{", "null", "[]", "{}", "text"]) {
        assert.strictEqual(
          yield* reasonOf(Effect.succeed(text)),
          text === "null" ? "api-key-unknown" : "api-key-record",
          text
        )
      }
      assert.strictEqual(yield* reasonOf(Effect.succeed(null)), "api-key-unknown")
    }))

  it.live.skipIf(!runs("redis-server"))(
    "is shared by two gates on a real server, which deletes expired records and contains no key",
    () =>
      Effect.gen(function*() {
        const port = yield* freePort
        yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
        yield* Effect.gen(function*() {
          const redis = yield* Redis.Redis
          const store = ApiKeys.redis(redis)
          const apiKeys = ApiKeys.make({
            store: Effect.map(Redis.Redis, (redis) => ApiKeys.redis(redis)),
            header: "x-api-key",
            cache: 0
          })
          const gates = [
            (yield* gateWith({ apiKeys: apiKeys as ApiKeys.Mechanism })).gate,
            (yield* gateWith({ apiKeys: apiKeys as ApiKeys.Mechanism })).gate
          ]
          const { key, record } = yield* ApiKeys.generate({
            subject: "cron",
            scopes: ["todos:read"],
            expiresIn: "1 hour",
            claims: { team: "é" }
          })
          const text = Redacted.value(key)
          yield* store.put(record)
          assert.deepStrictEqual(yield* store.find(record.identifier), record)
          for (const gate of gates) {
            const caller = yield* authenticate(gate, request({ "x-api-key": text }))
            assert.strictEqual(caller === "anonymous" ? caller : caller.claims["team"], "é")
          }
          const stored = `effect-mcp-auth:api-key:${record.identifier}`
          assert.notInclude(yield* redis.send<string>("GET", stored), text.slice(-64))
          assert.closeTo(yield* redis.send<number>("TTL", stored), 3_600, 60)
          yield* store.remove(record.identifier)
          for (const gate of gates) {
            const rejection = yield* rejected(authenticate(gate, request({ "x-api-key": text })))
            assert.strictEqual(rejection.reason, "api-key-unknown")
          }
        }).pipe(Effect.provide(NodeRedis.layer({ url: `redis://127.0.0.1:${port}` })))
      })
  )
})
