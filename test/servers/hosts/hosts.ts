/** All hosts on which the table of cases runs. To add a host, add an entry. */
import { NodeHttpServer } from "@effect/platform-node"
import { serve } from "@hono/node-server"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { Policy, Principal, requirePolicy, requireScopes } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpProtocol, McpSchema, Tool, Toolkit } from "effect/ai"
import { Headers, type HttpClient, HttpRouter, HttpServerRequest } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { Hono } from "hono"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import * as Functions from "./functions.ts"
import {
  type Adapter,
  type Given,
  type Host,
  isWithoutScopes,
  overFetch,
  overSocket,
  withFunctions,
  type Written
} from "./Host.ts"
import * as middleware from "./middleware.ts"
import * as policies from "./policies.ts"
import { sdkHosts } from "./sdkHosts.ts"
import { hostOptions, layer } from "./services.ts"
import * as TodoServer from "./TodoServer.ts"
import * as workers from "./workers.ts"

/* Effect's own server */

const todos = (ran: (line: string) => void, hasScopes: boolean) => {
  const run = (name: string) =>
    Effect.map(Effect.context<never>(), (context) => {
      const subject = Context.getOrUndefined(context as Context.Context<Principal>, Principal)?.subject ?? "nobody"
      ran(`${name} ${subject}`)
      return `${name} for ${subject}`
    })
  const ListTodos = requireScopes("todos:read")(Tool.make("list_todos", { success: Schema.String }))
  const AddTodo = requireScopes("todos:read", "todos:write")(Tool.make("add_todo", { success: Schema.String }))
  const open = Toolkit.make(Tool.make("whoami", { success: Schema.String }))
  const tools = Toolkit.make(ListTodos, AddTodo)
  const handlers = tools.toLayer({
    list_todos: () => run("list_todos"),
    add_todo: () => run("add_todo")
  })
  const whoami = McpAuth.toolkit(open).pipe(Layer.provide(open.toLayer({ whoami: () => run("whoami") })))
  // The type of a server without scopes is that of the other servers, so that both have the same tests.
  if (!hasScopes) return whoami as never
  return Layer.mergeAll(
    whoami,
    McpAuth.toolkit(tools).pipe(Layer.provide(handlers)),
    McpAuth.resource({ uri: "todo://1", name: "todo", scopes: ["todos:read"], content: run("todo://1") }),
    McpAuth.prompt({ name: "plan", scopes: ["todos:write"], content: () => run("plan") })
  )
}

/** Registers the operations of `policies.ts`. */
const combined = (ran: (line: string) => void): Layer.Layer<never, never, never> => {
  const run = (line: string) =>
    Effect.map(Effect.context<never>(), (context) => {
      const subject = Context.getOrUndefined(context as Context.Context<Principal>, Principal)?.subject ?? "nobody"
      ran(`${line} ${subject}`)
      return line
    })
  const complete = (name: string) => () => Effect.sync(() => [ran(`complete ${name}`) ?? "1"])
  const parameters = Schema.Struct({ id: Schema.optional(Schema.Trim) })
  const tools = [
    ...Object.entries(policies.policies).map(([name, policy]) => ({
      name,
      policy,
      unauthorized: "challenge" as const
    })),
    ...Object.entries(policies.denied).map(([name, policy]) => ({ name, policy, unauthorized: "deny" as const })),
    ...Object.entries(policies.hidden).map(([name, policy]) => ({ name, policy, unauthorized: "hide" as const })),
    { name: "open", policy: Policy.anyone, unauthorized: "challenge" as const }
  ]
  const kit = Toolkit.make(
    ...tools.map(({ name, policy, unauthorized }) =>
      requirePolicy(policy as typeof policies.policies.edit)(
        Tool.make(name, { parameters, success: Schema.String }).annotate(Policy.Unauthorized, unauthorized)
      )
    )
  )
  const handlers = Object.fromEntries(tools.map(({ name }) => [name, () => run(name)]))
  const others = Object.entries(policies.registrations).flatMap(([name, options]) => {
    const { policy, unauthorized } = options as typeof policies.registrations.edit
    const required = { name, policy, unauthorized }
    const segments = [`item://${name}/`, ""]
    return [
      McpAuth.resource({ ...required, uri: `todo://${name}`, content: run(`resource ${name}`) }),
      McpAuth.resource(
        Object.assign(segments, { raw: segments }) as TemplateStringsArray,
        McpSchema.param("id", Schema.String)
      )({ ...required, completion: { id: complete(name) }, content: () => run(`template ${name}`) }),
      McpAuth.prompt({
        ...required,
        parameters: { id: Schema.String },
        completion: { id: complete(name) },
        content: () => run(`prompt ${name}`)
      })
    ]
  })
  // The types are those of a server without policies, so that both have the same tests.
  return Layer.mergeAll(
    McpAuth.toolkit(kit).pipe(Layer.provide(kit.toLayer(handlers as never))),
    Layer.mergeAll(...others as unknown as [typeof others[number]])
  ).pipe(Layer.provide(policies.layer)) as never
}

