/** The protected servers of the soak test, one for each host. Each has the tool `add_todo`, which requires `todos:write`. */
import { NodeHttpServer } from "@effect/platform-node"
import { getRequestListener } from "@hono/node-server"
import { Effect, Exit, Layer, References, Schema, Scope } from "effect"
import { AuthLayer, requireScopes } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import type { RequestListener, Server } from "node:http"

export interface Options {
  readonly issuer: string
  readonly resource: string
  /** The durations for metadata and keys. */
  readonly times: Layer.Layer<never>
}

/** Adds the protected endpoint to a server of Node, and lets it listen. Returns a function that disposes the gate. */
type Serve = (node: Server, options: Options) => Promise<() => Promise<void>>

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

const scopes = ["todos:read", "todos:write"] as const

const info = { name: "todos", version: "1.0.0" }

const added = (title: string) => ({ content: [{ type: "text" as const, text: `added ${title}` }] })

const onEffect: Serve = async (node, { issuer, resource, times }) => {
  const Todos = Toolkit.make(
    requireScopes("todos:write")(
      Tool.make("add_todo", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.String })
    )
  )
  const Mcp = McpAuth.layerHttp({
    ...info,
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    registrations: McpAuth.toolkit(Todos).pipe(
      Layer.provide(Todos.toLayer({ add_todo: ({ title }) => Effect.succeed(`added ${title}`) }))
    )
  }).pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers: [issuer], scopes, dpop: Dpop.optional() })))
  const Served = HttpRouter.serve(Mcp, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
    Layer.provide(times),
    Layer.provideMerge(quiet)
  )
  const scope = Effect.runSync(Scope.make())
  await Effect.runPromise(Scope.provide(Layer.build(Served), scope))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}

const listen = (node: Server, listener: RequestListener) =>
  new Promise<void>((resolve) => {
    node.on("request", listener).listen(0, "127.0.0.1", resolve)
  })

const onSdkV1: Serve = async (node, { issuer, resource, times }) => {
  const { default: express } = await import("express")
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js")
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js")
  const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v1")
  const { z } = await import("zod")
  const layer = Layer.merge(times, quiet)
  const auth = await McpAuthSdk.make({ resource, authorizationServers: [issuer], scopes, dpop: Dpop.optional(), layer })
  const make = () => {
    const server = new McpServer(info)
    const config = { inputSchema: { title: z.string() }, scopes: ["todos:write"] as const }
    auth.registerTool(server, "add_todo", config, ({ title }) => added(title))
    return server
  }
  const app = express()
  app.post("/mcp", auth.protect(make()), async (request, response) => {
    const server = make()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on("close", () => void server.close())
    // A cast, because the SDK's types contradict each other under `exactOptionalPropertyTypes`.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(request, response, request.body)
  })
  await listen(node, app)
  return auth.dispose
}

const onSdkV2: Serve = async (node, { issuer, resource, times }) => {
  const { McpServer } = await import("@modelcontextprotocol/server")
  const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v2")
  const { z } = await import("zod")
  const layer = Layer.merge(times, quiet)
  const auth = await McpAuthSdk.make({ resource, authorizationServers: [issuer], scopes, dpop: Dpop.optional(), layer })
  const handler = auth.createMcpHandler(() => {
    const server = new McpServer(info)
    const config = { inputSchema: z.object({ title: z.string() }), scopes: ["todos:write"] as const }
    auth.registerTool(server, "add_todo", config, ({ title }) => added(title))
    return server
  })
  await listen(node, getRequestListener((request) => handler.fetch(request)) as RequestListener)
  return auth.dispose
}

const onFetch: Serve = async (node, { issuer, resource, times }) => {
  const layer = Layer.merge(times, quiet)
  const auth = await McpAuthFetch.make({
    resource,
    authorizationServers: [issuer],
    scopes,
    dpop: Dpop.optional(),
    layer
  })
  const handle = auth.protect(() => Response.json({ jsonrpc: "2.0", id: 1, result: added("buy milk") }), {
    policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined
  })
  await listen(node, getRequestListener((request) => handle(request)) as RequestListener)
  return auth.dispose
}

export const hosts = {
  effect: onEffect,
  "sdk-v1": onSdkV1,
  "sdk-v2": onSdkV2,
  fetch: onFetch
} as const

export type Host = keyof typeof hosts
