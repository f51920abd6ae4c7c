import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import type { AuthError } from "effect-mcp-auth"
import type { Rejection } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { Freshness } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import { Sharing } from "../../../src/outbound/Sharing.ts"
import * as steppingClock from "../steppingClock.ts"
import { active, type Caller, type EndpointRequest, secret, start, type World, world } from "./answers.ts"

const inactive = () => Response.json({ active: false })
const status = (status: number, headers: Record<string, string> = {}) => () => new Response("", { status, headers })

/** Waits until requests that have started reach the endpoint, and their responses arrive. */
const settle = Effect.forEach(
  Array.from({ length: 20 }),
  () => Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
  { discard: true }
)

const invented = (count: number, prefix = "invented") => Array.from({ length: count }, (_, at) => `${prefix}-${at}`)

const countOf = (outcomes: ReadonlyArray<string>, outcome: string) => outcomes.filter((_) => _ === outcome).length

const retryAfter = (caller: Caller, token: string) =>
  Effect.map(caller.present(token), (_) => Number((_ as Rejection.Rejection).headers["retry-after"]))

/** If a token begins with `good`, answers that the token is active. Every other token gets `answer`. */
const goodOr =
  (answer: (request: EndpointRequest) => ReturnType<World["endpoint"]["answer"]>) => (request: EndpointRequest) =>
    (request.form.get("token") ?? "").startsWith("good") ? active({ exp: start + 86_400 })() : answer(request)

/** An endpoint that holds each request until the test releases it. */
const holding = () => {
  const held: Array<{ readonly token: string; readonly answer: (response: Response) => void }> = []
  return {
    held,
    answer: (request: EndpointRequest) =>
      new Promise<Response>((resolve) => held.push({ token: request.form.get("token") ?? "", answer: resolve }))
  }
}

