import { assert, describe, it } from "@effect/vitest"
import { Console, Context, Effect, Layer, Logger, References, Schema, Tracer } from "effect"
import { AuthError, type AuthLayer, Decision } from "effect-mcp-auth"
import { Gate } from "effect-mcp-auth/host"
import { Check, type Report } from "effect-mcp-auth/provider"
import { Revocations } from "effect-mcp-auth/revocation"
import { Tenants } from "effect-mcp-auth/tenants"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { format, inspect } from "node:util"
import { toJson } from "../../src/cli/format/json.ts"
import { toJunit } from "../../src/cli/format/junit.ts"
import { toMarkdown } from "../../src/cli/format/markdown.ts"
import { toTable } from "../../src/cli/format/table.ts"
import { authenticate, authorize } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"
import { active, resource, start, world } from "../verification/introspection/answers.ts"

/** Contains an ESC sequence, a C1 control, a forged log line, bidirectional controls, a line separator and a lone surrogate. */
const attack = "\u001b[2J\u009b31m\r\n[12:00:00.000] INFO (#1): request admitted\u202e\u2066\u2028\ud800"

/** The characters that must not occur in any output. Line feeds are not included, since some outputs have several lines. */
const unsafe = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{Cs}/u

/** A layer with Effect's logger for terminals, and the lines that it writes. */
const terminal = () => {
  const lines: Array<string> = []
  const write = (...values: ReadonlyArray<unknown>) => void lines.push(format(...values))
  const console = { ...globalThis.console, log: write, error: write, warn: write, group: write, groupCollapsed: write }
  const layer = Layer.mergeAll(
    Logger.layer([Logger.consolePretty({ mode: "tty", colors: false })]),
    Layer.succeed(References.MinimumLogLevel, "All"),
    Layer.succeed(Console.Console, console as Console.Console)
  )
  return { layer, lines }
}

const assertSafe = (lines: ReadonlyArray<string>) => {
  assert.isNotEmpty(lines)
  for (const line of lines) {
    assert.notMatch(line, unsafe)
    assert.notMatch(line, /^\[12:00:00\.000\] INFO \(#1\): request admitted/m)
  }
}

const tenant = (
  input: AuthorizationServer.Input,
  prepare: (issuer: TestIssuer.TestIssuer["Service"]) => Effect.Effect<unknown>
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(start * 1000)
    const acme = yield* TestIssuer.make({ issuer: "https://acme.test", resource })
    const own = yield* TestIssuer.make({ issuer: "https://own.test", resource, others: [acme.issuer] })
    yield* prepare(acme.issuer)
    const { layer, lines } = terminal()
    const decisions: Array<Decision.Decision> = []
    const context = yield* Layer.build(
      gateLayer({
        resource,
        authorizationServers: ["https://own.test"],
        scopes: ["todos:read"],
        tenants: Tenants.fromHeader("x-tenant", { authorizationServers: () => Effect.succeed([input]) })
      }).pipe(
        Layer.provide(Layer.succeed(HttpClient.HttpClient, own.client)),
        Layer.provide(Layer.succeed(Decision.DecisionListener, (_) => Effect.sync(() => void decisions.push(_))))
      )
    )
    const token = yield* acme.issuer.mint({ claims: { iss: "https://acme.test" } })
    const rejection = yield* authenticate(Context.get(context, Gate.AuthLayer), {
      method: "POST",
      header: (name) => name === "x-tenant" ? "acme" : undefined,
      authorization: [`Bearer ${token}`]
    }).pipe(Effect.flip, Effect.provide(layer))
    return { decisions, lines, rejection }
  })

describe("text of an authorization server", () => {
  it.effect.each<readonly [string, Record<string, unknown>]>([
    ["issuer", { issuer: `https://acme.test${attack}` }],
    ["jwks_uri that is not a URL", { jwks_uri: attack }],
    ["jwks_uri that is not https", { jwks_uri: `http://acme.test/${attack}` }],
    ["jwks_uri that answers 404", { jwks_uri: `https://acme.test/${attack}` }]
  ])(
    "[T-AUD-14b] the %s of a tenant's metadata reaches Effect's pretty logger escaped",
    ([, metadata]) =>
      Effect.gen(function*() {
        const { lines, rejection } = yield* tenant("https://acme.test", (issuer) => issuer.publishMetadata(metadata))
        assert.strictEqual(rejection.status, 503)
        assertSafe(lines)
        assert.include(lines.join("\n"), "\\u001b[2J")
        // An application can also log the whole error, not only its message.
        assert.notMatch(inspect(rejection.error), unsafe)
        assert.notMatch(rejection.error?.message ?? "", /\n/)
      })
  )
})

describe("text of a token and a request", () => {
  it.effect.each<readonly [string, (error: Error) => Partial<AuthLayer.Common<["todos:read"]>>]>([
    ["an error", (error) => ({ revocation: Revocations.check(() => Effect.die(error)) })],
    [
      "an error with a cause",
      (error) => ({ revocation: Revocations.check(() => Effect.die(new Error("broken", { cause: error }))) })
    ],
    ["a string", (error) => ({ revocation: Revocations.check(() => Effect.die(error.message)) })],
    [
      "an object",
      (error) => ({ revocation: Revocations.check(() => Effect.die({ message: error.message, name: attack })) })
    ]
  ])(
    "[T-AUD-14f] a claim that %s of the author's function quotes reaches the log escaped",
    ([, options]) =>
      Effect.gen(function*() {
        const { gate } = yield* world
        const { layer, lines } = terminal()
        const caller = yield* gate(options(new Error(`unknown organisation ${attack}`)))
        assert.strictEqual(yield* Effect.provide(caller.outcome("opaque"), layer), "500 broken")
        assertSafe(lines)
        assert.include(lines.join("\n"), "\\u001b[2J")
      })
  )

  it.effect("[T-AUD-14c] subject, client and operations reach logs, decisions and spans escaped", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = active({ sub: "alice\u202e\u2066\u2028\u009b", client_id: `client${attack}` })
      const { layer, lines } = terminal()
      const decisions: Array<Decision.Decision> = []
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const context = yield* Layer.build(
        Layer.succeed(Decision.DecisionListener, (_) => Effect.sync(() => void decisions.push(_)))
      )
      const caller = yield* Effect.provideContext(gate(), context)
      const operation = {
        method: `tools/call${attack}`,
        target: attack.repeat(100),
        kind: "tool",
        params: {},
        isNotification: false
      } as const
      yield* Effect.gen(function*() {
        const principal = yield* authenticate(caller.gate, {
          method: "POST",
          header: () => undefined,
          authorization: ["Bearer opaque"]
        })
        if (typeof principal === "string") return yield* Effect.die(principal)
        yield* authorize(caller.gate, {
          caller: principal,
          operations: Effect.succeed([operation]),
          policy: () => ({ scopes: [], unauthorized: "challenge" })
        })
      }).pipe(Effect.ignore, Effect.withTracer(tracer), Effect.provide(layer))
      yield* caller.present("opaque-2").pipe(Effect.withTracer(tracer), Effect.provide(layer))
      assertSafe(lines)
      assert.isNotEmpty(decisions)
      for (const { clientId, issuer, operations, subject } of decisions) {
        for (const text of [clientId, issuer, subject, ...operations]) {
          assert.notMatch(text ?? "", unsafe)
          assert.notMatch(text ?? "", /\n/)
          assert.isAtMost((text ?? "").length, 256)
        }
      }
      assert.isNotEmpty(spans)
      for (const span of spans) {
        for (const value of span.attributes.values()) assert.notMatch(String(value), unsafe)
      }
    }))
})

