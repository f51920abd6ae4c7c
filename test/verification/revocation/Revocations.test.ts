import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted } from "effect"
import { AuthError, AuthLayer, type Principal } from "effect-mcp-auth"
import { Gate } from "effect-mcp-auth/host"
import { Revocations } from "effect-mcp-auth/revocation"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { TokenCache } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"
import { active, resource, world } from "../introspection/answers.ts"
import * as steppingClock from "../steppingClock.ts"
import { twinOf } from "../twin.ts"

const start = 1_800_000_000

const list = Effect.map(Layer.build(Revocations.layerMemory), (_) => Context.get(_, Revocations.Revocations))

/** An issuer of JWTs, a gate that trusts it, and functions that return the gate's result for a token. */
const jwtWorld = (algorithm: "ES256" | "ES384", options: Partial<AuthLayer.Common<["todos:read"]>> = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(start * 1000)
    const { client, issuer } = yield* TestIssuer.make({ algorithm })
    const context = yield* Layer.build(
      gateLayer({
        resource,
        authorizationServers: [issuer.issuer],
        scopes: ["todos:read"],
        ...options
      }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
    )
    const gate = Context.get(context, Gate.AuthLayer)
    const present = (token: string) =>
      Effect.result(
        authenticate(gate, { method: "POST", header: () => undefined, authorization: [`Bearer ${token}`] })
      )
    const outcome = (token: string) =>
      Effect.map(present(token), (_) => _._tag === "Success" ? "admitted" : `${_.failure.status} ${_.failure.reason}`)
    return { issuer, gate, present, outcome }
  })

describe("a revoked token", () => {
  it.effect.each(["ES256", "ES384"] as const)(
    "[T-AUD-03a] is rejected also with the other form of its %s signature, and revoking that form rejects the token",
    (algorithm) =>
      Effect.gen(function*() {
        const revocations = yield* list
        const { issuer, outcome } = yield* jwtWorld(algorithm, { revocation: Revocations.from(revocations) })
        const [one, other] = [yield* issuer.mint(), yield* issuer.mint()]
        for (const token of [one, twinOf(one, algorithm), other, twinOf(other, algorithm)]) {
          assert.strictEqual(yield* outcome(token), "admitted")
        }
        yield* revocations.revoke({ token: Redacted.make(one) })
        assert.strictEqual(yield* outcome(one), "401 revoked")
        assert.strictEqual(yield* outcome(twinOf(one, algorithm)), "401 revoked")
        assert.strictEqual(yield* outcome(other), "admitted")
        yield* revocations.revoke({ token: Redacted.make(twinOf(other, algorithm)) })
        assert.strictEqual(yield* outcome(other), "401 revoked")
      })
  )

  it.effect("[T-AUD-03a] revoking by iss and jti rejects every token with both, and none of another issuer", () =>
    Effect.gen(function*() {
      const revocations = yield* list
      const { issuer, outcome } = yield* jwtWorld("ES256", { revocation: Revocations.from(revocations) })
      const [one, again] = [
        yield* issuer.mint({ claims: { jti: "id-1" } }),
        yield* issuer.mint({ claims: { jti: "id-1", n: 1 } })
      ]
      const other = yield* issuer.mint({ claims: { jti: "id-2" } })
      const foreign = TestIssuer.encodeSegment({ alg: "ES256" }) + "." +
        TestIssuer.encodeSegment({ iss: "https://other.test", jti: "id-2" }) + ".AA"
      yield* revocations.revoke({ token: Redacted.make(one) })
      yield* revocations.revoke({ token: Redacted.make(foreign) })
      assert.strictEqual(yield* outcome(again), "401 revoked")
      assert.strictEqual(yield* outcome(other), "admitted")
    }))

  it.effect("[T-AUD-03a] an opaque token is revoked by its text, and by the jti of its introspection response", () =>
    Effect.gen(function*() {
      const revocations = yield* list
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = ({ form }) => active({ iss: issuer.issuer, jti: form.get("token")!.toLowerCase() })()
      const caller = yield* gate({ revocation: Revocations.from(revocations) })
      for (const token of ["a", "A", "b"]) assert.strictEqual(yield* caller.outcome(token), "admitted")
      yield* revocations.revoke({ token: Redacted.make("b") })
      assert.strictEqual(yield* caller.outcome("b"), "401 revoked")
      assert.strictEqual(yield* caller.outcome("B"), "admitted")
    }))
})

