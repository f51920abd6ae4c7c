import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Redacted, Schema } from "effect"
import { AuthLayer, Principal, RequestState } from "effect-mcp-auth"
import { Gate } from "effect-mcp-auth/host"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { gateLayer } from "../servers/gates.ts"

const as = (subject: string, clientId = "client-1") => <A, E>(self: Effect.Effect<A, E, Principal>) =>
  Effect.provide(self, AuthLayer.mock({ subject, clientId, scopes: ["a"] }))

/** Creates the functions that seal and open state with the service of one resource. */
const makeState = (...parameters: Parameters<typeof RequestState.make>) =>
  Effect.map(RequestState.make(...parameters), (service) => {
    const provide = Effect.provideService(RequestState.RequestState, service)
    return {
      seal: (state: string, purpose: RequestState.Purpose) => provide(RequestState.seal(state, purpose)),
      open: (sealed: string, purpose: RequestState.Purpose) => provide(RequestState.open(sealed, purpose))
    }
  })

const resource = "https://trips.example.com/mcp"
const purpose = { operation: "tools/call plan_trip" }

describe("RequestState", () => {
  it.effect("opens for the caller what was sealed for it, and hides it from the client", () =>
    Effect.gen(function*() {
      const state = yield* makeState(undefined, resource)
      const sealed = yield* state.seal("Lisbon, second question", purpose).pipe(as("alice"))
      assert.notInclude(sealed, "Lisbon")
      assert.strictEqual(yield* state.open(sealed, purpose).pipe(as("alice")), "Lisbon, second question")
    }))

  it.effect("rejects the state of another subject, client, operation or instance with the same error", () =>
    Effect.gen(function*() {
      const state = yield* makeState(undefined, resource)
      const other = yield* makeState(undefined, resource)
      const sealed = yield* state.seal("s", purpose).pipe(as("alice"))
      const errors = yield* Effect.all([
        state.open(sealed, purpose).pipe(as("bob"), Effect.flip),
        state.open(sealed, purpose).pipe(as("alice", "client-2"), Effect.flip),
        state.open(sealed, { operation: "tools/call delete_trip" }).pipe(as("alice"), Effect.flip),
        other.open(sealed, purpose).pipe(as("alice"), Effect.flip)
      ])
      for (const error of errors) assert.strictEqual(error.reason, "state")
    }))

  it.effect.each<unknown>([Infinity, Number.NaN, -5, 0, "Infinity", "bogus", null, {}, { minute: 5 }])(
    "dies for the lifetime %j",
    (lifetime) =>
      Effect.gen(function*() {
        const state = yield* makeState(undefined, resource)
        const exit = yield* Effect.exit(
          state.seal("s", { ...purpose, lifetime: lifetime as never }).pipe(as("alice"))
        )
        assert.ok(Exit.isFailure(exit))
        const defect = Cause.squash(exit.cause)
        assert.instanceOf(defect, RangeError)
        assert.match(
          (defect as RangeError).message,
          /is not a finite duration above 0\. Write one such as "10 minutes"$/
        )
      })
  )

  it.effect.each<unknown>([undefined, null, 5, {}, [], ["a"]])(
    "rejects %j, which is not text, as invalid state",
    (sealed) =>
      Effect.gen(function*() {
        const state = yield* makeState(undefined, resource)
        const error = yield* Effect.flip(state.open(sealed as never, purpose)).pipe(as("alice"))
        assert.strictEqual(error._tag, "MalformedRequest")
        assert.strictEqual(error.reason, "state")
      })
  )

  it.effect("has a frozen service, so that no code changes the resource of its key", () =>
    Effect.map(RequestState.make(undefined, resource), (service) => {
      assert.isFrozen(service)
      assert.throws(() => Object.assign(service, { resource: "https://other.example.com/mcp" }), TypeError)
    }))

  it.effect("rejects expired state", () =>
    Effect.gen(function*() {
      const state = yield* makeState(undefined, resource)
      const sealed = yield* state.seal("s", { ...purpose, lifetime: "1 minute" }).pipe(as("alice"))
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* state.open(sealed, purpose).pipe(as("alice")), "s")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* state.open(sealed, purpose).pipe(as("alice"), Effect.flip)).reason, "state")
    }))

  it.effect.prop(
    "rejects every text that a client invents, and does not throw",
    { text: Schema.String },
    ({ text }) =>
      Effect.gen(function*() {
        const state = yield* makeState(undefined, resource)
        assert.strictEqual((yield* state.open(text, purpose).pipe(as("alice"), Effect.flip)).reason, "state")
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )

  it.effect.prop(
    "opens every text again, for its caller and its operation alone",
    { text: Schema.String, subject: Schema.NonEmptyString, operation: Schema.String, other: Schema.NonEmptyString },
    ({ operation, other, subject, text }) =>
      Effect.gen(function*() {
        const state = yield* makeState(Redacted.make("0123456789abcdef0123456789abcdef"), resource)
        const sealed = yield* state.seal(text, { operation }).pipe(as(subject))
        assert.strictEqual(yield* state.open(sealed, { operation }).pipe(as(subject)), text)
        if (other !== subject) {
          assert.strictEqual((yield* state.open(sealed, { operation }).pipe(as(other), Effect.flip)).reason, "state")
        }
        if (other !== operation) {
          assert.strictEqual(
            (yield* state.open(sealed, { operation: other }).pipe(as(subject), Effect.flip)).reason,
            "state"
          )
        }
      })
  )

  it.effect("rejects state with one altered character", () =>
    Effect.gen(function*() {
      const state = yield* makeState(undefined, resource)
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

  it.effect("opens the longest state that it seals, and seals no longer state", () =>
    Effect.gen(function*() {
      const state = yield* makeState(undefined, resource)
      const longest = "x".repeat(48_900)
      const sealed = yield* state.seal(longest, purpose).pipe(as("alice"))
      assert.strictEqual(yield* state.open(sealed, purpose).pipe(as("alice")), longest)
      for (const length of [49_200, 1_000_000]) {
        const exit = yield* Effect.exit(state.seal("x".repeat(length), purpose).pipe(as("alice")))
        const [error] = Exit.isFailure(exit) ? Cause.prettyErrors(exit.cause) : []
        assert.match(
          error?.message ?? "",
          /^RequestState\.seal: the sealed state of tools\/call plan_trip has \d+ characters/
        )
        assert.include(error?.message, "the limit is 65536")
        assert.include(error?.message, "Keep the data in a store")
      }
    }))

  it.effect("is opened by every instance with the same secret, which must have 32 bytes", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("0123456789abcdef0123456789abcdef")
      const sealed = yield* (yield* makeState(secret, resource)).seal("s", purpose).pipe(as("alice"))
      assert.strictEqual(
        yield* (yield* makeState(secret, resource)).open(sealed, purpose).pipe(as("alice")),
        "s"
      )
      const error = yield* Effect.flip(makeState(Redacted.make("short"), resource))
      assert.strictEqual(error.option, "requestState.secret")
    }))

  it.effect("[T-AUD-50] is rejected at another resource with the same secret", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("0123456789abcdef0123456789abcdef")
      const sealed = yield* (yield* makeState(secret, resource)).seal("s", purpose).pipe(as("alice"))
      for (
        const other of [
          "https://trips.example.com",
          "https://trips.example.com/mcp/",
          "https://trips.example.com/other",
          "https://evil.example.com/mcp",
          ""
        ]
      ) {
        const elsewhere = yield* makeState(secret, other)
        assert.strictEqual((yield* elsewhere.open(sealed, purpose).pipe(as("alice"), Effect.flip)).reason, "state")
      }
    }))

  it.effect("[T-AUD-50] is rejected by the gate of another resource with the same secret", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("0123456789abcdef0123456789abcdef")
      const { client, issuer } = yield* TestIssuer.make()
      const stateOf = Effect.fnUntraced(function*(path: string) {
        const services = yield* Layer.build(
          gateLayer({
            resource: `https://server.test${path}`,
            authorizationServers: [issuer.issuer],
            scopes: ["a"],
            requestState: { secret }
          }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
        )
        const principal = yield* Effect.provide(Principal, AuthLayer.mock({ subject: "alice", scopes: ["a"] }))
        const own = (yield* Effect.provide(Gate.AuthLayer, services)).provideCaller(Context.empty(), principal)
        return {
          seal: RequestState.seal("s", purpose).pipe(Effect.provideContext(own)),
          open: (sealed: string) => RequestState.open(sealed, purpose).pipe(Effect.provideContext(own))
        }
      })
      const [one, same, other] = [yield* stateOf("/a"), yield* stateOf("/a"), yield* stateOf("/b")]
      const sealed = yield* one.seal
      assert.strictEqual(yield* same.open(sealed), "s")
      assert.strictEqual((yield* Effect.flip(other.open(sealed))).reason, "state")
    }))
})
