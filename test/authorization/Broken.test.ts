import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Logger, Redacted, Schema } from "effect"
import { type AuthLayer, Decision, Principal, TokenVerifier } from "effect-mcp-auth"
import { Gate, type Rejection } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import type { Operation } from "effect-mcp-auth/protocol"
import { Revocations } from "effect-mcp-auth/revocation"
import { Tenants } from "effect-mcp-auth/tenants"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { gateLayer } from "../servers/gates.ts"
import { authenticate, authenticateCaller, authorize, type Request } from "./steps.ts"
import { bearer, gate, listening, rejected, resource } from "./support.ts"

const boom = (): never => {
  throw new Error("broken on purpose")
}

class Own extends Context.Service<Own, unknown>()("test/Own") {}

const call: ReadonlyArray<Operation.Operation> = [
  { kind: "tool", method: "tools/call", target: "list", params: {}, isNotification: false }
]

/** Presents a token, then requests an operation. Returns `"ran"`, or the status and reason of the rejection. */
const present = Effect.fnUntraced(function*(
  options: object,
  { policy = () => undefined, listener }: {
    readonly policy?: (operation: Operation.Operation) => Gate.OperationPolicy | undefined
    readonly listener?: (decision: Decision.Decision) => Effect.Effect<void>
  } = {}
) {
  const { client, issuer } = yield* TestIssuer.make({ resource })
  const services = gateLayer(
    { resource, authorizationServers: [issuer.issuer], scopes: ["todos:read"], ...options } as never
  ).pipe(
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
    listener === undefined ? (_) => _ : Layer.provide(Layer.succeed(Decision.DecisionListener, listener))
  ) as Layer.Layer<Gate.AuthLayer>
  const gate = Context.get(yield* Layer.build(services), Gate.AuthLayer)
  const request: Request = {
    method: "POST",
    header: (name) => name === "x-tenant" ? "acme" : undefined,
    authorization: [`Bearer ${yield* issuer.mint({ scopes: ["todos:read"] })}`]
  }
  return yield* Effect.gen(function*() {
    const caller = yield* authenticateCaller(gate, request)
    yield* authorize(gate, { caller, operations: Effect.succeed(call), policy })
    return "ran"
  }).pipe(Effect.catch(({ reason, status }: Rejection.Rejection) => Effect.succeed(`${status} ${reason}`)))
})

const whole = Principal.make({
  issuer: "i",
  subject: "s",
  clientId: "c",
  scopes: new Set(["todos:read"]),
  granted: new Set(["todos:read"]),
  audience: [resource],
  expiresAt: 8.64e12,
  claims: {},
  token: Redacted.make("secret")
})

const tenants = (authorizationServers: () => unknown) => ({
  tenants: Tenants.fromHeader("x-tenant", { authorizationServers } as Tenants.Options)
})

const lookUp = (lookUp: () => unknown) => ({
  authorizationServers: [{
    issuer: "https://issuer.test",
    introspection: Introspection.lookUp(lookUp as Introspection.LookUp, { tokens: "all" })
  }]
})

const claims = (check: () => boolean) => ({
  claims: {
    service: Own,
    decode: Schema.decodeUnknownResult(Schema.Struct({ iss: Schema.String.check(Schema.makeFilter(check)) }))
  }
})