describe("revoking a client", () => {
  it.effect("[T-AUD-03b] rejects its tokens that were issued until now, with a subject or without one", () =>
    Effect.gen(function*() {
      const revocations = yield* list
      const { issuer, outcome } = yield* jwtWorld("ES256", { revocation: Revocations.from(revocations) })
      const machine = yield* issuer.mint({ subject: "machine", clientId: "machine" })
      const other = yield* issuer.mint({ subject: "machine", clientId: "other" })
      yield* revocations.revoke({ issuer: "https://elsewhere.test", client: "machine" })
      assert.strictEqual(yield* outcome(machine), "admitted")
      yield* revocations.revoke({ issuer: issuer.issuer, client: "machine" })
      assert.strictEqual(yield* outcome(machine), "401 revoked")
      assert.strictEqual(yield* outcome(other), "admitted")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcome(yield* issuer.mint({ clientId: "machine" })), "admitted")
    }))
})

describe("invalidate", () => {
  it.effect("[T-AUD-03c] evicts a token and its other form, and the tokens of a client", () =>
    Effect.gen(function*() {
      const { gate, issuer, present } = yield* jwtWorld("ES256")
      const token = yield* issuer.mint({ clientId: "client-1" })
      const twin = twinOf(token, "ES256")
      const other = yield* issuer.mint({ clientId: "client-2" })
      const tokens = [token, twin, other]
      const found = Effect.forEach(tokens, present)
      const evicts = (target: TokenCache.Target) =>
        Effect.gen(function*() {
          const before = yield* found
          yield* gate.invalidate(target)
          const after = yield* found
          return tokens.map((_, index) =>
            (before[index] as { readonly success: unknown }).success !==
              (after[index] as { readonly success: unknown }).success
          )
        })
      assert.deepStrictEqual(yield* evicts({ token: Redacted.make(token) }), [true, true, false])
      assert.deepStrictEqual(yield* evicts({ token: Redacted.make(twin) }), [true, true, false])
      assert.deepStrictEqual(yield* evicts({ client: "client-2", issuer: issuer.issuer }), [false, false, true])
      assert.deepStrictEqual(yield* evicts({ client: "client-1" }), [true, true, false])
      assert.deepStrictEqual(yield* evicts({ client: "client-1", issuer: "https://other.test" }), [false, false, false])
    }))
})

describe("a target", () => {
  it.effect.each<readonly [string, object]>([
    ["nothing", {}],
    ["a misspelled kind", { issuer: "https://issuer.test", sub: "alice" }],
    ["two kinds", { issuer: "https://issuer.test", subject: "alice", client: "client-1" }],
    ["a token in plain text", { token: "a" }],
    ["a subject that is undefined", { issuer: "https://issuer.test", subject: undefined }],
    ["a subject that is a number", { issuer: "https://issuer.test", subject: 5 }],
    ["an empty subject", { issuer: "https://issuer.test", subject: "" }],
    ["an empty issuer", { issuer: "", subject: "alice" }],
    ["an issuer that is not a string", { issuer: 5, session: "s" }],
    ["an empty token", { token: Redacted.make("") }],
    ["a token that is not a string", { token: Redacted.make(5) }],
    ["null", null as never]
  ])(
    "[T-AUD-03d] rejects a target that names %s with an AuthConfigError",
    ([, target]) =>
      Effect.gen(function*() {
        const revocations = yield* list
        const { gate } = yield* jwtWorld("ES256")
        const attempts = [
          revocations.revoke(target as Revocations.Target),
          gate.invalidate(target as TokenCache.Target)
        ]
        for (const attempt of attempts) {
          const exit = yield* Effect.exit(attempt as Effect.Effect<void, unknown>)
          assert.isTrue(
            Exit.isFailure(exit) &&
              exit.cause.reasons.some((_) => _._tag === "Die" && _.defect instanceof AuthError.AuthConfigError)
          )
        }
      })
  )
})

