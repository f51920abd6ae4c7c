import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, type Duration, Effect, Fiber, Redacted, Result } from "effect"
import { AuthError } from "effect-mcp-auth"
import type { Gate, Rejection } from "effect-mcp-auth/host"
import { Operation } from "effect-mcp-auth/protocol"
import { Revocations } from "effect-mcp-auth/revocation"
import { TestClock } from "effect/testing"
import { active, start, type World, world } from "../verification/introspection/answers.ts"
import * as steppingClock from "../verification/steppingClock.ts"
import { authenticateCaller, authorize, type Request } from "./steps.ts"

type GateOptions = NonNullable<Parameters<World["gate"]>[0]>

type Answer = () => Effect.Effect<boolean>

/** Revocations of an application. Its methods use `this`, so the gate must call them on the object. */
class OwnRevocations {
  readonly #answer: Answer
  readonly revoke = () => Effect.void

  constructor(answer: Answer) {
    this.#answer = answer
  }

  isRevoked() {
    return this.#answer()
  }

  subscribe() {
    return Effect.void
  }
}

const call = Result.getOrThrow(
  Operation.fromBody({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "list" } })
)

const requestOf = (token: string): Request => ({
  method: "POST",
  header: () => undefined,
  authorization: [`Bearer ${token}`]
})

/** Sends a request whose body is complete when `meanwhile` ends. Returns `"ran"`, or the status and reason of the rejection. */
const during = Effect.fnUntraced(function*(
  gate: Gate.Gate,
  token: string,
  meanwhile: Effect.Effect<unknown, AuthError.AuthError>,
  knowsRequest = true
) {
  const outcome = Effect.gen(function*() {
    const caller = yield* authenticateCaller(gate, requestOf(token))
    yield* authorize(gate, {
      caller: knowsRequest ? caller : { ...caller, request: { ...caller.request, authorization: [] } },
      operations: Effect.as(meanwhile, call),
      policy: () => ({ scopes: ["todos:read"], unauthorized: "challenge" })
    })
    return "ran"
  })
  return yield* Effect.catch(
    outcome,
    ({ reason, status }: Rejection.Rejection) => Effect.succeed(`${status} ${reason}`)
  )
})

