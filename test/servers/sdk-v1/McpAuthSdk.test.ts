import { assert, describe, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import { completable } from "@modelcontextprotocol/sdk/server/completable.js"
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Clock, Context, Data, Deferred, Effect, Fiber, Layer, Logger, References, Schema } from "effect"
import { AuthError, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import express from "express"
import { randomUUID } from "node:crypto"
import type { RequestListener } from "node:http"
import { createRequire } from "node:module"
import { z } from "zod"
import { fetchOf } from "../hosts/Host.ts"
import { listen } from "../sdk/listen.ts"
import { type Answer, type Call, callTool, challenged, initialize, post, request } from "../sdk/rpc.ts"

// Express 4 is installed under another name, for which there are no types.
const express4 = createRequire(import.meta.url)("express4") as typeof express

const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })
const contents = (uri: URL, value: string) => ({ contents: [{ uri: uri.href, text: value }] })
const textOf = (value: string) => ({
  messages: [{ role: "user" as const, content: { type: "text" as const, text: value } }]
})

class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}
class Rejected extends Data.TaggedError("Rejected")<{ readonly message: string }> {}

interface Options {
  readonly anonymous?: "allow-unscoped"
  readonly clock?: Clock.Clock
}

const makeAuth = (resource: string, client: HttpClient.HttpClient, { anonymous, clock }: Options = {}) =>
  McpAuthSdk.make({
    resource,
    authorizationServers: ["https://issuer.test"],
    scopes: { baseline: ["read"], stepUp: ["write", "admin"] },
    claims: Schema.decodeUnknownResult(Schema.Struct({ tenant: Schema.String })),
    anonymous: anonymous as "allow-unscoped",
    layer: Layer.mergeAll(
      Layer.succeed(Greeting, "hello"),
      Layer.succeed(References.MinimumLogLevel, "None"),
      clock === undefined ? Layer.empty : Layer.succeed(Clock.Clock, clock)
    ),
    fetch: fetchOf(client)
  })
type Auth = Awaited<ReturnType<typeof makeAuth>>

const makeServer = (auth: Auth, ran: Array<string> = []) => () => {
  const server = new McpServer({ name: "test", version: "1.0.0" })
  auth.registerTool(server, "whoami", {}, ({ authInfo, principal }) => {
    ran.push("whoami")
    return text(JSON.stringify({
      subject: principal?.subject ?? null,
      tenant: principal?.claims.tenant,
      info: authInfo,
      token: authInfo?.token
    }))
  })
  auth.registerTool(
    server,
    "add",
    { inputSchema: { title: z.string() }, scopes: ["write"] },
    async ({ title }, { principal }) => {
      ran.push(`add ${title}`)
      return text(`${title} for ${principal.subject} of ${principal.claims.tenant}`)
    }
  )
  auth.registerTool(server, "greet", { scopes: ["read"] }, () =>
    Effect.gen(function*() {
      const { subject } = yield* Principal
      return text(`${yield* Greeting} ${subject}`)
    }))
  auth.registerTool(server, "fails", { scopes: ["read"] }, () => Effect.fail(new Rejected({ message: "not today" })))
  auth.registerTool(server, "dies", { scopes: ["read"] }, () => Effect.die(new Error("a secret of the program")))
  auth.registerTool(server, "inner", { scopes: ["read"] }, () => requireScopes("admin")(Effect.succeed(text("inner"))))
  auth.registerTool(
    server,
    "move",
    {
      inputSchema: z.object({ to: z.string().transform((_) => _.trim()) }),
      scopes: ({ to }) => to === "away" ? ["write", "admin"] : ["read"]
    },
    ({ to }) => {
      ran.push(`move ${to}`)
      return text(to)
    }
  )
  auth.registerTool(server, "purge", { scopes: ["admin"], unauthorized: "hide" }, () => text("purged"))
  server.registerTool("behind", {}, () => text("behind"))

  auth.registerTool(
    server,
    "book",
    { inputSchema: { plan: z.string() }, scopes: ["read"] },
    async ({ plan }, { state }) => text(await state.open(plan))
  )
  auth.registerTool(
    server,
    "travel",
    { inputSchema: { plan: z.string().optional() }, scopes: ["read"] },
    async ({ plan }, { state }) => text(plan === undefined ? await state.seal("Lisbon") : await state.open(plan))
  )

  auth.registerResource(
    server,
    "all",
    "todo://all",
    { scopes: ["read"] },
    (uri, { principal }) => contents(uri, `all of ${principal.subject}`)
  )
  auth.registerResource(
    server,
    "one",
    new ResourceTemplate("todo://one/{id}", { list: undefined, complete: { id: () => ["1", "2"] } }),
    { scopes: (uri) => uri.pathname === "/secret" ? ["admin"] : ["read"] },
    (uri, { id }) => Effect.succeed(contents(uri, `number ${id}`))
  )
  auth.registerResource(
    server,
    "hidden",
    "todo://hidden",
    { scopes: ["admin"], unauthorized: "hide" },
    (uri) => contents(uri, "hidden")
  )
  auth.registerPrompt(
    server,
    "advise",
    { argsSchema: { about: completable(z.string(), () => ["work", "life"]) }, scopes: ["write"] },
    ({ about }) => textOf(about)
  )
  auth.registerPrompt(server, "whisper", { scopes: ["admin"], unauthorized: "hide" }, () => textOf("psst"))
  return server
}

