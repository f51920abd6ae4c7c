import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ReplayStore } from "effect-mcp-auth"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import { freePort, runs, start } from "../program.ts"

const now = 1_800_000_000_000

const use = (jti: string, thumbprint = "key") => ({ thumbprint, jti, until: now + 60_000 })

describe("the memory", () => {
  it.effect("knows a use until it is too old, and each key by itself", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const store = ReplayStore.memory(100)
      assert.isTrue(yield* store.firstUse(use("a")))
      assert.isFalse(yield* store.firstUse(use("a")))
      assert.isTrue(yield* store.firstUse(use("a", "other")))
      assert.isTrue(yield* store.firstUse(use("b")))
      yield* TestClock.setTime(now + 59_999)
      assert.isFalse(yield* store.firstUse(use("a")))
      assert.strictEqual(store.size(), 3)
      yield* TestClock.setTime(now + 65_000)
      assert.isTrue(yield* store.firstUse({ ...use("c"), until: now + 125_000 }))
      assert.strictEqual(store.size(), 1)
    }))

  it.effect("is never larger than it may be, and full for nobody but those who filled it", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const store = ReplayStore.memory(8)
      for (const jti of ["1", "2"]) assert.isTrue(yield* store.firstUse(use(jti)))
      assert.strictEqual((yield* Effect.flip(store.firstUse(use("3")))).reason, "replay-store-full")
      for (const key of ["b", "c", "d"]) {
        for (const jti of ["1", "2"]) assert.isTrue(yield* store.firstUse(use(jti, key)))
      }
      assert.strictEqual((yield* Effect.flip(store.firstUse(use("1", "e")))).reason, "replay-store-full")
      assert.isFalse(yield* store.firstUse(use("1")))
      assert.strictEqual(store.size(), 8)
    }))
})

describe("in Redis", () => {
  const answering = (answer: Effect.Effect<unknown, Redis.RedisError>) => {
    const sent: Array<ReadonlyArray<string>> = []
    const send = (...command: ReadonlyArray<string>) => {
      sent.push(command)
      return answer
    }
    return { sent, store: ReplayStore.inRedis({ send: send as Redis.Redis["Service"]["send"] }) }
  }

  it.effect("sets what is not there, for as long as it matters", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const { sent, store } = answering(Effect.succeed("OK"))
      assert.isTrue(yield* store.firstUse(use("a")))
      assert.deepStrictEqual(sent, [["SET", "effect-mcp-auth:dpop:key:a", "1", "NX", "PX", "60000"]])
      for (const answer of [null, undefined, "", 0]) {
        assert.isFalse(yield* answering(Effect.succeed(answer)).store.firstUse(use("a")))
      }
    }))

  it.effect("an outage, and an answer that does not come, is no verdict", () =>
    Effect.gen(function*() {
      const down = answering(Effect.fail(new Redis.RedisError({ cause: new Error("closed") }))).store
      assert.strictEqual((yield* Effect.flip(down.firstUse(use("a")))).reason, "replay-store-down")
      const waiting = yield* Effect.forkChild(Effect.flip(answering(Effect.never).store.firstUse(use("a"))), {
        startImmediately: true
      })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).reason, "replay-store-down")
    }))

  it.live.skipIf(!runs("redis-server"))(
    "a real one lets one of many at once in, and forgets",
    () =>
      Effect.gen(function*() {
        const port = yield* freePort
        yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
        yield* Effect.gen(function*() {
          const redis = yield* Redis.Redis
          const instances = [ReplayStore.inRedis(redis), ReplayStore.inRedis(redis)]
          const until = Date.now() + 300
          const answers = yield* Effect.all(
            Array.from({ length: 50 }, (_, i) => instances[i % 2]!.firstUse({ thumbprint: "k", jti: "j", until })),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(answers.filter((_) => _).length, 1)
          yield* Effect.sleep("500 millis")
          assert.isTrue(yield* instances[0]!.firstUse({ thumbprint: "k", jti: "j", until: Date.now() + 300 }))
        }).pipe(Effect.provide(NodeRedis.layer({ url: `redis://127.0.0.1:${port}` })))
      })
  )
})
