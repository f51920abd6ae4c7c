import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Schema } from "effect"
import { AuthError, Principal, RequestState } from "effect-mcp-auth"
import type { Gate } from "effect-mcp-auth/host"
import { Operation } from "effect-mcp-auth/protocol"
import { TestClock } from "effect/testing"
import { authenticate, authorize, type Call } from "./steps.ts"
import { bearer, gate, metadataUrl, principal, rejected, request, resource, toolCall } from "./support.ts"

/** A body that must not be read. */
const unread: Effect.Effect<ReadonlyArray<Operation.Operation>> = Effect.die("the body was read")

const policies: Readonly<Record<string, Gate.OperationPolicy>> = {
  open: { scopes: [], unauthorized: "challenge" },
  list: { scopes: ["todos:read"], unauthorized: "challenge" },
  add: { scopes: ["todos:read", "todos:write"], unauthorized: "challenge" },
  purge: { scopes: ["todos:admin"], unauthorized: "hide" }
}

const policy = ({ target }: Operation.Operation): Gate.OperationPolicy | undefined =>
  target !== undefined && Object.hasOwn(policies, target) ? policies[target] : undefined

const call = (
  caller: Principal,
  operations: Call<never>["operations"],
  rest: Partial<Call<never>> = {}
): Call<never> => ({
  caller,
  protocolVersion: "2026-07-28",
  operations,
  policy,
  ...rest
})

const batch = (...names: ReadonlyArray<string>) => Effect.succeed(names.flatMap((name) => [...toolCall(name)]))

/** Returns the scopes that the challenge of a rejection names. */
const namedScopes = (rejection: { readonly headers: Readonly<Record<string, string>> }): string | undefined =>
  /scope="([^"]*)"/.exec(rejection.headers["www-authenticate"] ?? "")?.[1]