type Host = (auth: Auth, makeServer: () => McpServer) => RequestListener

const stateless: Host = (auth, makeServer) => {
  const app = express()
  app.use(auth.metadataRouter())
  app.all("/mcp", auth.protect(makeServer()), async (req, res) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    await makeServer().connect(transport as never)
    await transport.handleRequest(req, res, req.body)
  })
  return app
}

const behindParser: Host = (auth, makeServer) => {
  const app = express4()
  app.use(express4.json())
  app.use(auth.metadataRouter())
  app.all("/mcp", auth.protect(makeServer()), (req, res, next) => {
    const transport = new StreamableHTTPServerTransport({})
    makeServer().connect(transport as never)
      .then(() => transport.handleRequest(req, res, req.body))
      .catch(next)
  })
  return app
}

const sessions: Host = (auth, makeServer) => {
  const open = new Map<string, { readonly server: McpServer; readonly transport: StreamableHTTPServerTransport }>()
  const first = makeServer()
  const app = express()
  app.use(auth.metadataRouter())
  app.all(
    "/mcp",
    auth.protect((session) => session === undefined ? first : open.get(session)?.server),
    async (req, res) => {
      const id = req.headers["mcp-session-id"]
      const known = typeof id === "string" ? open.get(id)?.transport : undefined
      if (known !== undefined) return known.handleRequest(req, res, req.body)
      const server = makeServer()
      const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => void open.set(id, { server, transport })
      })
      await server.connect(transport as never)
      await transport.handleRequest(req, res, req.body)
    }
  )
  return app
}

/** The SDK's web-standard transport. It is served on Node, so that the test can connect to a socket. */
const webStandard: Host = (auth, makeServer) => {
  const handler = auth.protectFetch(makeServer(), async (request, options) => {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    await makeServer().connect(transport as never)
    return transport.handleRequest(request, options)
  })
  return getRequestListener(async (request) =>
    await auth.metadata(request) ?? await handler(request)
  ) as RequestListener
}

const hosts: ReadonlyArray<readonly [string, Host]> = [
  ["Express 5, stateless", stateless],
  ["Express 4, behind a body parser", behindParser],
  ["the web-standard transport", webStandard]
]

interface Started {
  readonly auth: Auth
  readonly url: string
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly ran: ReadonlyArray<string>
  /** Sends the body with a new token that has these scopes, or without a token if `scopes` is `undefined`. */
  readonly call: (scopes: ReadonlyArray<string> | undefined, body: unknown, call?: Call) => Effect.Effect<Answer>
  readonly mint: (options?: TestIssuer.TokenOptions) => Effect.Effect<string>
}

const start = Effect.fnUntraced(function*(host: Host, options: Options = {}) {
  const ran: Array<string> = []
  const { client, issuer } = yield* TestIssuer.make()
  let auth: Auth | undefined
  let url = ""
  const origin = yield* listen((origin) =>
    Effect.promise(async () => {
      url = `${origin}/mcp`
      auth = await makeAuth(url, client, options)
      return host(auth, makeServer(auth, ran))
    })
  )
  yield* Effect.addFinalizer(() => Effect.promise(() => auth!.dispose()))
  assert.isNotEmpty(origin)
  const mint = (token: TestIssuer.TokenOptions = {}) =>
    issuer.mint({ audience: url, ...token, claims: { tenant: "acme", ...token.claims } })
  const started: Started = {
    auth: auth!,
    url,
    issuer,
    ran,
    mint,
    call: (scopes, body, call) =>
      Effect.flatMap(
        scopes === undefined ? Effect.succeed(undefined) : mint({ scopes }),
        (token) => Effect.promise(() => post(url, body, { token, ...call }))
      )
  }
  return started
})