/** The middleware of `middleware.ts`, as a middleware of Effect that changes a copy of the request. */
const gateway = HttpRouter.middleware(
  (handler) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const value = request.headers[middleware.gatewayHeader]
      if (value === undefined) return handler
      const headers = value === "none"
        ? Headers.remove(request.headers, "authorization")
        : Headers.set(request.headers, "authorization", value)
      return Effect.provideService(handler, HttpServerRequest.HttpServerRequest, request.modify({ headers }))
    }),
  { global: true }
)

const effectServer = (
  options: Written,
  client: HttpClient.HttpClient,
  functions: Functions.Functions,
  ran: (line: string) => void
) =>
  McpAuth.layerHttp({
    name: "todos",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_03_26],
    allowSessionTermination: true,
    registrations: policies.areUsedBy(functions)
      ? Layer.merge(todos(ran, !isWithoutScopes(options)), combined(ran))
      : todos(ran, !isWithoutScopes(options))
  }).pipe(
    Layer.provide(layer(options, client, functions)),
    Layer.merge(gateway)
  )

const effectWeb: Adapter = {
  name: "Effect, web handler",
  streams: "subscriptions/listen",
  start: async (options, client, functions) => {
    const record = TodoServer.recorder()
    const { dispose, handler } = HttpRouter.toWebHandler(effectServer(options, client, functions, record.ran), {
      disableLogger: true
    })
    return { ...overFetch((request) => handler(request)), ran: async () => record.take(), stop: dispose }
  }
}

const effectSocket: Adapter = {
  name: "Effect, socket",
  streams: "subscriptions/listen",
  start: async (options, client, functions) => {
    const record = TodoServer.recorder()
    const node = createServer()
    const scope = Scope.makeUnsafe()
    await Effect.runPromise(
      Layer.buildWithScope(
        HttpRouter.serve(effectServer(options, client, functions, record.ran), {
          disableLogger: true,
          disableListenLog: true
        })
          .pipe(
            Layer.provide(
              NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" })
            )
          ),
        scope
      )
    )
    return {
      ...overSocket((node.address() as AddressInfo).port),
      ran: async () => record.take(),
      stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}

/* Fetch */

type Handle = (request: Request | McpAuthFetch.HonoContext) => Promise<Response>

const protect = (
  auth: McpAuthFetch.McpAuthFetch<"todos:read" | "todos:write", unknown, policies.Owners>,
  { policy = TodoServer.requirementOf, tenant }: Functions.Functions,
  ran: (line: string) => void
): Handle =>
  auth.protect(
    (request, { body, principal }) =>
      TodoServer.toResponse(TodoServer.answer(request.method, body, principal?.subject, ran)),
    { policy, metadata: true, tenant }
  )

const fetchWrapper: Adapter = {
  name: "fetch",
  streams: "GET",
  hasPolicy: true,
  start: async (options, client, functions) => {
    const record = TodoServer.recorder()
    const auth = await McpAuthFetch.make(hostOptions(options, client, functions))
    const handle = protect(auth, functions, record.ran)
    return {
      ...overFetch((request) => handle(middleware.onFetch(request))),
      ran: async () => record.take(),
      stop: auth.dispose
    }
  }
}

const hono: Adapter = {
  name: "Hono on @hono/node-server",
  streams: "GET",
  hasPolicy: true,
  start: async (options, client, functions) => {
    const record = TodoServer.recorder()
    const auth = await McpAuthFetch.make(hostOptions(options, client, functions))
    const handle = protect(auth, functions, record.ran)
    const app = new Hono()
    app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
    app.all("/mcp", (c) => handle(c))
    const server = await new Promise<Server>((resolve) => {
      const listening: unknown = serve(
        { fetch: (request) => app.fetch(middleware.onFetch(request)), port: 0, hostname: "127.0.0.1" },
        () => resolve(listening as Server)
      )
    })
    return { ...overNode(server), ran: async () => record.take(), stop: () => stop(server, auth) }
  }
}

const oneWorker = (given: ReadonlyArray<Given>, client: HttpClient.HttpClient) =>
  workers.start(given.map((server) => ({ kind: "todos", ...server })), client)

export const workerd: Host<workers.RunningWorker> = {
  name: "workerd",
  streams: "GET",
  hasPolicy: true,
  start: async (options, client, functions = Functions.make("none")) =>
    (await oneWorker([{ options, functions: functions.name }], client))[0]!,
  startAll: oneWorker
}

/* Node */

const overNode = (server: Server) => overSocket((server.address() as AddressInfo).port)

const stop = async (server: Server, auth: { readonly dispose: () => Promise<void> }) => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await auth.dispose()
}

const listen = (server: Server) =>
  new Promise<Server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))

