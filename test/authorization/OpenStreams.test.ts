/** Tests the bound on the open streams of each caller. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import type { Gate } from "effect-mcp-auth/host"
import { TestClock } from "effect/testing"
import { interruptedAt } from "../interruptedAt.ts"
import { authenticateCaller } from "./steps.ts"
import { gate as gateWith, listening, request } from "./support.ts"

const forever = 8.64e15
const accept = "application/json, text/event-stream"

const outcome = (effect: Effect.Effect<unknown, { readonly status: number; readonly reason: string }>) =>
  Effect.match(effect, { onSuccess: () => "admitted", onFailure: ({ reason, status }) => `${status} ${reason}` })

/** A gate whose callers may have two streams, and functions that act for its callers. */
const make = Effect.fnUntraced(function*(options: object = {}) {
  const { gate, issuer } = yield* gateWith({ streamsPerCaller: 2, ...options })
  const tokenOf = (subject: string, clientId = "client-1") => issuer.mint({ subject, clientId, scopes: ["todos:read"] })
  const ask = (token: string | undefined, headers: Readonly<Record<string, string>> = { accept }, method = "POST") =>
    authenticateCaller(gate, request(headers, token === undefined ? [] : [`Bearer ${token}`], method))
  const open = (caller: Gate.Caller) =>
    Effect.forkChild(gate.untilStreamEnds(caller, forever), { startImmediately: true })
  return { gate, tokenOf, ask, open }
})

describe("the open streams of a caller", () => {
  it.effect("[T-STREAM-01] bound its requests that can open a stream, whichever client they come from, and no other caller", () =>
    Effect.gen(function*() {
      const { ask, open, tokenOf } = yield* make()
      const [alice, other, bob] = [yield* tokenOf("alice"), yield* tokenOf("alice", "client-2"), yield* tokenOf("bob")]
      const one = yield* open(yield* ask(alice))
      assert.strictEqual(yield* outcome(ask(alice)), "admitted")
      const two = yield* open(yield* ask(other))
      for (const token of [alice, other]) {
        assert.strictEqual(yield* outcome(ask(token)), "429 open-streams")
        assert.strictEqual(yield* outcome(ask(token, { accept: "Text/Event-Stream" }, "GET")), "429 open-streams")
        // These requests open no stream.
        assert.strictEqual(yield* outcome(ask(token, { accept: "application/json" })), "admitted")
        assert.strictEqual(yield* outcome(ask(token, { accept }, "DELETE")), "admitted")
      }
      assert.strictEqual(yield* outcome(ask(bob)), "admitted")
      yield* Fiber.interrupt(one)
      assert.strictEqual(yield* outcome(ask(alice)), "admitted")
      yield* Fiber.interrupt(two)
    }))

  it.effect("[T-STREAM-01] are rejected with 429 and Retry-After, and the log names the bound", () =>
    Effect.gen(function*() {
      const { ask, open, tokenOf } = yield* make({ streamsPerCaller: 1 })
      const alice = yield* tokenOf("alice")
      yield* open(yield* ask(alice))
      const { decisions, explained, layer } = listening()
      const { body, headers, status } = yield* Effect.provide(Effect.flip(ask(alice)), layer)
      assert.deepStrictEqual([status, headers["retry-after"], headers["www-authenticate"]], [429, "10", undefined])
      assert.include(body, "too_many_requests")
      assert.deepStrictEqual(decisions.map(({ reason, subject }) => [reason, subject]), [["open-streams", "alice"]])
      assert.strictEqual(explained[0]?.checked, "the number of open event streams")
    }))

  it.effect("[T-STREAM-02] never exceed the bound: a further stream ends the oldest one of its caller, and no other stream", () =>
    Effect.gen(function*() {
      const { ask, open, tokenOf } = yield* make()
      const [alice, bob] = [yield* ask(yield* tokenOf("alice")), yield* ask(yield* tokenOf("bob"))]
      const ofBob = yield* open(bob)
      // Their requests were admitted before the first stream began.
      const streams = [yield* open(alice), yield* open(alice), yield* open(alice), yield* open(alice)]
      yield* Fiber.join(streams[0]!)
      yield* Fiber.join(streams[1]!)
      assert.deepStrictEqual([streams[2]!, streams[3]!, ofBob].map((_) => _.pollUnsafe()), [
        undefined,
        undefined,
        undefined
      ])
    }))

  it.effect("[T-STREAM-02] no longer count after they ended: expired, invalidated, or interrupted at any step", () =>
    Effect.gen(function*() {
      const { ask, gate, open, tokenOf } = yield* make({ streamsPerCaller: 1 })
      const alice = yield* tokenOf("alice")
      const caller = yield* ask(alice)
      const expiring = yield* Effect.forkChild(gate.untilStreamEnds(caller, 1_000), { startImmediately: true })
      assert.strictEqual(yield* outcome(ask(alice)), "429 open-streams")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(expiring)
      const invalidated = yield* open(yield* ask(alice))
      yield* gate.invalidate({ client: "client-1" })
      yield* Fiber.join(invalidated)
      assert.strictEqual(yield* outcome(ask(alice)), "admitted")
    }))

  it.live("[T-STREAM-02] do not count after an interruption at any step", () =>
    Effect.gen(function*() {
      const { ask, gate, tokenOf } = yield* make({ streamsPerCaller: 1 })
      const alice = yield* tokenOf("alice")
      const caller = yield* ask(alice)
      for (let at = 1; at <= 60; at++) {
        yield* interruptedAt(at, gate.untilStreamEnds(caller, forever))
        assert.strictEqual(yield* outcome(ask(alice)), "admitted", `step ${at}`)
      }
    }))

  it.effect("[T-STREAM-03] are bound for a caller with an API key as well", () =>
    Effect.gen(function*() {
      const { key, record } = yield* ApiKeys.generate({ subject: "cron", scopes: ["todos:read"] })
      const { gate, open, tokenOf, ask } = yield* make({
        streamsPerCaller: 1,
        apiKeys: ApiKeys.make({ store: ApiKeys.memory([record]), header: "x-api-key" })
      })
      const present = authenticateCaller(gate, request({ accept, "x-api-key": Redacted.value(key) }))
      yield* open(yield* present)
      assert.strictEqual(yield* outcome(present), "429 open-streams")
      assert.strictEqual(yield* outcome(ask(yield* tokenOf("cron"))), "admitted")
    }))

  it.effect("[T-STREAM-03] have one bound for all anonymous callers, which rejects no calls and no principals", () =>
    Effect.gen(function*() {
      const { ask, open, tokenOf } = yield* make({ streamsPerCaller: 1, anonymous: "allow-unscoped" })
      const anonymous = yield* ask(undefined)
      const streams = yield* Effect.forEach(Array.from({ length: 10 }), () => open(anonymous))
      assert.strictEqual(yield* outcome(ask(undefined, { accept }, "GET")), "429 open-streams")
      assert.strictEqual(yield* outcome(ask(undefined)), "admitted")
      assert.strictEqual(yield* outcome(ask(yield* tokenOf("alice"))), "admitted")
      yield* open(anonymous)
      yield* Fiber.join(streams[0]!)
      assert.isUndefined(streams[1]!.pollUnsafe())
    }))
})
