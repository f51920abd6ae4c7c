/** The program of a Worker: servers on the fetch adapter. `workers.ts` bundles it, and it runs without any module of Node. */
import { Layer } from "effect"
import { Decision } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import * as Functions from "./functions.ts"
import type { Options, Written } from "./Host.ts"
import * as Keys from "./keys.ts"
import * as middleware from "./middleware.ts"
import * as policies from "./policies.ts"
import * as TodoServer from "./TodoServer.ts"
import type { Server } from "./workers.ts"

/** `workers.ts` sets this value in a line of code in front of the bundle. */
declare const SERVERS: ReadonlyArray<Server>

interface Served {
  readonly handle: (request: Request, env: unknown) => Promise<Response>
  readonly functions: Functions.Functions
  readonly ran: () => ReadonlyArray<string>
}

const authOf = (options: Options, { listener, options: own }: Functions.Functions) => {
  const all = { ...Functions.written(options), ...own } as Written
  const listening = listener === undefined ? Layer.empty : Layer.succeed(Decision.DecisionListener, listener)
  return McpAuthFetch.make({ ...all, layer: Layer.merge(policies.layer, listening) })
}

/** A server with an event stream at `/events`. It treats requests for any other path as MCP requests. */
const todos = async ({ functions: name, options }: Extract<Server, { readonly kind: "todos" }>): Promise<Served> => {
  const record = TodoServer.recorder()
  const functions = Functions.make(name)
  const { policy = TodoServer.requirementOf, tenant } = functions
  const auth = await authOf(options, functions)
  const mcp = auth.protect(
    (request, { body, principal }, _env: unknown) =>
      TodoServer.toResponse(TodoServer.answer(request.method, body, principal?.subject, record.ran)),
    { policy, metadata: true, tenant: tenant && ((_request, _env: unknown) => tenant()) }
  )
  const events = auth.protectRoute((_request, _admission, _env: unknown) =>
    TodoServer.endless(() => record.ran("closed"))
  )
  return {
    handle: (request, env) => new URL(request.url).pathname === "/events" ? events(request, env) : mcp(request, env),
    functions,
    ran: record.take
  }
}

/** A server with one route, which returns the tenant that its handler finds in the URL. */
const tenants = async ({ options, tenants }: Extract<Server, { readonly kind: "tenants" }>): Promise<Served> => {
  const auth = await McpAuthFetch.make({
    ...options,
    apiKeys: Keys.apiKeysOf({ header: "x-api-key" }),
    tenants: Functions.tenantsOf(tenants)
  })
  const route = auth.protectRoute(
    (request) => new Response(Functions.lenientRoute(request.url) ?? "none"),
    tenants.by[0] === "fromRoute" ? { tenant: (request) => Functions.lenientRoute(request.url) } : {}
  )
  return {
    handle: async (request) => await auth.metadata(request) ?? await route(request),
    functions: Functions.make("none"),
    ran: () => []
  }
}

/** An MCP endpoint that needs no authorization server, because `McpAuthFetch.mock` sets the caller of each request. */
const mock = async ({ limits, options }: Extract<Server, { readonly kind: "mock" }>): Promise<Served> => {
  const auth = await McpAuthFetch.mock(options)
  return {
    handle: auth.protect(() => new Response("ran"), limits as object),
    functions: Functions.make("none"),
    ran: () => []
  }
}

const served = await Promise.all(
  SERVERS.map((server) =>
    server.kind === "todos" ? todos(server) : server.kind === "tenants" ? tenants(server) : mock(server)
  )
)

/* The control requests of the test */

const wallClock = Date.now
let ahead = 0
Date.now = () => wallClock() + ahead

const held = new Set<string>()

/**
 * If the request has the header `x-held`, records that the reading of its body has begun. The test polls the Worker until this
 * is recorded.
 */
const watched = (request: Request): Request => {
  const id = request.headers.get("x-held")
  if (id === null || request.body === null) return request
  const reader = request.body.getReader()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      held.add(id)
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason)
  }, { highWaterMark: 0 })
  return new Request(
    request.url,
    { method: request.method, headers: request.headers, body, duplex: "half" } as RequestInit
  )
}

const answerTest = async ({ functions, ran }: Served, path: string, request: Request): Promise<unknown> => {
  if (path === "ran") return ran()
  if (path === "decisions") return functions.decisions()
  if (path === "checks") return functions.checks()
  if (path === "tell") {
    const message = await request.json() as Functions.Message
    if ("clock" in message) ahead = message.clock
    return functions.tell(message)
  }
  return held.has(path)
}

export default {
  fetch: async (request: Request, env: unknown): Promise<Response> => {
    const server = served[Number(request.headers.get("x-server") ?? 0)]!
    const path = /\/test\/([^/]+)$/.exec(request.url)?.[1]
    return path === undefined
      ? server.handle(middleware.onFetch(watched(request)), env)
      : Response.json(await answerTest(server, path, request) ?? null)
  }
}
