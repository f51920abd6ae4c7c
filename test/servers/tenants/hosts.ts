/** A server on every host, with the route `/t/:tenant/mcp` behind the gate. The handler returns the tenant that it receives. */
import { NodeHttpServer } from "@effect/platform-node"
import { serve } from "@hono/node-server"
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Effect, Exit, Layer, Scope } from "effect"
import { Principal } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { type HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { Hono } from "hono"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { inMemory } from "../../verification/tenants/servers.ts"
import { authLayer, withFetcher } from "../gates.ts"
import { lenientRoute, type TenantOptions, tenantsOf } from "../hosts/functions.ts"
import { type Answer, overFetch, overSocket, type Sent } from "../hosts/Host.ts"
import * as Keys from "../hosts/keys.ts"
import * as workers from "../hosts/workers.ts"

export const resource = "https://server.test/mcp"
export const pattern = "/t/:tenant/mcp"

/** Creates an issuer for the server and one for each of two tenants, and a function that issues a token of a given issuer. */
export const world = async () => {
  const run = Effect.runPromise
  const acme = await run(TestIssuer.make({ issuer: "https://acme.test", resource: "https://server.test/t/acme/mcp" }))
  const bolt = await run(TestIssuer.make({ issuer: "https://bolt.test", resource: "https://server.test/t/bolt/mcp" }))
  const own = await run(
    TestIssuer.make({ issuer: "https://own.test", resource, others: [acme.issuer, bolt.issuer] })
  )
  const issuers = { acme: acme.issuer, bolt: bolt.issuer, own: own.issuer }
  const token = (name: keyof typeof issuers, audience?: string) =>
    run(issuers[name].mint({ scopes: ["todos:read"], ...(audience === undefined ? {} : { audience }) }))
  return { client: own.client, issuers, token }
}

export interface Running {
  readonly send: (sent: Sent) => Promise<Answer>
  readonly stop: () => Promise<unknown>
}

export interface TenantHost {
  readonly name: string
  readonly start: (tenants: TenantOptions, client: HttpClient.HttpClient) => Promise<Running>
  /** Starts several servers together. Omitted unless that is much faster than calling `start` for each server. */
  readonly startAll?: (
    given: ReadonlyArray<TenantOptions>,
    client: HttpClient.HttpClient
  ) => Promise<ReadonlyArray<Running>>
}

const withoutTenants = {
  resource,
  authorizationServers: ["https://own.test"],
  scopes: ["todos:read"]
} as const

const options = (tenants: TenantOptions) => ({
  ...withoutTenants,
  apiKeys: Keys.apiKeysOf({ header: "x-api-key" }),
  tenants: tenantsOf(tenants)
})

const given = (tenants: TenantOptions, client: HttpClient.HttpClient) => ({
  ...options(tenants),
  layer: withFetcher(inMemory(client))
})

const listen = (server: Server) =>
  new Promise<Server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))

const overNode = (server: Server, dispose: () => Promise<void>): Running => ({
  send: overSocket((server.address() as AddressInfo).port).send,
  stop: async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await dispose()
  }
})

/** Puts the origin before the path. Otherwise, the URL parser takes the beginning of `//t/acme/mcp` for a host name. */
const toFetch = (handle: (request: Request) => Response | Promise<Response>): Running["send"] => (sent) =>
  overFetch(handle).send({ ...sent, path: sent.path.startsWith("/") ? `https://server.test${sent.path}` : sent.path })

/* Effect */

const effectApp = (tenants: TenantOptions, client: HttpClient.HttpClient) => {
  const seen = Effect.gen(function*() {
    const { tenant } = yield* HttpRouter.params
    yield* Principal
    return HttpServerResponse.text(tenant ?? "none")
  })
  return Layer.mergeAll(
    HttpRouter.add("*", pattern, seen),
    HttpRouter.add("*", "/mcp", seen)
  ).pipe(
    Layer.provide(authLayer(options(tenants))),
    Layer.provide(inMemory(client))
  )
}

const effectWeb: TenantHost = {
  name: "Effect, web handler",
  start: async (tenants, client) => {
    const { dispose, handler } = HttpRouter.toWebHandler(effectApp(tenants, client), { disableLogger: true })
    return { send: toFetch((request) => handler(request)), stop: dispose }
  }
}

