/**
 * The protected servers of the soak test, one for each host. Each has the tool `add_todo`, which requires `todos:write`, and an
 * event stream of changes.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { getRequestListener } from "@hono/node-server"
import { Context, Effect, Exit, Layer, Redacted, References, Schema, Scope } from "effect"
import { AuthLayer, requireScopes } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { Introspection } from "effect-mcp-auth/introspection"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Revocations } from "effect-mcp-auth/revocation"
import { Tenants } from "effect-mcp-auth/tenants"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer, type RequestListener } from "node:http"
import type { Names } from "./Issuers.ts"

export interface Options {
  readonly issuers: Names
  readonly resource: string
  /** Whether the tokens of the partner are accepted. */
  readonly hasPartner: boolean
  /** The durations for metadata and keys. */
  readonly times: Layer.Layer<never>
  readonly revocations: Revocations.Revocations["Service"]
  /** The used DPoP proofs, which a reload of the configuration must keep. */
  readonly replay: Dpop.Store
}

/** A protected server, for one configuration. */
export interface Serving {
  readonly listener: RequestListener
  /** Resolves when the keys were fetched, and rejects if this is not possible. */
  readonly ready: () => Promise<void>
  readonly dispose: () => Promise<void>
}

type Serve = (options: Options) => Promise<Serving>

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

const info = { name: "todos", version: "1.0.0" }

const added = (title: string) => ({ content: [{ type: "text" as const, text: `added ${title}` }] })

const authOptions = ({ hasPartner, issuers, replay, resource, revocations }: Options) => {
  const authorizationServers: readonly [AuthorizationServer.Input, ...ReadonlyArray<AuthorizationServer.Input>] = [
    issuers.main,
    {
      issuer: issuers.opaque,
      introspection: Introspection.make({
        clientId: "resource-server",
        clientSecret: Redacted.make("resource-server-secret"),
        // Short, so that also a short run introspects the same tokens again.
        cacheFor: "5 seconds"
      })
    },
    ...(hasPartner ? [issuers.partner] : [])
  ]
  return {
    resource,
    authorizationServers,
    scopes: ["todos:read", "todos:write"] as const,
    dpop: Dpop.optional({ replay }),
    revocation: Revocations.from(revocations),
    tenants: Tenants.fromClaim("org_id", {
      withoutTenant: "default-servers",
      authorizationServers: (tenant) =>
        Effect.succeed(tenant === "acme" || tenant === "globex" ? [issuers.tenants[tenant]] : []),
      [Tenants.allowPrivateAddresses]: true
    })
  }
}

const onEffect: Serve = async (options) => {
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
  })
  // The server of each configuration listens on a separate port, and receives the requests of the shared port.
  const node = createServer()
  const Auth = AuthLayer.make(authOptions(options))
  const Gate = Layer.effect(AuthLayer.AuthLayer, AuthLayer.AuthLayer).pipe(Layer.provide(Auth))
  const Served = HttpRouter.serve(Mcp.pipe(Layer.provide(Auth), Layer.provideMerge(Gate)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
    Layer.provide(options.times),
    Layer.provideMerge(quiet)
  )
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Scope.provide(Layer.build(Served), scope))
  return {
    listener: (request, response) => void node.emit("request", request, response),
    ready: () => Effect.runPromise(Context.get(context, AuthLayer.AuthLayer).ready),
    dispose: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const onSdkV1: Serve = async (options) => {
  const { default: express } = await import("express")
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js")
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js")
  const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v1")
  const { z } = await import("zod")
  const auth = await McpAuthSdk.make({ ...authOptions(options), layer: Layer.merge(options.times, quiet) })
  const make = () => {
    const server = new McpServer(info)
    const config = { inputSchema: { title: z.string() }, scopes: ["todos:write"] as const }
    auth.registerTool(server, "add_todo", config, ({ title }) => added(title))
    return server
  }
  const app = express()
  app.all("/mcp", auth.protect(make()), async (request, response) => {
    const server = make()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on("close", () => void server.close())
    // A cast, because the SDK's types contradict each other under `exactOptionalPropertyTypes`.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    if (request.method === "GET") {
      const timer = setInterval(() => void server.server.sendToolListChanged().catch(() => {}), 100)
      response.on("close", () => clearInterval(timer))
    }
    await transport.handleRequest(request, response, request.body)
  })
  return { listener: app, ready: () => Effect.runPromise(auth.gate.ready), dispose: auth.dispose }
}

const onSdkV2: Serve = async (options) => {
  const { McpServer } = await import("@modelcontextprotocol/server")
  const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v2")
  const { z } = await import("zod")
  const auth = await McpAuthSdk.make({ ...authOptions(options), layer: Layer.merge(options.times, quiet) })
  const handler = auth.createMcpHandler(() => {
    const server = new McpServer(info)
    const config = { inputSchema: z.object({ title: z.string() }), scopes: ["todos:write"] as const }
    auth.registerTool(server, "add_todo", config, ({ title }) => added(title))
    return server
  })
  return {
    listener: getRequestListener((request) => handler.fetch(request)) as RequestListener,
    ready: () => Effect.runPromise(auth.gate.ready),
    dispose: auth.dispose
  }
}

const openStream = () =>
  new Response(
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Buffer.from("data: {}\n\n")) }),
    { headers: { "content-type": "text/event-stream" } }
  )

const onFetch: Serve = async (options) => {
  const auth = await McpAuthFetch.make({ ...authOptions(options), layer: Layer.merge(options.times, quiet) })
  const handle = auth.protect(
    (request) =>
      request.headers.get("mcp-method") === "subscriptions/listen"
        ? openStream()
        : Response.json({ jsonrpc: "2.0", id: 1, result: added("buy milk") }),
    { policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined }
  )
  return {
    listener: getRequestListener((request) => handle(request)) as RequestListener,
    ready: () => Effect.runPromise(auth.gate.ready),
    dispose: auth.dispose
  }
}

export const hosts = {
  effect: onEffect,
  "sdk-v1": onSdkV1,
  "sdk-v2": onSdkV2,
  fetch: onFetch
} as const

export type Host = keyof typeof hosts