describe("an endpoint that fails", () => {
  it.effect.each<readonly [string, () => Response | "refuse"]>([
    ["500", status(500)],
    ["no connection", () => "refuse"],
    ["HTML", () => new Response("<p>", { headers: { "content-type": "text/html" } })],
    ["400", status(400)]
  ])(
    "[T-AUD-10a] with %s gets few of 1,000 requests about invented tokens",
    ([, answer]) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        endpoint.answer = answer
        const caller = yield* gate()
        const outcomes = yield* Effect.forEach(invented(1_000), caller.outcome)
        assert.isAtMost(endpoint.requests.length, 3)
        assert.isAtLeast(countOf(outcomes, "503 cooling-down"), 997)
      })
  )

  it.effect("[T-AUD-10a] by hanging gets few of 1,000 requests about invented tokens", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => "hang"
      const caller = yield* gate()
      const fibers = yield* Effect.forEach(invented(1_000), (_) => Effect.forkChild(caller.outcome(_)))
      yield* settle
      assert.isAtLeast(endpoint.requests.length, 3)
      yield* TestClock.adjust("5 seconds")
      yield* settle
      assert.strictEqual(yield* caller.outcome("one-more"), "503 cooling-down")
      yield* TestClock.adjust("8 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.isAtMost(endpoint.requests.length, 64)
    }))

  it.effect("[T-AUD-10b] gets no request before its Retry-After is over, and then one", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = status(429, { "retry-after": "20" })
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("a"), "503 server-error")
      assert.strictEqual(yield* caller.outcome("b"), "503 cooling-down")
      const wait = yield* retryAfter(caller, "c")
      assert.isAtLeast(wait, 20)
      assert.isAtMost(wait, 25)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* retryAfter(caller, "c"), wait - 10)
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual(yield* caller.outcome("d"), "503 cooling-down")
      assert.strictEqual(endpoint.requests.length, 1)

      yield* TestClock.adjust("6 seconds")
      const { answer, held } = holding()
      endpoint.answer = answer
      const probe = yield* Effect.forkChild(caller.outcome("e"))
      yield* settle
      assert.strictEqual(yield* caller.outcome("f"), "503 cooling-down")
      assert.strictEqual(endpoint.requests.length, 2)
      held[0]!.answer(active()())
      assert.strictEqual(yield* Fiber.join(probe), "admitted")
      endpoint.answer = active()
      assert.strictEqual(yield* caller.outcome("f"), "admitted")
    }))

  it.effect("[T-AUD-10b] has a longer cooldown after each failed probe, up to a minute", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = status(500)
      const caller = yield* gate()
      yield* Effect.forEach(invented(3, "first"), caller.outcome)
      const waits: Array<number> = []
      for (let at = 0; at < 9; at++) {
        const wait = yield* retryAfter(caller, `rejected-${at}`)
        waits.push(wait)
        yield* TestClock.adjust(wait * 1_000)
        const before = endpoint.requests.length
        yield* caller.outcome(`probe-${at}`)
        assert.strictEqual(endpoint.requests.length, before + 1)
      }
      waits.forEach((wait, at) => {
        const least = Math.min(2 ** at, 60)
        assert.isAtLeast(wait, least)
        assert.isAtMost(wait, Math.ceil(least * 1.2))
      })
    }))

  it.effect("[T-AUD-10b] with an excessive Retry-After gets a request after a minute", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = status(503, { "retry-after": "99999" })
      const caller = yield* gate()
      yield* caller.outcome("a")
      assert.isAtMost(yield* retryAfter(caller, "b"), 72)
    }))

  it.effect("[T-AUD-10b] follows the backoff of Freshness", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = status(500)
      const caller = yield* Effect.provideContext(
        gate(),
        yield* Layer.build(Layer.succeed(Freshness.Freshness, {
          ...(yield* Freshness.Freshness),
          minBackoff: (yield* Freshness.Freshness).maxBackoff
        }))
      )
      yield* Effect.forEach(invented(3), caller.outcome)
      assert.isAtLeast(yield* retryAfter(caller, "b"), 60)
    }))

  it.effect("[T-AUD-10b] with one failure among successes still gets requests", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate()
      for (const at of [1, 2, 3, 4, 5]) {
        endpoint.answer = status(500)
        assert.strictEqual(yield* caller.outcome(`failing-${at}`), "503 server-error")
        endpoint.answer = active()
        assert.strictEqual(yield* caller.outcome(`fine-${at}`), "admitted")
      }
    }))

  it.effect("[T-AUD-10c] only for certain tokens stops no token that verified before", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = goodOr(status(500))
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
      yield* Effect.forEach(invented(100, "poison"), caller.outcome)
      assert.strictEqual(yield* caller.outcome("poison"), "503 cooling-down")
      assert.strictEqual(yield* caller.outcome("good-2"), "503 cooling-down")
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
    }))

  it.effect("[T-AUD-10c] by rejecting this server's credentials gets no more requests, after one of each kind", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
      endpoint.answer = status(401)
      assert.strictEqual(yield* caller.outcome("a"), "503 client-rejected")
      assert.strictEqual(yield* caller.outcome("b"), "503 cooling-down")
      assert.strictEqual(yield* caller.outcome("good"), "503 client-rejected")
      assert.strictEqual(yield* caller.outcome("good"), "503 cooling-down")
      assert.strictEqual(endpoint.requests.length, 3)
    }))

  it.effect("by a 403 without an OAuth error gets further requests, because the response can concern a single token", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = goodOr(status(403))
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
      const outcomes = yield* Effect.forEach(["a", "b", "good", "c", "good-2"], caller.outcome)
      assert.deepStrictEqual(outcomes, ["503 forbidden", "503 forbidden", "admitted", "503 forbidden", "admitted"])
      assert.strictEqual(endpoint.requests.length, 5)
    }))

  // Firewalls answer 403 to tokens such as `../../etc/passwd`, and some endpoints answer 401 to unknown tokens. Neither shows
  // that the endpoint fails.
  it.effect.each<readonly [string, () => Response]>([
    ["401", () => Response.json({ active: false, error: "invalid_token" }, { status: 401 })],
    ["403", status(403)]
  ])(
    "[T-AUD-10i] an invented token that is answered %s stops no token that verified before",
    ([, answer]) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        endpoint.answer = goodOr(answer)
        const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
        assert.strictEqual(yield* caller.outcome("good"), "admitted")
        for (let at = 0; at < 5; at++) {
          yield* caller.outcome(`../../etc/passwd/${at}`)
          assert.strictEqual(yield* caller.outcome("good"), "admitted")
          yield* TestClock.adjust("2 minutes")
        }
      })
  )

  it.effect.each<readonly [string, () => Response | "refuse"]>([
    ["400", status(400)],
    ["403", status(403)],
    ["500", status(500)],
    ["no connection", () => "refuse"]
  ])(
    "[T-AUD-10i] tokens that are answered %s stop no new caller while the endpoint works",
    ([, answer]) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        endpoint.answer = goodOr(answer)
        const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
        assert.strictEqual(yield* caller.outcome("good"), "admitted")
        for (let at = 0; at < 5; at++) {
          assert.strictEqual(yield* caller.outcome("good"), "admitted")
          yield* Effect.forEach(invented(10, `poison-${at}`), caller.outcome)
          assert.strictEqual(yield* caller.outcome(`good-new-${at}`), "admitted")
          yield* TestClock.adjust("30 seconds")
        }
        // A token with such an answer counts towards the limit on tokens that are not active.
        const before = endpoint.requests.length
        yield* Effect.forEach(invented(1_000, "flood"), caller.outcome)
        assert.strictEqual(endpoint.requests.length, before + 100)
        assert.strictEqual(yield* caller.outcome("good"), "admitted")
      })
  )

  it.effect("[T-AUD-10i] gets a bounded load as soon as it fails for a token that verified before", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
      yield* Effect.forEach(["good", "good"], caller.outcome)
      endpoint.answer = status(500)
      yield* caller.outcome("good")
      const before = endpoint.requests.length
      yield* Effect.forEach(invented(1_000), caller.outcome)
      assert.strictEqual(endpoint.requests.length, before + 3)
    }))

  it.effect("[T-AUD-10b] cools down in monotonic time, even if the wall clock steps", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { endpoint, gate } = yield* world
        endpoint.answer = status(429, { "retry-after": "20" })
        const caller = yield* gate()
        yield* caller.outcome("a")
        yield* step(steppingClock.hourBack)
        endpoint.answer = goodOr(inactive)
        assert.strictEqual(yield* caller.outcome("good"), "503 cooling-down")
        yield* TestClock.adjust("25 seconds")
        assert.strictEqual(yield* caller.outcome("good"), "admitted")
      })
    ))

  it.effect("[T-AUD-10a] gets a bounded load where requests may not wait for each other (workerd)", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = status(500)
      const caller = yield* Effect.provideService(gate(), Sharing, false)
      yield* Effect.forEach(invented(100), caller.outcome)
      assert.strictEqual(endpoint.requests.length, 3)
      yield* TestClock.adjust("2 seconds")
      // While one request probes the endpoint, other requests are rejected. If the probing request is interrupted, the next
      // request becomes the probe.
      endpoint.answer = () => "hang"
      const lost = yield* Effect.forkChild(caller.outcome("lost"))
      yield* settle
      assert.strictEqual(yield* caller.outcome("next"), "503 cooling-down")
      yield* Fiber.interrupt(lost)
      endpoint.answer = active()
      assert.strictEqual(yield* caller.outcome("next"), "admitted")
    }))

  it.effect("[T-AUD-10d] limits a look-up of the author in the same way", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      let lookUps = 0
      const lookUp: Introspection.LookUp = () => {
        lookUps++
        return Effect.never
      }
      const caller = yield* gate({ server: { introspection: Introspection.lookUp(lookUp) } })
      const fibers = yield* Effect.forEach(invented(1_000), (_) => Effect.forkChild(caller.outcome(_)))
      yield* settle
      yield* TestClock.adjust("8 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.isAtMost(lookUps, 64)
    }))
})

