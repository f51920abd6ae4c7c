import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { AuthLayer, type Principal, RequestState } from "effect-mcp-auth"
import { TestClock } from "effect/testing"

const as = (subject: string, clientId = "client-1") => <A, E>(self: Effect.Effect<A, E, Principal>) =>
  Effect.provide(self, AuthLayer.mock({ subject, clientId, scopes: ["a"] }))

const purpose = { operation: "tools/call plan_trip" }

describe("RequestState", () => {
  it.effect("gives the owner back what was sealed, and shows the client nothing", () =>
    Effect.gen(function*() {
      const state = yield* RequestState.make(undefined)
      const sealed = yield* state.seal("Lisbon, second question", purpose).pipe(as("alice"))
      assert.notInclude(sealed, "Lisbon")
      assert.strictEqual(yield* state.open(sealed, purpose).pipe(as("alice")), "Lisbon, second question")
    }))

  it.effect("refuses another subject, another client, another operation and another instance alike", () =>
    Effect.gen(function*() {
      const state = yield* RequestState.make(undefined)
      const other = yield* RequestState.make(undefined)
      const sealed = yield* state.seal("s", purpose).pipe(as("alice"))
      const errors = yield* Effect.all([
        state.open(sealed, purpose).pipe(as("bob"), Effect.flip),
        state.open(sealed, purpose).pipe(as("alice", "client-2"), Effect.flip),
        state.open(sealed, { operation: "tools/call delete_trip" }).pipe(as("alice"), Effect.flip),
        other.open(sealed, purpose).pipe(as("alice"), Effect.flip)
      ])
      for (const error of errors) assert.strictEqual(error.reason, "state")
    }))

  it.effect("refuses what is out of time", () =>
    Effect.gen(function*() {
      const state = yield* RequestState.make(undefined)
      const sealed = yield* state.seal("s", { ...purpose, lifetime: "1 minute" }).pipe(as("alice"))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* state.open(sealed, purpose).pipe(as("alice")), "s")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* state.open(sealed, purpose).pipe(as("alice"), Effect.flip)).reason, "state")
    }))

  it.effect.prop(
    "never dies of what a client sends",
    { text: Schema.String },
    ({ text }) =>
      Effect.gen(function*() {
        const state = yield* RequestState.make(undefined)
        assert.strictEqual((yield* state.open(text, purpose).pipe(as("alice"), Effect.flip)).reason, "state")
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )

  it.effect("refuses every change of a character", () =>
    Effect.gen(function*() {
      const state = yield* RequestState.make(undefined)
      const sealed = yield* state.seal("s", purpose).pipe(as("alice"))
      for (let at = 0; at < sealed.length; at++) {
        const changed = sealed.slice(0, at) + (sealed[at] === "A" ? "B" : "A") + sealed.slice(at + 1)
        assert.strictEqual(
          (yield* state.open(changed, purpose).pipe(as("alice"), Effect.flip)).reason,
          "state",
          `${at}`
        )
      }
    }))

  it.effect("is opened by every instance with the same secret, and wants one of 32 bytes", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("0123456789abcdef0123456789abcdef")
      const sealed = yield* (yield* RequestState.make(secret)).seal("s", purpose).pipe(as("alice"))
      assert.strictEqual(yield* (yield* RequestState.make(secret)).open(sealed, purpose).pipe(as("alice")), "s")
      const error = yield* Effect.flip(RequestState.make(Redacted.make("short")))
      assert.strictEqual(error.option, "stateSecret")
    }))
})
