import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, References, Schema } from "effect"
import { AuthLayer, Decision, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Challenge } from "effect-mcp-auth/protocol"
import {
  DpopClient,
  expectAdmitted,
  expectChallenge,
  expectRejected,
  TestClient,
  TestIssuer
} from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { runInNewContext } from "node:vm"
import { authLayer } from "../servers/gates.ts"
import { now } from "./support.ts"

const resource = "https://server.test/mcp"
const WhoAmI = requireScopes("a")(Tool.make("whoami", { success: Schema.String }))
const Write = requireScopes("b")(
  Tool.make("write", { parameters: Schema.Struct({ text: Schema.String }), success: Schema.String })
)
const Tools = Toolkit.make(WhoAmI, Write)

const Server = McpAuth.layerHttp({
  name: "test",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
  registrations: McpAuth.toolkit(Tools).pipe(
    Layer.provide(Tools.toLayer({
      whoami: () => Effect.map(Principal, ({ subject }) => subject ?? "no subject"),
      write: ({ text }) => Effect.succeed(text)
    }))
  )
})

const auth = {
  resource,
  authorizationServers: ["https://issuer.test"],
  scopes: { baseline: ["a"], stepUp: ["b"] }
} as const

/**
 * Two servers. The gate of the first sends its requests with Effect's fetch client, and the gate of the second sends its
 * requests with the client of the issuer.
 */
const servers = [
  { title: "make", protected: Server.pipe(Layer.provide(AuthLayer.make(auth))) },
  { title: "layer", protected: Server.pipe(Layer.provide(authLayer(auth))) }
]

const alice: TestClient.TestUser = { subject: "alice", scopes: ["a"] }
const start = TestClock.setTime(now * 1000)

describe.each(["2026-07-28", "2025-11-25"] as const)("MCP %s", (protocol) => {
  describe.each(servers)("AuthLayer.$title", ({ protected: server }) => {
    layer(TestClient.layer(server, { protocol }).pipe(Layer.provideMerge(TestIssuer.layer())))((it) => {
      it.effect("returns the result and the decision for the user that calls", () =>
        Effect.gen(function*() {
          yield* start
          const client = yield* TestClient.TestClient
          const response = yield* client.callTool("whoami").pipe(TestClient.as(alice), expectAdmitted)
          assert.strictEqual(response.value, "alice")
          assert.strictEqual(
            (yield* client.callTool("whoami").pipe(TestClient.as({ ...alice, subject: "bob" }))).value,
            "bob"
          )
          assert.deepStrictEqual(response.decisions.map(({ outcome, subject }) => [outcome, subject]), [[
            "admitted",
            "alice"
          ]])
          const tools = yield* client.listTools.pipe(TestClient.as(alice))
          assert.deepStrictEqual((tools.result!["tools"] as ReadonlyArray<any>).map(({ name }) => name), [
            "whoami",
            "write"
          ])
        }))

      it.effect("returns the challenge for an anonymous caller", () =>
        Effect.gen(function*() {
          yield* start
          const client = yield* TestClient.TestClient
          const response = yield* client.callTool("whoami").pipe(
            expectChallenge({ error: null, scope: ["a"] }),
            expectRejected("no-authorization")
          )
          assert.strictEqual(response.status, 401)
          assert.strictEqual(
            response.challenge?.parameters.get("resource_metadata"),
            "https://server.test/.well-known/oauth-protected-resource/mcp"
          )
        }))

      it.effect("returns the challenge for a missing scope", () =>
        Effect.gen(function*() {
          yield* start
          const client = yield* TestClient.TestClient
          const response = yield* client.callTool("write", { text: "x" }).pipe(
            TestClient.as(alice),
            expectChallenge({ scope: protocol === "2026-07-28" ? ["b"] : ["a", "b"] }),
            expectRejected("missing-scope")
          )
          assert.strictEqual(response.status, 403)
          assert.isUndefined(response.result)
        }))

      it.effect("uses the clock of the test", () =>
        Effect.gen(function*() {
          yield* start
          const client = yield* TestClient.TestClient
          const issuer = yield* TestIssuer.TestIssuer
          const token = yield* issuer.mint(alice)
          yield* client.callTool("whoami").pipe(TestClient.as(token), expectAdmitted)
          yield* TestClock.adjust("5 minutes")
          yield* client.callTool("whoami").pipe(TestClient.as(token), expectRejected("expired"))
        }))

      it.effect("returns the reason for which a forgery is rejected", () =>
        Effect.gen(function*() {
          yield* start
          const client = yield* TestClient.TestClient
          const issuer = yield* TestIssuer.TestIssuer
          const token = yield* issuer.mintBroken("audience-other", alice)
          yield* client.callTool("whoami").pipe(TestClient.as(token), expectRejected("audience"))
        }))

      it.effect("explains in a failed assertion why a request was rejected, as the log does", () =>
        Effect.gen(function*() {
          yield* start
          const client = yield* TestClient.TestClient
          const messageOf = (call: Effect.Effect<unknown>) =>
            Effect.map(
              Effect.exit(call),
              (exit) => Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "admitted"
            )
          const other = { ...alice, audience: "https://other.test/mcp" }
          const audience = yield* messageOf(
            client.callTool("whoami").pipe(TestClient.as(other), expectAdmitted, Effect.orDie)
          )
          assert.include(
            audience,
            "(reason of the gate: audience; checked aud; expected \"https://server.test/mcp\"; received "
          )
          assert.include(audience, "https://other.test/mcp")
          assert.include(audience, "; Let the authorization server issue tokens for the expected audience.")
          const scope = yield* messageOf(
            client.callTool("write", { text: "x" }).pipe(
              TestClient.as({ ...alice, scopes: ["a"] }),
              expectAdmitted,
              Effect.orDie
            )
          )
          assert.include(scope, "(reason of the gate: missing-scope; missing scopes b; ")
        }))
    })
  })
})

