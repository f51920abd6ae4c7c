import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AuthError, type Decision, type Principal } from "effect-mcp-auth"
import * as Caller from "../../src/authorization/Caller.ts"
import { authenticate, authorize } from "./steps.ts"
import { bearer, gate, listening, principal, rejected, request, toolCall } from "./support.ts"

type ReportedDecision = Omit<Decision.Decision, "duration" | "explanation">

const anonymous = { issuer: undefined, subject: undefined, clientId: undefined }
const alice = { issuer: "https://issuer.test", subject: "alice", clientId: "client-1" }

describe("Decision", () => {
  it.effect("reports an admitted request to the listener, and logs it at debug level", () =>
    Effect.gen(function*() {
      const { decisions, layer, lines } = listening()
      const { gate: made } = yield* gate()
      yield* authorize(made, {
        caller: principal({ scopes: ["todos:read"] }),
        operations: Effect.succeed(toolCall("list")),
        policy: () => ({ scopes: ["todos:read"], unauthorized: "challenge" })
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual<ReadonlyArray<ReportedDecision>>(decisions, [{
        outcome: "admitted",
        status: 200,
        reason: undefined,
        ...alice,
        operations: ["tools/call list"],
        required: ["todos:read"],
        missing: [],
        failedConditions: []
      }])
      assert.deepStrictEqual(lines.map(({ level, message }) => ({ level, message })), [
        { level: "Debug", message: ["request admitted"] }
      ])
    }))

  it.effect("reports a missing scope with the required and the missing scopes, and logs it at info level", () =>
    Effect.gen(function*() {
      const { decisions, layer, lines } = listening()
      const { gate: made } = yield* gate()
      yield* rejected(authorize(made, {
        caller: principal({ scopes: ["todos:read"] }),
        operations: Effect.succeed(toolCall("add")),
        policy: () => ({ scopes: ["todos:read", "todos:write"], unauthorized: "challenge" })
      })).pipe(Effect.provide(layer))
      const decision: ReportedDecision = {
        outcome: "rejected",
        status: 403,
        reason: "missing-scope",
        ...alice,
        operations: ["tools/call add"],
        required: ["todos:read", "todos:write"],
        missing: ["todos:write"],
        failedConditions: []
      }
      assert.deepStrictEqual(decisions, [decision])
      const { failedConditions: _, ...annotations } = decision
      assert.deepStrictEqual(lines, [{
        level: "Info",
        message: ["request rejected with 403: missing-scope"],
        annotations
      }])
    }))

  it.effect("[T-AUD-18a] logs a foreign Host with what to change, and does not reveal that to the client", () =>
    Effect.gen(function*() {
      const { decisions, explanations, layer, lines } = listening()
      const made = yield* gate({ allowedHosts: ["todos.internal"] })
      const present = (host: ReadonlyArray<string> | undefined) =>
        Effect.provide(rejected(authenticate(made.gate, { ...request(), host })), layer)
      const answers = [
        yield* present(["todos.internal", "host.docker.internal:3000"]),
        yield* present(["\u001b[2J\"\n[12:00:00] INFO: request admitted"]),
        yield* present(["x".repeat(10_000)]),
        yield* present([])
      ]
      for (const { body, status } of answers) {
        assert.deepStrictEqual([status, body], [403, answers[0]!.body])
        assert.notInclude(body, "allowedHosts")
      }
      assert.deepStrictEqual(decisions.map(({ reason }) => reason), Array(4).fill("foreign-host"))
      const line = "request rejected with 403: foreign-host"
      assert.deepStrictEqual(
        lines.map(({ level, message }) => [level, ...message]),
        decisions.map(() => ["Info", line])
      )
      assert.deepStrictEqual(explanations.map((_) => _["receivedUnverified"]), [
        "\"todos.internal\", \"host.docker.internal:3000\"",
        "\"\\u001b[2J\\\"\\n[12:00:00] INFO: request admitted\"",
        `"${"x".repeat(254)}…`,
        "none"
      ])
      for (const { advice, checked, expected } of explanations) {
        assert.deepStrictEqual([checked, expected], ["Host", "\"todos.internal\""])
        assert.strictEqual(
          advice,
          "Let a proxy forward the Host header of the client. If clients reach this server under that name, add it without the port to allowedHosts, or its URL to PublicUrl.byHost"
        )
      }
    }))

  it.effect.each<[
    title: string,
    error: AuthError.AuthError,
    level: string,
    status: number,
    reason: string,
    message: string | undefined
  ]>([
    [
      "no credentials",
      new AuthError.MissingCredentials({ reason: "no-authorization" }),
      "Debug",
      401,
      "no-authorization",
      undefined
    ],
    [
      "another scheme",
      new AuthError.MissingCredentials({ reason: "other-scheme" }),
      "Debug",
      401,
      "other-scheme",
      undefined
    ],
    [
      "a malformed header",
      new AuthError.MalformedRequest({ reason: "not-token68" }),
      "Info",
      400,
      "not-token68",
      undefined
    ],
    ["a bad token", new AuthError.InvalidToken({ reason: "signature" }), "Info", 401, "signature", undefined],
    [
      "an outage",
      new AuthError.AuthorizationServerUnavailable({ reason: "timeout", issuer: "https://issuer.test", retryAfter: 1 }),
      "Warn",
      503,
      "timeout",
      "The authorization server https://issuer.test did not answer in time (timeout)"
    ],
    [
      "[T-AUD-16] an unknown key during the cooldown, which a client can cause",
      new AuthError.AuthorizationServerUnavailable({
        reason: "keys-cooling-down",
        issuer: "https://issuer.test",
        retryAfter: 1
      }),
      "Info",
      503,
      "keys-cooling-down",
      "The authorization server https://issuer.test has no key for the token, and its keys are not fetched again before " +
      "the cooldown ends (keys-cooling-down)"
    ],
    [
      "[T-AUD-10e] a full limit on unknown tokens, which a client can cause",
      new AuthError.AuthorizationServerUnavailable({
        reason: "overloaded",
        issuer: "https://issuer.test",
        retryAfter: 1
      }),
      "Info",
      503,
      "overloaded",
      "The authorization server https://issuer.test receives no further request, because too many are waiting or too " +
      "many tokens or tenants were unknown (overloaded)"
    ],
    [
      "useless metadata, with its fix",
      new AuthError.InvalidMetadata({
        reason: "redirect",
        issuer: "https://issuer.test",
        detail: "it points to https://x.test"
      }),
      "Warn",
      503,
      "redirect",
      "The authorization server https://issuer.test cannot be used (redirect): it points to https://x.test"
    ],
    [
      "wrong credentials of this server",
      new AuthError.AuthorizationServerUnavailable({
        reason: "client-rejected",
        issuer: "https://issuer.test",
        retryAfter: 30
      }),
      "Error",
      503,
      "client-rejected",
      "The authorization server https://issuer.test rejects the credentials of this server (client-rejected)"
    ],
    [
      "a failed connection, with its code",
      new AuthError.AuthorizationServerUnavailable({
        reason: "network",
        issuer: "https://issuer.test",
        retryAfter: 1,
        code: "ENOTFOUND"
      }),
      "Warn",
      503,
      "network",
      "The authorization server https://issuer.test cannot be reached (network, ENOTFOUND)"
    ],
    [
      "an outage of the store of revocations, without naming the authorization server",
      new AuthError.RevocationStoreUnavailable({ reason: "revocation-store-down", retryAfter: 1 }),
      "Warn",
      503,
      "revocation-store-down",
      "The store of revocations is unavailable"
    ],
    [
      "a misconfiguration, with its fix",
      new AuthError.AuthConfigError({ reason: "conflict", option: "jwks", fix: "drop it" }),
      "Error",
      500,
      "conflict",
      "Invalid configuration at jwks: drop it"
    ]
  ])("logs %s at its level", ([_, error, level, status, reason, message]) =>
    Effect.gen(function*() {
      const { decisions, layer, lines } = listening()
      const { gate: { reject } } = yield* gate()
      const rejecting = Effect.withFiber((fiber) => reject(Caller.unknown(fiber), error))
      yield* rejected(rejecting).pipe(Effect.provide(layer))
      assert.deepStrictEqual(decisions.map(({ outcome, reason, status }) => ({ outcome, reason, status })), [
        { outcome: "rejected", reason, status }
      ])
      assert.deepStrictEqual(lines.map(({ level, message }) => ({ level, message })), [
        { level, message: [`request rejected with ${status}: ${reason}`] }
      ])
      assert.deepStrictEqual(lines[0]?.annotations, {
        outcome: "rejected",
        status,
        reason,
        ...(message === undefined ? {} : { error: message })
      })
    }))

  it.effect("reports a rejected origin and a rejected session with their reasons", () =>
    Effect.gen(function*() {
      const { decisions, layer } = listening()
      const { gate: made } = yield* gate()
      yield* rejected(authenticate(made, request({ origin: "https://evil.test" }))).pipe(Effect.provide(layer))
      yield* rejected(authorize(made, {
        caller: principal(),
        session: "s",
        operations: Effect.die("the body was read"),
        policy: () => undefined
      })).pipe(Effect.provide(layer))
      const nothing = { operations: [], required: [], missing: [], failedConditions: [] }
      assert.deepStrictEqual(decisions, [
        { outcome: "rejected", status: 403, reason: "origin", ...anonymous, ...nothing },
        { outcome: "rejected", status: 404, reason: "session", ...alice, ...nothing }
      ])
    }))

  it.effect("reports no decision for a preflight", () =>
    Effect.gen(function*() {
      const { decisions, layer, lines } = listening()
      const { gate: made } = yield* gate()
      const headers = { origin: "https://server.test", "access-control-request-method": "POST" }
      yield* rejected(authenticate(made, request(headers, [], "OPTIONS"))).pipe(Effect.provide(layer))
      assert.deepStrictEqual([decisions, lines], [[], []])
    }))

  it.effect("puts no token, and with details: false no claim except issuer, subject and client, into a log line or a decision", () =>
    Effect.gen(function*() {
      const { decisions, explained, explanations, layer, lines } = listening()
      const { gate: made, issuer } = yield* gate({ decisions: { details: false } })
      const claims = { email: "marked@mail.test", marked: "marked-claim" }
      const good = yield* issuer.mint({ scopes: ["marked:scope"], claims })
      const bad = [
        yield* issuer.mint({ claims, expiresIn: "-1 minute" }),
        yield* issuer.mint({ claims, audience: "https://marked-audience.test" }),
        yield* issuer.mint({ claims: { ...claims, iss: "https://marked-issuer.test" } }),
        `${good.slice(0, -4)}AAAA`,
        `${good} marked`,
        "marked-token",
        `marked-${"x".repeat(20_000)}`
      ]
      const run = Effect.gen(function*() {
        for (const token of bad) yield* rejected(authenticate(made, bearer(token)))
        const caller = (yield* authenticate(made, bearer(good))) as Principal
        yield* rejected(authorize(made, {
          caller,
          operations: Effect.succeed(toolCall("add")),
          policy: () => ({ scopes: ["todos:write"], unauthorized: "challenge" })
        }))
      })
      yield* run.pipe(Effect.provide(layer))
      assert.strictEqual(decisions.length, bad.length + 1)
      assert.isAtLeast(lines.length, bad.length + 1)
      const reportedText = JSON.stringify([decisions, explained, explanations, lines])
      for (const secret of ["marked", good, ...bad, ...good.split(".")]) assert.notInclude(reportedText, secret)
      assert.include(reportedText, "alice")
    }))
})
