import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Logger, Result } from "effect"
import { type AuthError, Decision } from "effect-mcp-auth"
import type { Gate } from "effect-mcp-auth/host"
import { Operation } from "effect-mcp-auth/protocol"
import { Quotas } from "effect-mcp-auth/quotas"
import { RateLimiter, Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as memoryLimiter from "../../../src/authorization/quotas/MemoryLimiter.ts"
import { runs } from "../../program.ts"
import { redis } from "../../redis.ts"
import { authenticateCaller, authorize } from "../steps.ts"
import { bearer, gate, listening, principal, rejected, request } from "../support.ts"

const minute = { limit: 2, window: "1 minute" } as const

type Issuer = Effect.Success<ReturnType<typeof gate>>["issuer"]

const tokenOf = (issuer: Issuer, subject = "alice", clientId = "client-1") =>
  issuer.mint({ subject, clientId, scopes: ["todos:read"] })

const quotas = (options: Quotas.Options, others: object = {}) =>
  gate({ quotas: Quotas.make(options), ...others } as never)

const outcome = (effect: Effect.Effect<unknown, { readonly status: number; readonly reason: string }>) =>
  Effect.match(effect, { onSuccess: () => "admitted", onFailure: ({ reason, status }) => `${status} ${reason}` })

const operationsOf = (...methods: ReadonlyArray<string>) =>
  methods.flatMap((method) => Result.getOrThrow(Operation.fromBody({ jsonrpc: "2.0", id: 1, method })))

describe("quotas of requests", () => {
  it.effect("[T-QUOTA-01] reject a caller that exceeds its quota with 429, and no other caller", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ requests: minute })
      const [alice, bob] = [yield* tokenOf(issuer), yield* tokenOf(issuer, "bob")]
      const ask = (token: string) => authenticateCaller(it, bearer(token))
      assert.strictEqual(yield* outcome(ask(alice)), "admitted")
      assert.strictEqual(yield* outcome(ask(alice)), "admitted")
      const { body, headers, reason, status } = yield* rejected(ask(alice))
      assert.deepStrictEqual([status, reason, headers["retry-after"]], [429, "quota", "30"])
      assert.isUndefined(headers["www-authenticate"])
      assert.strictEqual(JSON.parse(body).error, "too_many_requests")
      assert.strictEqual(yield* outcome(ask(bob)), "admitted")
      // Another client of the same user has the same quota.
      assert.strictEqual(yield* outcome(ask(yield* tokenOf(issuer, "alice", "client-2"))), "429 quota")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* outcome(ask(alice)), "admitted")
      assert.strictEqual(yield* outcome(ask(alice)), "429 quota")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* outcome(ask(alice)), yield* outcome(ask(alice))], ["admitted", "admitted"])
      assert.strictEqual(yield* outcome(ask(alice)), "429 quota")
    }))

  it.effect("[T-QUOTA-01] do not count requests without a valid token", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ requests: minute })
      const alice = yield* tokenOf(issuer)
      const expired = yield* issuer.mint({ subject: "alice", scopes: ["todos:read"], expiresIn: "-1 minute" })
      for (let sent = 0; sent < 5; sent++) {
        assert.strictEqual(yield* outcome(authenticateCaller(it, bearer(`${alice}x`))), "401 malformed")
        assert.strictEqual(yield* outcome(authenticateCaller(it, bearer(expired))), "401 expired")
      }
      assert.strictEqual(yield* outcome(authenticateCaller(it, bearer(alice))), "admitted")
    }))

  it.effect("[T-QUOTA-02] give all anonymous callers one quota, or one for each key of the option anonymousKey", () =>
    Effect.gen(function*() {
      const anonymous = { anonymous: "allow-unscoped" }
      const from = (address: string | undefined) => request(address === undefined ? {} : { "x-address": address })
      const one = yield* quotas({ requests: minute }, anonymous)
      assert.strictEqual(yield* outcome(authenticateCaller(one.gate, from("a"))), "admitted")
      assert.strictEqual(yield* outcome(authenticateCaller(one.gate, from("b"))), "admitted")
      assert.strictEqual(yield* outcome(authenticateCaller(one.gate, from("c"))), "429 quota")
      assert.strictEqual(yield* outcome(authenticateCaller(one.gate, bearer(yield* tokenOf(one.issuer)))), "admitted")

      const many = yield* quotas({
        requests: { limit: 1, window: "1 minute" },
        anonymousKey: ({ header }) => header("x-address")
      }, anonymous)
      const ask = (address: string | undefined) => outcome(authenticateCaller(many.gate, from(address)))
      assert.deepStrictEqual([yield* ask("a"), yield* ask("b"), yield* ask("a")], ["admitted", "admitted", "429 quota"])
      // Callers without a key share the quota of the empty key, and a key is not longer than 256 characters.
      assert.deepStrictEqual([yield* ask(undefined), yield* ask("")], ["admitted", "429 quota"])
      const long = "x".repeat(256)
      assert.deepStrictEqual([yield* ask(`${long}1`), yield* ask(`${long}2`)], ["admitted", "429 quota"])
    }))

  it.effect("[T-QUOTA-03] reject the request if the function anonymousKey throws", () =>
    Effect.gen(function*() {
      const { gate: it } = yield* quotas({
        requests: minute,
        anonymousKey: () => {
          throw new Error("broken")
        }
      }, { anonymous: "allow-unscoped" })
      assert.strictEqual(yield* outcome(authenticateCaller(it, request())), "500 broken")
    }))

  it.effect("name the quota in the explanation, and report one decision per request", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ requests: { limit: 1, window: "1 minute" } })
      const alice = yield* tokenOf(issuer)
      yield* authenticateCaller(it, bearer(alice))
      const { decisions, explained, layer } = listening()
      yield* Effect.provide(Effect.flip(authenticateCaller(it, bearer(alice))), layer)
      assert.deepStrictEqual(decisions.map(({ reason, status, subject }) => [status, reason, subject]), [
        [429, "quota", "alice"]
      ])
      assert.strictEqual(explained[0]?.checked, "the quota of requests")
    }))
})