describe("an endpoint that works", () => {
  it.effect("[T-AUD-10e] gets few of 1,000 requests about invented tokens", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = goodOr(inactive)
      const caller = yield* gate()
      const outcomes = yield* Effect.forEach(invented(1_000), caller.outcome)
      assert.strictEqual(endpoint.requests.length, 100)
      assert.strictEqual(countOf(outcomes, "401 inactive"), 100)
      assert.strictEqual(countOf(outcomes, "503 overloaded"), 900)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(invented(100, "again"), caller.outcome)
      assert.strictEqual(endpoint.requests.length, 110)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
    }))

  it.effect("[T-AUD-10e] gets few of 1,000 concurrent requests about invented tokens", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = goodOr(inactive)
      const caller = yield* gate()
      yield* Effect.forEach(invented(1_000), caller.outcome, { concurrency: "unbounded" })
      assert.isAtMost(endpoint.requests.length, 100 + 64)
    }))

  it.effect("[T-AUD-10e] gets few of 1,000 concurrent requests where requests may not wait (workerd)", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = goodOr(inactive)
      const caller = yield* Effect.provideService(gate(), Sharing, false)
      yield* Effect.forEach(invented(1_000), caller.outcome, { concurrency: "unbounded" })
      assert.strictEqual(endpoint.requests.length, 100)
      // Each request counts towards the limit until the token is known to be active, so active tokens do not use up the limit.
      yield* TestClock.adjust("20 seconds")
      const outcomes = yield* Effect.forEach(invented(90, "good"), caller.outcome, { concurrency: "unbounded" })
      assert.strictEqual(countOf(outcomes, "admitted"), 90)
      assert.strictEqual(countOf(yield* Effect.forEach(invented(300, "good-2"), caller.outcome), "admitted"), 300)
    }))

  it.effect("[T-AUD-10e] gets requests about any number of good tokens", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active()
      const caller = yield* gate()
      const outcomes = yield* Effect.forEach(invented(1_000, "new"), caller.outcome)
      assert.strictEqual(countOf(outcomes, "admitted"), 1_000)
    }))

  it.effect("[T-AUD-10e] a token that verified before does not count towards the limit of invented tokens", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = goodOr(inactive)
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
      yield* Effect.forEach(invented(1_000), caller.outcome)
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
      // A token that has become inactive counts towards the limit.
      endpoint.answer = inactive
      assert.strictEqual(yield* caller.outcome("good"), "401 inactive")
      yield* TestClock.adjust("5 seconds")
      yield* Effect.forEach(invented(1_000, "again"), caller.outcome)
      assert.strictEqual(yield* caller.outcome("good"), "503 overloaded")
    }))

  it.effect("[T-AUD-10e] the limit is an option", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = inactive
      const introspection = { ...secret, inactiveLimit: { burst: 5, perSecond: 2 } }
      const caller = yield* gate({ server: { introspection: Introspection.make(introspection) } })
      yield* Effect.forEach(invented(100), caller.outcome)
      assert.strictEqual(endpoint.requests.length, 5)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(invented(100, "again"), caller.outcome)
      assert.strictEqual(endpoint.requests.length, 7)
    }))

  it.effect.each<readonly [unknown]>([
    [0],
    [null],
    [{ burst: 0 }],
    [{ burst: 1.5 }],
    [{ perSecond: 0 }],
    [{ perSecond: Number.POSITIVE_INFINITY }],
    [{ perSecond: Number.NaN }],
    [{ perMinute: 1 }]
  ])("[T-AUD-10e] a limit of %j fails the layer", ([inactiveLimit]) =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const introspection = { ...secret, inactiveLimit } as Introspection.Options
      const error: AuthError.AuthConfigError = yield* Effect.flip(
        gate({ server: { introspection: Introspection.make(introspection) } })
      )
      assert.match(error.option, /^authorizationServers\[0\]\.introspection\.inactiveLimit/)
    }))

  it.effect("[T-AUD-10f] with 1,200 invented tokens queued, a token that verified before is introspected at once", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ exp: start + 86_400 })
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, cacheFor: 0 }) } })
      assert.strictEqual(yield* caller.outcome("good"), "admitted")
      const { answer, held } = holding()
      endpoint.answer = answer
      const shed: Array<string> = []
      const fibers = yield* Effect.forEach(
        invented(1_200),
        (token) => Effect.forkChild(Effect.tap(caller.outcome(token), (_) => Effect.sync(() => shed.push(_))))
      )
      yield* settle
      // At most 64 requests run, at most 48 of them about tokens that were not verified before. At most 256 such requests wait.
      // The gate rejects all others at once.
      assert.isAtMost(held.length, 64)
      assert.isAtLeast(shed.length, 800)
      assert.deepStrictEqual([...new Set(shed)], ["503 overloaded"])
      const good = yield* Effect.forkChild(caller.outcome("good"))
      yield* settle
      const request = held.find(({ token }) => token === "good")
      assert.isDefined(request)
      request!.answer(active({ exp: start + 86_400 })())
      assert.strictEqual(yield* Fiber.join(good), "admitted")
      yield* TestClock.adjust("8 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
    }))

  it.effect("[T-AUD-10f] a request does not join a queue that would take too long", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const { answer, held } = holding()
      endpoint.answer = answer
      const caller = yield* gate()
      // The gate learns from ten requests that the endpoint takes 4 seconds for each.
      for (const token of invented(10, "slow")) {
        const fiber = yield* Effect.forkChild(caller.outcome(token))
        yield* settle
        yield* TestClock.adjust("4 seconds")
        held.pop()!.answer(active({ exp: start + 86_400 })())
        yield* Fiber.join(fiber)
      }
      const outcomes: Array<string> = []
      const fibers = yield* Effect.forEach(invented(200), (token) =>
        Effect.forkChild(Effect.tap(caller.outcome(token), (_) => Effect.sync(() => outcomes.push(_)))))
      yield* settle
      assert.isAtLeast(countOf(outcomes, "503 overloaded"), 100)
      yield* TestClock.adjust("8 seconds")
      yield* Effect.forEach(fibers, Fiber.join)
    }))
})

