/** Tests what the doctor says about URLs of servers of every kind, also of those that are no MCP servers. */
import { assert, describe, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Effect } from "effect"
import type { Report } from "effect-mcp-auth/provider"
import { McpAuthSdk as McpAuthSdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as McpAuthSdkV2 } from "effect-mcp-auth/sdk-v2"
import { listen } from "../../servers/sdk/listen.ts"
import {
  getFailures,
  getFinding,
  getVerdict,
  handleMcp,
  makeIssuer,
  type Ran,
  runDoctor,
  serve,
  serveMetadata,
  serveRaw
} from "./servers.ts"

/** Asserts that the report has one rule, which says that the URL is not the endpoint of an MCP server. */
const assertNotMcp = (report: Report.Report, why: RegExp, change: RegExp) => {
  assert.deepStrictEqual(report.findings.map((_) => [_.rule, _.verdict]), [["mcp-endpoint", "fail"]])
  assert.match(report.findings[0]!.why, why)
  assert.match(report.findings[0]!.change!, change)
  assert.strictEqual(report.outcome, "fail")
}

describe("a server without authorization", () => {
  it.live.each([{ sessions: true }, { sessions: false }])(
    "is open to everyone with version 1 of the SDK, with sessions: $sessions",
    (options) =>
      Effect.gen(function*() {
        const ran: Ran = []
        const origin = yield* serve((app) => void app.use("/mcp", handleMcp(ran, options)))
        const report = yield* runDoctor(`${origin}/mcp`)
        assert.deepStrictEqual(getFailures(report), ["rejects-without-token"])
        assert.match(
          getFinding(report, "rejects-without-token").why,
          /^the server is open to everyone: it speaks MCP 2025-11-25 without a token, accepts an invalid token, and lists 2 tools$/
        )
        assert.include(report.notes.join(), "Tools listed without a token: list_todos, delete_all_todos")
        assert.include(report.notes.join(), "does not accept MCP 2026-07-28")
        assert.strictEqual(report.outcome, "fail")
        assert.deepStrictEqual(ran, [])
      })
  )

  it.live.each(["2025-06-18", "2025-03-26"])(
    "is open to everyone if it speaks only MCP %s",
    (revision) =>
      Effect.gen(function*() {
        const origin = yield* serve((app) =>
          void app.post("/mcp", ({ body, headers }, response) => {
            const requested = body.params?.protocolVersion ?? headers["mcp-protocol-version"] ?? "2025-03-26"
            const reply = (result: object) => void response.json({ jsonrpc: "2.0", id: body.id ?? null, ...result })
            if (requested !== revision) {
              response.status(400)
              return reply({ error: { code: -32602, message: "Unsupported protocol version" } })
            }
            return reply({
              result: body.method === "initialize" ? { protocolVersion: revision } : { tools: [{ name: "a" }] }
            })
          })
        )
        const report = yield* runDoctor(`${origin}/mcp`)
        assert.deepStrictEqual(getFailures(report), ["rejects-without-token"])
        assert.include(getFinding(report, "rejects-without-token").why, `it speaks MCP ${revision}`)
        assert.include(getFinding(report, "rejects-without-token").why, "lists 1 tool")
      })
  )

  it.live("fails the rules for tokens as well if it publishes metadata", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeIssuer
      const origin = yield* serve((app, origin) => {
        serveMetadata(app, `${origin}/mcp`, issuer)
        app.use("/mcp", handleMcp([]))
      })
      const report = yield* runDoctor(`${origin}/mcp`)
      assert.includeMembers(getFailures(report, "MUST"), [
        "rejects-without-token",
        "rejects-invalid-token",
        "rejects-forged-token"
      ])
    }))
})