interface NodeReply {
  writeHead: (status: number, headers: Record<string, string>) => unknown
  write: (chunk: string) => unknown
  end: (body?: string) => unknown
}

const reply = (res: NodeReply, { body, headers, status }: TodoServer.Reply) => {
  res.writeHead(status, { ...headers })
  if (body === "open") res.write(": open\n\n")
  else res.end(body)
}

/** A server of `node:http`. `prepare` changes each request before the gate receives it, as a platform or a body parser does. */
const nodeServer = (
  name: string,
  prepare: (req: IncomingMessage) => void | Promise<void> = () => {},
  parsedBody?: McpAuthNode.ProtectOptions<string>["parsedBody"]
): Adapter => ({
  name,
  streams: "GET",
  hasPolicy: true,
  ...(parsedBody === undefined ? {} : { readsBodyFirst: true }),
  start: async (options, client, functions) => {
    const record = TodoServer.recorder()
    const auth = await McpAuthNode.make(hostOptions(options, client, functions))
    const metadata = auth.metadataRouter()
    const guard = auth.protect({
      parsedBody,
      policy: functions.policy ?? TodoServer.requirementOf,
      tenant: functions.tenant
    })
    const server = await listen(createServer(async (req, res) => {
      await prepare(req)
      middleware.onNode(req)
      if (await metadata(req, res)) return
      const admission = await guard(req, res)
      if (admission === undefined) return
      reply(res, TodoServer.answer(req.method!, admission.body, admission.principal?.subject, record.ran))
    }))
    return { ...overNode(server), ran: async () => record.take(), stop: () => stop(server, auth) }
  }
})

/** Leaves only `headers`, in which the lines of one header are joined, as API Gateway passes them to a function of AWS Lambda. */
const keepHeadersOnly = (req: IncomingMessage): void => {
  const { rawHeaders } = req
  for (const name of ["authorization", "dpop", "host"]) {
    const lines = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name)
    if (lines.length > 0) req.headers[name] = lines.join(", ")
  }
  Object.assign(req, { rawHeaders: undefined })
}

/** Reads the body before the gate does, and stores its bytes where Google Cloud Functions store them. */
const readBody = async (req: IncomingMessage): Promise<void> => {
  Object.assign(req, { rawBody: await buffer(req) })
}

const rawBodyOf = (req: object) => (req as { readonly rawBody: Buffer }).rawBody

const express = (name: string, framework: typeof express5): Adapter => ({
  name,
  streams: "GET",
  hasPolicy: true,
  start: async (options, client, functions) => {
    const record = TodoServer.recorder()
    const auth = await McpAuthNode.make(hostOptions(options, client, functions))
    const app = framework()
    app.use((req, _, next) => {
      middleware.onNode(req)
      next()
    })
    app.use(auth.metadataRouter())
    app.all(
      "/mcp",
      auth.protect({ policy: functions.policy ?? TodoServer.requirementOf, tenant: functions.tenant }),
      framework.json(),
      (req, res) => {
        const { auth } = req as { auth?: McpAuthNode.AuthInfo }
        reply(res, TodoServer.answer(req.method, req.body, auth?.extra?.["subject"] as string | undefined, record.ran))
      }
    )
    const server = await listen(createServer(app))
    return { ...overNode(server), ran: async () => record.take(), stop: () => stop(server, auth) }
  }
})

/** The hosts in this process. */
export const inProcess: ReadonlyArray<Adapter> = [
  effectWeb,
  effectSocket,
  fetchWrapper,
  hono,
  nodeServer("node:http"),
  nodeServer("node:http, headers only", keepHeadersOnly),
  nodeServer("node:http, body already read", readBody, rawBodyOf),
  express("Express 4", express4 as unknown as typeof express5),
  express("Express 5", express5),
  ...sdkHosts
]

export const hosts: ReadonlyArray<Host> = [...inProcess.map(withFunctions), workerd]
