import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { Quotas } from "effect-mcp-auth/quotas"
import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import { authenticate } from "../../authorization/steps.ts"
import { freePort, runs, start } from "../../program.ts"
import { gateLayer } from "../../servers/gates.ts"
import * as steppingClock from "../steppingClock.ts"

const resource = "https://server.test/mcp"
/** The time at which the tests begin, in seconds since 1970. */
const now = 1_800_000_000

/** A gate with DPoP, and a client whose token is bound to its key. */
const bench = Effect.fnUntraced(function*(
  dpop: Dpop.Dpop,
  verifier?: AuthLayer.Common<readonly ["todos:read"]>["verifier"],
  quotas?: Quotas.Mechanism
) {
  const { client: http, issuer } = yield* TestIssuer.make({ resource })
  const services = yield* Layer.build(
    gateLayer({
      resource,
      authorizationServers: [issuer.issuer],
      scopes: ["todos:read"],
      dpop,
      ...(quotas === undefined ? {} : { quotas }),
      ...(verifier === undefined ? {} : { verifier, tokenCache: { capacity: 0 } })
    }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, http)))
  )
  const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
  const clientOf = Effect.fnUntraced(function*(subject: string) {
    const client = yield* DpopClient.make()
    const token = yield* issuer.mint({
      subject,
      scopes: ["todos:read"],
      boundTo: client.thumbprint,
      expiresIn: "3 hours"
    })
    const proof = (claims: Readonly<Record<string, unknown>> = {}) =>
      client.proof({ method: "POST", url: resource, token, claims })
    const send = (proof: string) =>
      authenticate(gate, {
        method: "POST",
        path: "/mcp",
        dpop: [proof],
        authorization: [`DPoP ${token}`],
        header: () => undefined
      }).pipe(
        Effect.as("admitted"),
        Effect.catch(({ headers, reason, status }) =>
          Effect.succeed(`${status} ${reason} ${headers["dpop-nonce"] ?? ""}`.trim())
        ),
        Effect.provide(Logger.layer([]))
      )
    return { proof, send }
  })
  return { clientOf, ...yield* clientOf("alice") }
})

describe("a quota of proofs", () => {
  it.effect("[T-QUOTA-07] counts verified proofs of a caller before they are stored, and no others", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const stored: Array<string> = []
      const replay: Dpop.Store = { firstUse: ({ jti }) => Effect.sync(() => stored.push(jti) > 0) }
      const quotas = Quotas.make({ proofs: { limit: 2, window: "1 minute" } })
      const { clientOf, proof, send } = yield* bench(Dpop.required({ replay }), undefined, quotas)
      // A proof that does not match the request does not count, so a thief of the token cannot use up the quota.
      for (let sent = 0; sent < 5; sent++) assert.match(yield* send(yield* proof({ htm: "GET" })), /^401 proof-method/)
      assert.strictEqual(yield* send(yield* proof()), "admitted")
      assert.strictEqual(yield* send(yield* proof()), "admitted")
      assert.strictEqual(yield* send(yield* proof()), "429 quota")
      assert.lengthOf(stored, 2)
      const bob = yield* clientOf("bob")
      assert.strictEqual(yield* bob.send(yield* bob.proof()), "admitted")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* send(yield* proof({ iat: now + 30 })), "admitted")
    }))
})

