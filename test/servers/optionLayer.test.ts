import { assert, describe, it } from "@effect/vitest"
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as ServerV2 } from "@modelcontextprotocol/server"
import { Context, Effect, Layer, Logger } from "effect"
import { AuthLayer, Decision } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Revocations } from "effect-mcp-auth/revocation"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { fetcherWith } from "./gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const options = { resource, authorizationServers: [issuer.issuer], scopes: ["todos:read"] } as const

describe("the option layer of hosts outside Effect", () => {
  it("supplies the service of a mechanism", async () => {
    const revocations = Context.get(
      await Effect.runPromise(Effect.scoped(Layer.build(Revocations.layerMemory))),
      Revocations.Revocations
    )
    await using auth = await McpAuthFetch.make({
      ...options,
      revocation: Revocations.stored,
      layer: Layer.merge(fetcherWith(client), Layer.succeed(Revocations.Revocations, revocations))
    })
    const route = auth.protectRoute(() => new Response("ran"))
    const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"], subject: "alice" }))
    const send = async () =>
      (await route(new Request(resource, { headers: { authorization: `Bearer ${token}` } }))).status
    assert.strictEqual(await send(), 200)
    await Effect.runPromise(revocations.revoke({ issuer: issuer.issuer, subject: "alice" }))
    assert.strictEqual(await send(), 401)
  })

  const wrong: ReadonlyArray<readonly [string, (given: never) => Promise<unknown>]> = [
    ["McpAuthFetch.make", McpAuthFetch.make],
    ["McpAuthNode.make", McpAuthNode.make],
    ["McpAuthSdk.make of v1", SdkV1.make],
    ["McpAuthSdk.make of v2", SdkV2.make]
  ]

  it.each(wrong)("is an AuthConfigError of %s if it is not a layer", async (_, make) => {
    for (const option of ["layer", "fetch", "httpClient", "onDecision"]) {
      const error = await make({ ...options, [option]: "none" } as never).catch((error: unknown) => error)
      assert.deepInclude(error as object, { _tag: "AuthConfigError", option })
    }
  })
})

describe("the option onDecision of hosts outside Effect", () => {
  const token = () => Effect.runPromise(issuer.mint({ scopes: ["todos:read"], subject: "alice" }))

  const ping = (authorization: string) =>
    new Request(resource, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
    })

  /** Sends a request to a protected handler of a host. Returns the status. */
  const hosts: ReadonlyArray<
    readonly [
      name: string,
      make: (given: object) => Promise<AsyncDisposable & { readonly send: (authorization: string) => Promise<number> }>
    ]
  > = [
    ["McpAuthFetch", async (given) => {
      const auth = await McpAuthFetch.make({ ...options, ...given })
      const route = auth.protectRoute(() => new Response("ran"))
      return {
        send: async (authorization) => (await route(new Request(resource, { headers: { authorization } }))).status,
        [Symbol.asyncDispose]: () => auth.dispose()
      }
    }],
    ["McpAuthNode", async (given) => {
      const auth = await McpAuthNode.make({ ...options, ...given })
      const guard = auth.protectRoute()
      const server = createServer((req, res) => void guard(req, res, () => void res.end("ran")))
      await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
      const { port } = server.address() as { readonly port: number }
      return {
        send: async (authorization) =>
          (await fetch(`http://127.0.0.1:${port}/mcp`, { headers: { authorization, connection: "close" } })).status,
        [Symbol.asyncDispose]: async () => {
          await new Promise((closed) => server.close(closed))
          await auth.dispose()
        }
      }
    }],
    ["McpAuthSdk of v1", async (given) => {
      const auth = await SdkV1.make({ ...options, ...given })
      const handler = auth.protectFetch(new ServerV1({ name: "s", version: "1" }) as never, () => new Response("ran"))
      return {
        send: async (authorization) => (await handler(ping(authorization))).status,
        [Symbol.asyncDispose]: () => auth.dispose()
      }
    }],
    ["McpAuthSdk of v2", async (given) => {
      const auth = await SdkV2.make({ ...options, ...given })
      const handler = auth.protectFetch(new ServerV2({ name: "s", version: "1" }) as never, () => new Response("ran"))
      return {
        send: async (authorization) => (await handler(ping(authorization))).status,
        [Symbol.asyncDispose]: () => auth.dispose()
      }
    }]
  ]

  it.each(hosts)("receives each decision of %s, after the listener of the option layer", async (_, make) => {
    const received: Array<unknown> = []
    const record = (source: string) => ({ outcome, reason, subject }: Decision.Decision) =>
      void received.push([source, outcome, reason, subject])
    await using host = await make({
      layer: Layer.merge(
        fetcherWith(client),
        Layer.succeed(Decision.DecisionListener, (decision) => Effect.sync(() => record("layer")(decision)))
      ),
      onDecision: async (decision: Decision.Decision) => record("onDecision")(decision)
    })
    assert.deepStrictEqual([await host.send(`Bearer ${await token()}`), await host.send("Bearer malformed")], [
      200,
      401
    ])
    assert.deepStrictEqual(received, [
      ["layer", "admitted", undefined, "alice"],
      ["onDecision", "admitted", undefined, "alice"],
      ["layer", "rejected", "malformed", undefined],
      ["onDecision", "rejected", "malformed", undefined]
    ])
  })

  it.each<readonly [string, () => unknown]>([
    ["throws", () => {
      throw new Error("no")
    }],
    ["returns a promise that rejects", () => Promise.reject(new Error("no"))]
  ])("makes the gate answer 500 instead of admitting a request if it %s", async (_, onDecision) => {
    await using host = await hosts[0]![1]({ layer: Layer.merge(fetcherWith(client), Logger.layer([])), onDecision })
    assert.deepStrictEqual([await host.send(`Bearer ${await token()}`), await host.send("Bearer malformed")], [
      500,
      401
    ])
  })
})

describe("the option httpClient", () => {
  it.effect("is an AuthConfigError if it is not a layer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(AuthLayer.make({ ...options, httpClient: client as never })))
      assert.deepInclude(error as object, { _tag: "AuthConfigError", option: "httpClient" })
    }).pipe(Effect.provide(HttpRouter.layer), Effect.scoped))

  it("belongs to one gate, also if a program has several", async () => {
    const makeRoute = async (path: "/a" | "/b") => {
      const resource = `https://server.test${path}`
      const { client, issuer } = await Effect.runPromise(
        TestIssuer.make({ resource, issuer: `https://issuer.test${path}` })
      )
      const auth = AuthLayer.make({
        resource,
        authorizationServers: [issuer.issuer],
        scopes: ["todos:read"],
        httpClient: Layer.succeed(HttpClient.HttpClient, client)
      })
      const route = HttpRouter.add("GET", path, HttpServerResponse.text(path)).pipe(Layer.provide(auth))
      return { route, resource, token: await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] })) }
    }
    const routes = await Promise.all([makeRoute("/a"), makeRoute("/b")])
    const { dispose, handler } = HttpRouter.toWebHandler(Layer.mergeAll(routes[0].route, routes[1].route), {
      disableLogger: true
    })
    for (const { resource, token } of routes) {
      const { status } = await handler(new Request(resource, { headers: { authorization: `Bearer ${token}` } }))
      assert.strictEqual(status, 200, resource)
    }
    await dispose()
  })
})
