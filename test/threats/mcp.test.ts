import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Redacted, Result, Schema } from "effect"
import { AuthError, Decision, type Principal } from "effect-mcp-auth"
import { Gate, ProtectedResource } from "effect-mcp-auth/host"
import { FetchHttpClient, HttpServerRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { request as nodeRequest } from "node:http"
import { authenticate, authorize } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"
import * as Running from "./Running.ts"

const {
  assertInvalidToken,
  bearer,
  challengeOf,
  goodClaims,
  goodHeader,
  messageHeaders,
  resultOf,
  segment
} = Running

const mint = (server: Running.Running, scopes: ReadonlyArray<string> = ["todos:read"], subject = "alice") =>
  server.issuer.mint({ scopes, subject })

const legacyHeaders = (token: string, session?: string) => ({
  ...bearer(token),
  accept: "application/json, text/event-stream",
  "content-type": "application/json",
  "mcp-protocol-version": "2025-11-25",
  ...(session === undefined ? {} : { "mcp-session-id": session })
})

const rpc = (method: string, params: object = {}) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
const notification = (method: string, params: object = {}) => JSON.stringify({ jsonrpc: "2.0", method, params })

/** Opens a session of MCP 2025-11-25, and returns its id. */
const initialize = Effect.fnUntraced(function*(server: Running.Running, token: string) {
  const { "mcp-protocol-version": _, ...headers } = legacyHeaders(token)
  const answer = yield* server.send({
    headers,
    body: rpc("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "test", version: "1.0.0" }
    })
  })
  resultOf(answer)
  const session = String(answer.headers["mcp-session-id"])
  assert.match(session, /^[\x21-\x7e]+$/)
  const initialized = yield* server.send({
    headers: legacyHeaders(token, session),
    body: notification("notifications/initialized")
  })
  assert.strictEqual(initialized.status, 202)
  return session
})

/** Returns status and body, without the names of operations. Everything else must be the same in the compared responses. */
const withoutNames = ({ body, status }: Running.Answer) => ({
  status,
  body: body.replaceAll(/purge|secret_prompt|missing/g, "_")
})