describe.each(hosts)("sdk-v1 on %s", (_, host) => {
  it.live("HDR-01 JWT-15 MCP-01 a request without a token or with a bad one is rejected, and one with a valid token is admitted", () =>
    Effect.gen(function*() {
      const { call, mint, ran, url } = yield* start(host)
      const none = yield* call(undefined, callTool("whoami"))
      assert.strictEqual(none.status, 401)
      assert.strictEqual(challenged(none, "scope"), "read")
      assert.isUndefined(challenged(none, "error"))
      const metadata = yield* Effect.promise(() => fetch(challenged(none, "resource_metadata")!))
      assert.strictEqual((yield* Effect.promise(() => metadata.json())).resource, url)

      const expired = yield* mint({ expiresIn: "-1 minute" })
      const late = yield* Effect.promise(() => post(url, callTool("whoami"), { token: expired }))
      assert.strictEqual(late.status, 401)
      assert.strictEqual(challenged(late, "error"), "invalid_token")
      assert.deepStrictEqual(ran, [])

      const token = yield* mint({ scopes: ["read"], clientId: "client-7" })
      const good = yield* Effect.promise(() => post(url, callTool("whoami"), { token }))
      assert.strictEqual(good.status, 200)
      const seen = JSON.parse(good.message.result.content[0].text)
      // The handler receives the complete `AuthInfo` of the SDK. The handler can read the token, but printing the `AuthInfo`
      // does not show the token.
      assert.strictEqual(seen.token, token)
      const { expiresAt, extra, ...info } = seen.info
      assert.deepStrictEqual(info, { clientId: "client-7", scopes: ["read"], resource: url })
      assert.isNumber(expiresAt)
      assert.strictEqual(extra.subject, "alice")
      assert.strictEqual(extra.issuer, "https://issuer.test")
      assert.strictEqual(extra.claims.tenant, "acme")
      assert.strictEqual(seen.subject, "alice")
      assert.strictEqual(seen.tenant, "acme")
    }))

  it.live("SCOPE-07 a missing scope is a 403 before the tool runs, then the tool runs", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start(host)
      const rejected = yield* call(["read"], callTool("add", { title: "milk" }))
      assert.strictEqual(rejected.status, 403)
      assert.strictEqual(challenged(rejected, "error"), "insufficient_scope")
      assert.strictEqual(challenged(rejected, "scope"), "write read")
      assert.deepStrictEqual(ran, [])
      const done = yield* call(["read", "write"], callTool("add", { title: "milk" }))
      assert.strictEqual(done.message.result.content[0].text, "milk for alice of acme")
      assert.deepStrictEqual(ran, ["add milk"])
    }))

  it.live("a batch is authorized as a whole: one challenge has the missing scopes of all messages, and no tool runs", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start(host)
      const batch = [request("ping", {}, 1), { ...callTool("add", { title: "a" }), id: 2 }, {
        ...callTool("greet"),
        id: 3
      }]
      const rejected = yield* call([], batch)
      assert.strictEqual(rejected.status, 403)
      assert.sameMembers(challenged(rejected, "scope")!.split(" "), ["write", "read"])
      assert.deepStrictEqual(ran, [])
    }))

  it.live("scopes may depend on arguments, as the handler sees them", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start(host)
      const rejected = yield* call(["read"], callTool("move", { to: " away " }))
      assert.strictEqual(rejected.status, 403)
      assert.sameMembers(challenged(rejected, "scope")!.split(" "), ["write", "admin", "read"])
      assert.strictEqual((yield* call(["read"], callTool("move", { to: "home" }))).status, 200)
      assert.strictEqual((yield* call(["write", "admin"], callTool("move", { to: "away" }))).status, 200)
      // These arguments do not match the schema, so the SDK rejects them. The gate requires no scope, because no scope would
      // make the call valid.
      const wrong = yield* call([], callTool("move", { to: 1 }))
      assert.strictEqual(wrong.status, 200)
      assert.include(wrong.text, "Input validation error")
      assert.deepStrictEqual(ran, ["move home", "move away"])
    }))

  it.live("SCOPE-14 a hidden registration is in no list, and a call to it is answered byte for byte as for an unknown name", () =>
    Effect.gen(function*() {
      const { call } = yield* start(host)
      const names = (answer: Answer, key: string) => answer.message.result[key].map((_: { name: string }) => _.name)
      for (
        const [list, key, hidden] of [
          ["tools/list", "tools", "purge"],
          ["prompts/list", "prompts", "whisper"],
          ["resources/list", "resources", "hidden"]
        ] as const
      ) {
        assert.notInclude(names(yield* call(["read"], request(list)), key), hidden)
        assert.include(names(yield* call(["admin"], request(list)), key), hidden)
      }
      for (
        const [method, hidden, unknown] of [
          ["tools/call", { name: "purge" }, { name: "grupe" }],
          ["prompts/get", { name: "whisper" }, { name: "whimper" }],
          ["resources/read", { uri: "todo://hidden" }, { uri: "todo://hedden" }],
          [
            "completion/complete",
            { ref: { type: "ref/prompt", name: "whisper" }, argument: { name: "a", value: "" } },
            { ref: { type: "ref/prompt", name: "whimper" }, argument: { name: "a", value: "" } }
          ]
        ] as const
      ) {
        const known = yield* call(["read"], request(method, hidden))
        const other = yield* call(["read"], request(method, unknown))
        assert.strictEqual(known.status, other.status, method)
        assert.strictEqual(
          known.text.replaceAll(/purge|whisper|hidden/g, "x"),
          other.text.replaceAll(/grupe|whimper|hedden/g, "x"),
          method
        )
        assert.notInclude(known.text, "dmin", method)
      }
      assert.strictEqual((yield* call(["admin"], callTool("purge"))).message.result.content[0].text, "purged")
    }))

  it.live("SCOPE-15 prompts, resources, templates and completions need their scopes", () =>
    Effect.gen(function*() {
      const { call } = yield* start(host)
      const cases = [
        [request("prompts/get", { name: "advise", arguments: { about: "work" } }), ["write"]],
        [
          request("completion/complete", {
            ref: { type: "ref/prompt", name: "advise" },
            argument: { name: "about", value: "" }
          }),
          ["write"]
        ],
        [request("resources/read", { uri: "todo://all" }), ["read"]],
        // The SDK parses the URI before it compares it, so this spelling selects the same resource.
        [request("resources/read", { uri: "TODO://all" }), ["read"]],
        [request("resources/read", { uri: "todo://one/1" }), ["read"]],
        [request("resources/read", { uri: "todo://one/secret" }), ["admin"]]
      ] as const
      for (const [body, needed] of cases) {
        const rejected = yield* call([], body)
        assert.strictEqual(rejected.status, 403, JSON.stringify(body))
        assert.deepStrictEqual(challenged(rejected, "scope")!.split(" "), [...needed])
        const done = yield* call(needed, body)
        assert.strictEqual(done.status, 200)
        assert.isDefined(done.message.result, done.text)
      }
    }))

  it.live("handlers may be effects, with services and the caller", () =>
    Effect.gen(function*() {
      const { call } = yield* start(host)
      const answers = yield* Effect.forEach(
        ["greet", "fails", "dies", "inner"],
        (name) => call(["read"], callTool(name))
      )
      assert.deepStrictEqual(
        answers.map(({ message: { result } }) => [result.isError ?? false, result.content[0].text]),
        [
          [false, "hello alice"],
          [true, "not today"],
          [true, "Internal error"],
          [true, "The operation requires the scopes admin"]
        ]
      )
    }))

  it.live("HDR-19 anonymous requests use registrations without scopes, and none that were registered elsewhere", () =>
    Effect.gen(function*() {
      const { call, mint, url } = yield* start(host, { anonymous: "allow-unscoped" })
      assert.strictEqual((yield* call(undefined, initialize)).status, 200)
      assert.strictEqual((yield* call(undefined, request("tools/list"))).status, 200)
      const whoami = yield* call(undefined, callTool("whoami"))
      assert.strictEqual(JSON.parse(whoami.message.result.content[0].text).subject, null)
      for (const name of ["greet", "behind", "move"]) {
        const rejected = yield* call(undefined, callTool(name, { to: "home" }))
        assert.strictEqual(rejected.status, 401, name)
      }
      assert.strictEqual((yield* call([], callTool("behind"))).status, 200)
      // A hidden tool is also hidden from anonymous callers (SCOPE-14).
      const hidden = yield* call(undefined, callTool("purge"))
      const unknown = yield* call(undefined, callTool("grupe"))
      assert.strictEqual(hidden.status, unknown.status)
      assert.strictEqual(hidden.text.replaceAll("purge", "grupe"), unknown.text)
      // A request with an invalid token is rejected, and is not treated as anonymous.
      const expired = yield* mint({ expiresIn: "-1 minute" })
      assert.strictEqual(
        (yield* Effect.promise(() => post(url, callTool("whoami"), { token: expired }))).status,
        401
      )
    }))

  it.live("MCP-07 a body that is not JSON, or too large, is rejected after the token is verified", () =>
    Effect.gen(function*() {
      const { call } = yield* start(host)
      assert.strictEqual((yield* call(undefined, "{")).status, host === behindParser ? 400 : 401)
      assert.strictEqual((yield* call([], "{")).status, 400)
      const type = { "content-type": "text/plain" }
      assert.strictEqual((yield* call([], "{}", { headers: type })).status, 415)
      const large = JSON.stringify(callTool("add", { title: "x".repeat(5 * 1024 * 1024) }))
      assert.strictEqual((yield* call([], large)).status, 413)
    }))
})

