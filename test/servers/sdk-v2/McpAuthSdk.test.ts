import { assert, describe, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import {
  completable,
  type CreateMcpHandlerOptions,
  inputRequired,
  McpServer,
  ResourceTemplate,
  WebStandardStreamableHTTPServerTransport
} from "@modelcontextprotocol/server"
import { Clock, Context, Data, Effect, Fiber, Layer, References, Schema } from "effect"
import { AuthError, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { randomUUID } from "node:crypto"
import { z } from "zod"
import { fetchOf } from "../hosts/Host.ts"
import { listen } from "../sdk/listen.ts"
import { type Answer, type Call, callTool, challenged, initialize, modern, post, request } from "../sdk/rpc.ts"

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
  readonly handler?: CreateMcpHandlerOptions
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
  auth.registerTool(server, "whoami", {}, ({ http, principal }) => {
    ran.push("whoami")
    return text(JSON.stringify({
      subject: principal?.subject ?? null,
      tenant: principal?.claims.tenant,
      info: http?.authInfo,
      token: http?.authInfo?.token
    }))
  })
  auth.registerTool(
    server,
    "add",
    { inputSchema: z.object({ title: z.string() }), scopes: ["write"] },
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
  auth.registerTool(server, "trip", { scopes: ["read"] }, async ({ mcpReq, principal, state }) => {
    const sealed = mcpReq.requestState<string>()
    if (sealed !== undefined) return text(`${principal.subject} goes to ${await state.open(sealed)}`)
    return inputRequired({ requestState: await state.seal("Lisbon") })
  })
  server.registerTool("behind", {}, () => text("behind"))

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
    { argsSchema: z.object({ about: completable(z.string(), () => ["work", "life"]) }), scopes: ["write"] },
    ({ about }) => textOf(about)
  )
  auth.registerPrompt(server, "whisper", { scopes: ["admin"], unauthorized: "hide" }, () => textOf("psst"))
  return server
}

interface Era {
  /** Returns the body of a request of this era, and the headers that go with it. */
  readonly of: (body: any) => { readonly body: any; readonly headers: Readonly<Record<string, string>> }
}

const legacy: Era = { of: (body) => ({ body, headers: {} }) }
const eras: ReadonlyArray<readonly [string, Era]> = [["2025-11-25", legacy], ["2026-07-28", { of: modern }]]

interface Started {
  readonly auth: Auth
  readonly url: string
  readonly ran: ReadonlyArray<string>
  readonly built: () => number
  /** Sends the body with a new token that has these scopes, or without a token if `scopes` is `undefined`. */
  readonly call: (scopes: ReadonlyArray<string> | undefined, body: object, call?: Call) => Effect.Effect<Answer>
  readonly mint: (options?: TestIssuer.TokenOptions) => Effect.Effect<string>
}

const start = Effect.fnUntraced(function*(era: Era, options: Options = {}) {
  const ran: Array<string> = []
  let built = 0
  const { client, issuer } = yield* TestIssuer.make()
  let auth: Auth | undefined
  let url = ""
  yield* listen((origin) =>
    Effect.promise(async () => {
      url = `${origin}/mcp`
      auth = await makeAuth(url, client, options)
      const make = makeServer(auth, ran)
      const handler = auth.createMcpHandler(() => {
        built++
        return make()
      }, options.handler)
      return getRequestListener(async (request) =>
        await auth!.metadata(request) ?? await handler.fetch(request)
      ) as never
    })
  )
  yield* Effect.addFinalizer(() => Effect.promise(() => auth!.dispose()))
  const mint = (token: TestIssuer.TokenOptions = {}) =>
    issuer.mint({ audience: url, ...token, claims: { tenant: "acme", ...token.claims } })
  const started: Started = {
    auth: auth!,
    url,
    ran,
    built: () => built,
    mint,
    call: (scopes, body, call) =>
      Effect.flatMap(
        scopes === undefined ? Effect.succeed(undefined) : mint({ scopes }),
        (token) => {
          const message = era.of(body)
          return Effect.promise(() =>
            post(url, message.body, { token, ...call, headers: { ...message.headers, ...call?.headers } })
          )
        }
      )
  }
  return started
})

describe.each(eras)("sdk-v2 in the era of %s", (_, era) => {
  it.live("HDR-01 HDR-18 JWT-15 MCP-01 a request without a token or with a bad one is rejected, and one with a valid token is admitted", () =>
    Effect.gen(function*() {
      const { built, call, mint, ran, url } = yield* start(era)
      const none = yield* call(undefined, callTool("whoami"))
      assert.strictEqual(none.status, 401)
      assert.strictEqual(challenged(none, "scope"), "read")
      assert.isUndefined(challenged(none, "error"))
      const metadata = yield* Effect.promise(() => fetch(challenged(none, "resource_metadata")!))
      assert.strictEqual((yield* Effect.promise(() => metadata.json())).resource, url)

      const expired = yield* mint({ expiresIn: "-1 minute" })
      const late = yield* call(undefined, callTool("whoami"), { token: expired })
      assert.strictEqual(late.status, 401)
      assert.strictEqual(challenged(late, "error"), "invalid_token")
      assert.deepStrictEqual([ran, built()], [[], 0])

      const token = yield* mint({ scopes: ["read"], clientId: "client-7" })
      const good = yield* call(undefined, callTool("whoami"), { token })
      assert.strictEqual(good.status, 200)
      assert.strictEqual(built(), 1, "the authorized server is the one that answers")
      const seen = JSON.parse(good.message.result.content[0].text)
      // The handler receives the complete `AuthInfo` of the SDK. The handler can read the token, but printing the `AuthInfo`
      // does not show the token.
      assert.strictEqual(seen.token, token)
      const { expiresAt, extra, ...info } = seen.info
      assert.deepStrictEqual(info, {
        clientId: "client-7",
        scopes: ["read"],
        resource: url,
        resourceMetadataUrl: challenged(none, "resource_metadata")
      })
      assert.isNumber(expiresAt)
      assert.strictEqual(extra.subject, "alice")
      assert.strictEqual(extra.claims.tenant, "acme")
      assert.strictEqual(seen.tenant, "acme")
    }))

  it.live("SCOPE-07 a missing scope is a 403 before the tool runs, then the tool runs", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start(era)
      const rejected = yield* call(["read"], callTool("add", { title: "milk" }))
      assert.strictEqual(rejected.status, 403)
      assert.strictEqual(challenged(rejected, "error"), "insufficient_scope")
      assert.strictEqual(challenged(rejected, "scope"), era === legacy ? "write read" : "write")
      assert.deepStrictEqual(ran, [])
      const done = yield* call(["read", "write"], callTool("add", { title: "milk" }))
      assert.strictEqual(done.message.result.content[0].text, "milk for alice of acme")
      assert.deepStrictEqual(ran, ["add milk"])
    }))

  it.live("SCOPE-09 scopes may depend on arguments, as the handler sees them", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start(era)
      const rejected = yield* call([], callTool("move", { to: " away " }))
      assert.strictEqual(rejected.status, 403)
      assert.sameMembers(challenged(rejected, "scope")!.split(" "), ["write", "admin"])
      const partly = yield* call(["write"], callTool("move", { to: "away" }))
      assert.sameMembers(challenged(partly, "scope")!.split(" "), ["write", "admin"])
      assert.strictEqual((yield* call(["read"], callTool("move", { to: "home" }))).status, 200)
      assert.strictEqual((yield* call(["write", "admin"], callTool("move", { to: "away" }))).status, 200)
      const wrong = yield* call([], callTool("move", { to: 1 }))
      assert.strictEqual(wrong.status, 200)
      assert.include(wrong.text, "Input validation error")
      assert.deepStrictEqual(ran, ["move home", "move away"])
    }))

  it.live("SCOPE-14 a hidden registration is in no list, and a call to it is answered byte for byte as for an unknown name", () =>
    Effect.gen(function*() {
      const { call } = yield* start(era)
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
      const { call } = yield* start(era)
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
      const { call } = yield* start(era)
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
      const { call, mint } = yield* start(era, { anonymous: "allow-unscoped" })
      assert.strictEqual((yield* call(undefined, request("tools/list"))).status, 200)
      const whoami = yield* call(undefined, callTool("whoami"))
      assert.strictEqual(JSON.parse(whoami.message.result.content[0].text).subject, null)
      for (const name of ["greet", "behind", "move"]) {
        assert.strictEqual((yield* call(undefined, callTool(name, { to: "home" }))).status, 401, name)
      }
      assert.strictEqual((yield* call([], callTool("behind"))).status, 200)
      const hidden = yield* call(undefined, callTool("purge"))
      const unknown = yield* call(undefined, callTool("grupe"))
      assert.strictEqual(hidden.status, unknown.status)
      assert.strictEqual(hidden.text.replaceAll("purge", "grupe"), unknown.text)
      const token = yield* mint({ expiresIn: "-1 minute" })
      assert.strictEqual((yield* call(undefined, callTool("whoami"), { token })).status, 401)
    }))
})