describe("Gate.authenticate", () => {
  it.effect("HDR-07 a good token provides its principal, and many requests cause one fetch from the issuer", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const token = yield* issuer.mint({ subject: "alice", scopes: ["todos:read"], clientId: "c" })
      for (const scheme of ["Bearer", "bearer", "BEARER", "BeArEr"]) {
        const caller = yield* authenticate(made, request({}, [`${scheme} ${token}`]))
        assert.isObject(caller)
        if (typeof caller === "object") {
          assert.deepStrictEqual([caller.issuer, caller.subject, caller.clientId], [issuer.issuer, "alice", "c"])
          assert.deepStrictEqual([...caller.scopes], ["todos:read"])
        }
      }
      assert.strictEqual((yield* issuer.requests).length, 2)
    }))

  it.effect.each<[title: string, authorization: ReadonlyArray<string>, status: number, reason: string]>([
    ["HDR-01 no header", [], 401, "no-authorization"],
    ["HDR-03 a scheme alone", ["Bearer"], 400, "no-token"],
    ["HDR-04 several words", ["Bearer a b c"], 400, "not-token68"],
    ["HDR-06 a word without a scheme", ["abc"], 401, "other-scheme"],
    ["HDR-09 an unknown scheme", ["mac abc"], 401, "other-scheme"],
    ["HDR-11 a tab", ["Bearer\tabc"], 400, "not-token68"],
    ["HDR-12 two lines", ["Bearer a", "Bearer b"], 400, "several-authorization-headers"]
  ])("%s: the verifier is not called", ([_, authorization, status, reason]) =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const rejection = yield* rejected(authenticate(made, request({}, authorization)))
      assert.deepStrictEqual([rejection.status, rejection.reason], [status, reason])
      assert.include(rejection.headers["www-authenticate"], `resource_metadata="${metadataUrl}"`)
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect.each<[title: string, origin: string, status: number]>([
    ["MCP-09 a look-alike subdomain", "https://server.test.evil.test", 403],
    ["MCP-09 a look-alike host", "https://notserver.test", 403],
    ["MCP-09 the same host over http", "http://server.test", 403],
    ["MCP-09 the same host on another port", "https://server.test:8443", 403],
    ["MCP-09 null", "null", 403],
    ["MCP-09 an origin that does not parse", "::::", 403],
    ["MCP-09 an empty origin", "", 403],
    ["MCP-09 another case", "https://SERVER.test", 403],
    ["MCP-09 a trailing slash", "https://server.test/", 403],
    ["MCP-09 two origins", "https://server.test, https://evil.test", 403],
    ["the origin of the resource", "https://server.test", 401],
    ["an origin that is allowed", "https://app.test", 401]
  ])("%s: %s gets %i, before the credentials are read", ([_, origin, status]) =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate({ allowedOrigins: ["https://app.test"] })
      for (const method of ["POST", "GET", "DELETE"]) {
        const rejection = yield* rejected(authenticate(made, request({ origin }, [], method)))
        assert.strictEqual(rejection.status, status)
      }
      // A valid token does not admit a request with a rejected origin.
      const token = yield* issuer.mint()
      const result = yield* Effect.result(authenticate(made, bearer(token, { origin })))
      assert.strictEqual(result._tag, status === 403 ? "Failure" : "Success")
    }))

  it.effect("[T-AUD-02a] a preflight is answered; an OPTIONS request of another kind needs a token", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const origin = "https://server.test"
      const asking = { origin, "access-control-request-method": "POST" }
      // Credentials on a preflight have no effect, because browsers send preflights without credentials.
      for (const lines of [[], ["Bearer x"], [`Bearer ${yield* issuer.mint()}`]]) {
        const answer = yield* rejected(authenticate(made, request(asking, lines, "OPTIONS")))
        assert.deepStrictEqual([answer.status, answer.reason, answer.body], [204, "preflight", ""])
        assert.strictEqual(answer.headers["access-control-allow-origin"], origin)
      }
      for (
        const other of [
          request({ origin }, [], "OPTIONS"),
          request({ "access-control-request-method": "POST" }, [], "OPTIONS"),
          request(asking, [], "POST"),
          request(asking, [], "GET")
        ]
      ) {
        assert.strictEqual((yield* rejected(authenticate(made, other))).status, 401)
      }
      const foreign = yield* rejected(
        authenticate(made, request({ ...asking, origin: "https://evil.test" }, [], "OPTIONS"))
      )
      assert.strictEqual(foreign.status, 403)
    }))

  it.effect("CHAL-17 an expired token that also lacks a scope is reported as expired", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const token = yield* issuer.mint({ scopes: [], expiresIn: "1 minute" })
      yield* authenticate(made, bearer(token))
      yield* TestClock.adjust("1 minute")
      const rejection = yield* rejected(authenticate(made, bearer(token)))
      assert.deepStrictEqual([rejection.status, rejection.reason], [401, "expired"])
    }))

  it.effect("SCOPE-12 claims that do not match the schema reject the token, and a schema that throws is a 500", () =>
    Effect.gen(function*() {
      class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("test/Tenant") {}
      const schema = Schema.Struct({
        tenant: Schema.String.check(Schema.makeFilter((tenant) => {
          if (tenant === "throws") throw new Error("a secret of the check")
          return tenant !== "rejected"
        }))
      })
      const { gate: made, issuer } = yield* gate({
        claims: { service: Tenant, decode: Schema.decodeUnknownResult(schema as never) } as never
      })
      const attempt = (tenant: unknown) =>
        Effect.flatMap(issuer.mint({ claims: { tenant } }), (token) => authenticate(made, bearer(token)))
      const caller = yield* attempt("acme")
      assert.isObject(caller)
      if (typeof caller === "object") {
        assert.strictEqual(
          Context.getUnsafe(made.provideCaller(Context.empty(), caller) as Context.Context<any>, Tenant).tenant,
          "acme"
        )
      }
      for (const tenant of [undefined, 1, "rejected", "throws"]) {
        const rejection = yield* rejected(attempt(tenant))
        assert.deepStrictEqual(
          [rejection.status, rejection.reason],
          tenant === "throws" ? [500, "broken"] : [401, "claims"]
        )
        assert.notInclude(JSON.stringify([rejection.headers, rejection.body]), "secret")
      }
    }))

  it.effect("a request has its principal, its claims and its state as services, and none of another request", () =>
    Effect.gen(function*() {
      const { gate: { provideCaller } } = yield* gate()
      const alice = principal()
      const context = provideCaller(Context.empty(), alice)
      assert.strictEqual(Context.get(context, Principal), alice)
      assert.isDefined(Context.get(context, RequestState.RequestState))
    }))
})