describe("a 401 about an inactive token", () => {
  it.effect("[T-AUD-10g] with exactly {\"active\": false} rejects the token, not the credentials of this server", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => Response.json({ active: false }, { status: 401 })
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      endpoint.answer = active()
      assert.strictEqual(yield* caller.outcome("b"), "admitted")
    }))

  it.effect.each<readonly [string, () => Response]>([
    ["another member", () => Response.json({ active: false, error: "invalid_client" }, { status: 401 })],
    ["active: true", () => Response.json({ active: true }, { status: 401 })],
    ["a string", () => Response.json({ active: "false" }, { status: 401 })],
    ["a list", () => Response.json([{ active: false }], { status: 401 })],
    ["another media type", () => new Response(`{"active":false}`, { status: 401 })],
    ["nothing", () => new Response("", { status: 401 })],
    ["403 and an error", () => Response.json({ active: false, error: "access_denied" }, { status: 403 })]
  ])("[T-AUD-10g] with %s is a rejection of this server's credentials", ([, answer]) =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = answer
      assert.strictEqual(yield* (yield* gate()).outcome("a"), "503 client-rejected")
    }))

  it.effect("[T-AUD-10g] is not accepted where signed answers are required", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => Response.json({ active: false }, { status: 401 })
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, signedAnswers: true }) } })
      assert.strictEqual(yield* caller.outcome("a"), "503 client-rejected")
    }))
})