describe("when the body is complete", () => {
  it.effect("[T-AUD-07c] verifies a token again that was invalidated meanwhile, and no other token", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const { gate: it } = yield* gate()
      assert.strictEqual(yield* during(it, "a", it.invalidate({ subject: "bob" })), "ran")
      assert.strictEqual(endpoint.requests.length, 1)
      assert.strictEqual(yield* during(it, "a", it.invalidate({ subject: "alice" })), "ran")
      assert.strictEqual(endpoint.requests.length, 2)
      const revoke = Effect.andThen(
        Effect.sync(() => {
          endpoint.answer = () => Response.json({ active: false })
        }),
        it.invalidate({ client: "client-1" })
      )
      assert.strictEqual(yield* during(it, "a", revoke), "401 inactive")
    }))

  it.effect("[T-AUD-07c] answers 401 if the token lost scopes or cannot be verified again", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ scope: "todos:read more" })
      const { gate: it } = yield* gate()
      assert.strictEqual(yield* during(it, "a", it.invalidate("everything"), false), "401 revoked")
      const shrink = Effect.andThen(
        Effect.sync(() => {
          endpoint.answer = active()
        }),
        it.invalidate("everything")
      )
      assert.strictEqual(yield* during(it, "a", shrink), "401 revoked")
      assert.strictEqual(yield* during(it, "a", Effect.void), "ran")
      const another = Effect.andThen(
        Effect.sync(() => {
          endpoint.answer = active({ sub: "bob" })
        }),
        it.invalidate("everything")
      )
      assert.strictEqual(yield* during(it, "a", another), "401 revoked")
    }))

  it.effect("[T-AUD-07c] answers 401 if the claims of the token changed, unless only its expiry moved", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ roles: ["admin", "user"] })
      const { gate: it } = yield* gate()
      const then = (claims: Readonly<Record<string, unknown>>) =>
        Effect.andThen(
          Effect.sync(() => {
            endpoint.answer = active(claims)
          }),
          it.invalidate({ subject: "alice" })
        )
      assert.strictEqual(
        yield* during(it, "a", then({ roles: ["admin", "user"], exp: start + 400 })),
        "ran"
      )
      assert.strictEqual(yield* during(it, "a", then({ roles: ["user"] })), "401 revoked")
      assert.strictEqual(yield* during(it, "a", Effect.void), "ran")
    }))

  it.effect("[T-AUD-07c] verifies a request again that missed more invalidations than are kept", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const { gate: it } = yield* gate()
      const many = Effect.forEach(Array.from({ length: 300 }), (_, n) => it.invalidate({ subject: `other-${n}` }))
      assert.strictEqual(yield* during(it, "a", many), "ran")
      // None of the invalidations applied to this token, so it stayed in the cache, and the second check sent no introspection
      // request.
      assert.strictEqual(endpoint.requests.length, 1)
    }))

  it.effect("[T-AUD-07d] applies the tolerance of verification, to the second", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const { gate: it } = yield* gate({ clockTolerance: "10 seconds" })
      assert.strictEqual(yield* during(it, "a", TestClock.adjust("309 seconds")), "ran")
      yield* TestClock.setTime(start * 1000)
      assert.strictEqual(yield* during(it, "b", TestClock.adjust("310 seconds")), "401 expired")
    }))

  it.effect.each<readonly [string, (answer: Answer) => NonNullable<GateOptions["revocation"]>]>([
    ["function", (answer) => Revocations.check(answer)],
    ["service of the author", (answer) => Revocations.from(new OwnRevocations(answer))]
  ])(
    "[T-AUD-07b] a revocation %s that hangs causes a 503 after 5 seconds, at arrival and after the body",
    ([, make]) =>
      Effect.gen(function*() {
        const { gate } = yield* world
        let answer: Effect.Effect<boolean> = Effect.never
        const { gate: it } = yield* gate({ revocation: make(() => answer) })
        const verdict = Effect.fnUntraced(function*(meanwhile: Effect.Effect<unknown>) {
          const fiber = yield* Effect.forkChild(during(it, "a", meanwhile))
          yield* TestClock.adjust("5 seconds")
          return yield* Fiber.join(fiber)
        })
        assert.strictEqual(yield* verdict(Effect.void), "503 revocation-store-slow")
        answer = Effect.succeed(false)
        const hang = Effect.sync(() => {
          answer = Effect.never
        })
        assert.strictEqual(yield* verdict(hang), "503 revocation-store-slow")
      })
  )

  it.effect("[T-AUD-07b] checks revocation again, except if nothing was awaited", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      let checks = 0
      let answer: Effect.Effect<boolean, AuthError.AuthorizationServerUnavailable> = Effect.succeed(false)
      const { gate: it } = yield* gate({
        revocation: Revocations.check(() => {
          checks++
          return answer
        })
      })
      const set = (next: typeof answer) =>
        Effect.sync(() => {
          answer = next
        })
      assert.strictEqual(yield* during(it, "a", Effect.yieldNow), "ran")
      assert.strictEqual(checks, 2)
      assert.strictEqual(yield* during(it, "a", set(Effect.succeed(true))), "401 revoked")
      answer = Effect.succeed(false)
      const down = Effect.fail(
        new AuthError.AuthorizationServerUnavailable({ reason: "network", issuer: "redis", retryAfter: 1 })
      )
      assert.strictEqual(yield* during(it, "a", set(down)), "503 network")
      answer = Effect.succeed(false)
      checks = 0
      const caller = yield* authenticateCaller(it, requestOf("a"))
      yield* authorize(it, {
        caller,
        operations: Effect.succeed([]),
        policy: () => undefined
      })
      assert.strictEqual(checks, 1)
    }))
})