describe("a function of the author that breaks", () => {
  it.effect.each<readonly [name: string, options: object]>([
    ["a verifier that throws", { verifier: () => TokenVerifier.make(boom) }],
    ["a verifier that dies", { verifier: () => TokenVerifier.make(() => Effect.die("broken on purpose")) }],
    ["a cached verifier that dies", {
      verifier: (_: unknown, cached: AuthLayer.Cached) =>
        cached(TokenVerifier.make(() => Effect.die("broken on purpose")), "1 minute")
    }],
    ["a revocation that throws", { revocation: Revocations.check(boom) }],
    ["a tenant function that throws", tenants(boom)],
    ["a tenant function that dies", tenants(() => Effect.die("broken on purpose"))],
    ["a tenant function that returns undefined", tenants(() => undefined)],
    ["a tenant function that finds no list", tenants(() => Effect.succeed(undefined))],
    ["a look-up that throws", lookUp(boom)],
    ["a look-up that dies", lookUp(() => Effect.die("broken on purpose"))],
    ["a look-up that returns undefined", lookUp(() => undefined)],
    ["a schema that throws", claims(boom)]
  ])(
    "[T-AUD-22b] answers 500, logs the cause and reports one decision for %s",
    ([, options]) =>
      Effect.gen(function*() {
        const { decisions, layer } = listening()
        const lines: Array<{ readonly level: string; readonly message: unknown; readonly hasCause: boolean }> = []
        const logger = Logger.make(({ cause, logLevel, message }) => {
          lines.push({ level: logLevel, message, hasCause: cause.reasons.length > 0 })
        })
        const logs = Layer.merge(layer, Logger.layer([logger]))
        assert.strictEqual(yield* Effect.provide(present(options), logs), "500 broken")
        assert.deepStrictEqual(decisions.map(({ outcome, reason, status }) => [outcome, reason, status]), [
          ["rejected", "broken", 500]
        ])
        assert.deepStrictEqual(lines.filter(({ level }) => level === "Error"), [
          { level: "Error", message: ["request rejected with 500: broken"], hasCause: true }
        ])
      })
  )

  it.effect.each<readonly [name: string, verify: () => unknown]>([
    ["returns undefined", () => undefined],
    ["succeeds with undefined", () => Effect.succeed(undefined)],
    [
      "succeeds with an incomplete principal",
      () => Effect.succeed({ issuer: "i", subject: "s", key: "k", scopes: new Set() })
    ],
    ["omits the audience", () => Effect.succeed({ ...whole, audience: undefined })],
    ["omits the granted scopes", () => Effect.succeed({ ...whole, granted: undefined })],
    ["omits the owner", () => Effect.succeed({ ...whole, owner: undefined })],
    ["returns the token as plain text", () => Effect.succeed({ ...whole, token: "secret" })],
    ["returns null for the subject", () => Effect.succeed(Principal.make({ ...whole, subject: null as never }))],
    ["returns a number for the client", () => Effect.succeed(Principal.make({ ...whole, clientId: 5 as never }))]
  ])("[T-AUD-22b] reports a verifier that %s as a misconfiguration", ([, verify]) =>
    Effect.gen(function*() {
      const { decisions, layer } = listening()
      const options = { verifier: () => TokenVerifier.make(verify as never) }
      assert.strictEqual(yield* Effect.provide(present(options), layer), "500 malformed")
      assert.deepStrictEqual(decisions.map(({ reason, status }) => [reason, status]), [["malformed", 500]])
    }))

  it.effect("[T-AUD-22b] answers 500 for a policy that throws, and reports its operation", () =>
    Effect.gen(function*() {
      const { decisions, layer } = listening()
      assert.strictEqual(yield* Effect.provide(present({}, { policy: boom }), layer), "500 broken")
      assert.deepStrictEqual(decisions.map(({ operations, reason, subject }) => [operations, reason, subject]), [
        [["tools/call list"], "broken", "alice"]
      ])
    }))

  it.effect("[T-AUD-22c] a listener that hangs admits no request, and delays each for at most 5 seconds", () =>
    Effect.gen(function*() {
      const { layer, lines } = listening()
      const verdict = Effect.fnUntraced(function*(policy: () => Gate.OperationPolicy | undefined) {
        const isCalled = yield* Deferred.make<void>()
        const listener = () => Effect.andThen(Deferred.succeed(isCalled, undefined), Effect.never)
        const fiber = yield* Effect.forkChild(
          Effect.provide(present({}, { policy, listener }), layer),
          { startImmediately: true }
        )
        yield* Deferred.await(isCalled)
        while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
        return yield* Fiber.join(fiber)
      })
      assert.strictEqual(yield* verdict(() => undefined), "500 broken")
      assert.strictEqual(
        yield* verdict(() => ({ scopes: ["todos:write"], unauthorized: "challenge" })),
        "403 missing-scope"
      )
      assert.deepStrictEqual(
        lines.filter(({ level }) => level === "Error").map(({ message }) => message[0]),
        ["The DecisionListener failed", "The DecisionListener failed"]
      )
    }))

  it.effect("[T-AUD-14h] a listener that fails writes a limited number of lines per minute", () =>
    Effect.gen(function*() {
      const { layer, lines } = listening()
      const { gate: made } = yield* gate({ decisions: { linesPerMinute: 2 } })
      const send = rejected(authenticate(made, bearer("malformed"))).pipe(
        Effect.provideService(Decision.DecisionListener, boom),
        Effect.provide(Layer.fresh(layer))
      )
      for (let sent = 0; sent < 5; sent++) yield* send
      const failures = () => lines.filter(({ level }) => level === "Error").map((_) => _.annotations)
      assert.deepStrictEqual(failures(), [{}, { linesPerMinute: 2 }])
      yield* TestClock.adjust("1 minute")
      yield* send
      assert.deepStrictEqual(failures().at(-1), { suppressed: 3 })
    }))

  it.effect.each<readonly [name: string, listener: () => unknown]>([
    ["throws", boom],
    ["dies", () => Effect.die("broken on purpose")],
    ["returns undefined", () => undefined]
  ])(
    "[T-AUD-22c] a listener that %s admits no request, and a rejected request stays rejected",
    ([, listener]) =>
      Effect.gen(function*() {
        const { layer, lines } = listening()
        const heard = listener as () => Effect.Effect<void>
        assert.strictEqual(yield* Effect.provide(present({}, { listener: heard }), layer), "500 broken")
        assert.deepStrictEqual(
          lines.filter(({ level }) => level === "Error").map(({ message }) => message[0]),
          ["The DecisionListener failed"]
        )
        const rejecting = {
          policy: () => ({ scopes: ["todos:write"], unauthorized: "challenge" as const }),
          listener: heard
        }
        assert.strictEqual(yield* Effect.provide(present({}, rejecting), layer), "403 missing-scope")
      })
  )
})