describe("a target of revoke", () => {
  it.effect.each<readonly [string, object]>([
    ["a subject without its issuer", { subject: "alice" }],
    ["a client without its issuer", { client: "client-1" }],
    ["everything", "everything" as never]
  ])(
    "[T-AUD-03d] rejects a target that names %s with an AuthConfigError, since it would revoke nothing",
    ([, target]) =>
      Effect.gen(function*() {
        const revocations = yield* list
        const exit = yield* Effect.exit(revocations.revoke(target as Revocations.Target))
        assert.isTrue(
          Exit.isFailure(exit) &&
            exit.cause.reasons.some((_) => _._tag === "Die" && _.defect instanceof AuthError.AuthConfigError)
        )
      })
  )
})

describe("the longest lifetime of a token", () => {
  it.each([Number.NaN, 0, -1, "soon", {}])("%j would evict revocations at once, and is rejected", (longest) => {
    const store = { getMany: () => Effect.succeed([]), set: () => Effect.void } as unknown as Revocations.Store
    assert.throws(() => Revocations.make(store, longest as never), /at Revocations.longestToken: .+a duration above 0/)
  })
})

describe("the list in memory", () => {
  it.effect("[T-AUD-08g] keeps its entries when the wall clock steps forward", () =>
    Effect.gen(function*() {
      yield* steppingClock.use((step) =>
        Effect.gen(function*() {
          const revocations = yield* list
          const caller = { issuer: "i", claims: {}, token: Redacted.make("a") } as unknown as Principal
          yield* revocations.revoke({ token: Redacted.make("a") })
          yield* step(31 * 24 * 3_600_000)
          assert.isTrue(yield* revocations.isRevoked(caller))
        })
      )
    }))
})

describe("the option", () => {
  it.effect("takes the list from the layer with Revocations.stored", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: "https://server.test/mcp" })
      const services = yield* Layer.build(
        gateLayer({
          resource: "https://server.test/mcp",
          authorizationServers: [issuer.issuer],
          scopes: ["todos:read"],
          revocation: Revocations.stored
        }).pipe(
          Layer.provideMerge(Revocations.layerMemory),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const gate = Context.get(services, AuthLayer.AuthLayer)
      const token = yield* issuer.mint({ subject: "alice" })
      const outcome = authenticate(gate, {
        method: "POST",
        header: () => undefined,
        authorization: [`Bearer ${token}`]
      }).pipe(Effect.as("admitted"), Effect.catch(({ reason }) => Effect.succeed(reason)))
      assert.strictEqual(yield* outcome, "admitted")
      yield* Context.get(services, Revocations.Revocations).revoke({ issuer: issuer.issuer, subject: "alice" })
      assert.strictEqual(yield* outcome, "revoked")
    }))

  it.effect.each<readonly [unknown]>([[() => Effect.succeed(false)], [{ isRevoked: () => Effect.succeed(false) }], [
    true
  ]])(
    "rejects %j, and says what to write",
    ([revocation]) =>
      Effect.gen(function*() {
        const { client } = yield* TestIssuer.make()
        const error = yield* Effect.flip(Layer.build(
          gateLayer({
            resource: "https://server.test/mcp",
            authorizationServers: ["https://issuer.test"],
            scopes: ["todos:read"],
            revocation: revocation as Revocations.Mechanism
          }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
        ))
        assert.deepStrictEqual([error.option, error.reason], ["revocation", "malformed"])
        assert.include(error.fix, "Revocations.check(function)")
      })
  )
})