const effectSocket: TenantHost = {
  name: "Effect, socket",
  start: async (tenants, client) => {
    const node = createServer()
    const scope = Scope.makeUnsafe()
    await Effect.runPromise(Layer.buildWithScope(
      HttpRouter.serve(effectApp(tenants, client), { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(
          NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" })
        )
      ),
      scope
    ))
    return overNode(node, () => Effect.runPromise(Scope.close(scope, Exit.void)))
  }
}

/* Express */

type Handler = (
  req: { readonly params: Record<string, string> },
  res: { readonly send: (body: string) => unknown }
) => void

const seen: Handler = (req, res) => void res.send(req.params["tenant"] ?? "none")

const express = (
  name: string,
  framework: typeof express5,
  routes: (app: ReturnType<typeof express5>, guard: express5.RequestHandler) => void = (app, guard) => {
    app.all(pattern, guard, seen as never)
    app.all("/mcp", guard, seen as never)
  }
): TenantHost => ({
  name,
  start: async (tenants, client) => {
    const auth = await McpAuthNode.make(given(tenants, client))
    const app = framework()
    app.use(auth.metadataRouter() as never)
    routes(app, auth.protectRoute() as never)
    return overNode(await listen(createServer(app)), auth.dispose)
  }
})

const mounted = express("Express 5, mounted", express5, (app, guard) => {
  const router = express5.Router({ mergeParams: true })
  router.all("/mcp", guard, seen as never)
  app.use("/t/:tenant", router)
  app.all("/mcp", guard, seen as never)
})

/** The guard runs in `app.use`, before Express matches a route, so the guard has no route parameters. */
export const guardOfAll = express("Express 5, guard by app.use", express5, (app, guard) => {
  app.use(guard)
  app.all(pattern, seen as never)
})

const expressV1: TenantHost = {
  name: "SDK v1 on Express",
  start: async (tenants, client) => {
    const auth = await SdkV1.make(given(tenants, client))
    const app = express5()
    app.use(auth.metadataRouter() as never)
    const server = new McpServerV1({ name: "todos", version: "1.0.0" })
    app.all([pattern, "/mcp"], auth.protect(server) as never, seen as never)
    return overNode(await listen(createServer(app)), auth.dispose)
  }
}

/* Hosts whose router passes no parameters to the gate, so the author of the server passes the tenant */

const isRoute = ({ by }: TenantOptions) => by[0] === "fromRoute"

const bareNode: TenantHost = {
  name: "node:http",
  start: async (tenants, client) => {
    const auth = await McpAuthNode.make(given(tenants, client))
    const metadata = auth.metadataRouter()
    const guard = auth.protectRoute(isRoute(tenants) ? { tenant: (req) => lenientRoute(req.url ?? "") } : {})
    const server = await listen(createServer(async (req, res) => {
      if (await metadata(req, res)) return
      if (await guard(req, res) === undefined) return
      res.end(lenientRoute(req.url ?? "") ?? "none")
    }))
    return overNode(server, auth.dispose)
  }
}

const fetchHost: TenantHost = {
  name: "fetch",
  start: async (tenants, client) => {
    const auth = await McpAuthFetch.make(given(tenants, client))
    const handle = auth.protectRoute(
      (request) => new Response(lenientRoute(request.url) ?? "none"),
      isRoute(tenants) ? { tenant: (request) => lenientRoute(request.url) } : {}
    )
    return {
      send: toFetch(async (request) => await auth.metadata(request) ?? await handle(request)),
      stop: auth.dispose
    }
  }
}

const hono: TenantHost = {
  name: "Hono",
  start: async (tenants, client) => {
    const auth = await McpAuthFetch.make(given(tenants, client))
    const handle = auth.protectRoute(
      (_request, _admission, tenant: string | undefined) => new Response(tenant ?? "none"),
      isRoute(tenants) ? { tenant: (_request, tenant) => tenant } : {}
    )
    const app = new Hono()
    app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
    app.all(pattern, (c) => handle(c, c.req.param("tenant")))
    app.all("/mcp", (c) => handle(c, undefined))
    const server = await new Promise<Server>((resolve) => {
      const listening: unknown = serve(
        { fetch: app.fetch, port: 0, hostname: "127.0.0.1" },
        () => resolve(listening as Server)
      )
    })
    return overNode(server, auth.dispose)
  }
}

const honoV2: TenantHost = {
  name: "SDK v2 on Hono",
  start: async (tenants, client) => {
    const auth = await SdkV2.make(given(tenants, client))
    const make = () => new McpServerV2({ name: "todos", version: "1.0.0" })
    const handle = auth.protectFetch(make(), (request) => {
      const tenant = decodeURIComponent(new URL(request.url).pathname.split("/").at(-2) ?? "")
      return new Response(tenant)
    })
    const app = new Hono()
    app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
    app.all(pattern, (c) => handle(c, { tenant: c.req.param("tenant") }))
    app.all("/mcp", (c) => handle(c))
    return { send: toFetch((request) => app.fetch(request)), stop: auth.dispose }
  }
}

const onWorkerd = (given: ReadonlyArray<TenantOptions>, client: HttpClient.HttpClient) =>
  workers.start(given.map((tenants) => ({ kind: "tenants", options: withoutTenants, tenants })), client)

const workerd: TenantHost = {
  name: "workerd",
  start: async (tenants, client) => (await onWorkerd([tenants], client))[0]!,
  startAll: onWorkerd
}

/** Starts a server for each entry of `given`. The result has the same order. */
export const startAll = (
  host: TenantHost,
  given: ReadonlyArray<TenantOptions>,
  client: HttpClient.HttpClient
): Promise<ReadonlyArray<Running>> =>
  host.startAll?.(given, client) ?? Promise.all(given.map((tenants) => host.start(tenants, client)))

export const hosts: ReadonlyArray<TenantHost> = [
  effectWeb,
  effectSocket,
  express("Express 4", express4 as unknown as typeof express5),
  express("Express 5", express5),
  mounted,
  bareNode,
  fetchHost,
  hono,
  expressV1,
  honoV2,
  workerd
]
