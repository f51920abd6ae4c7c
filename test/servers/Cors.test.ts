/**
 * Tests that a page of an allowed origin can read the rejections of the gate beside the CORS middleware of each framework, whose
 * own exposed headers stay. Every request goes over a socket.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { serve } from "@hono/node-server"
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Effect, Exit, Layer, Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
// @ts-expect-error The package `cors` has no types. `Cors` below describes it.
import untypedCors from "cors"
import { type Context, Hono } from "hono"
import { cors as honoCors } from "hono/cors"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { authLayer, fetcherWith } from "./gates.ts"
import { overSocket } from "./hosts/Host.ts"

const cors = untypedCors as (options: {
  readonly origin?: string | ReadonlyArray<string>
  readonly exposedHeaders?: ReadonlyArray<string>
  readonly credentials?: boolean
}) => (req: unknown, res: unknown, next: (error?: unknown) => void) => void

const app = "https://app.test"
const others = "https://other.test"
/** The gate allows this origin, and the CORS middleware does not. */
const partner = "https://partner.test"
const resource = "https://server.test/mcp"

const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))

const settings = {
  resource,
  authorizationServers: [issuer.issuer],
  scopes: ["todos:read"],
  allowedOrigins: [app, partner],
  dpop: Dpop.optional()
} as const
const options = { ...settings, layer: fetcherWith(client) }

/** Where the CORS middleware runs. `"every header"` also exposes `AuthLayer.exposedHeaders`, as the page Operations advises. */
type Place = "in front of the gate" | "behind the gate" | "every header"

const exposedBy = (place: Place): Array<string> =>
  place === "every header" ? ["X-Own", ...AuthLayer.exposedHeaders] : ["X-Own"]

interface Running {
  readonly port: number
  readonly stop: () => Promise<void>
}

interface Setup {
  readonly name: string
  readonly start: (place: Place) => Promise<Running>
}

const listen = async (server: Server, stop: () => Promise<void> = async () => {}): Promise<Running> => {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await stop()
    }
  }
}

const middlewareFor = (place: Place) =>
  cors({ origin: [app, others], exposedHeaders: exposedBy(place), credentials: true })

const express = (name: string, framework: typeof express5): Setup => ({
  name,
  start: async (place) => {
    const auth = await McpAuthNode.make(options)
    const server = framework()
    const middleware = middlewareFor(place) as never
    if (place !== "behind the gate") server.use(middleware)
    server.use("/mcp", auth.protectRoute())
    if (place === "behind the gate") server.use(middleware)
    server.use("/mcp", (_, res) => void res.end("ran"))
    return listen(createServer(server), auth.dispose)
  }
})

const node: Setup = {
  name: "node:http",
  start: async (place) => {
    const auth = await McpAuthNode.make(options)
    const guard = auth.protectRoute()
    const middleware = middlewareFor(place)
    const through = (req: unknown, res: unknown) =>
      new Promise<void>((resolve) => middleware(req, res, () => resolve()))
    const listener: RequestListener = async (req, res) => {
      if (place !== "behind the gate") await through(req, res)
      if (await guard(req, res) === undefined) return
      if (place === "behind the gate") await through(req, res)
      res.end("ran")
    }
    return listen(createServer(listener), auth.dispose)
  }
}

const sdkV1: Setup = {
  name: "SDK v1 on Express",
  start: async (place) => {
    const auth = await SdkV1.make(options)
    const server = express5()
    const middleware = middlewareFor(place) as never
    if (place !== "behind the gate") server.use(middleware)
    server.use("/mcp", auth.protect(new McpServerV1({ name: "test", version: "1.0.0" })))
    if (place === "behind the gate") server.use(middleware)
    server.use("/mcp", (_, res) => void res.end("ran"))
    return listen(createServer(server), auth.dispose)
  }
}

const overHono = async (place: Place, handle: (context: Context) => Promise<Response>, stop: () => Promise<void>) => {
  const middleware = honoCors({ origin: [app, others], exposeHeaders: exposedBy(place), credentials: true })
  const server = new Hono()
  if (place !== "behind the gate") server.use(middleware)
  server.all("/mcp", async (c, next) => {
    const response = await handle(c)
    if (response.headers.get("x-admitted") === null) return response
    return await next()
  })
  if (place === "behind the gate") server.use(middleware)
  server.all("/mcp", (c) => c.text("ran"))
  const listening = await new Promise<Server>((resolve) => {
    const started: unknown = serve(
      { fetch: server.fetch, port: 0, hostname: "127.0.0.1" },
      () => resolve(started as Server)
    )
  })
  return listen(listening, stop)
}

const admitted = () => new Response(null, { headers: { "x-admitted": "1" } })

const hono: Setup = {
  name: "fetch on Hono",
  start: async (place) => {
    const auth = await McpAuthFetch.make(options)
    return overHono(place, auth.protectRoute(admitted), auth.dispose)
  }
}

