import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Logger, Metric, Option, Redacted, References, Tracer } from "effect"
import { AuthError, AuthLayer, Decision, requireScopes } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import * as RecordDecision from "../../src/authorization/RecordDecision.ts"
import { authLayer, gateLayer } from "../servers/gates.ts"
import * as Running from "../threats/Running.ts"
import { authenticate } from "./steps.ts"

const { bearer, resultOf } = Running

const mint = (server: Running.Running, scopes: ReadonlyArray<string> = ["todos:read"]) => server.issuer.mint({ scopes })

const configured = {
  resource: "https://server.test/mcp",
  authorizationServers: ["https://issuer.test"],
  scopes: ["todos:read"]
} as const

/** Creates a tracer, and collects its spans. */
const recorder = () => {
  const spans: Array<Tracer.NativeSpan> = []
  return {
    spans,
    tracer: Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
  }
}

const alice = {
  issuer: "https://issuer.test",
  subject: "alice",
  clientId: "c",
  scopes: new Set(),
  owner: "alice of issuer.test"
} as never

/** The rejection that a request gets if the listener fails. */
const broken = { _tag: "Rejection", status: 500, headers: {}, body: "", reason: "broken", error: undefined } as const

/** Reports these facts, and returns the decision that the listener receives. */
const reported = (facts: Partial<RecordDecision.Facts>, options: RecordDecision.Options = {}) =>
  Effect.gen(function*() {
    const received: Array<Decision.Decision> = []
    const report = RecordDecision.make(
      { ...options, listener: (_) => Effect.sync(() => void received.push(_)) },
      broken
    )
    yield* Effect.withFiber((fiber) =>
      report({
        rejection: undefined,
        principal: alice,
        operations: [],
        required: [],
        timing: Decision.startTiming(fiber),
        ...facts
      }, fiber)
    )
    assert.strictEqual(received.length, 1)
    return received[0]!
  })

describe("a decision", () => {
  it.effect("contains the caller, the operation, the reason and the duration", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server)
      yield* server.issuer.fail({ _tag: "Slow", by: "2 seconds" }, "/jwks")
      const waiting = yield* Effect.forkChild(server.call("add_todo", bearer(token), { title: "x" }), {
        startImmediately: true
      })
      const isFetched = () => Effect.runSync(server.issuer.requests).some(({ url }) => url.endsWith("/jwks"))
      yield* Running.until("the request for the keys", isFetched)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).status, 403)
      assert.strictEqual(server.decisions.length, 1)
      const { duration, explanation, ...decision } = server.decisions[0]!
      assert.deepStrictEqual(decision, {
        outcome: "rejected",
        status: 403,
        reason: "missing-scope",
        issuer: "https://issuer.test",
        subject: "alice",
        clientId: "client-1",
        operations: ["tools/call add_todo"],
        required: ["todos:read", "todos:write"],
        missing: ["todos:write"],
        failedConditions: []
      })
      assert.strictEqual(Duration.toMillis(duration), 2_000)
      assert.include(explanation?.advice, "let the authorization server grant the missing scopes")
    }))

  it.effect("is logged with fixed annotations, at the level of its outcome", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      resultOf(yield* server.call("list_todos", bearer(yield* mint(server))))
      yield* server.call("list_todos", {})
      yield* server.call("list_todos", bearer("a.b.c"))
      yield* TestClock.adjust("25 hours")
      yield* server.issuer.fail({ _tag: "Status", status: 500 })
      yield* server.call("list_todos", bearer(yield* mint(server)))
      const lines = server.logs().split("\n").map((_) => JSON.parse(_)).filter((_) =>
        [_.message].flat()[0].startsWith("request ")
      )
      assert.deepStrictEqual(lines.map((_) => [_.level, _.annotations.reason]), [
        ["DEBUG", undefined],
        ["DEBUG", "no-authorization"],
        ["INFO", "malformed"],
        ["WARN", "server-error"]
      ])
      assert.deepStrictEqual(lines[0].annotations, {
        outcome: "admitted",
        status: 200,
        issuer: "https://issuer.test",
        subject: "alice",
        clientId: "client-1",
        operations: ["tools/call list_todos"],
        required: ["todos:read"],
        duration: 0
      })
    }))

  it.live("is reported once for each request to a plain route, admitted or rejected later", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: configured.resource })
      const received: Array<Decision.Decision> = []
      const routes = Layer.mergeAll(
        HttpRouter.add("GET", "/open", HttpServerResponse.text("in")),
        HttpRouter.add("GET", "/scoped", requireScopes("todos:read")(Effect.succeed(HttpServerResponse.text("in"))))
      ).pipe(
        Layer.provide(authLayer(configured)),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
        Layer.provide(Layer.succeed(Decision.DecisionListener, (_) => Effect.sync(() => void received.push(_))))
      )
      const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const token = yield* issuer.mint({ scopes: ["other"] })
      const get = (path: string) =>
        Effect.promise(() =>
          handler(new Request(`https://server.test${path}`, { headers: { authorization: `Bearer ${token}` } }))
        )
      assert.strictEqual((yield* get("/scoped")).status, 403)
      assert.deepStrictEqual(received.map((_) => [_.outcome, _.reason]), [["rejected", "missing-scope"]])
      received.length = 0
      assert.strictEqual((yield* get("/open")).status, 200)
      assert.deepStrictEqual(received.map((_) => [_.outcome, _.reason, _.subject]), [["admitted", undefined, "alice"]])
    }))

  it.effect("contains a bounded part of the request", () =>
    Effect.gen(function*() {
      const target = "x".repeat(100_000)
      const operation = { method: "tools/call", target, kind: "tool", params: {}, isNotification: false } as const
      const decision = yield* reported({ operations: Array.from({ length: 1_000 }, () => operation) })
      assert.strictEqual(decision.operations.length, 32)
      assert.isTrue(decision.operations.every((_) => _.length === 256))
    }))

  it.effect("reaches a listener that is provided to AuthLayer alone", () =>
    Effect.gen(function*() {
      const received: Array<Decision.Decision> = []
      const context = yield* Layer.build(
        gateLayer(configured).pipe(
          Layer.provide(Layer.succeed(Decision.DecisionListener, (_) => Effect.sync(() => void received.push(_)))),
          Layer.provide(FetchHttpClient.layer)
        )
      )
      const gate = yield* Effect.provide(AuthLayer.AuthLayer, context)
      yield* Effect.flip(authenticate(gate, { method: "POST", header: () => undefined, authorization: ["Bearer x"] }))
      assert.deepStrictEqual(received.map((_) => _.reason), ["malformed"])
    }))

  it.effect("is not made if neither a listener nor the log receives it", () =>
    Effect.gen(function*() {
      let reads = 0
      const principal = {
        issuer: "i",
        clientId: "c",
        scopes: new Set(),
        get subject() {
          reads++
          return "alice"
        }
      } as never
      const facts = { rejection: undefined, principal, operations: [], required: [] }
      const report = Effect.withFiber((fiber) =>
        RecordDecision.make({}, broken)({ ...facts, timing: Decision.startTiming(fiber) }, fiber)
      )
      yield* Effect.provideService(report, References.MinimumLogLevel, "Info")
      assert.strictEqual(reads, 0)
      yield* report.pipe(Effect.provideService(References.MinimumLogLevel, "Debug"), Effect.provide(Logger.layer([])))
      assert.isAbove(reads, 0)
    }))
})

