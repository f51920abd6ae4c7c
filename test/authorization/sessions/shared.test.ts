/** Gates that share sessions. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Decision, type Principal } from "effect-mcp-auth"
import type { Gate } from "effect-mcp-auth/host"
import { SessionStore } from "effect-mcp-auth/sessions"
import { TestClock } from "effect/testing"
import { gate, listening, principal, rejected, request } from "../support.ts"

/** Creates a gate with this store, for a resource. */
const gateWith = (store: SessionStore.Store, resource = "https://server.test/mcp") =>
  Effect.map(gate({ sessionStore: SessionStore.make(store), resource } as never), (_) => _.gate)

const alice = principal()

/** Creates the caller of a principal in the fiber of the test. */
const callerOf = (who: Principal | undefined = alice) =>
  Effect.withFiber<Gate.Caller>((fiber) =>
    Effect.succeed<Gate.Caller>({
      principal: who,
      request: { ...request(), fiber },
      timing: Decision.startTiming(fiber)
    })
  )

describe("gates that share sessions", () => {
  it.effect("[T-SESS-01] know the sessions of each other for one resource, and none of another resource", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.memory()
      const [a, b, other] = [
        yield* gateWith(store),
        yield* gateWith(store),
        yield* gateWith(store, "https://other.test/mcp")
      ]
      const caller = yield* callerOf()
      yield* a.sessions.open(caller, "s")
      yield* b.sessions.check(caller, "s")
      assert.strictEqual((yield* rejected(other.sessions.check(caller, "s"))).status, 404)
      const bob = yield* callerOf(principal({ subject: "bob" }))
      assert.strictEqual((yield* rejected(b.sessions.check(bob, "s"))).status, 404)
      assert.strictEqual((yield* rejected(b.sessions.check({ ...caller, principal: undefined }, "s"))).status, 401)
      yield* b.sessions.end(caller, "s")
      assert.strictEqual((yield* rejected(a.sessions.check(caller, "s"))).status, 404)
    }))

  it.effect("[T-SESS-02] end the sessions that a target of an invalidation selects, on every instance", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.memory()
      const [a, b] = [yield* gateWith(store), yield* gateWith(store)]
      const caller = yield* callerOf(principal({ claims: { sid: "sid-1" } }))
      const bob = yield* callerOf(principal({ subject: "bob", clientId: "client-2" }))
      const isOpen = (who: Gate.Caller) => Effect.isSuccess(b.sessions.check(who, "s" + who.principal!.subject))
      const { issuer } = alice
      for (
        const target of [
          { subject: "alice" },
          { subject: "alice", issuer },
          { client: "client-1" },
          { client: "client-1", issuer },
          { session: "sid-1" },
          { session: "sid-1", issuer }
        ]
      ) {
        yield* a.sessions.open(caller, "salice")
        yield* a.sessions.open(bob, "sbob")
        assert.deepStrictEqual([yield* isOpen(caller), yield* isOpen(bob)], [true, true])
        yield* a.invalidate(target)
        assert.deepStrictEqual([yield* isOpen(caller), yield* isOpen(bob)], [false, true], JSON.stringify(target))
      }
      yield* a.sessions.open(caller, "salice")
      yield* a.invalidate({ subject: "alice", issuer: "https://other.test" })
      yield* a.invalidate({ token: alice.token })
      assert.isTrue(yield* isOpen(caller))
      yield* a.invalidate("everything")
      assert.deepStrictEqual([yield* isOpen(caller), yield* isOpen(bob)], [false, false])
    }))

  it.effect("contain no session id and no name of a caller in the store", () =>
    Effect.gen(function*() {
      const memory = yield* SessionStore.memory()
      const seen: Array<unknown> = []
      const see = <A extends ReadonlyArray<unknown>, B>(operation: (...args: A) => B) => (...args: A) => {
        seen.push(args)
        return operation(...args)
      }
      const { invalidate, sessions } = yield* gateWith({
        open: see(memory.open),
        access: see(memory.access),
        end: see(memory.end),
        endAll: see(memory.endAll)
      })
      const caller = yield* callerOf(principal({ claims: { sid: "sid-1" } }))
      yield* sessions.open(caller, "the-session-id")
      yield* sessions.check(caller, "the-session-id")
      yield* sessions.end(caller, "the-session-id")
      yield* invalidate({ subject: "alice" })
      assert.lengthOf(seen, 4)
      assert.notMatch(JSON.stringify(seen), /the-session-id|alice|client-1|sid-1|issuer/)
    }))

  const dies = () => Effect.die(new Error("the-session-id"))
  const broken: ReadonlyArray<readonly [title: string, operation: () => Effect.Effect<never>, outcome: string]> = [
    ["dies", dies, "500 broken"],
    ["throws", () => {
      throw new Error("not connected")
    }, "500 broken"]
  ]

  it.effect.each(broken)(
    "[T-SESS-04] reject the request if the store %s",
    ([, operation, outcome]) =>
      Effect.gen(function*() {
        const { sessions } = yield* gateWith({ open: operation, access: operation, end: operation, endAll: operation })
        const caller = yield* callerOf()
        for (const name of ["check", "open", "end"] as const) {
          const { reason, status } = yield* rejected(sessions[name](caller, "s"))
          assert.strictEqual(`${status} ${reason}`, outcome)
        }
      })
  )

  it.effect("[T-SESS-04] reject the request with 503 if the store does not answer within 2 seconds", () =>
    Effect.gen(function*() {
      const hangs = () => Effect.never
      const { invalidate, sessions } = yield* gateWith({ open: hangs, access: hangs, end: hangs, endAll: hangs })
      const caller = yield* callerOf()
      for (const name of ["check", "open", "end"] as const) {
        const waiting = yield* Effect.forkChild(rejected(sessions[name](caller, "s")), { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        const { headers, reason, status } = yield* Fiber.join(waiting)
        assert.deepStrictEqual([status, reason, headers["retry-after"]], [503, "session-store-down", "1"])
      }
      const waiting = yield* Effect.forkChild(Effect.flip(invalidate({ subject: "alice" })), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).reason, "session-store-down")
    }))

  it.effect("log a rejection without the session id", () =>
    Effect.gen(function*() {
      const { sessions } = yield* gateWith(yield* SessionStore.memory())
      const caller = yield* callerOf()
      const { decisions, explanations, layer, lines } = listening()
      yield* Effect.provide(Effect.flip(sessions.check(caller, "the-session-id")), layer)
      assert.lengthOf(lines, 1)
      assert.notInclude(JSON.stringify([decisions, explanations, lines]), "the-session-id")
    }))
})