describe("an open stream", () => {
  const minute = 60_000

  /**
   * Opens a stream with a token. Returns the gate, the fiber that waits for the end of the stream, and whether it has ended.
   */
  const open = Effect.fnUntraced(function*(options: GateOptions = {}, lifetime = 5 * minute, token = "a") {
    const { gate } = yield* world
    const { gate: it } = yield* gate(options)
    const caller = yield* authenticateCaller(it, requestOf(token))
    const end = (yield* Clock.currentTimeMillis) + lifetime
    const fiber = yield* Effect.forkChild(it.untilStreamEnds(caller, end))
    yield* Effect.yieldNow
    return { gate: it, isEnded: Effect.sync(() => fiber.pollUnsafe() !== undefined), fiber }
  })

  it.effect("[T-AUD-03e] ends at once when its token is invalidated, and not when another one is", () =>
    Effect.gen(function*() {
      const { fiber, gate, isEnded } = yield* open()
      yield* gate.invalidate({ subject: "bob" })
      yield* gate.invalidate({ token: Redacted.make("b") })
      yield* Effect.yieldNow
      assert.isFalse(yield* isEnded)
      yield* gate.invalidate({ token: Redacted.make("a") })
      yield* Fiber.join(fiber)
    }))

  it.effect("[T-AUD-03e] ends at once if its token was invalidated before the response began", () =>
    Effect.gen(function*() {
      const { gate } = yield* open()
      const caller = yield* authenticateCaller(gate, requestOf("a"))
      yield* gate.invalidate({ subject: "alice" })
      yield* gate.untilStreamEnds(caller, Number.POSITIVE_INFINITY)
    }))

  it.effect("[T-AUD-03f] checks revocation every 30 seconds, and ends within that time", () =>
    Effect.gen(function*() {
      let revoked = false
      let checks = 0
      const { fiber, isEnded } = yield* open({
        revocation: Revocations.check(() =>
          Effect.sync(() => {
            checks++
            return revoked
          })
        )
      })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(checks, 5)
      revoked = true
      yield* TestClock.adjust("29 seconds")
      assert.isFalse(yield* isEnded)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
    }))

  it.effect("[T-AUD-03f] checks revocation at the configured interval", () =>
    Effect.gen(function*() {
      let checks = 0
      yield* open({
        revocation: Revocations.check(() => Effect.sync(() => ++checks < 0)),
        revocationInterval: "10 seconds"
      })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(checks, 7)
    }))

  it.effect.each(["9 millis", "2 hours", "soon"] as const)(
    "[T-AUD-03f] rejects the interval %s with an AuthConfigError",
    (revocationInterval) =>
      Effect.gen(function*() {
        const { gate } = yield* world
        const error = yield* Effect.flip(gate({ revocationInterval: revocationInterval as "1 second" }))
        assert.strictEqual(error.option, "revocationInterval")
      })
  )

  it.effect("[T-AUD-03f] stays open through an outage of revocation until its token ends", () =>
    Effect.gen(function*() {
      let answer: Effect.Effect<boolean, AuthError.AuthorizationServerUnavailable> = Effect.succeed(false)
      const { fiber, isEnded } = yield* open({ revocation: Revocations.check(() => answer) })
      answer = Effect.fail(
        new AuthError.AuthorizationServerUnavailable({ reason: "network", issuer: "redis", retryAfter: 1 })
      )
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* isEnded)
      answer = Effect.never
      yield* TestClock.adjust("239 seconds")
      assert.isFalse(yield* isEnded)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
    }))

  it.effect.each(
    [
      ["throws", () => {
        throw new Error("broken")
      }],
      ["dies", () => Effect.die("broken")],
      ["returns nothing", () => undefined as never]
    ] as const
  )("[T-AUD-03f] ends when revocation %s", ([, broken]) =>
    Effect.gen(function*() {
      let isBroken = false
      const { fiber } = yield* open({
        revocation: Revocations.check(() => isBroken ? broken() : Effect.succeed(false))
      })
      isBroken = true
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
    }))

  it.effect("[T-AUD-03f] at most 16 of many streams check revocation at a time, and each stream does", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const gateOpen = yield* Deferred.make<void>()
      let running = 0
      let most = 0
      let isCounting = false
      const { gate: it } = yield* gate({
        revocation: Revocations.check(() =>
          !isCounting ? Effect.succeed(false) : Effect.suspend(() => {
            most = Math.max(most, ++running)
            return Effect.ensuring(Effect.as(Deferred.await(gateOpen), true), Effect.sync(() => running--))
          })
        )
      })
      const caller = yield* authenticateCaller(it, requestOf("a"))
      isCounting = true
      const fibers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.forkChild(it.untilStreamEnds(caller, start * 1000 + 10 * minute))
      )
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual(most, 16)
      yield* Deferred.succeed(gateOpen, undefined)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(most, 16)
    }))

  it.effect("[T-AUD-03f] each of thousands of streams that wait for the check waits longer", () =>
    TestClock.testClockWith((base) => {
      let sleeps = 0
      const counting = {
        ...base,
        sleep: (duration: Duration.Duration) => {
          sleeps++
          return base.sleep(duration)
        }
      }
      return Effect.gen(function*() {
        const { gate } = yield* world
        let hangs = false
        const { gate: it } = yield* gate({
          revocation: Revocations.check(() => hangs ? Effect.never : Effect.succeed(false))
        })
        const caller = yield* authenticateCaller(it, requestOf("a"))
        hangs = true
        yield* Effect.forEach(
          Array.from({ length: 2_000 }),
          () => Effect.forkChild(it.untilStreamEnds(caller, start * 1000 + 10 * minute))
        )
        yield* TestClock.adjust("30 seconds")
        sleeps = 0
        yield* TestClock.adjust("1 second")
        // If each of the 2,000 streams checked ten times a second, there would be 20,000 sleeps. The lower limit shows that
        // each stream waits longer.
        assert.isAtMost(sleeps, 12_000)
      }).pipe(Effect.provideService(Clock.Clock, counting))
    }))

  it.effect("[T-AUD-08h] ends in time when the wall clock steps back, and when it steps forward", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const { fiber, isEnded } = yield* open()
        yield* step(steppingClock.hourBack)
        yield* TestClock.adjust("299 seconds")
        assert.isFalse(yield* isEnded)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        const other = yield* open({}, 2 * 60 * minute)
        yield* step(-3 * steppingClock.hourBack)
        yield* TestClock.adjust("30 seconds")
        yield* Fiber.join(other.fiber)
      })
    ))
})