describe("the subject of a decision", () => {
  it.effect("is plain, hashed under a key, or omitted", () =>
    Effect.gen(function*() {
      const hashed = (key: string) => ({ subject: Decision.hashedSubject(Redacted.make(key)) })
      assert.strictEqual((yield* reported({})).subject, "alice")
      assert.isUndefined((yield* reported({}, { subject: Decision.omittedSubject })).subject)
      const one = (yield* reported({}, hashed("0123456789abcdef"))).subject!
      assert.match(one, /^[A-Za-z0-9_-]{22}$/)
      assert.strictEqual((yield* reported({}, hashed("0123456789abcdef"))).subject, one)
      assert.notStrictEqual((yield* reported({}, hashed("fedcba9876543210"))).subject, one)
      const principal = { issuer: "https://other.test", subject: "alice", scopes: new Set(), owner: "other" } as never
      assert.notStrictEqual((yield* reported({ principal }, hashed("0123456789abcdef"))).subject, one)
      assert.isUndefined((yield* reported({ principal: undefined }, hashed("0123456789abcdef"))).subject)
    }))

  it.effect("is hashed in the log and for the listener of a server", () =>
    Effect.gen(function*() {
      const subject = Decision.hashedSubject(Redacted.make("a key of sixteen bytes"))
      const server = yield* Running.start({ auth: { decisions: { subject } } })
      yield* server.call("list_todos", bearer(yield* server.issuer.mint({ subject: "very-private", scopes: [] })))
      assert.match(server.decisions[0]!.subject!, /^[A-Za-z0-9_-]{22}$/)
      assert.include(server.logs(), server.decisions[0]!.subject!)
      assert.notInclude(server.logs(), "very-private")
    }))

  it.effect("requires a key that cannot be guessed", () =>
    Effect.gen(function*() {
      const error = yield* Layer.build(
        gateLayer({
          ...configured,
          decisions: { subject: Decision.hashedSubject(Redacted.make("short")) }
        })
          .pipe(
            Layer.provide(FetchHttpClient.layer)
          )
      ).pipe(Effect.flip)
      assert.instanceOf(error, AuthError.AuthConfigError)
      assert.strictEqual(error.option, "decisions.subject")
    }))
})