describe("MCP", () => {
  it.effect("T-MCP-02 ignores headers that contradict the body", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server)
      const session = yield* initialize(server, token)
      const body = rpc("tools/call", { name: "add_todo", arguments: { title: "x" } })
      for (
        const lie of [{ "mcp-method": "tools/list" }, { "mcp-method": "tools/call", "mcp-name": "list_todos" }, {}]
      ) {
        const old = yield* server.send({ headers: { ...legacyHeaders(token, session), ...lie }, body })
        assert.strictEqual(old.status, 403)
        assert.include(challengeOf(old)["scope"], "todos:write")
        const { "mcp-protocol-version": _, ...versionless } = legacyHeaders(token, session)
        assert.strictEqual((yield* server.send({ headers: { ...versionless, ...lie }, body })).status, 403)
        const params = { name: "add_todo", arguments: { title: "x" } }
        const current = yield* server.message("tools/call", params, { ...bearer(token), ...lie })
        assert.strictEqual(current.status, 403)
      }
      // If the token has the scope, the request reaches the server, which rejects the mismatch of header and body.
      const writer = yield* mint(server, ["todos:read", "todos:write"])
      const mismatch = yield* server.call("add_todo", { ...bearer(writer), "mcp-name": "list_todos" }, { title: "x" })
      assert.strictEqual(mismatch.status, 400)
      assert.strictEqual(JSON.parse(mismatch.body).error.code, -32020)
    }))

  it.effect("T-MCP-04 treats a name that resembles that of a tool as unknown", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server)
      const missing = withoutNames(yield* server.call("missing", bearer(token)))
      for (
        const name of [
          "Purge",
          "purge ",
          "purge/",
          "__proto__",
          "toString",
          "constructor",
          "hasOwnProperty",
          "add_todo ",
          "ADD_TODO"
        ]
      ) {
        const answer = yield* server.call(name, bearer(token), { title: "x" })
        assert.strictEqual(answer.status, missing.status, name)
        assert.isUndefined(JSON.parse(answer.body).result, name)
        assert.strictEqual(JSON.parse(answer.body).error.code, JSON.parse(missing.body).error.code, name)
      }
      const session = yield* initialize(server, token)
      for (const method of ["Tools/Call", "tools/call/", "tools\\/call ", "TOOLS/CALL"]) {
        const answer = yield* server.send({
          headers: legacyHeaders(token, session),
          body: rpc(method, { name: "add_todo", arguments: { title: "x" } })
        })
        assert.notInclude(answer.body, "\"result\"", method)
      }
    }))

  it.effect("T-MCP-05 every method passes the gate, including notifications and responses", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server, ["other"])
      const session = yield* initialize(server, token)
      const scoped = [
        notification("tools/call", { name: "add_todo", arguments: { title: "x" } }),
        rpc("resources/read", { uri: "todo://1" }),
        rpc("resources/subscribe", { uri: "todo://1" }),
        rpc("completion/complete", {
          ref: { type: "ref/resource", uri: "todo://{id}" },
          argument: { name: "id", value: "1" }
        }),
        `[${rpc("ping")},${rpc("tools/call", { name: "list_todos", arguments: {} })}]`
      ]
      for (const body of scoped) {
        const answer = yield* server.send({ headers: legacyHeaders(token, session), body })
        assert.strictEqual(answer.status, 403, body)
        assert.strictEqual(challengeOf(answer)["error"], "insufficient_scope")
      }
      // Without credentials, every method is rejected.
      const { authorization: _, ...anonymous } = legacyHeaders(token, session)
      for (
        const body of [
          ...scoped,
          rpc("ping"),
          rpc("server/discover"),
          rpc("tasks/list"),
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"
        ]
      ) {
        assert.strictEqual((yield* server.send({ headers: anonymous, body })).status, 401, body)
      }
      const strict = yield* Running.start({ auth: { unlisted: "deny" } })
      const denied = yield* strict.call("whoami", bearer(yield* mint(strict)))
      assert.strictEqual(denied.status, 403)
      assert.isEmpty(denied.challenges)
    }))

  it.effect("T-MCP-06 a session belongs to its owner", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const alice = yield* mint(server)
      const session = yield* initialize(server, alice)
      const others = [
        yield* mint(server, ["todos:read"], "bob"),
        yield* server.issuer.mint({ scopes: ["todos:read"], clientId: "client-2" })
      ]
      const body = rpc("tools/call", { name: "list_todos", arguments: {} })
      for (const token of others) {
        for (const method of ["POST", "GET", "DELETE"]) {
          const answer = yield* server.send({
            method,
            headers: legacyHeaders(token, session),
            ...(method === "POST" ? { body } : {})
          })
          assert.strictEqual(answer.status, 404, method)
        }
      }
      const { authorization: _, ...anonymous } = legacyHeaders(alice, session)
      assert.strictEqual((yield* server.send({ headers: anonymous, body })).status, 401)
      assert.strictEqual((yield* server.send({ method: "DELETE", headers: anonymous })).status, 401)
      resultOf(yield* server.send({ headers: legacyHeaders(alice, session), body }))
    }))

  it.effect("T-MCP-08 a long stream ends with its token, and reconnecting requires another token", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* server.issuer.mint({ scopes: ["todos:read"], expiresIn: "2 seconds" })
      const stream = yield* Effect.forkChild(
        server.message("subscriptions/listen", { notifications: { toolsListChanged: true } }, bearer(token)),
        { startImmediately: true }
      )
      yield* Running.until("the stream", () => server.decisions.some(({ outcome }) => outcome === "admitted"))
      yield* Running.breathe(50)
      yield* TestClock.adjust("1999 millis")
      yield* Running.breathe(50)
      assert.isUndefined(stream.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const answer = yield* Fiber.join(stream)
      assert.strictEqual(answer.status, 200)
      assert.include(String(answer.headers["content-type"]), "text/event-stream")
      const again = yield* server.message("subscriptions/listen", {}, { ...bearer(token), "last-event-id": "1" })
      assertInvalidToken(server, again)
      // A GET with `Last-Event-ID` resumes no stream, so no event reaches another caller.
      const bob = yield* mint(server, ["todos:read"], "bob")
      const resumed = yield* server.send({ method: "GET", headers: { ...bearer(bob), "last-event-id": "1" } })
      assert.strictEqual(resumed.status, 405)
    }))

  it.effect("T-MCP-09 a hidden operation looks like a missing one", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server)
      const names = (answer: Running.Answer, key: string) => resultOf(answer)[key].map((_: { name: string }) => _.name)
      assert.notInclude(names(yield* server.message("tools/list", {}, bearer(token)), "tools"), "purge")
      assert.notInclude(names(yield* server.message("prompts/list", {}, bearer(token)), "prompts"), "secret_prompt")
      assert.deepStrictEqual(
        withoutNames(yield* server.call("purge", bearer(token))),
        withoutNames(yield* server.call("missing", bearer(token)))
      )
      const get = (name: string) => server.message("prompts/get", { name }, bearer(token))
      assert.deepStrictEqual(withoutNames(yield* get("secret_prompt")), withoutNames(yield* get("missing")))
      const complete = (name: string) =>
        server.message("completion/complete", {
          ref: { type: "ref/prompt", name },
          argument: { name: "a", value: "" }
        }, bearer(token))
      assert.deepStrictEqual(withoutNames(yield* complete("secret_prompt")), withoutNames(yield* complete("missing")))
      const admin = yield* mint(server, ["admin"])
      assert.include(names(yield* server.message("tools/list", {}, bearer(admin)), "tools"), "purge")
      resultOf(yield* server.call("purge", bearer(admin)))
    }))

  it.effect("T-MCP-10 the token alone determines the caller", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server)
      const claimed = { clientId: "admin", scopes: ["admin"], token: "x", subject: "admin" }
      const answer = yield* server.message("tools/call", {
        name: "whoami",
        arguments: {},
        _meta: {
          authInfo: claimed,
          "io.modelcontextprotocol/clientInfo": { name: "admin", version: "1.0.0" }
        }
      }, {
        ...bearer(token),
        "x-user": "admin",
        "x-forwarded-user": "admin",
        "x-scopes": "admin"
      })
      const { key, scopes } = resultOf(answer).structuredContent
      assert.deepStrictEqual(JSON.parse(key), [server.issuer.issuer, "client-1", "alice"])
      assert.deepStrictEqual(scopes, ["todos:read"])
      const argued = yield* server.call("add_todo", bearer(token), { title: "x", userId: "admin", authInfo: claimed })
      assert.strictEqual(argued.status, 403)
    }))

  it.effect("T-MCP-12 clients that disconnect leave no state, and do not affect others", () =>
    Effect.gen(function*() {
      let alive = 0
      const count: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: () => void alive++,
        recordFiberEnd: () => void alive--
      }
      const server = yield* Running.start({ provide: Layer.empty }).pipe(
        Effect.provideService(Metric.FiberRuntimeMetrics, count)
      )
      const token = yield* mint(server)
      const resting = alive
      yield* server.issuer.fail({ _tag: "Hang" })
      const body = rpc("ping")
      for (let round = 0; round < 10; round++) {
        const leaving = Array.from({ length: 100 }, () => {
          const request = nodeRequest({
            host: "127.0.0.1",
            port: server.port,
            path: "/mcp",
            method: "POST",
            agent: false,
            headers: { ...messageHeaders("ping"), ...bearer(token), "content-length": body.length }
          })
          request.on("error", () => {})
          request.end(body)
          return request
        })
        yield* Running.until("their arrival", () => server.sockets() === 100)
        yield* Running.breathe(20)
        for (const request of leaving) request.destroy()
        yield* Running.until("their end", () => server.sockets() === 0)
      }
      // The only fetch is still pending. Later requests wait for the same fetch.
      assert.strictEqual((yield* server.issuer.requests).length, 1)
      // The pending look-up needs fewer than ten fibers. If each disconnected client left a fiber, a thousand would remain.
      yield* Running.until("the end of their fibers", () => alive <= resting + 10)
      const patient = yield* Effect.forkChild(server.call("list_todos", bearer(token)), { startImmediately: true })
      yield* Running.until("the patient one", () => server.sockets() === 1)
      yield* Running.breathe(20)
      yield* server.issuer.recover
      // After five seconds, the hanging fetch times out, and the same look-up continues with the next well-known URL.
      yield* TestClock.adjust("5 seconds")
      resultOf(yield* Fiber.join(patient))
      yield* Running.until("the last connection's end", () => server.sockets() === 0)
      // The fiber that watches the deadlines of bodies ends at its next run, since no body is pending.
      yield* TestClock.adjust("1 second")
      yield* Running.until("rest", () => alive <= resting)
    }))

  it.effect("T-MCP-13 one challenge names every missing scope", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* mint(server, ["other"])
      const rejected = yield* server.call("add_todo", bearer(token), { title: "x" })
      assert.strictEqual(rejected.status, 403)
      const scopes = challengeOf(rejected)["scope"]!.split(" ")
      assert.deepStrictEqual(scopes, ["todos:read", "todos:write"])
      resultOf(yield* server.call("add_todo", bearer(yield* mint(server, scopes)), { title: "x" }))
      // The same request gets the same challenge, so a client can detect that another attempt does not help.
      assert.deepStrictEqual(
        (yield* server.call("add_todo", bearer(token), { title: "x" })).challenges,
        rejected.challenges
      )
    }))

  it.effect("T-MCP-14 internal failures reject the request", () =>
    Effect.gen(function*() {
      const resource = Result.getOrThrow(
        ProtectedResource.make({ resource: "https://server.test/mcp", scopes: ["todos:read"] }, ["https://issuer.test"])
      )
      const gateOf = (verify: () => Effect.Effect<any, any>, claims?: Gate.Options["claims"]) =>
        Gate.make({
          resource,
          verifier: { verify },
          requestState: undefined as never,
          allowedOrigins: [],
          challengeScopes: "auto",
          unlisted: "allow",
          anonymous: "deny",
          claims
        })
      const request = { method: "POST", header: () => undefined, authorization: ["Bearer a.b.c"] }
      const principal = { issuer: "i", subject: "s", scopes: new Set(), key: "k" } as unknown as Principal
      const broken: ReadonlyArray<readonly [string, Gate.Gate]> = [
        ["a verifier that dies", gateOf(() => Effect.die(new Error("defect")))],
        [
          "a verifier that throws",
          gateOf(() => {
            throw new Error("thrown")
          })
        ],
        ["a verifier that returns null", gateOf(() => Effect.succeed(null))],
        ["a verifier that returns undefined", gateOf(() => Effect.succeed(undefined))],
        ["a verifier that returns true", gateOf(() => Effect.succeed(true))],
        [
          "claims that throw",
          gateOf(() => Effect.succeed(principal), () => {
            throw new Error("thrown")
          })
        ],
        ["claims that do not match", gateOf(() => Effect.succeed(principal), () => Result.fail("no"))]
      ]
      for (const [title, gate] of broken) {
        const exit = yield* Effect.exit(
          Effect.flatMap(authenticate(gate, request), (caller) =>
            authorize(gate, {
              caller: caller as Principal,
              operations: Effect.succeed([]), // Without an operation, no scope is required, so only the broken part can reject.
              policy: () => ({ scopes: ["todos:read"], unauthorized: "challenge" })
            }))
        )
        assert.strictEqual(exit._tag, "Failure", title)
      }
      // A running server also rejects the request if the decision listener fails, or if the claims do not match the schema.
      const listening = yield* Running.start({
        provide: Layer.succeed(Decision.DecisionListener, () => Effect.die(new Error("listener")))
      })
      assert.include([401, 500], (yield* listening.call("list_todos", {})).status)
      const strict = yield* Running.start({
        auth: {
          claims: {
            service: HttpServerRequest.HttpServerRequest as never,
            decode: Schema.decodeUnknownResult(Schema.Struct({ tenant: Schema.String }))
          }
        }
      })
      assertInvalidToken(strict, yield* strict.call("list_todos", bearer(yield* mint(strict))))
      // A layer with an incomplete configuration cannot be built.
      for (
        const half of [
          { resource: "https://server.test/mcp", scopes: ["a"] },
          { resource: "https://server.test/mcp", authorizationServers: [], scopes: ["a"] },
          { authorizationServers: ["https://issuer.test"], scopes: ["a"] },
          { resource: "https://server.test/mcp", authorizationServers: ["https://issuer.test"] },
          {
            resource: "https://server.test/mcp",
            authorizationServers: ["https://issuer.test"],
            scopes: { baseline: [] }
          }
        ]
      ) {
        const error = yield* Layer.build(
          gateLayer(half as never).pipe(Layer.provide(FetchHttpClient.layer))
        ).pipe(Effect.flip)
        assert.instanceOf(error, AuthError.AuthConfigError)
      }
      const token = yield* listening.issuer.signSegments(segment(goodHeader), segment(goodClaims(listening)))
      assert.notInclude(String(Redacted.make(token)), token)
    }))
})
