import { assert, describe, it } from "@effect/vitest"
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import {
  WebStandardStreamableHTTPServerTransport as Transport
} from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { McpServer as ServerV2 } from "@modelcontextprotocol/server"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { type Context, Hono } from "hono"
import { callTool } from "./sdk/rpc.ts"

/* Middleware of Hono that reads the body before the gate: Hono caches the body in the context. */

const resource = "https://a.example/mcp"
const options = { resource, subject: "alice", scopes: ["read", "write"], granted: ["read"] } as const
const info = { name: "test", version: "1.0.0" }
const done = () => ({ content: [{ type: "text" as const, text: "done" }] })

type Handle = (context: Context) => Promise<Response>

const hosts: Readonly<Record<string, () => Promise<AsyncDisposable & { readonly handle: Handle }>>> = {
  fetch: async () => {
    const auth = await McpAuthFetch.mock(options)
    const handle = auth.protect((_, { body }) => Response.json({ ran: (body as { readonly method: string }).method }), {
      policy: ({ target }) => target === "add" ? { scopes: ["write"] } : { scopes: ["read"] }
    })
    return Object.assign(auth, { handle: (context: Context) => handle(context) })
  },
  "SDK v1": async () => {
    const auth = await SdkV1.mock(options)
    const makeServer = () => {
      const server = new ServerV1(info)
      auth.registerTool(server, "list", { scopes: ["read"] }, done)
      auth.registerTool(server, "add", { scopes: ["write"] }, done)
      return server
    }
    const handle = auth.protectFetch(makeServer, async (request, transportOptions) => {
      const transport = new Transport({ enableJsonResponse: true })
      const server = makeServer()
      await server.connect(transport as Parameters<typeof server.connect>[0])
      return transport.handleRequest(request, transportOptions)
    })
    return Object.assign(auth, { handle: (context: Context) => handle(context) })
  },
  "SDK v2": async () => {
    const auth = await SdkV2.mock(options)
    const handler = auth.createMcpHandler(() => {
      const server = new ServerV2(info)
      auth.registerTool(server, "list", { scopes: ["read"] }, done)
      auth.registerTool(server, "add", { scopes: ["write"] }, done)
      return server
    })
    return Object.assign(auth, { handle: (context: Context) => handler.fetch(context) })
  }
}

const readers: Readonly<Record<string, (context: Context) => Promise<unknown>>> = {
  "c.req.json()": (context) => context.req.json(),
  "c.req.text()": (context) => context.req.text(),
  "c.req.arrayBuffer()": (context) => context.req.arrayBuffer()
}

const send = async (handle: Handle, read: (context: Context) => Promise<unknown>, message: string | object) => {
  const app = new Hono()
  app.use(async (context, next) => {
    await read(context).catch(() => undefined)
    await next()
  })
  app.post("/mcp", handle)
  return app.request(resource, {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
    body: typeof message === "string" ? message : JSON.stringify(message)
  })
}

describe.each(Object.keys(hosts))("%s, behind middleware of Hono that has read the body", (name) => {
  it.each(Object.keys(readers))("with %s, checks and runs the cached body", async (reader) => {
    await using host = await hosts[name]!()
    const admitted = await send(host.handle, readers[reader]!, callTool("list"))
    assert.strictEqual(admitted.status, 200)
    assert.match(await admitted.text(), /done|tools\/call/)
    const rejected = await send(host.handle, readers[reader]!, callTool("add"))
    assert.strictEqual(rejected.status, 403)
    assert.match(rejected.headers.get("www-authenticate")!, /scope="write/)
  })

  it("answers 400 if the body is not JSON", async () => {
    await using host = await hosts[name]!()
    assert.strictEqual((await send(host.handle, readers["c.req.text()"]!, "{")).status, 400)
  })

  it("answers 500 if other code has read the stream of the request", async () => {
    await using host = await hosts[name]!()
    assert.strictEqual((await send(host.handle, (context) => context.req.raw.text(), callTool("list"))).status, 500)
  })
})

describe("A handler behind the gate that returns no Response", () => {
  it.each<readonly [string, unknown]>([["the value undefined", undefined], ["an object", { status: 200 }], [
    "text",
    "ok"
  ]])(
    "fails with an error that names the handler: %s",
    async (_, returned) => {
      await using auth = await McpAuthFetch.mock(options)
      const request = () =>
        new Request(resource, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(callTool("list"))
        })
      for (const protect of [auth.protect, auth.protectRoute]) {
        const failed: unknown = await protect(() => returned as never)(request()).catch((_: unknown) => _)
        assert.match(String(failed), /the handler behind the gate returned .+; expected a Response/)
      }
    }
  )
})
