/** MCP servers with one tool: behind the gate, without protection, or both on one server. */
import { Effect, Layer, Schema } from "effect"
import type { RequestHandler } from "express"
import { createServer, type RequestListener, type Server } from "node:http"
import { type Make, onEffect, options, quiet } from "./onEffect.ts"

interface Issued {
  readonly issuer: string
  readonly resource: string
}

/** A server behind the gate at `/mcp`, a server without protection at the path in `open`, or both. */
interface Routes {
  readonly behind?: Issued
  readonly open?: "/mcp" | "/open"
}

const onEffectServer = async ({ behind, open }: Routes): Promise<Server> => {
  const { McpProtocol, McpServer, Tool, Toolkit } = await import("effect/ai")
  const AddTodo = Tool.make("add_todo", {
    description: "Adds a todo",
    parameters: Schema.Struct({ title: Schema.String }),
    success: Schema.String
  })
  const settings = { name: "todos", version: "1.0.0", protocols: [McpProtocol.v2026_07_28] } as const
  const add = ({ title }: { readonly title: string }) => Effect.succeed(`added ${title}`)
  const openServer = (path: "/mcp" | "/open") => {
    const Todos = Toolkit.make(AddTodo)
    return McpServer.layerHttp({
      ...settings,
      path,
      registrations: McpServer.toolkit(Todos).pipe(Layer.provide(Todos.toLayer({ add_todo: add })))
    })
  }
  const guardedServer = async ({ issuer, resource }: Issued) => {
    const { AuthLayer, requireScopes } = await import("effect-mcp-auth")
    const { McpAuth } = await import("effect-mcp-auth/mcp")
    const Todos = Toolkit.make(requireScopes("todos:write")(AddTodo))
    return McpAuth.layerHttp({
      ...settings,
      path: "/mcp",
      registrations: McpAuth.toolkit(Todos).pipe(Layer.provide(Todos.toLayer({ add_todo: add })))
    }).pipe(Layer.provide(AuthLayer.make(options(issuer, resource))))
  }
  return onEffect(Layer.mergeAll(
    // `fresh`, because otherwise Effect builds a shared layer once, and both routes use one server with the tools of both.
    open === undefined ? Layer.empty : Layer.fresh(openServer(open)),
    behind === undefined ? Layer.empty : Layer.fresh(await guardedServer(behind))
  ))
}

const added = (title: string) => ({ content: [{ type: "text" as const, text: `added ${title}` }] })

/** SDK v1 on Express, with one server per request, as in the SDK's stateless example. */
const onSdkV1 = async ({ behind, open }: Routes): Promise<Server> => {
  const { default: express } = await import("express")
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js")
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js")
  const { z } = await import("zod")
  const app = express()
  const serve = (make: () => InstanceType<typeof McpServer>): RequestHandler => async (request, response) => {
    const server = make()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on("close", () => void server.close())
    // A cast, because the SDK's types contradict each other under `exactOptionalPropertyTypes`.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(request, response, request.body)
  }
  const info = { name: "todos", version: "1.0.0" }
  const config = { description: "Adds a todo", inputSchema: { title: z.string() } }
  if (open !== undefined) {
    const make = () => {
      const server = new McpServer(info)
      server.registerTool("add_todo", config, ({ title }) => added(title))
      return server
    }
    app.post(open, express.json(), serve(make))
  }
  if (behind !== undefined) {
    const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v1")
    const auth = await McpAuthSdk.make({ ...options(behind.issuer, behind.resource), layer: quiet })
    const make = () => {
      const server = new McpServer(info)
      auth.registerTool(server, "add_todo", { ...config, scopes: ["todos:write"] }, ({ title }) => added(title))
      return server
    }
    app.post("/mcp", auth.protect(make()), serve(make))
  }
  return createServer(app)
}

const onSdkV2 = async ({ behind, open }: Routes): Promise<Server> => {
  const { getRequestListener } = await import("@hono/node-server")
  const { createMcpHandler, McpServer } = await import("@modelcontextprotocol/server")
  const { z } = await import("zod")
  const info = { name: "todos", version: "1.0.0" }
  const config = { description: "Adds a todo", inputSchema: z.object({ title: z.string() }) }
  const listeners = new Map<string | undefined, RequestListener>()
  const listen = (path: string, { fetch }: { readonly fetch: (request: Request) => Promise<Response> }) =>
    listeners.set(path, getRequestListener((request) => fetch(request)) as RequestListener)
  if (open !== undefined) {
    const handler = createMcpHandler(() => {
      const server = new McpServer(info)
      server.registerTool("add_todo", config, ({ title }) => added(title))
      return server
    })
    listen(open, { fetch: (request) => handler.fetch(request) })
  }
  if (behind !== undefined) {
    const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v2")
    const auth = await McpAuthSdk.make({ ...options(behind.issuer, behind.resource), layer: quiet })
    const handler = auth.createMcpHandler(() => {
      const server = new McpServer(info)
      auth.registerTool(server, "add_todo", { ...config, scopes: ["todos:write"] }, ({ title }) => added(title))
      return server
    })
    listen("/mcp", { fetch: (request) => handler.fetch(request) })
  }
  return createServer((request, response) => listeners.get(request.url)!(request, response))
}

const contendersOf = (host: string, make: (routes: Routes) => Promise<Server>): Readonly<Record<string, Make>> => ({
  [`tools: ${host}`]: () => make({ open: "/mcp" }),
  [`tools: ${host} + effect-mcp-auth`]: (issuer, resource) => make({ behind: { issuer, resource } }),
  [`tools: ${host}, two routes`]: (issuer, resource) => make({ behind: { issuer, resource }, open: "/open" })
})

export const toolServers: Readonly<Record<string, Make>> = {
  ...contendersOf("Effect", onEffectServer),
  ...contendersOf("SDK v1", onSdkV1),
  ...contendersOf("SDK v2", onSdkV2)
}