layer(TestClient.layer(servers[0]!.protected, { protocol: "2025-11-25" }).pipe(Layer.provideMerge(TestIssuer.layer())))(
  "sessions",
  (it) => {
    it.effect("are rejected for another user", () =>
      Effect.gen(function*() {
        yield* start
        const client = yield* TestClient.TestClient
        const opened = yield* client.openSession.pipe(TestClient.as(alice), expectAdmitted)
        const session = opened.headers["mcp-session-id"]
        assert(session !== undefined)
        const call = client.callTool("whoami").pipe(TestClient.inSession(session))
        yield* call.pipe(TestClient.as(alice), expectAdmitted)
        const stolen = yield* call.pipe(TestClient.as({ ...alice, subject: "mallory" }), expectRejected("session"))
        assert.strictEqual(stolen.status, 404)
      }))
  }
)

describe("the decisions of the gate", () => {
  it.effect("reach the listener of the test as well", () =>
    Effect.gen(function*() {
      yield* start
      const reasons: Array<string | undefined> = []
      const client = yield* TestClient.TestClient
      yield* client.callTool("whoami").pipe(Effect.provideService(
        Decision.DecisionListener,
        ({ reason }) => Effect.sync(() => void reasons.push(reason))
      ))
      assert.deepStrictEqual(reasons, ["no-authorization"])
    }).pipe(
      Effect.provide(TestClient.layer(servers[0]!.protected).pipe(Layer.provideMerge(TestIssuer.layer())))
    ))
})

