/** Our servers, and the unprotected ones beside them. Each contender loads what it needs alone. */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, References, Schema, Scope } from "effect"
import { FetchHttpClient, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { KeyObject, verify } from "node:crypto"
import { createServer, type RequestListener, type Server } from "node:http"
import { answer } from "./Subject.ts"

/** Gives a server; one that does not listen yet is made to. */
export type Make = (issuer: string, resource: string) => Server | Promise<Server>

const options = (issuer: string, resource: string) => ({
  resource,
  authorizationServers: [issuer] as const,
  scopes: ["todos:read", "todos:write"] as const
})

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

const onEffect = async <E>(app: Layer.Layer<never, E, HttpRouter.HttpRouter>): Promise<Server> => {
  const node = createServer()
  const Served = HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(quiet)
  )
  await Effect.runPromise(Scope.provide(Layer.build(Served), Effect.runSync(Scope.make())))
  return node
}

const guardedRoute = async (issuer: string, resource: string, signatures: "jose" | "node:crypto") => {
  const { AuthLayer, Principal, Signature } = await import("effect-mcp-auth")
  const Auth = AuthLayer.make(options(issuer, resource))
  return HttpRouter.add("GET", "/mcp", Effect.map(Principal, () => HttpServerResponse.text(answer))).pipe(
    Layer.provide(signatures === "jose" ? Auth : Auth.pipe(Layer.provide(Signature.layerNode)))
  )
}

const openRoute = (path: `/${string}`) => HttpRouter.add("GET", path, Effect.succeed(HttpServerResponse.text(answer)))

class Caller extends Context.Service<Caller, { readonly subject: string | undefined }>()("bench/Caller") {}

const greeting = Effect.map(Caller, () => HttpServerResponse.text(answer))

const bearerOf = ({ headers }: HttpServerRequest.HttpServerRequest): string =>
  headers["authorization"]?.slice("Bearer ".length) ?? ""

const unauthorized = HttpServerResponse.empty({ status: 401, headers: { "www-authenticate": "Bearer" } })

/** What people write who have jose and no library: a middleware that verifies each token. */
const plainJose = async (issuer: string, resource: string) => {
  const { createRemoteJWKSet, jwtVerify } = await import("jose")
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
  return HttpRouter.middleware<{ provides: Caller }>()(Effect.succeed((app) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { payload } = yield* Effect.tryPromise(() =>
        jwtVerify(bearerOf(request), keys, { issuer, audience: resource, typ: "at+jwt" })
      )
      if (typeof payload["scope"] !== "string" || !payload["scope"].split(" ").includes("todos:read")) {
        return HttpServerResponse.empty({ status: 403 })
      }
      return yield* Effect.provideService(app, Caller, { subject: payload.sub })
    }).pipe(Effect.catchTag("UnknownError", () => Effect.succeed(unauthorized)))
  )).layer
}

/**
 * Floors: a middleware that gives the handler a service, as every one has to that lets a caller in, and beside that checks
 * a signature at most. It reads no claim, so it protects nothing; no gate that does can take less.
 */
const floorRoute = (path: `/${string}`, isSigned?: (token: string) => Effect.Effect<boolean, unknown>) =>
  HttpRouter.add("GET", path, greeting).pipe(
    Layer.provide(
      HttpRouter.middleware<{ provides: Caller }>()(Effect.succeed((app) => {
        const entered = Effect.provideService(app, Caller, { subject: "constant" })
        if (isSigned === undefined) return entered
        return Effect.withFiber((fiber) => {
          const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
          return Effect.matchEffect(isSigned(bearerOf(request)), {
            onSuccess: (signed) => signed ? entered : Effect.succeed(unauthorized),
            onFailure: () => Effect.succeed(unauthorized)
          })
        })
      })).layer
    )
  )

/** The key that signs tokens of this algorithm. */
const keyOf = async (issuer: string, algorithm: string) => {
  const { importJWK } = await import("jose")
  const { keys } = await (await fetch(`${issuer}/jwks`)).json() as { readonly keys: ReadonlyArray<{ alg?: string }> }
  const key = await importJWK(keys.find(({ alg }) => alg === algorithm)!, algorithm)
  if (key instanceof Uint8Array) throw new Error("a public key, not a secret")
  return key
}

const floorOfJose = async (issuer: string) => {
  const { compactVerify } = await import("jose")
  const key = await keyOf(issuer, "RS256")
  return onEffect(
    floorRoute("/mcp", (token) =>
      Effect.as(
        Effect.tryPromise(() => compactVerify(token, key, { algorithms: ["RS256"] })),
        true
      ))
  )
}

const floorOfNodeCrypto = async (issuer: string) => {
  const key = KeyObject.from(await keyOf(issuer, "RS256"))
  return onEffect(floorRoute("/mcp", (token) => {
    const end = token.lastIndexOf(".")
    const signed = verify(
      "sha256",
      Buffer.from(token.slice(0, end), "latin1"),
      key,
      Buffer.from(token.slice(end + 1), "base64url")
    )
    return Effect.succeed(signed)
  }))
}

// Decisions are logged by default; the peers log none, so nobody does here.
const onNode = async (issuer: string, resource: string) => {
  const { AuthLayer } = await import("effect-mcp-auth")
  const { McpAuthNode } = await import("effect-mcp-auth/node")
  return McpAuthNode.fromLayer(
    Layer.mergeAll(AuthLayer.layerServices(options(issuer, resource)).pipe(Layer.provide(FetchHttpClient.layer)), quiet)
  )
}