describe("every error", () => {
  const errors: ReadonlyArray<Error> = [
    new AuthError.AuthorizationServerUnavailable({
      reason: "network",
      issuer: `https://a.test/${attack}`,
      retryAfter: 1
    }),
    new AuthError.InvalidMetadata({ reason: "wrong-issuer", issuer: attack, detail: attack.repeat(1_000) }),
    new AuthError.AuthConfigError({ reason: "malformed", option: attack, fix: attack.repeat(1_000) }),
    new AuthError.InsufficientScope({ reason: "missing-scope", required: [attack] }),
    new Check.Unreachable({ url: attack, detail: attack }),
    new Check.InvalidInput({ detail: attack })
  ]
  it.each(errors.map((error) => [error.name, error] as const))(
    "[T-AUD-14d] %s has a safe message of one line",
    (_, error) => {
      assert.notMatch(error.message, unsafe)
      assert.notMatch(error.message, /\n/)
      assert.isAtMost(error.message.length, 1_500)
    }
  )
})

describe("a report", () => {
  const report: Report.Report = {
    kind: "authorization-server",
    subject: attack,
    provider: attack,
    revision: "2026-07-28",
    at: "2026-11-30T00:00:00.000Z",
    outcome: "fail",
    summary: attack,
    findings: [{
      rule: "rule",
      title: attack,
      level: "MUST",
      verdict: "fail",
      why: attack,
      change: attack,
      standard: attack,
      sentence: attack
    }],
    notes: [attack],
    options: "AuthLayer.make({\n  resource: \"\u001b\"\n})",
    parts: []
  } as unknown as Report.Report

  it.each([
    ["table", () => toTable(report, { color: false, width: 80, verbose: true })],
    ["Markdown", () => toMarkdown(report)],
    ["JUnit", () => toJunit(report)]
  ])("[T-AUD-14e] is safe as %s, also when it comes from a file", (_, write) => {
    const text = write()
    assert.notMatch(text, unsafe)
    assert.notMatch(text, /^\[12:00:00\.000\]/m)
    assert.include(text, "u001b")
  })

  it.effect.prop(
    "[T-AUD-14e] about hostile metadata is safe in every form",
    { mark: Schema.String },
    ({ mark }) =>
      Effect.sync(() => {
        const hostile = `${attack}${mark}`
        const document = JSON.stringify({
          issuer: `https://a.test/${hostile}`,
          authorization_endpoint: hostile,
          token_endpoint: hostile,
          jwks_uri: hostile,
          response_types_supported: [hostile],
          grant_types_supported: [hostile],
          code_challenge_methods_supported: [hostile],
          scopes_supported: [hostile]
        })
        const made = Check.checkDocuments([{ name: hostile, text: document }], {
          issuer: `https://a.test/${hostile}`,
          jwks: { keys: [{ kty: hostile, kid: hostile, alg: hostile, use: hostile }] },
          now: start * 1000,
          revision: "2026-07-28"
        })
        if (made instanceof Check.InvalidInput) return assert.notMatch(made.message, unsafe)
        const texts = [
          toTable(made, { color: false, width: 80, verbose: true }),
          toMarkdown(made),
          toJunit(made),
          toJson(made)
        ]
        for (const text of texts) assert.notMatch(text, unsafe)
      })
  )
})