describe("metrics", () => {
  it.effect("count and time decisions by outcome and reason", () =>
    Effect.gen(function*() {
      const registry = new Map()
      const server = yield* Effect.provideService(Running.start(), Metric.MetricRegistry, registry)
      const good = yield* mint(server)
      resultOf(yield* server.call("list_todos", bearer(good)))
      resultOf(yield* server.call("list_todos", bearer(good)))
      yield* server.call("add_todo", bearer(good), { title: "x" })
      yield* server.call("list_todos", {})
      yield* server.call("list_todos", bearer("a.b.c"))
      const snapshot = yield* Effect.provideService(Metric.snapshot, Metric.MetricRegistry, registry)
      const of = (name: string) => snapshot.filter(({ id }) => id === name)
      assert.sameDeepMembers(
        of("mcp_auth_decisions_total").map(({ attributes, state }) => [
          attributes?.["outcome"],
          attributes?.["reason"],
          (state as { readonly count: number }).count
        ]),
        [
          ["admitted", "none", 2],
          ["rejected", "missing-scope", 1],
          ["rejected", "no-authorization", 1],
          ["rejected", "malformed", 1]
        ]
      )
      assert.strictEqual(of("mcp_auth_decision_duration_seconds").length, 4)
      assert.isTrue(
        of("mcp_auth_decision_duration_seconds").every(({ state }) => (state as { readonly count: number }).count > 0)
      )
    }))
})

describe("the span of a verification", () => {
  it.effect("is a child of the span of the request, and contains the outcome", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const server = yield* Effect.withTracer(Running.start(), tracer)
      resultOf(yield* server.call("list_todos", bearer(yield* mint(server))))
      yield* server.call("list_todos", bearer("a.b.c"))
      const verifications = spans.filter(({ name }) => name === "mcp_auth.verify")
      assert.deepStrictEqual(verifications.map((_) => Object.fromEntries(_.attributes)), [
        { "mcp_auth.outcome": "verified", "mcp_auth.issuer": "https://issuer.test", "mcp_auth.client_id": "client-1" },
        { "mcp_auth.outcome": "rejected", "mcp_auth.reason": "malformed" }
      ])
      for (const { parent, status } of verifications) {
        assert.isTrue(status._tag === "Ended" && status.exit._tag === "Success" && status.exit.value === undefined)
        assert.isTrue(parent._tag === "Some" && parent.value._tag === "Span")
      }
      // The spans of the fetches are children of the span of the first verification.
      assert.isTrue(spans.some(({ parent }) => parent._tag === "Some" && parent.value === verifications[0]))
    }))

  it.effect("is not opened for Effect's own tracer, which exports no spans", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const verification = Effect.map(Effect.option(Effect.currentSpan), (span) => {
        seen.push(span._tag)
        return { issuer: "i" } as never
      })
      const traced = Effect.withFiber((fiber) => RecordDecision.traceVerification(verification, fiber))
      yield* traced
      yield* Effect.withTracer(traced, recorder().tracer)
      assert.deepStrictEqual(seen, ["None", "Some"])
    }))

  it.effect("starts as every span of Effect does", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const verification = Effect.succeed({ issuer: "i" } as never)
      const traced = Effect.withFiber((fiber) => RecordDecision.traceVerification(verification, fiber))
      const both = Effect.andThen(traced, Effect.useSpan("mcp_auth.verify", () => Effect.void))
      const unsampled = Tracer.externalSpan({ spanId: "1", traceId: "2", sampled: false })
      const unpropagated = new Tracer.NativeSpan({
        name: "unpropagated",
        parent: Option.some(unsampled),
        annotations: Context.make(Tracer.DisablePropagation, true),
        links: [],
        startTime: 0n,
        kind: "internal",
        sampled: true
      })
      const circumstances = [
        both,
        Effect.annotateSpans(both, "region", "eu"),
        Effect.linkSpans(both, unsampled),
        Effect.withParentSpan(both, unsampled),
        Effect.withParentSpan(both, unpropagated),
        Effect.provideService(both, Tracer.MinimumTraceLevel, "Error"),
        Effect.provideService(both, References.TracerTimingEnabled, false),
        Effect.withTracerEnabled(both, false)
      ]
      yield* TestClock.adjust("1 second")
      for (const circumstance of circumstances) yield* Effect.withTracer(circumstance, tracer)
      assert.strictEqual(spans.length, 14)
      const facts = spans.map(({ attributes, kind, links, name, parent, sampled, status }) => ({
        attributes: [...attributes].filter(([attribute]) => !attribute.startsWith("mcp_auth.")),
        kind,
        links,
        name,
        parent,
        sampled,
        status
      }))
      facts.forEach((fact, index) => {
        if (index % 2 === 1) assert.deepStrictEqual(facts[index - 1], fact)
      })
    }))
})