/** Returns an `AuthInfo` that another gate created. It has every scope. */
const authInfoOfAnotherGate = async (): Promise<unknown> => {
  const other = await McpAuthSdk.mock({ subject: "alice", scopes: ["read", "write", "admin"] })
  let found: unknown
  const handle = other.protectFetch(new McpServer({ name: "other", version: "1.0.0" }), (_, { authInfo }) => {
    found = authInfo
    return new Response()
  })
  const response = await handle(
    new Request("http://localhost/mcp", {
      method: "POST",
      headers: { authorization: "Bearer t", "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
    })
  )
  await other.dispose()
  if (found === undefined) throw new Error(`${response.status}: ${await response.text()}`)
  return found
}

describe("sdk-v1 with sessions", () => {
  const open = Effect.fnUntraced(function*({ mint, url }: Started, token?: TestIssuer.TokenOptions) {
    const bearer = token === undefined ? undefined : yield* mint(token)
    const opened = yield* Effect.promise(() => post(url, initialize, { token: bearer }))
    assert.strictEqual(opened.status, 200)
    const session = opened.headers.get("mcp-session-id")
    assert.isString(session)
    return { "mcp-session-id": session! }
  })

  it.live("SESS-01 SESS-02 SESS-04 a session belongs to the caller that opened it, and to no other caller", () =>
    Effect.gen(function*() {
      const started = yield* start(sessions)
      const { mint, url } = started
      const headers = yield* open(started, { subject: "alice", scopes: ["read"] })
      const as = (token: TestIssuer.TokenOptions, body: unknown = callTool("whoami")) =>
        Effect.flatMap(mint(token), (token) => Effect.promise(() => post(url, body, { token, headers })))
      assert.strictEqual((yield* as({ subject: "alice" })).status, 200)
      assert.strictEqual((yield* as({ subject: "bob" })).status, 404)
      assert.strictEqual((yield* as({ subject: "alice", clientId: "another" })).status, 404)
      assert.strictEqual((yield* Effect.promise(() => post(url, callTool("whoami"), { headers }))).status, 401)
      const peek = yield* mint({ subject: "bob" })
      const stream = yield* Effect.promise(() =>
        fetch(url, { headers: { authorization: `Bearer ${peek}`, accept: "text/event-stream", ...headers } })
      )
      assert.strictEqual(stream.status, 404)
      assert.strictEqual((yield* as({ subject: "alice" }, callTool("add", { title: "x" }))).status, 403)

      const end = (subject: string) =>
        Effect.flatMap(
          mint({ subject }),
          (token) =>
            Effect.promise(() =>
              fetch(url, { method: "DELETE", headers: { authorization: `Bearer ${token}`, ...headers } })
            )
        )
      assert.strictEqual((yield* end("bob")).status, 404)
      assert.strictEqual((yield* end("alice")).status, 200)
      assert.strictEqual((yield* as({ subject: "alice" })).status, 404)
    }))

  it.live("SESS-05 a session that was opened anonymously is claimed once", () =>
    Effect.gen(function*() {
      const started = yield* start(sessions, { anonymous: "allow-unscoped" })
      const headers = yield* open(started)
      const { call, mint, url } = started
      assert.strictEqual((yield* call(undefined, callTool("whoami"), { headers })).status, 200)
      assert.strictEqual((yield* call([], callTool("whoami"), { headers })).status, 200)
      assert.strictEqual((yield* call(undefined, callTool("whoami"), { headers })).status, 401)
      const token = yield* mint({ subject: "bob" })
      assert.strictEqual((yield* Effect.promise(() => post(url, callTool("whoami"), { token, headers }))).status, 404)
    }))

  it.effect("an open stream ends when the token expires", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const started = yield* start(sessions, { clock })
      const headers = yield* open(started, { scopes: ["read"] })
      const token = yield* started.mint({ expiresIn: "1 minute" })
      const stream = yield* Effect.promise(() =>
        fetch(started.url, { headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...headers } })
      )
      assert.strictEqual(stream.status, 200)
      const ended = yield* Effect.forkChild(Effect.promise(() => stream.text()), { startImmediately: true })
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(ended.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(ended), "")
    }))
})