describe("a client for a handler", () => {
  it("receives the reasons of a gate outside Effect", async () => {
    const issuer = await TestIssuer.start()
    const decisions = TestClient.decisions()
    await using host = await McpAuthFetch.make({
      ...auth,
      fetch: issuer.fetch,
      layer: Layer.merge(decisions.layer, Layer.succeed(References.MinimumLogLevel, "Error"))
    })
    const handler = host.protect(
      (_request, { body, principal }) =>
        Response.json({ jsonrpc: "2.0", id: (body as { id: number }).id, result: { subject: principal?.subject } }),
      { policy: () => ({ scopes: ["b"] }) }
    )
    const client = TestClient.start({ issuer, handler, decisions })
    const both = { subject: "alice", scopes: ["a", "b"] }
    assert.deepStrictEqual((await client.as(both).callTool("write")).result, { subject: "alice" })
    await expectRejected("missing-scope")(client.as(alice).callTool("write"))
    const response = await expectRejected("audience")(client.as({ ...both, audience: "x" }).callTool("write"))
    assert.deepStrictEqual(response.decisions.map(({ reason }) => reason), ["audience"])
    await issuer.goDown()
    // The keys are cached, so the outage has no effect.
    await client.as(both).callTool("write").then(expectAdmitted)
  })

  it("returns promises, and sends the token and the session of the caller", async () => {
    const issuer = await TestIssuer.start()
    const seen: Array<Record<string, string>> = []
    const handler = async (request: Request) => {
      seen.push(Object.fromEntries(request.headers))
      const { id, method } = await request.json() as { id?: number; method: string }
      return id === undefined
        ? new Response(null, { status: 202 })
        : new Response(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, result: { method } })}\n\n`, {
          headers: { "content-type": "text/event-stream", "mcp-session-id": "s-1" }
        })
    }
    const client = TestClient.start({ handler, issuer, protocol: "2025-11-25" })
    const response = await client.as({ subject: "alice" }).callTool("x")
    assert.deepStrictEqual(response.result, { method: "tools/call" })
    assert.deepStrictEqual(seen.map((headers) => headers["mcp-session-id"]), [undefined, "s-1", "s-1"])
    assert.isTrue(seen.every(({ authorization }) => authorization?.startsWith("Bearer ey")))
    await client.inSession("s-9").listTools()
    assert.strictEqual(seen.at(-1)?.["mcp-session-id"], "s-9")
    assert.isUndefined(seen.at(-1)?.["authorization"])
  })

  it("reads an event stream only up to the response", async () => {
    let cancelled = false
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const note = { jsonrpc: "2.0", method: "notifications/message", params: {} }
        const reply = { jsonrpc: "2.0", id: 1, result: {} }
        controller.enqueue(
          new TextEncoder().encode(`data: ${JSON.stringify(note)}\r\n\r\ndata: ${JSON.stringify(reply)}\n\n`)
        )
      },
      cancel: () => {
        cancelled = true
      }
    })
    const client = TestClient.start({
      url: "https://server.test/mcp",
      handler: () => new Response(body, { headers: { "content-type": "text/event-stream" } })
    })
    assert.deepStrictEqual((await client.listTools()).result, {})
    assert.isTrue(cancelled)
  })

  it("encodes the name of a tool in the header mcp-name", async () => {
    const seen: Array<string | null> = []
    const client = TestClient.start({
      url: "https://server.test/mcp",
      handler: (request) => {
        seen.push(request.headers.get("mcp-name"))
        return new Response("")
      }
    })
    await client.callTool("add_todo")
    await client.callTool("añadir")
    await client.readResource("todo://1")
    assert.deepStrictEqual(seen, ["add_todo", "=?base64?YcOxYWRpcg==?=", "todo://1"])
  })

  it("sends a proof with a token that is bound to a key", async () => {
    const issuer = await TestIssuer.start()
    const seen: Array<Headers> = []
    const client = TestClient.start({
      issuer,
      handler: ({ headers }) => {
        seen.push(headers)
        return new Response("")
      }
    })
    const dpop = await DpopClient.start()
    await client.as({ dpop, dpopNonce: "n" }).listTools()
    assert.match(seen[0]?.get("authorization") ?? "", /^DPoP ey/)
    assert.match(seen[0]?.get("dpop") ?? "", /^ey/)
  })

  it("sends the headers of a caller with other credentials, and no token", async () => {
    const issuer = await TestIssuer.start()
    const seen: Array<Headers> = []
    const client = TestClient.start({
      issuer,
      handler: ({ headers }) => {
        seen.push(headers)
        return new Response("")
      }
    })
    await client.as({ headers: { "x-api-key": "mcp_1" } }).listTools()
    assert.deepStrictEqual([seen[0]?.get("x-api-key"), seen[0]?.get("authorization")], ["mcp_1", null])
  })

  it("reports a missing URL and a missing issuer", async () => {
    assert.throws(() => TestClient.start({ handler: fetch }), /URL of the MCP endpoint is missing/)
    const client = TestClient.start({ handler: () => new Response(""), url: "https://server.test/mcp" })
    await client.as({ subject: "alice" }).listTools().then(
      () => assert.fail("the request was sent"),
      (error: unknown) => assert.match(String(error), /needs an issuer/)
    )
  })
})

describe("the assertions of the kit", () => {
  const challenge = (parameters: Challenge.BearerParameters) => Challenge.encode(Challenge.bearer(parameters))
  const response = (status: number, header?: string) =>
    new Response(null, { status, ...(header === undefined ? {} : { headers: { "www-authenticate": header } }) })
  const stepUp = response(403, challenge({ error: "insufficient_scope", scope: ["a", "b"] }))
  const getMessage = (run: () => unknown): string => {
    try {
      run()
    } catch (error) {
      assert.strictEqual((error as Error).name, "AssertionError")
      return (error as Error).message
    }
    return "nothing was thrown"
  }

  it("return a response that passes", async () => {
    assert.strictEqual(expectChallenge({ scope: ["b", "a"] })(stepUp), stepUp)
    assert.strictEqual(await expectRejected("missing-scope")(Promise.resolve(stepUp)), stepUp)
    assert.strictEqual(Effect.runSync(expectRejected("missing-scope")(Effect.succeed(stepUp))), stepUp)
    // Under Jest, tests have separate globals, so the promise that `fetch` returns is not an instance of their `Promise`.
    const otherRealm: Promise<Response> = runInNewContext("Promise").resolve(stepUp)
    assert.notInstanceOf(otherRealm, Promise)
    assert.strictEqual(await expectChallenge({ scope: ["b", "a"] })(otherRealm), stepUp)
    expectRejected("expired")(response(401, challenge({ error: "invalid_token" })))
    expectRejected("network")(response(503))
    expectRejected("session")(response(404))
    expectRejected("origin")(response(403))
    expectRejected("too-large")(response(413))
    expectAdmitted(response(200))
  })

  it("throw an error that names the difference", () => {
    assert.strictEqual(
      getMessage(() => expectChallenge({ scope: ["a"] })(stepUp)),
      "expected scope \"a\" instead of \"a b\" in 403, WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a b\""
    )
    assert.strictEqual(
      getMessage(() => expectChallenge()(response(503))),
      "expected a challenge, got 503, without a challenge"
    )
    assert.strictEqual(
      getMessage(() => expectChallenge({ scheme: "DPoP" })(stepUp)),
      "expected a DPoP challenge, got 403, WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a b\""
    )
    assert.strictEqual(
      getMessage(() => expectRejected("expired")(stepUp)),
      "expected a rejection with the reason \"expired\" (401 invalid_token), got 403, WWW-Authenticate: Bearer " +
        "error=\"insufficient_scope\", scope=\"a b\""
    )
    assert.strictEqual(
      getMessage(() => expectRejected("too-large")(response(200))),
      "expected a rejection with the reason \"too-large\" (413 or 401 invalid_token or 503), got 200, without a challenge"
    )
    assert.strictEqual(
      getMessage(() => expectAdmitted(response(404))),
      "expected the request to be admitted, got 404, without a challenge"
    )
  })
})