describe("sdk-v2", () => {
  const body = (message: object, headers: Readonly<Record<string, string>> = {}) =>
    new Request("http://localhost/mcp", {
      method: "POST",
      headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
      body: JSON.stringify(message)
    })

  it.live("a batch is authorized as a whole: one challenge has the missing scopes of all messages, and no tool runs", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start(legacy)
      const rejected = yield* call([], [
        request("ping", {}, 1),
        { ...callTool("add", { title: "a" }), id: 2 },
        { ...callTool("greet"), id: 3 }
      ])
      assert.strictEqual(rejected.status, 403)
      assert.sameMembers(challenged(rejected, "scope")!.split(" "), ["write", "read"])
      assert.deepStrictEqual(ran, [])
    }))

  it.live("MCP-03 headers do not decide: the body that runs is the body that was authorized", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start({ of: modern })
      const disguised = { "mcp-name": "whoami", "mcp-method": "tools/call" }
      const rejected = yield* call([], callTool("add", { title: "x" }), { headers: disguised })
      assert.strictEqual(rejected.status, 403)
      const { message, status } = yield* call(["write"], callTool("add", { title: "x" }), { headers: disguised })
      assert.deepStrictEqual([status, message.error.code], [400, -32020])
      assert.deepStrictEqual(ran, [])
    }))

  it.live("MCP-04 MCP-06 an encoded name is decoded, and a revision that differs from the body is rejected", () =>
    Effect.gen(function*() {
      const { call, ran } = yield* start({ of: modern })
      const encoded = { "mcp-name": `=?base64?${Buffer.from("add").toString("base64")}?=` }
      assert.strictEqual((yield* call([], callTool("add", { title: "x" }), { headers: encoded })).status, 403)
      const done = yield* call(["write"], callTool("add", { title: "x" }), { headers: encoded })
      assert.strictEqual(done.status, 200)
      assert.deepStrictEqual(ran, ["add x"])
      const other = { "mcp-protocol-version": "2025-11-25" }
      const rejected = yield* call(["write"], callTool("add", { title: "y" }), { headers: other })
      assert.deepStrictEqual([rejected.status, rejected.message.error.code], [400, -32020])
      assert.deepStrictEqual(ran, ["add x"])
    }))

  it.live("no handler that requires a caller runs without a gate in front", () =>
    Effect.gen(function*() {
      const { client } = yield* TestIssuer.make()
      const ran: Array<string> = []
      const auth = yield* Effect.promise(() => makeAuth("http://localhost/mcp", client))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const { createMcpHandler } = yield* Effect.promise(() => import("@modelcontextprotocol/server"))
      const stock = createMcpHandler(makeServer(auth, ran))
      const forged = { authInfo: { token: "t", clientId: "c", scopes: ["read", "write", "admin"] } }
      for (const options of [undefined, forged]) {
        for (const name of ["whoami", "add", "greet", "move"]) {
          const { body: message, headers } = modern(callTool(name, { title: "x", to: "home" }))
          const response = yield* Effect.promise(() => stock.fetch(body(message, headers), options))
          const { error } = yield* Effect.promise(() => response.json())
          assert.deepStrictEqual([error.code, error.message], [-32001, "Authentication required"])
          assert.strictEqual(error.data.status, 401)
        }
      }
      // A handler behind the gate ignores an `AuthInfo` that the code passes to `fetch`, and reads the token of the request.
      const gated = auth.createMcpHandler(makeServer(auth, ran))
      const { body: message, headers } = modern(callTool("whoami"))
      const rejected = yield* Effect.promise(() => gated.fetch(body(message, headers), forged))
      assert.strictEqual(rejected.status, 401)
      assert.deepStrictEqual(ran, [])
    }))

  it.live("SESS-06 request state of one principal sent by another is rejected, and the owner can still finish", () =>
    Effect.gen(function*() {
      const { mint, url } = yield* start({ of: modern })
      const call = (subject: string, requestState?: string) =>
        Effect.flatMap(mint({ subject, scopes: ["read"] }), (token) => {
          const { body, headers } = modern(request("tools/call", { name: "trip", arguments: {}, requestState }))
          return Effect.promise(async () => (await post(url, body, { token, headers })).message.result)
        })
      const { requestState } = yield* call("alice")
      assert.isString(requestState)
      assert.notInclude(requestState, "Lisbon")
      assert.isTrue((yield* call("bob", requestState)).isError)
      assert.isTrue((yield* call("alice", `${requestState}x`)).isError)
      assert.strictEqual((yield* call("alice", requestState)).content[0].text, "alice goes to Lisbon")
    }))

  it.live.each([["secret", "7"], ["7", "secret"]])(
    "a subscription to several resources of one template requires the scopes of each of them: %s",
    (ids) =>
      Effect.gen(function*() {
        const { call } = yield* start({ of: (body) => modern(body, { subscriptions: {} }) })
        const resourceSubscriptions = ids.map((id) => `todo://one/${id}`)
        const rejected = yield* call(
          ["read"],
          request("subscriptions/listen", { notifications: { resourceSubscriptions } })
        )
        assert.strictEqual(rejected.status, 403)
        assert.sameMembers(challenged(rejected, "scope")!.split(" "), ["admin", "read"])
      })
  )

  it.effect("a subscription ends when the token expires", () =>
    Effect.gen(function*() {
      const { mint, url } = yield* start({ of: modern }, { clock: yield* Clock.Clock })
      const token = yield* mint({ expiresIn: "1 minute" })
      const { body, headers } = modern(
        request("subscriptions/listen", { notifications: { toolsListChanged: true } }),
        { subscriptions: {} }
      )
      const stream = yield* Effect.promise(() =>
        fetch(url, {
          method: "POST",
          headers: {
            accept: "application/json, text/event-stream",
            "content-type": "application/json",
            authorization: `Bearer ${token}`,
            ...headers
          },
          body: JSON.stringify(body)
        })
      )
      assert.strictEqual(stream.headers.get("content-type"), "text/event-stream")
      const ended = yield* Effect.forkChild(Effect.promise(() => stream.text()), { startImmediately: true })
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(ended.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.include(yield* Fiber.join(ended), "acknowledged")
    }))

  it.live("SESS-01 SESS-02 a session of the author's transport belongs to the caller that opened it", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: "http://localhost/mcp" })
      const auth = yield* Effect.promise(() => makeAuth("http://localhost/mcp", client))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const make = makeServer(auth)
      const open = new Map<string, { readonly server: McpServer; readonly transport: WebTransport }>()
      type WebTransport = WebStandardStreamableHTTPServerTransport
      const first = make()
      const handle = auth.protectFetch(
        (session) => session === undefined ? first : open.get(session)?.server,
        async (request, options) => {
          const known = open.get(request.headers.get("mcp-session-id") ?? "")
          if (known !== undefined) return known.transport.handleRequest(request, options)
          const server = make()
          const transport: WebTransport = new WebStandardStreamableHTTPServerTransport({
            sessionIdGenerator: randomUUID,
            enableJsonResponse: true,
            onsessioninitialized: (id) => void open.set(id, { server, transport })
          })
          await server.connect(transport)
          return transport.handleRequest(request, options)
        }
      )
      const as = (subject: string, message: object, headers: Readonly<Record<string, string>> = {}) =>
        Effect.flatMap(
          issuer.mint({ subject, claims: { tenant: "acme" } }),
          (token) => Effect.promise(() => handle(body(message, { authorization: `Bearer ${token}`, ...headers })))
        )
      const opened = yield* as("alice", initialize)
      const session = { "mcp-session-id": opened.headers.get("mcp-session-id")! }
      assert.strictEqual((yield* as("alice", callTool("whoami"), session)).status, 200)
      assert.strictEqual((yield* as("bob", callTool("whoami"), session)).status, 404)
      assert.strictEqual((yield* as("alice", callTool("add", { title: "x" }), session)).status, 403)
    }))

  it.live("a factory may register by caller, and may reject an era", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: "http://localhost/mcp" })
      const auth = yield* Effect.promise(() => makeAuth("http://localhost/mcp", client))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const handler = auth.createMcpHandler(({ authInfo, era }) => {
        const server = new McpServer({ name: "test", version: "1.0.0" })
        auth.registerTool(server, `of_${authInfo?.extra?.["subject"]}`, { scopes: ["write"] }, () => text(era))
        return server
      }, { legacy: "reject" })
      const as = (subject: string, name: string, scopes: ReadonlyArray<string>, era: Era = { of: modern }) =>
        Effect.flatMap(issuer.mint({ subject, scopes, claims: { tenant: "acme" } }), (token) => {
          const message = era.of(callTool(name))
          return Effect.promise(() =>
            handler.fetch(body(message.body, { authorization: `Bearer ${token}`, ...message.headers }))
          )
        })
      assert.strictEqual((yield* as("alice", "of_alice", [])).status, 403)
      const done = yield* as("alice", "of_alice", ["write"])
      assert.strictEqual((yield* Effect.promise(() => done.json())).result.content[0].text, "modern")
      const other = yield* as("bob", "of_alice", [])
      assert.include(yield* Effect.promise(() => other.text()), "not found")
      assert.strictEqual((yield* as("alice", "of_alice", ["write"], legacy)).status, 400)
      yield* Effect.promise(() => handler.close())
    }))

  it.live("mock admits its caller with the granted scopes", () =>
    Effect.gen(function*() {
      const auth = yield* Effect.promise(() => McpAuthSdk.mock({ subject: "alice", scopes: ["read"] }))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const handler = auth.createMcpHandler(() => {
        const server = new McpServer({ name: "test", version: "1.0.0" })
        auth.registerTool(server, "list", { scopes: ["read"] }, ({ principal }) => text(`of ${principal.subject}`))
        return server
      })
      const { body: message, headers } = modern(callTool("list"))
      const answer = yield* Effect.promise(() => handler.fetch(body(message, headers)))
      assert.strictEqual((yield* Effect.promise(() => answer.json())).result.content[0].text, "of alice")
    }))

  it.live("a factory that fails or returns no server is an error of the configuration", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: "http://localhost/mcp" })
      const auth = yield* Effect.promise(() => makeAuth("http://localhost/mcp", client))
      yield* Effect.addFinalizer(() => Effect.promise(() => auth.dispose()))
      const token = yield* issuer.mint({ claims: { tenant: "acme" } })
      const { body: message, headers } = modern(callTool("x"))
      const answerOf = (factory: () => unknown) =>
        Effect.promise(() =>
          auth.createMcpHandler(factory as () => McpServer)
            .fetch(body(message, { authorization: `Bearer ${token}`, ...headers }))
        )
      const answer = yield* answerOf(() => {
        throw new Error("a secret of the program")
      })
      assert.strictEqual(answer.status, 500)
      assert.notInclude(yield* Effect.promise(() => answer.text()), "secret")
      for (const returned of [undefined, null, {}, { maximumBody: 1 }]) {
        const answer = yield* answerOf(() => returned)
        assert.deepStrictEqual(
          [answer.status, (yield* Effect.promise(() => answer.json())).error],
          [500, "server_error"]
        )
      }
      const server = new McpServer({ name: "test", version: "1.0.0" })
      assert.throws(
        () => auth.registerTool(server, "a", { scopes: ["other" as "read"] }, () => text("")),
        AuthError.AuthConfigError
      )
      assert.throws(
        () => auth.registerTool(server, "a", { scope: ["read"] } as never, () => text("")),
        /tool a.scope: there is no such option\. The closest one is scopes\./
      )
    }))
})