const honoV2: Setup = {
  name: "SDK v2 on Hono",
  start: async (place) => {
    const auth = await SdkV2.make(options)
    const handle = auth.protectFetch(new McpServerV2({ name: "test", version: "1.0.0" }), async () => admitted())
    return overHono(place, handle, auth.dispose)
  }
}

const effect = (name: string, layerFor: (place: Place) => Layer.Layer<never, never, HttpRouter.HttpRouter>): Setup => ({
  name,
  start: async (place) => {
    const server = createServer()
    const scope = Scope.makeUnsafe()
    const route = HttpRouter.add("GET", "/mcp", HttpServerResponse.text("ran"))
    const auth = authLayer(settings).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
    // A global middleware wraps all routes, wherever its layer is.
    const routes = Layer.mergeAll(route.pipe(Layer.provide(auth)), layerFor(place))
    await Effect.runPromise(
      Layer.buildWithScope(
        HttpRouter.serve(routes as Layer.Layer<never, never, HttpRouter.HttpRouter>, {
          disableLogger: true,
          disableListenLog: true
        }).pipe(Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))),
        scope
      )
    )
    return {
      port: (server.address() as AddressInfo).port,
      stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
})

const corsOfEffect = (place: Place) =>
  HttpRouter.cors({ allowedOrigins: [app, others], exposedHeaders: exposedBy(place), credentials: true })

/** A middleware that sets the headers when it receives the response, and not in a pre-response handler. */
const corsOfAuthor = (place: Place) =>
  HttpRouter.middleware(
    (handler) =>
      Effect.map(
        handler,
        HttpServerResponse.setHeaders({
          "access-control-allow-origin": app,
          "access-control-allow-credentials": "true",
          "access-control-expose-headers": exposedBy(place).join(", ")
        })
      ),
    { global: true }
  )

const setups: ReadonlyArray<Setup> = [
  effect("HttpRouter.cors of Effect", corsOfEffect),
  effect("an own middleware of Effect", corsOfAuthor),
  node,
  express("Express 4", express4 as unknown as typeof express5),
  express("Express 5", express5),
  sdkV1,
  hono,
  honoV2
]

const membersOf = (value: string | undefined): ReadonlyArray<string> =>
  (value ?? "").split(",").map((_) => _.trim().toLowerCase()).filter((_) => _ !== "").sort()

describe.each(setups)("CORS middleware, $name", ({ name, start }) => {
  const places: ReadonlyArray<Place> = name.includes("Effect")
    ? ["in front of the gate", "every header"]
    : ["in front of the gate", "behind the gate", "every header"]

  describe.each(places)("%s", (place) => {
    let running: Running
    beforeAll(async () => {
      running = await start(place)
    })
    afterAll(() => running.stop())

    const get = (...headers: ReadonlyArray<readonly [string, string]>) =>
      overSocket(running.port).send({ method: "GET", path: "/mcp", headers: [["origin", app], ...headers] })

    const required = ["dpop-nonce", "www-authenticate"]
    const own = place === "behind the gate" ? [] : ["x-own"]
    const expected = place === "every header"
      ? ["dpop-nonce", "mcp-session-id", "retry-after", "www-authenticate", "x-own"]
      : [...required, ...own]

    it("[T-AUD-02b] a page reads the challenge and the headers of the middleware, each named once", async () => {
      for (const sent of [[], [["authorization", "Bearer garbage"]]] as const) {
        const { headers, status } = await get(...sent)
        assert.strictEqual(status, 401)
        assert.include(headers["www-authenticate"], "resource_metadata=")
        assert.strictEqual(headers["access-control-allow-origin"], app)
        assert.deepStrictEqual(membersOf(headers["access-control-expose-headers"]), expected)
      }
    })

    it("[T-AUD-02c] a CORS middleware does not let an origin through that the gate rejects", async () => {
      const { status } = await overSocket(running.port).send({
        method: "GET",
        path: "/mcp",
        headers: [["origin", others], ["authorization", `Bearer ${token}`]]
      })
      assert.strictEqual(status, 403)
    })

    it(
      "credentials are not allowed for an origin that the CORS middleware does not allow",
      async () => {
        const { headers, status } = await overSocket(running.port).send({
          method: "GET",
          path: "/mcp",
          headers: [["origin", partner]]
        })
        assert.strictEqual(status, 401)
        if (headers["access-control-allow-origin"] === partner) {
          assert.notProperty(headers, "access-control-allow-credentials")
        } else assert.notInclude([partner, "*"], headers["access-control-allow-origin"])
      }
    )

    it("a page reads the response of the handler by the headers of the middleware", async () => {
      // On SDK v1, a GET without an event stream is not a request of MCP, but reaches the handler of the test.
      const { body, headers, status } = await get(["authorization", `Bearer ${token}`])
      assert.deepStrictEqual([status, body], [200, "ran"])
      assert.strictEqual(headers["access-control-allow-origin"], app)
      assert.include(membersOf(headers["access-control-expose-headers"]), "x-own")
    })
  })
})