describe("a server of this library with public tools", () => {
  const options = (origin: string, issuer: string) => ({
    resource: `${origin}/mcp`,
    authorizationServers: [issuer] as const,
    scopes: ["todos:read"] as const,
    anonymous: "allow-unscoped" as const
  })

  const startV1 = (issuer: string, ran: Ran) =>
    serve(async (app, origin) => {
      const auth = await McpAuthSdkV1.make(options(origin, issuer))
      const make = () => {
        const server = new McpServerV1({ name: "todos", version: "1.0.0" })
        const run = (name: string) => {
          ran.push(name)
          return { content: [] }
        }
        auth.registerTool(server as never, "about", {}, () => run("about"))
        auth.registerTool(
          server as never,
          "list_todos",
          { scopes: ["todos:read"], unauthorized: "hide" },
          () => run("list_todos")
        )
        return server
      }
      app.use(auth.metadataRouter())
      app.all("/mcp", auth.protect(make()), async (request, response) => {
        const transport = new StreamableHTTPServerTransport()
        await make().connect(transport as never)
        await transport.handleRequest(request, response, request.body)
      })
    })

  const startV2 = (issuer: string, ran: Ran) =>
    listen((origin) =>
      Effect.promise(async () => {
        const auth = await McpAuthSdkV2.make(options(origin, issuer))
        const handler = auth.createMcpHandler(() => {
          const server = new McpServerV2({ name: "todos", version: "1.0.0" })
          const run = (name: string) => {
            ran.push(name)
            return { content: [] }
          }
          auth.registerTool(server, "about", {}, () => run("about"))
          auth.registerTool(
            server,
            "list_todos",
            { scopes: ["todos:read"], unauthorized: "hide" },
            () => run("list_todos")
          )
          return server
        })
        return getRequestListener(async (request) => await auth.metadata(request) ?? await handler.fetch(request))
      })
    )

  it.live.each([["version 1 of the SDK", startV1], ["version 2 of the SDK", startV2]] as const)(
    "on %s is recognized, and passes with a token that makes more tools visible",
    ([, start]) =>
      Effect.gen(function*() {
        const ran: Ran = []
        const { issuer, signIn } = yield* makeIssuer
        const origin = yield* start(issuer, ran)
        const url = `${origin}/mcp`
        const report = yield* runDoctor(url)
        assert.deepStrictEqual(getFailures(report), [])
        assert.strictEqual(report.outcome, "inconclusive")
        assert.match(
          getFinding(report, "rejects-without-token").why,
          /^the server lists 1 tool without a token, and rejects an invalid token\. Public operations are allowed/
        )
        assert.include(report.notes.join(), "Tools listed without a token: about. No tool was called")
        assert.strictEqual(getVerdict(report, "challenge"), "pass")
        assert.strictEqual(getVerdict(report, "rejects-forged-token"), "pass")

        const full = yield* runDoctor(url, {
          token: yield* signIn(url),
          foreignToken: yield* signIn(`${origin}/other`)
        })
        assert.strictEqual(getVerdict(full, "rejects-without-token"), "pass")
        assert.strictEqual(getVerdict(full, "rejects-foreign-token"), "pass")
        assert.deepStrictEqual(getFailures(full), [])
        assert.strictEqual(full.outcome, "pass", full.summary)
        assert.deepStrictEqual(ran, [])
      })
  )
})

