import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Dpop } from "effect-mcp-auth/dpop"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import { memoryOf } from "../../../src/verification/dpop/ReplayStore.ts"
import { freePort, runs, start } from "../../program.ts"

const now = 1_800_000_000_000

/** The use of a proof that stays fresh for one minute. Each key belongs to a separate caller. */
const use = (jti: string, thumbprint = "key", at = now): Dpop.Use => ({
  thumbprint,
  jti,
  owner: `owner of ${thumbprint}`,
  until: at + 60_000,
  lifetime: 60_000
})

describe("the store in memory", () => {
  it.effect("knows a use until the proof is too old, and each key separately", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const store = memoryOf(100)
      assert.isTrue(yield* store.firstUse(use("a")))
      assert.isFalse(yield* store.firstUse(use("a")))
      assert.isTrue(yield* store.firstUse(use("a", "other")))
      assert.isTrue(yield* store.firstUse(use("b")))
      for (const later of [59_999, 60_000]) {
        yield* TestClock.setTime(now + later)
        assert.isFalse(yield* store.firstUse(use("a")))
        assert.strictEqual(store.size(), 3)
      }
      yield* TestClock.setTime(now + 65_000)
      assert.isTrue(yield* store.firstUse(use("c", "key", now + 65_000)))
      assert.strictEqual(store.size(), 1)
      // The store has evicted the uses that are as old as this one, so it cannot detect whether this proof was used before.
      assert.strictEqual((yield* Effect.flip(store.firstUse(use("z")))).reason, "replay-store-clock")
    }))

  it.effect("never exceeds its capacity, and one caller fills at most a quarter of it", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now)
      const store = memoryOf(8)
      for (const jti of ["1", "2"]) assert.isTrue(yield* store.firstUse(use(jti)))
      assert.strictEqual((yield* Effect.flip(store.firstUse(use("3")))).reason, "replay-store-full")
      for (const key of ["b", "c", "d"]) {
        for (const jti of ["1", "2"]) assert.isTrue(yield* store.firstUse(use(jti, key)))
      }
      assert.strictEqual((yield* Effect.flip(store.firstUse(use("1", "e")))).reason, "replay-store-full")
      assert.isFalse(yield* store.firstUse(use("1")))
      assert.strictEqual(store.size(), 8)
      const next = memoryOf(8)
      for (const key of ["k1", "k2"]) assert.isTrue(yield* next.firstUse({ ...use("1", key), owner: "one caller" }))
      const another = { ...use("1", "k3"), owner: "one caller" }
      assert.strictEqual((yield* Effect.flip(next.firstUse(another))).reason, "replay-store-full")
    }))
})

describe("the store in Redis", () => {
  const answering = (answer: Effect.Effect<unknown, Redis.RedisError>) => {
    const sent: Array<ReadonlyArray<string>> = []
    const send = (...command: ReadonlyArray<string>) => {
      sent.push(command)
      return answer
    }
    return { sent, store: Dpop.redis({ send: send as Redis.Redis["Service"]["send"] }) }
  }

  it.effect("sends one script per use, with the time up to which the use must be kept", () =>
    Effect.gen(function*() {
      const { sent, store } = answering(Effect.succeed(1))
      assert.isTrue(yield* store.firstUse({ ...use("a"), until: now + 0.5, lifetime: 0.5 }))
      const [[command, script, ...parameters] = []] = sent
      assert.strictEqual(command, "EVAL")
      assert.include(script, "'NX', 'PX'")
      assert.deepStrictEqual(parameters, ["1", "effect-mcp-auth:dpop:key:a", String(now + 1), "1"])
      assert.isFalse(yield* answering(Effect.succeed(0)).store.firstUse(use("a")))
      for (const [answer, reason] of [[-1, "clock"], [null, "down"], ["OK", "down"], [undefined, "down"]] as const) {
        const failure = yield* Effect.flip(answering(Effect.succeed(answer)).store.firstUse(use("a")))
        assert.strictEqual(failure.reason, `replay-store-${reason}`)
      }
    }))

  it.effect("fails when Redis is down or does not answer within two seconds", () =>
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
    "a real server admits one of many uses at the same time, and keeps it until its end and no longer",
    () =>
      Effect.gen(function*() {
        const port = yield* freePort
        yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
        yield* Effect.gen(function*() {
          const redis = yield* Redis.Redis
          const instances = [Dpop.redis(redis), Dpop.redis(redis)]
          const wall = Date.now()
          const answers = yield* Effect.all(
            Array.from({ length: 50 }, (_, i) => instances[i % 2]!.firstUse(use("j", "k", wall))),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(answers.filter((_) => _).length, 1)
          const [store] = instances
          const left = (jti: string) => redis.send<number>("PTTL", `effect-mcp-auth:dpop:k:${jti}`)
          assert.isAtLeast(yield* left("j"), 40_000)
          assert.isAtMost(yield* left("j"), 61_000)
          // The clock of one instance is two minutes slow, and that of another is two hours fast.
          assert.strictEqual(
            (yield* Effect.flip(store!.firstUse(use("i", "k", wall - 120_000)))).reason,
            "replay-store-clock"
          )
          assert.isTrue(yield* store!.firstUse({ ...use("l", "k", wall + 7_200_000), lifetime: 60_000 }))
          assert.isAtMost(yield* left("l"), 900_000)
          assert.isTrue(yield* store!.firstUse({ ...use("m", "k", wall), lifetime: 1 }))
          assert.isAtLeast(yield* left("m"), 40_000)
        }).pipe(Effect.provide(NodeRedis.layer({ url: `redis://127.0.0.1:${port}` })))
      })
  )
})