describe("Gate.authorize", () => {
  it.effect.each<{
    readonly title: string
    readonly granted: ReadonlyArray<string>
    readonly calls: ReadonlyArray<string>
    /** The scopes that the 403 names; `undefined` if the request is admitted. */
    readonly expected: string | undefined
  }>([
    {
      title: "SCOPE-07 a scope other than the required one",
      granted: ["todos:admin"],
      calls: ["list"],
      expected: "todos:read"
    },
    {
      title: "SCOPE-09 one of two scopes: the challenge names both",
      granted: ["todos:read"],
      calls: ["add"],
      expected: "todos:read todos:write"
    },
    { title: "CHAL-03 no scope", granted: [], calls: ["add"], expected: "todos:read todos:write" },
    { title: "both", granted: ["todos:read", "todos:write"], calls: ["add"], expected: undefined },
    { title: "an open tool", granted: [], calls: ["open"], expected: undefined },
    { title: "an unknown tool: the server answers", granted: [], calls: ["nope"], expected: undefined },
    { title: "a name of Object.prototype", granted: [], calls: ["constructor"], expected: undefined },
    {
      title: "SCOPE-14 a hidden tool: the server answers as for an unknown tool",
      granted: [],
      calls: ["purge"],
      expected: undefined
    },
    {
      title: "SCOPE-10 a batch: the challenge names the union",
      granted: ["todos:read"],
      calls: ["list", "open", "add"],
      expected: "todos:read todos:write"
    },
    {
      title: "a batch with a hidden tool: its scopes are not named",
      granted: [],
      calls: ["purge", "list"],
      expected: "todos:read"
    },
    {
      title: "a batch whose operations are all allowed",
      granted: ["todos:read", "todos:write"],
      calls: ["list", "add", "open"],
      expected: undefined
    },
    { title: "no operation", granted: [], calls: [], expected: undefined }
  ])("$title", ({ calls, expected, granted }) =>
    Effect.gen(function*() {
      const { gate: made } = yield* gate({ challengeScopes: "required" })
      const result = yield* Effect.result(authorize(made, call(principal({ scopes: granted }), batch(...calls))))
      if (result._tag === "Success") {
        assert.isUndefined(expected)
        assert.strictEqual(result.success.length, calls.length)
      } else {
        assert.strictEqual(result.failure.status, 403)
        assert.strictEqual(namedScopes(result.failure), expected)
      }
    }))

  it.effect("SCOPE-07 a scope of the hierarchy grants the scopes that it implies", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate({
        scopeHierarchy: { "todos:admin": ["todos:write"], "todos:write": ["todos:read"] }
      })
      const token = yield* issuer.mint({ scopes: ["todos:admin"] })
      const caller = (yield* authenticate(made, bearer(token))) as Principal
      assert.deepStrictEqual([...caller.scopes].sort(), ["todos:admin", "todos:read", "todos:write"])
      assert.deepStrictEqual([...caller.granted], ["todos:admin"])
      yield* authorize(made, call(caller, batch("add", "list", "purge")))
    }))

  it.effect("`unlisted: \"deny\"` rejects only tools, prompts and resources without scopes", () =>
    Effect.gen(function*() {
      const { gate: made } = yield* gate({ unlisted: "deny" })
      const alice = principal({ scopes: ["todos:read"] })
      const rejection = yield* rejected(authorize(made, call(alice, batch("list", "open"))))
      assert.deepStrictEqual([rejection.status, rejection.reason, rejection.headers["www-authenticate"]], [
        403,
        "unlisted",
        undefined
      ])
      yield* authorize(made, call(alice, batch("list")))
      yield* authorize(made, call(alice, batch("nope")))
      for (const method of ["initialize", "tools/list", "ping", "server/discover"]) {
        yield* authorize(made, call(alice, Effect.fromResult(Operation.fromBody({ jsonrpc: "2.0", id: 1, method }))))
      }
    }))

  it.effect("SESS-01 answers 404 for the session of another caller, before the body is read", () =>
    Effect.gen(function*() {
      const { gate: made } = yield* gate()
      const alice = principal()
      made.sessions.streams.bind("s", alice)
      const otherCallers = [
        principal({ subject: "bob" }),
        principal({ clientId: "client-2" }),
        principal({ issuer: "https://other.test" })
      ]
      for (const otherCaller of otherCallers) {
        const rejection = yield* rejected(authorize(made, call(otherCaller, unread, { session: "s" })))
        assert.deepStrictEqual([rejection.status, rejection.body], [404, ""])
      }
      const unknown = yield* rejected(authorize(made, call(alice, unread, { session: "other" })))
      assert.strictEqual(unknown.status, 404)
      yield* authorize(made, call(alice, batch("open"), { session: "s" }))
    }))

  it.effect.each<[reason: AuthError.MalformedRequest["reason"], status: number]>([
    ["content-type", 415],
    ["too-large", 413],
    ["not-json", 400]
  ])("checks the body before the scopes: %s is %i", ([reason, status]) =>
    Effect.gen(function*() {
      const { gate: made } = yield* gate()
      const rejection = yield* rejected(
        authorize(made, call(principal(), Effect.fail(new AuthError.MalformedRequest({ reason }))))
      )
      assert.deepStrictEqual([rejection.status, rejection.headers["www-authenticate"]], [status, undefined])
    }))

  it.effect("the gate has the resource that it protects", () =>
    Effect.gen(function*() {
      const made = yield* gate()
      assert.strictEqual(made.gate.resource.resource, resource)
      assert.strictEqual(made.gate.resource.metadataUrl, metadataUrl)
      assert.isTrue(made.gate.published.allowsOrigin("https://server.test"))
      assert.isFalse(made.gate.published.allowsOrigin("https://evil.test"))
    }))
})