describe("a URL that is not the endpoint of an MCP server", () => {
  it.live.each([
    {
      title: "a web site",
      status: 200,
      type: "text/html",
      body: "<!doctype html><title>Shop</title>",
      why: /200 with a web page/
    },
    {
      title: "a path without a page",
      status: 404,
      type: "text/html",
      body: "<h1>Not found</h1>",
      why: /404: nothing is at this path/
    },
    { title: "a page that accepts GET only", status: 405, type: "text/plain", body: "", why: /405 for POST/ },
    {
      title: "a REST API",
      status: 200,
      type: "application/json",
      body: "{\"todos\":[]}",
      why: /200 without a message of MCP/
    },
    {
      title: "an API that rejects the request",
      status: 422,
      type: "application/json",
      body: "{\"error\":\"no\"}",
      why: /422 without/
    }
  ])("$title is reported as such", ({ body, status, type, why }) =>
    Effect.gen(function*() {
      const origin = yield* serveRaw(() => (_request, response) =>
        void response.writeHead(status, { "content-type": type }).end(body)
      )
      assertNotMcp(yield* runDoctor(`${origin}/mcp`), why, /Write the URL of the MCP endpoint/)
    }))

  it.live.each<readonly [string, number, object, RegExp]>([
    ["a REST API", 200, { ok: true, result: { id: 1 } }, /returns 200 without a message of MCP/],
    ["an API with errors in the style of Google", 404, { error: { code: 404, message: "Not Found" } }, /returns 404/]
  ])("%s is not taken for JSON-RPC", ([, status, body, why]) =>
    Effect.gen(function*() {
      const origin = yield* serve((app) =>
        void app.use((_request, response) => void response.status(status).json(body))
      )
      assertNotMcp(yield* runDoctor(`${origin}/mcp`), why, /Write the URL of the MCP endpoint/)
    }))

  it.live("a server of another protocol on JSON-RPC is recognized by the methods that it does not know", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app) =>
        void app.use(({ body }, response) => {
          const error = { code: -32601, message: `the method ${body?.method} does not exist` }
          response.json({ jsonrpc: "2.0", id: body?.id ?? null, error })
        })
      )
      assertNotMcp(yield* runDoctor(origin), /speaks JSON-RPC, but knows no method of MCP/, /Write the URL/)
    }))

  it.live("an MCP server without tools is recognized by server/discover", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app) =>
        void app.use(({ body }, response) =>
          void response.json({
            jsonrpc: "2.0",
            id: body?.id ?? null,
            ...(body?.method === "server/discover"
              ? { result: { supportedVersions: ["2026-07-28"], capabilities: {} } }
              : { error: { code: -32601, message: "Method not found" } })
          })
        )
      )
      const report = yield* runDoctor(origin)
      assert.strictEqual(getFinding(report, "mcp-endpoint").verdict, "pass")
      assert.strictEqual(
        getFinding(report, "mcp-endpoint").why,
        "the server returns 200 with the error -32601 (Method not found)"
      )
      assert.include(getFailures(report), "rejects-without-token")
    }))

  const startSite = (status: number, type: string, resource?: (origin: string) => string) =>
    serveRaw((origin) => ({ method, url }, response) => {
      if (resource !== undefined && url?.startsWith("/.well-known/oauth-protected-resource") === true) {
        response.writeHead(200, { "content-type": "application/json" })
        return void response.end(JSON.stringify({ resource: resource(origin), authorization_servers: [] }))
      }
      response.writeHead(method === "POST" ? status : 404, { "content-type": type })
      response.end(type === "text/html" ? "<!doctype html><title>Forbidden</title>" : "{}")
    })

  it.live("a web site that rejects POST with 403 is recognized by its page", () =>
    Effect.gen(function*() {
      const origin = yield* startSite(403, "text/html")
      assertNotMcp(
        yield* runDoctor(`${origin}/mcp`),
        /the server returns 403 with a web page, not a message of MCP/,
        /Write the URL of the MCP endpoint/
      )
    }))

  it.live.each([[403, "application/json"], [500, "application/json"], [500, "text/html"]] as const)(
    "a server that returns %d with %s leaves the check inconclusive without metadata, and is an MCP server with metadata",
    ([status, type]) =>
      Effect.gen(function*() {
        const report = yield* runDoctor(`${yield* startSite(status, type)}/mcp`)
        assert.deepStrictEqual(report.findings.map((_) => [_.rule, _.verdict]), [["mcp-endpoint", "inconclusive"]])
        assert.match(report.findings[0]!.why, new RegExp(`^the server returns ${status} without a message of MCP`))

        const named = yield* runDoctor(`${yield* startSite(status, type, (origin) => `${origin}/mcp`)}/mcp`)
        assert.strictEqual(getVerdict(named, "mcp-endpoint"), "pass")
        assert.strictEqual(getFinding(named, "mcp-endpoint").why, `the server returns ${status}`)
        assert.include(getFailures(named), "rejects-without-token")
      })
  )

  it.live("an authorization server is recognized, and the report names the command for it", () =>
    Effect.gen(function*() {
      const { issuer } = yield* makeIssuer
      assertNotMcp(
        yield* runDoctor(issuer),
        /this is an authorization server: its metadata name the issuer http/,
        new RegExp(`Run effect-mcp-auth check ${issuer}`)
      )
    }))

  it.live("the origin of an MCP server leads to its endpoint, if its metadata name it", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app, origin) =>
        void app.get("/.well-known/oauth-protected-resource", (_request, response) =>
          void response.json({ resource: `${origin}/mcp`, authorization_servers: [] }))
      )
      assertNotMcp(
        yield* runDoctor(origin),
        /404.*the metadata name the MCP server http.*\/mcp$/,
        /Run doctor for http.*\/mcp$/
      )
    }))

  it.live("a server with the transport HTTP+SSE of 2024-11-05 is recognized", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app) =>
        void app.get("/sse", (_request, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write("event: endpoint\ndata: /messages?sessionId=1\n\n")
        })
      )
      assertNotMcp(
        yield* runDoctor(`${origin}/sse`),
        /transport HTTP\+SSE of 2024-11-05.*anyone can open/,
        /Streamable HTTP/
      )
    }))

  it.live.each([429, 502, 503, 504])(
    "a server that returns %d leaves the check inconclusive",
    (status) =>
      Effect.gen(function*() {
        const origin = yield* serveRaw(() => (_request, response) => void response.writeHead(status).end())
        const report = yield* runDoctor(`${origin}/mcp`)
        assert.strictEqual(report.outcome, "inconclusive")
        assert.include(getFinding(report, "mcp-endpoint").why, `the server returns ${status}`)
      })
  )
})