/** Tools on Effect's `McpServer`, behind the gate at `/mcp` or without protection, or both on one router. */
const effectTools = async (routes: {
  readonly behind?: { readonly issuer: string; readonly resource: string }
  readonly open?: `/${string}`
}) => {
  const { McpProtocol, McpServer, Tool, Toolkit } = await import("effect/ai")
  const AddTodo = Tool.make("add_todo", {
    description: "Adds a todo",
    parameters: Schema.Struct({ title: Schema.String }),
    success: Schema.String
  })
  const settings = { name: "todos", version: "1.0.0", protocols: [McpProtocol.v2026_07_28] } as const
  const add = ({ title }: { readonly title: string }) => Effect.succeed(`added ${title}`)
  const open = (path: `/${string}`) => {
    const Todos = Toolkit.make(AddTodo)
    return McpServer.layerHttp({
      ...settings,
      path,
      registrations: McpServer.toolkit(Todos).pipe(Layer.provide(Todos.toLayer({ add_todo: add })))
    })
  }
  const behind = async (issuer: string, resource: string) => {
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
    // Two servers of one program would be one: layers are built once.
    routes.open === undefined ? Layer.empty : Layer.fresh(open(routes.open)),
    routes.behind === undefined
      ? Layer.empty
      : Layer.fresh(await behind(routes.behind.issuer, routes.behind.resource))
  ))
}

const added = (title: string) => ({ content: [{ type: "text" as const, text: `added ${title}` }] })

/** The same on the SDK v1 and Express, a server for each request. */
const sdkV1Tools = async (issuer: string, resource: string): Promise<Server> => {
  const { default: express } = await import("express")
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js")
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js")
  const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v1")
  const { z } = await import("zod")
  const auth = await McpAuthSdk.make({ ...options(issuer, resource), layer: quiet })
  const make = () => {
    const server = new McpServer({ name: "todos", version: "1.0.0" })
    auth.registerTool(
      server,
      "add_todo",
      { description: "Adds a todo", inputSchema: { title: z.string() }, scopes: ["todos:write"] },
      ({ title }) => added(title)
    )
    return server
  }
  const app = express()
  app.post("/mcp", auth.protect(make()), async (request, response) => {
    const server = make()
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on("close", () => void server.close())
    // The SDK's own types do not agree on optional members under `exactOptionalPropertyTypes`.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(request, response, request.body)
  })
  return createServer(app)
}

/** The same on the SDK v2. */
const sdkV2Tools = async (guard: { readonly issuer: string; readonly resource: string } | undefined) => {
  const { getRequestListener } = await import("@hono/node-server")
  const { createMcpHandler, McpServer } = await import("@modelcontextprotocol/server")
  const { McpAuthSdk } = await import("effect-mcp-auth/sdk-v2")
  const { z } = await import("zod")
  const inputSchema = z.object({ title: z.string() })
  if (guard === undefined) {
    const handler = createMcpHandler(() => {
      const server = new McpServer({ name: "todos", version: "1.0.0" })
      server.registerTool("add_todo", { description: "Adds a todo", inputSchema }, ({ title }) => added(title))
      return server
    })
    return createServer(getRequestListener((request) => handler.fetch(request)) as RequestListener)
  }
  const auth = await McpAuthSdk.make({ ...options(guard.issuer, guard.resource), layer: quiet })
  const handler = auth.createMcpHandler(() => {
    const server = new McpServer({ name: "todos", version: "1.0.0" })
    auth.registerTool(
      server,
      "add_todo",
      { description: "Adds a todo", inputSchema, scopes: ["todos:write"] },
      ({ title }) => added(title)
    )
    return server
  })
  return createServer(getRequestListener((request) => handler.fetch(request)) as RequestListener)
}

export const servers: Readonly<Record<string, Make>> = {
  "effect": () => onEffect(openRoute("/mcp")),
  "effect + effect-mcp-auth": async (issuer, resource) => onEffect(await guardedRoute(issuer, resource, "jose")),
  "effect + effect-mcp-auth, node:crypto": async (issuer, resource) =>
    onEffect(await guardedRoute(issuer, resource, "node:crypto")),
  "effect, three routes": async (issuer, resource) =>
    onEffect(Layer.mergeAll(await guardedRoute(issuer, resource, "jose"), openRoute("/open"), floorRoute("/floor"))),
  "effect + jose": async (issuer, resource) =>
    onEffect(
      HttpRouter.add("GET", "/mcp", greeting).pipe(Layer.provide(await plainJose(issuer, resource)))
    ),
  "floor, jose": floorOfJose,
  "floor, node:crypto": floorOfNodeCrypto,
  "express + effect-mcp-auth": async (issuer, resource) => {
    const { default: express } = await import("express")
    const auth = await onNode(issuer, resource)
    const app = express()
    app.get("/mcp", auth.protectRoute({ scopes: ["todos:read"] }), (_, response) => void response.send(answer))
    return createServer(app)
  },
  "node:http": () => createServer((_, response) => void response.end(answer)),
  "node:http + effect-mcp-auth": async (issuer, resource) => {
    const auth = await onNode(issuer, resource)
    const protect = auth.protectRoute({ scopes: ["todos:read"] })
    return createServer((request, response) => void protect(request, response, () => response.end(answer)))
  },
  "tools: Effect": () => effectTools({ open: "/mcp" }),
  "tools: Effect + effect-mcp-auth": (issuer, resource) => effectTools({ behind: { issuer, resource } }),
  "tools: Effect, two routes": (issuer, resource) => effectTools({ behind: { issuer, resource }, open: "/open" }),
  "tools: SDK v1 + effect-mcp-auth": sdkV1Tools,
  "tools: SDK v2": () => sdkV2Tools(undefined),
  "tools: SDK v2 + effect-mcp-auth": (issuer, resource) => sdkV2Tools({ issuer, resource })
}