describe("a proof at the end of its window", () => {
  it.effect.each([-90, -60, 0, 29.25, 30])(
    "T-AUD-09 is used until the last instant at which it is fresh: iat %d seconds from now",
    (iat) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { proof, send } = yield* bench(Dpop.required())
        const dpop = yield* proof({ iat: now + iat })
        assert.strictEqual(yield* send(dpop), "admitted")
        const end = (now + iat + 90) * 1000
        for (const moment of [end - 5_000, end - 1, end]) {
          yield* TestClock.setTime(Math.max(moment, now * 1000))
          assert.strictEqual(yield* send(dpop), "401 proof-replayed", `${moment - end}`)
        }
        for (const later of [1, 29_999, 30_000, 40_000]) {
          yield* TestClock.setTime(end + later)
          assert.strictEqual(yield* send(dpop), "401 proof-time", `${later}`)
        }
      })
  )

  it.effect("T-AUD-09 is compared with the clock at the start of the request, and is too old after a long wait", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      let wait = 0
      const slow: AuthLayer.Common<readonly ["todos:read"]>["verifier"] = (configured) => ({
        verify: (credentials, request, at) =>
          Effect.tap(configured.verify(credentials, request, at), () => TestClock.adjust(wait))
      })
      const { proof, send } = yield* bench(Dpop.required(), slow)
      const fresh = Effect.flatMap(Clock.currentTimeMillis, (millis) => proof({ iat: millis / 1000 - 89 }))
      for (
        const [millis, first, second] of [
          [19_999, "admitted", "401 proof-replayed"],
          [20_001, "401 proof-time", "401 proof-replayed"],
          // In this row, the verification takes longer than the store keeps the first use.
          [60_000, "401 proof-time", "401 proof-time"]
        ] as const
      ) {
        const start = yield* Clock.currentTimeMillis
        wait = 0
        assert.strictEqual(yield* send(yield* fresh), "admitted")
        const dpop = yield* fresh
        wait = millis
        assert.strictEqual(yield* send(dpop), first, `${millis}`)
        wait = 0
        assert.include([second, "401 proof-time"], yield* send(dpop), `${millis}`)
        assert.isAtLeast(yield* Clock.currentTimeMillis, start + millis)
      }
      // The second request arrives while the proof is fresh. During its long verification, the store evicts the first use.
      const dpop = yield* fresh
      assert.strictEqual(yield* send(dpop), "admitted")
      wait = 45_000
      assert.notStrictEqual(yield* send(dpop), "admitted")
    }))

  it.effect("T-AUD-09 stays used after each of many steps of the wall clock back by an hour", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { proof, send } = yield* bench(Dpop.required())
        const early = yield* proof()
        assert.strictEqual(yield* send(early), "admitted")
        yield* TestClock.adjust("1 hour")
        // The next use evicts the use of `early`, which is too old.
        const late = yield* proof({ iat: now + 3600 })
        assert.strictEqual(yield* send(late), "admitted")
        yield* step(steppingClock.hourBack)
        assert.strictEqual(yield* send(early), "503 replay-store-clock")
        assert.strictEqual(yield* send(late), "401 proof-time")
        // After its clock is corrected, the server accepts new proofs of clients whose clock is correct.
        yield* step(-steppingClock.hourBack)
        assert.strictEqual(yield* send(late), "401 proof-replayed")
        assert.strictEqual(yield* send(yield* proof({ iat: now + 3600 })), "admitted")
      })
    ))

  it.effect("T-AUD-09 a step forward evicts no use, and a small step back rejects no fresh proof", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { proof, send } = yield* bench(Dpop.required())
        const dpop = yield* proof()
        assert.strictEqual(yield* send(dpop), "admitted")
        yield* step(-steppingClock.hourBack)
        assert.strictEqual(yield* send(yield* proof({ iat: now + 3600 })), "admitted")
        yield* step(steppingClock.hourBack)
        assert.strictEqual(yield* send(dpop), "401 proof-replayed")
        for (let i = 0; i < 60; i++) {
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(yield* send(yield* proof({ iat: (yield* Clock.currentTimeMillis) / 1000 })), "admitted")
        }
        yield* step(-120_000)
        for (let i = 0; i < 60; i++) {
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual(yield* send(yield* proof({ iat: (yield* Clock.currentTimeMillis) / 1000 })), "admitted")
        }
      })
    ))

  it.effect("T-AUD-09 an expired nonce stays expired when the wall clock steps back, and expires with or without a step forward", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { proof, send } = yield* bench(Dpop.required({ nonce: "required" }))
        const nonce = (yield* send(yield* proof())).split(" ")[2]
        assert.isDefined(nonce)
        yield* step(-steppingClock.hourBack)
        assert.strictEqual(yield* send(yield* proof({ nonce, iat: now + 3600 })), "admitted")
        yield* TestClock.adjust("300 seconds")
        yield* step(steppingClock.hourBack - 300_000)
        assert.match(yield* send(yield* proof({ nonce })), /^401 proof-nonce /)
      })
    ))

  it.effect("T-AUD-09 one caller with many keys fills at most a quarter of the store", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { clientOf, proof, send } = yield* bench(Dpop.required({ replay: Dpop.memory(100) }))
      const second = yield* clientOf("alice")
      const counts: Record<string, number> = {}
      for (let i = 0; i < 30; i++) {
        const from = i % 2 === 0 ? second : { proof, send }
        const answer = yield* from.send(yield* from.proof())
        counts[answer] = (counts[answer] ?? 0) + 1
      }
      assert.deepStrictEqual(counts, { admitted: 25, "503 replay-store-full": 5 })
      const bob = yield* clientOf("bob")
      assert.strictEqual(yield* bob.send(yield* bob.proof()), "admitted")
    }))
})

describe.skipIf(!runs("redis-server"))("a proof in Redis (skipped where redis-server is not installed)", () => {
  /** Runs a test with a Redis server. Redis uses real time, although the test clock of the gate does not move. */
  const withRedis = <A, E, R>(test: (redis: Redis.Redis["Service"]) => Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const port = yield* freePort
      yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
      return yield* Effect.flatMap(Redis.Redis, test).pipe(
        Effect.provide(NodeRedis.layer({ url: `redis://127.0.0.1:${port}` }))
      )
    })
  const storeIn = (redis: Redis.Redis["Service"]) => Dpop.redis(redis, "test:")

  it.live("T-AUD-09 is kept past the last instant at which it is fresh, with any latency", () =>
    withRedis((redis) =>
      Effect.gen(function*() {
        const wall = Date.now()
        yield* TestClock.setTime(wall)
        const { proof, send } = yield* bench(
          Dpop.required({ window: "1 second", clockTolerance: 0, replay: storeIn(redis) })
        )
        // By the test clock, which stands still, this proof is fresh for one more millisecond.
        const dpop = yield* proof({ iat: (wall - 999) / 1000 })
        assert.strictEqual(yield* send(dpop), "admitted")
        const [key] = yield* redis.send<ReadonlyArray<string>>("KEYS", "test:*")
        assert.isAbove(yield* redis.send<number>("PTTL", key!), 20_000)
        for (let i = 0; i < 5; i++) {
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 3)))
          assert.strictEqual(yield* send(dpop), "401 proof-replayed")
        }
      }).pipe(Effect.provide(TestClock.layer()))
    ))

  it.live("T-AUD-09 is rejected if its use may have been evicted after the clock of an instance stepped back", () =>
    withRedis((redis) =>
      Effect.gen(function*() {
        const wall = Date.now()
        yield* TestClock.setTime(wall - 3_600_000)
        const { proof, send } = yield* bench(Dpop.required({ replay: storeIn(redis) }))
        assert.strictEqual(yield* send(yield* proof()), "503 replay-store-clock")
        yield* TestClock.setTime(wall)
        const dpop = yield* proof()
        assert.strictEqual(yield* send(dpop), "admitted")
        assert.strictEqual(yield* send(dpop), "401 proof-replayed")
      }).pipe(Effect.provide(TestClock.layer()))
    ))
})