describe("a redirect of the endpoint", () => {
  const start = (status: number, to: (origin: string) => string) =>
    serve((app, origin) => {
      app.use((request, response, next) =>
        request.path === "/mcp" ? void response.redirect(status, to(origin)) : next()
      )
      app.use("/mcp/", handleMcp([]))
    })

  it.live.each([307, 308])(
    "with %d within the origin is followed, and its target is named",
    (status) =>
      Effect.gen(function*() {
        const origin = yield* start(status, () => "/mcp/")
        const report = yield* runDoctor(`${origin}/mcp`)
        assert.deepStrictEqual(getFailures(report), ["mcp-endpoint-direct", "rejects-without-token"])
        const { change, why } = getFinding(report, "mcp-endpoint-direct")
        assert.include(why, `redirects to ${origin}/mcp/ with ${status}. Both official clients follow`)
        assert.include(change!, `Give clients ${origin}/mcp/`)
        assert.strictEqual(report.subject, `${origin}/mcp`)
      })
  )

  it.live.each([301, 302, 303])(
    "with %d is named, and not followed, because clients would send GET",
    (status) =>
      Effect.gen(function*() {
        const origin = yield* start(status, () => "/mcp/")
        assertNotMcp(
          yield* runDoctor(`${origin}/mcp`),
          new RegExp(`redirects to ${origin}/mcp/ with ${status}, which both official clients do not follow`),
          new RegExp(`Give clients ${origin}/mcp/`)
        )
      })
  )

  it.live("to another origin is named, and not followed", () =>
    Effect.gen(function*() {
      const requests: Array<string> = []
      const other = yield* serveRaw(() => (request, response) => {
        requests.push(request.url ?? "")
        response.end()
      })
      const origin = yield* start(307, () => `${other}/mcp`)
      assertNotMcp(yield* runDoctor(`${origin}/mcp`), new RegExp(`redirects to ${other}/mcp with 307`), /Give clients/)
      assert.deepStrictEqual(requests, [])
    }))

  it.live("to itself ends", () =>
    Effect.gen(function*() {
      const origin = yield* start(307, () => "/mcp")
      assertNotMcp(yield* runDoctor(`${origin}/mcp`), /redirects to .*\/mcp with 307/, /Give clients/)
    }))
})