describe("the function anonymousKey", () => {
  it.effect.each([Promise.resolve("a"), 1, null, ["a"]])(
    "[T-QUOTA-02] is an error if it returns %j, which would give all anonymous callers one quota",
    (key) =>
      Effect.gen(function*() {
        const { gate: it } = yield* quotas({ requests: minute, anonymousKey: () => key as never }, {
          anonymous: "allow-unscoped"
        })
        assert.strictEqual(yield* outcome(authenticateCaller(it, request())), "500 broken")
      })
  )
})

describe("quotas of sessions, streams and proofs", () => {
  const call = (it: Gate.Gate, caller: Gate.Caller, ...methods: ReadonlyArray<string>) =>
    outcome(authorize(it, {
      caller,
      operations: Effect.succeed(operationsOf(...methods)),
      policy: () => undefined
    }))

  it.effect("[T-QUOTA-01] reject initialize of a caller that opened too many sessions, and nothing else", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ sessions: { limit: 1, window: "1 minute" } })
      const caller = yield* authenticateCaller(it, bearer(yield* tokenOf(issuer)))
      const bob = yield* authenticateCaller(it, bearer(yield* tokenOf(issuer, "bob")))
      assert.strictEqual(yield* call(it, caller, "initialize"), "admitted")
      assert.strictEqual(yield* call(it, caller, "initialize"), "429 quota")
      assert.strictEqual(yield* call(it, caller, "tools/list", "initialize"), "429 quota")
      assert.strictEqual(yield* call(it, caller, "tools/list"), "admitted")
      assert.strictEqual(yield* call(it, bob, "initialize"), "admitted")
    }))

  it.effect("[T-QUOTA-01] count event streams over GET and subscriptions/listen together", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ streams: minute })
      const alice = yield* tokenOf(issuer)
      const get = (accept: string) => outcome(authenticateCaller(it, { ...bearer(alice, { accept }), method: "GET" }))
      assert.strictEqual(yield* get("text/html"), "admitted")
      assert.strictEqual(yield* get("Text/Event-Stream"), "admitted")
      const caller = yield* authenticateCaller(it, bearer(alice))
      assert.strictEqual(yield* call(it, caller, "subscriptions/listen"), "admitted")
      assert.strictEqual(yield* call(it, caller, "subscriptions/listen"), "429 quota")
      assert.strictEqual(yield* get("application/json, text/event-stream"), "429 quota")
      assert.strictEqual(yield* get("text/html"), "admitted")
    }))

  it.effect("[T-QUOTA-01] count each GET request to an MCP endpoint as a stream for every value of Accept", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ streams: minute })
      const alice = yield* tokenOf(issuer)
      const get = (accept: string | undefined, ...methods: ReadonlyArray<string>) =>
        Effect.flatMap(
          Effect.orDie(
            authenticateCaller(it, { ...bearer(alice, accept === undefined ? {} : { accept }), method: "GET" })
          ),
          (caller) => call(it, caller, ...methods)
        )
      assert.strictEqual(yield* get("text/event-stream"), "admitted")
      assert.strictEqual(yield* get("*/*"), "admitted")
      assert.strictEqual(yield* get(undefined), "429 quota")
      assert.strictEqual(yield* get("application/json"), "429 quota")
      // A request to another route has its method as the operation.
      assert.strictEqual(yield* get("application/json", "GET"), "admitted")
    }))

  it.effect("[T-QUOTA-01] count each operation of a batch", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* quotas({ sessions: minute, streams: minute })
      const caller = yield* authenticateCaller(it, bearer(yield* tokenOf(issuer)))
      assert.strictEqual(yield* call(it, caller, "initialize", "tools/list", "initialize"), "admitted")
      assert.strictEqual(yield* call(it, caller, "initialize"), "429 quota")
      const [listen, ...two] = ["subscriptions/listen", "subscriptions/listen", "subscriptions/listen"] as const
      assert.strictEqual(yield* call(it, caller, listen, ...two), "429 quota")
    }))
})