describe("sdk-v1", () => {
  it.live("SESS-06 sealed state is valid for its owner and its tool alone", () =>
    Effect.gen(function*() {
      const { mint, url } = yield* start(stateless)
      const call = (subject: string, name: string, args: object = {}) =>
        Effect.flatMap(mint({ subject, scopes: ["read"] }), (token) =>
          Effect.promise(async () => (await post(url, callTool(name, args), { token })).message.result))
      const plan = (yield* call("alice", "travel")).content[0].text
      assert.notInclude(plan, "Lisbon")
      assert.strictEqual((yield* call("alice", "travel", { plan })).content[0].text, "Lisbon")
      for (
        const [subject, name, state] of [["bob", "travel", plan], ["alice", "book", plan], ["alice", "travel", "x"]]
      ) {
        const rejected = yield* call(subject!, name!, { plan: state })
        assert.isTrue(rejected.isError)
        assert.notInclude(rejected.content[0].text, "Lisbon")
      }
    }))

  it.live("no handler that requires a caller runs without a gate in front", () =>
    Effect.gen(function*() {
      const { client } = yield* TestIssuer.make()
      const ran: Array<string> = []
      const auth = yield* Effect.promise(() => makeAuth("http://localhost/mcp", client))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const call = (body: unknown, authInfo?: object) =>
        Effect.promise(async () => {
          const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
          await makeServer(auth, ran)().connect(transport as never)
          const response = await transport.handleRequest(
            new Request("http://localhost/mcp", {
              method: "POST",
              headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
              body: JSON.stringify(body)
            }),
            authInfo as never
          )
          return await response.json() as any
        })
      // The handlers accept only an `AuthInfo` that their own gate created.
      const forged = { authInfo: { token: "t", clientId: "c", scopes: ["read", "write", "admin"] } }
      const foreign = yield* Effect.promise(authInfoOfAnotherGate)
      for (const info of [undefined, forged, { authInfo: "alice" }, { authInfo: foreign }]) {
        for (const name of ["whoami", "add", "greet", "move"]) {
          const { error } = yield* call(callTool(name, { title: "x", to: "home" }), info)
          assert.deepStrictEqual([error.code, error.message], [-32001, "Authentication required"])
          assert.strictEqual(error.data.status, 401)
          assert.include(error.data.wwwAuthenticate, "resource_metadata=")
        }
        assert.strictEqual((yield* call(request("resources/read", { uri: "todo://all" }), info)).error.code, -32001)
        assert.strictEqual((yield* call(callTool("purge"), info)).result.content[0].text.includes("not found"), true)
      }
      assert.deepStrictEqual(ran, [])
    }))

  it.live("a server whose tools differ from those of the authorized server still requires their scopes", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start((auth, makeServer) => {
        const bare = new McpServer({ name: "bare", version: "1.0.0" })
        const app = express()
        app.post("/mcp", auth.protect(bare), async (req, res) => {
          const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
          await makeServer().connect(transport as never)
          await transport.handleRequest(req, res, req.body)
        })
        return app
      })
      const rejected = yield* call(["read"], callTool("add", { title: "x" }))
      assert.strictEqual(rejected.status, 403)
      assert.strictEqual(challenged(rejected, "scope"), "write read")
      assert.deepStrictEqual(ran, [])
    }))

  it.live.each<[string, (server: McpServer["server"]) => void]>([
    ["replaces", () => {}],
    ["removes first", (server) => server.removeRequestHandler("tools/call")]
  ])(
    "a handler that the author %s requires a token, for every name",
    ([, prepare]) =>
      Effect.gen(function*() {
        const ran: Array<string> = []
        const { call } = yield* start((auth) => {
          const make = () => {
            const server = new McpServer({ name: "own", version: "1.0.0" })
            auth.registerTool(server, "known", {}, () => text("known"))
            prepare(server.server)
            server.server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
              ran.push(params.name)
              return text("anything")
            })
            return server
          }
          const app = express()
          app.post("/mcp", auth.protect(make()), async (req, res) => {
            const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
            await make().connect(transport as never)
            await transport.handleRequest(req, res, req.body)
          })
          return app
        }, { anonymous: "allow-unscoped" })
        assert.strictEqual((yield* call(undefined, callTool("unknown"))).status, 401)
        assert.deepStrictEqual(ran, [])
        assert.strictEqual((yield* call([], callTool("unknown"))).status, 200)
      })
  )

  it.live("policies stay with registrations when the SDK renames, replaces and removes them", () =>
    Effect.gen(function*() {
      let server: McpServer
      const { call } = yield* start((auth) => {
        server = new McpServer({ name: "live", version: "1.0.0" })
        const tool = auth.registerTool(server, "old", { scopes: ["write"] }, () => text("old"))
        tool.update({ name: "new", callback: () => text("new") })
        auth.registerTool(server, "gone", { scopes: ["write"] }, () => text("gone")).remove()
        const app = express()
        app.post("/mcp", auth.protect(server), async (req, res) => {
          const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
          await server.close()
          await server.connect(transport as never)
          await transport.handleRequest(req, res, req.body)
        })
        return app
      })
      assert.strictEqual((yield* call([], callTool("new"))).status, 403)
      assert.strictEqual((yield* call([], callTool("old"))).status, 200)
      assert.strictEqual((yield* call([], callTool("gone"))).status, 200)
      assert.strictEqual((yield* call(["write"], callTool("new"))).message.result.content[0].text, "new")
    }))

  it.live("[T-AUD-42] wrong options and wrong registrations are errors that name what to write", () =>
    Effect.gen(function*() {
      const { client } = yield* TestIssuer.make()
      const wrong = yield* Effect.flip(Effect.tryPromise({
        try: () => makeAuth("http://example.com/mcp", client),
        catch: (error) => error
      }))
      assert.instanceOf(wrong, AuthError.AuthConfigError)
      assert.strictEqual((wrong as AuthError.AuthConfigError).option, "resource")

      const auth = yield* Effect.promise(() => makeAuth("http://localhost/mcp", client))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const server = new McpServer({ name: "test", version: "1.0.0" })
      const option = (register: () => unknown) => {
        try {
          register()
        } catch (error) {
          return error instanceof AuthError.AuthConfigError ? `${error.reason} ${error.option}` : String(error)
        }
        return "no error"
      }
      const handler = () => text("")
      assert.deepStrictEqual([
        option(() => auth.registerTool(server, "a", { scopes: ["other" as "read"] }, handler)),
        option(() => auth.registerTool(server, "a", { scopes: ["with space" as "read"] }, handler)),
        option(() =>
          auth.registerTool(server, "a", { scopes: () => ["read"], unauthorized: "hide" as never }, handler)
        ),
        option(() => auth.registerTool(server, "a", { scopes: "read" as never }, handler)),
        option(() => auth.registerTool(server, "a", { scope: ["read"] } as never, handler)),
        option(() => auth.registerPrompt(server, "a", { requiredScopes: ["read"] } as never, handler as never)),
        option(() => auth.registerResource(server, "a", "a://b", { scope: ["read"] } as never, handler as never)),
        option(() => auth.registerTool(server, "a", { Scopes: ["read"] } as never, handler)),
        option(() => auth.registerTool(server, "a", { scopes: ["read"], unauthorized: "hidden" } as never, handler)),
        option(() => auth.protect(server, { scopes: ["read"] } as never)),
        option(() => auth.registerTool({} as never, "a", {}, handler)),
        option(() => auth.registerTool(undefined as never, "a", {}, handler)),
        option(() => auth.registerTool(server, "a", {}, undefined as never)),
        option(() => auth.protect(undefined as never)),
        option(() => auth.protectFetch(server, undefined as never))
      ], [
        "not-offered scopes",
        "malformed tool a.scopes",
        "conflict tool a.unauthorized",
        "malformed tool a.scopes",
        "malformed tool a.scope",
        "malformed prompt a.requiredScopes",
        "malformed resource a.scope",
        "malformed tool a.Scopes",
        "malformed tool a.unauthorized",
        "malformed protect.scopes",
        "malformed server",
        "malformed server",
        "missing tool a",
        "missing protect",
        "missing protectFetch"
      ])
      assert.deepStrictEqual(Object.keys((server as never as { _registeredTools: object })._registeredTools), [])
    }))

  it.live("after dispose requests are answered with 503, and two gates do not share anything", () =>
    Effect.gen(function*() {
      const one = yield* start(stateless)
      const two = yield* start(stateless)
      assert.strictEqual((yield* one.call([], callTool("whoami"))).status, 200)
      yield* Effect.promise(() => one.auth.dispose())
      yield* Effect.promise(() => one.auth.dispose())
      assert.strictEqual((yield* one.call([], callTool("whoami"))).status, 503)
      assert.strictEqual((yield* two.call([], callTool("whoami"))).status, 200)
    }))

  it.live("a client that disconnects interrupts the handler", () =>
    Effect.gen(function*() {
      const begun = Deferred.makeUnsafe<void>()
      const interrupted = Deferred.makeUnsafe<void>()
      const { mint, url } = yield* start((auth) => {
        const makeSlow = () => {
          const server = new McpServer({ name: "slow", version: "1.0.0" })
          auth.registerTool(server, "slow", {}, () =>
            Deferred.succeed(begun, undefined).pipe(
              Effect.andThen(Effect.never),
              Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
            ))
          return server
        }
        const app = express()
        app.post("/mcp", auth.protect(makeSlow()), async (req, res) => {
          const transport = new StreamableHTTPServerTransport({})
          const server = makeSlow()
          await server.connect(transport as never)
          res.on("close", () => void server.close())
          await transport.handleRequest(req, res, req.body)
        })
        return app
      })
      const token = yield* mint()
      const gone = new AbortController()
      const answer = post(url, callTool("slow"), { token, signal: gone.signal }).catch(() => undefined)
      yield* Deferred.await(begun)
      gone.abort()
      yield* Deferred.await(interrupted)
      yield* Effect.promise(() => answer)
    }))

  it.live("[T-AUD-14f] a handler that dies is logged without a line that could be one of the log", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ cause, message }) => {
        lines.push(String(message))
        if (cause.reasons.length > 0) lines.push(...Cause.pretty(cause).split("\n"))
      })
      const auth = yield* Effect.promise(() =>
        McpAuthSdk.mock({ subject: "alice", scopes: ["read"], layer: Logger.layer([logger]) })
      )
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const server = new McpServer({ name: "test", version: "1.0.0" })
      auth.registerTool(server, "dies", {}, () => Effect.die(new Error("it broke\n[12:00:00] INFO: request admitted")))
      const handle = auth.protectFetch(server, async (request, options) => {
        const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
        await server.connect(transport as never)
        return transport.handleRequest(request, options)
      })
      const answer = yield* Effect.promise(async () => {
        const response = await handle(
          new Request("http://localhost/mcp", {
            method: "POST",
            headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
            body: JSON.stringify(callTool("dies"))
          })
        )
        return response.text()
      })
      assert.notInclude(answer, "it broke")
      assert.include(lines, "A handler of the MCP server failed with a defect")
      assert.include(lines, "Error: it broke\\u000a[12:00:00] INFO: request admitted")
      assert.isUndefined(lines.find((_) => _.startsWith("[12")))
    }))

  it.live("mock admits its caller with the granted scopes", () =>
    Effect.gen(function*() {
      const auth = yield* Effect.promise(() =>
        McpAuthSdk.mock({
          subject: "alice",
          scopes: ["read", "write"],
          granted: ["read"],
          layer: Layer.succeed(References.MinimumLogLevel, "None")
        })
      )
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const server = new McpServer({ name: "test", version: "1.0.0" })
      auth.registerTool(server, "add", { scopes: ["write"] }, () => text("added"))
      auth.registerTool(server, "list", { scopes: ["read"] }, ({ principal }) => text(`of ${principal.subject}`))
      const handle = auth.protectFetch(server, (_, { parsedBody }) => Response.json(parsedBody))
      const call = (name: string) =>
        Effect.promise(() =>
          handle(
            new Request("http://localhost/mcp", {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify(callTool(name))
            })
          )
        )
      assert.strictEqual((yield* call("add")).status, 403)
      assert.strictEqual((yield* call("list")).status, 200)
    }))
})