describe("a limiter that instances share", () => {
  const limited = (limiter: Pick<RateLimiter.RateLimiter, "consume">, whenUnavailable: "reject" | "admit") =>
    quotas({ requests: minute, limiter: limiter as RateLimiter.RateLimiter, whenUnavailable })

  const failing = new RateLimiter.RateLimiterError({
    reason: new RateLimiter.RateLimitStoreError({ message: "down" })
  })

  it.effect("[T-QUOTA-04] rejects requests with 503 if it fails, or admits them, as the author chose", () =>
    Effect.gen(function*() {
      const limiter = { consume: () => Effect.fail(failing) }
      const closed = yield* limited(limiter, "reject")
      const { headers, reason, status } = yield* rejected(
        authenticateCaller(closed.gate, bearer(yield* tokenOf(closed.issuer)))
      )
      assert.deepStrictEqual([status, reason, headers["retry-after"]], [503, "quota-store-down", "1"])
      const open = yield* limited(limiter, "admit")
      const alice = yield* tokenOf(open.issuer)
      const lines: Array<string> = []
      const logs = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      for (let sent = 0; sent < 5; sent++) {
        assert.strictEqual(
          yield* outcome(Effect.provide(authenticateCaller(open.gate, bearer(alice)), logs)),
          "admitted"
        )
      }
      assert.lengthOf(lines.filter((line) => line.startsWith("The limiter of quotas fails")), 1)
    }))

  it.effect("[T-QUOTA-04] counts as failed if it does not answer within a second", () =>
    Effect.gen(function*() {
      for (const [choice, expected] of [["reject", "503 quota-store-down"], ["admit", "admitted"]] as const) {
        const { gate: it, issuer } = yield* limited({ consume: () => Effect.never }, choice)
        const asking = outcome(authenticateCaller(it, bearer(yield* tokenOf(issuer))))
        const waiting = yield* Effect.forkChild(asking, { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(waiting), expected)
      }
    }))

  it.effect("[T-QUOTA-04] rejects requests with 500 if it dies", () =>
    Effect.gen(function*() {
      const { gate: it, issuer } = yield* limited({ consume: () => Effect.die("broken") }, "admit")
      assert.strictEqual(yield* outcome(authenticateCaller(it, bearer(yield* tokenOf(issuer)))), "500 broken")
    }))

  it.effect("receives no name of a caller", () =>
    Effect.gen(function*() {
      const keys: Array<string> = []
      const limiter: Pick<RateLimiter.RateLimiter, "consume"> = {
        consume: ({ key }) => {
          keys.push(key)
          return Effect.fail(failing)
        }
      }
      const { gate: it, issuer } = yield* limited(limiter, "reject")
      yield* outcome(authenticateCaller(it, bearer(yield* tokenOf(issuer))))
      assert.lengthOf(keys, 1)
      assert.match(keys[0]!, /^effect-mcp-auth:requests:[\w-]{43}$/)
    }))

  it.live.skipIf(!runs("redis-server"))(
    "[T-QUOTA-05] counts the requests of a caller on two instances together, in a real Redis",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis
        const limiter = yield* Effect.map(
          Layer.build(RateLimiter.layer.pipe(
            Layer.provide(RateLimiter.layerStoreRedis()),
            Layer.provide(Layer.succeed(Redis.Redis, connection))
          )),
          Context.get(RateLimiter.RateLimiter)
        )
        const options = {
          requests: { limit: 5, window: "1 day" },
          limiter,
          whenUnavailable: "reject"
        } as const
        // One value per instance, as each instance makes a gate.
        const instances = [
          yield* Quotas.make(options).make({ hasProofs: false, hasAnonymous: false }),
          yield* Quotas.make(options).make({ hasProofs: false, hasAnonymous: false })
        ]
        const ask = (index: number, subject: string) =>
          Effect.withFiber((fiber) =>
            instances[index % 2]!.countRequest({
              principal: principal({ subject }),
              request: { ...request(), fiber },
              timing: Decision.startTiming(fiber)
            })
          ).pipe(
            Effect.as("admitted"),
            Effect.catchTag(
              "QuotaExceeded",
              ({ quota, retryAfter }) => Effect.succeed(`${quota} ${retryAfter > 17_000}`)
            )
          )
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, index) => index),
          (index) => ask(index, "alice"),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(outcomes.filter((_) => _ === "admitted"), 5)
        assert.lengthOf(outcomes.filter((_) => _ === "requests true"), 7)
        assert.strictEqual(yield* ask(0, "bob"), "admitted")
      }))
  )
})

describe("the limiter in memory", () => {
  it.effect("admits a burst of the whole limit, and then one per interval, at any limit", () =>
    Effect.gen(function*() {
      for (const limit of [1, 2, 3, 7, 100]) {
        const take = memoryLimiter.make({ limit, window: 60_000 })
        for (let taken = 0; taken < limit; taken++) assert.strictEqual(yield* take("a"), 0, `${taken} of ${limit}`)
        assert.closeTo(yield* take("a"), 60_000 / limit, 0.001)
        yield* TestClock.adjust(60_000 / limit + 0.01)
        assert.strictEqual(yield* take("a"), 0)
        assert.isAbove(yield* take("a"), 0)
      }
    }))

  it.effect("[T-QUOTA-06] has a bounded number of keys, and further callers share one quota", () =>
    Effect.gen(function*() {
      const take = memoryLimiter.make({ limit: 1, window: 60_000 }, 2)
      assert.deepStrictEqual([yield* take("a"), yield* take("b")], [0, 0])
      assert.strictEqual(yield* take("c"), 0)
      assert.isAbove(yield* take("d"), 0)
      // The quotas of the known callers are neither lost nor full again.
      assert.isAbove(yield* take("a"), 0)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([yield* take("e"), yield* take("f")], [0, 0])
    }))

  it.effect("[T-QUOTA-06] has room for new callers although an earlier caller used its whole quota", () =>
    Effect.gen(function*() {
      const limit = 60
      const take = memoryLimiter.make({ limit, window: 60_000 }, 2)
      for (let taken = 0; taken < limit; taken++) assert.strictEqual(yield* take("a"), 0)
      assert.strictEqual(yield* take("b"), 0)
      yield* TestClock.adjust("2 seconds")
      for (let taken = 0; taken < limit; taken++) assert.strictEqual(yield* take("c"), 0)
      assert.isAbove(yield* take("c"), 0)
      // The quota of `c` is separate, so the one that further callers share is still full.
      assert.strictEqual(yield* take("d"), 0)
    }))
})

describe("the options of quotas", () => {
  const failure = (options: unknown) =>
    Effect.map(
      Effect.flip(
        Effect.scoped(Quotas.make(options as Quotas.Options).make({ hasProofs: false, hasAnonymous: false }))
      ),
      ({ option, reason }: AuthError.AuthConfigError) => [option, reason]
    )

  it.effect.each<readonly [options: unknown, option: string, reason: string]>([
    [{}, "quotas", "missing"],
    [{ request: minute }, "quotas.request", "malformed"],
    [{ requests: { limit: 1 } }, "quotas.requests", "missing"],
    [{ requests: { window: "1 minute" } }, "quotas.requests", "missing"],
    [{ requests: { limit: 0, window: "1 minute" } }, "quotas.requests.limit", "malformed"],
    [{ requests: { limit: 1.5, window: "1 minute" } }, "quotas.requests.limit", "malformed"],
    [{ requests: { limit: 1, window: "1 week" } }, "quotas.requests.window", "malformed"],
    [{ requests: { limit: 1, window: "1 minute", burst: 1 } }, "quotas.requests.burst", "malformed"],
    [{ requests: minute, anonymousKey: "x" }, "quotas.anonymousKey", "malformed"],
    [{ requests: minute, limiter: {}, whenUnavailable: "admit" }, "quotas.limiter", "malformed"],
    [{ requests: minute, whenUnavailable: "admit" }, "quotas.whenUnavailable", "conflict"],
    [{ proofs: minute }, "quotas.proofs", "conflict"],
    [{ requests: minute, anonymousKey: () => "a" }, "quotas.anonymousKey", "conflict"],
    [
      { requests: minute, limiter: { consume: () => Effect.never } },
      "quotas.whenUnavailable",
      "missing"
    ],
    [
      { requests: minute, limiter: { consume: () => Effect.never }, whenUnavailable: "open" },
      "quotas.whenUnavailable",
      "malformed"
    ]
  ])("reject %j", ([options, option, reason]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* failure(options), [option, reason])
    }))
})
