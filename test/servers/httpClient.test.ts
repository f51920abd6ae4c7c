import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as ServerV2 } from "@modelcontextprotocol/server"
import { Context, Effect, Layer } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import mocks from "node-mocks-http"
import { createServer } from "node:http"

/* Tests the option `httpClient` of hosts outside Effect, with an issuer on a loopback port that sees a header of the client. */

const resource = "https://server.test/mcp"

type Options = {
  readonly resource: string
  readonly authorizationServers: readonly [string]
  readonly scopes: readonly ["todos:read"]
  readonly httpClient: ReturnType<typeof HttpClientFetcher.make>
}

type Gate = AsyncDisposable & { readonly send: (token: string) => Promise<number> }

const request = (token: string) => new Request(resource, { headers: { authorization: `Bearer ${token}` } })

const overNode = async (
  guard: (req: never, res: never, next: () => void) => Promise<unknown>,
  token: string
): Promise<number> => {
  const res = mocks.createResponse()
  const headers = { authorization: `Bearer ${token}`, host: "server.test" }
  await guard(mocks.createRequest({ method: "GET", url: "/mcp", headers }) as never, res as never, () => res.end())
  return res.statusCode
}

const hosts: Readonly<Record<string, (options: Options) => Promise<Gate>>> = {
  "McpAuthNode.make": async (options) => {
    const auth = await McpAuthNode.make(options)
    return Object.assign(auth, { send: (token: string) => overNode(auth.protectRoute(), token) })
  },
  "McpAuthFetch.make": async (options) => {
    const auth = await McpAuthFetch.make(options)
    const route = auth.protectRoute(() => new Response("ran"))
    return Object.assign(auth, { send: async (token: string) => (await route(request(token))).status })
  },
  "McpAuthSdk.make of v1": async (options) => {
    const auth = await SdkV1.make(options)
    const guard = auth.protect(new ServerV1({ name: "test", version: "1.0.0" }))
    return Object.assign(auth, { send: (token: string) => overNode(guard, token) })
  },
  "McpAuthSdk.make of v2": async (options) => {
    const auth = await SdkV2.make(options)
    const handle = auth.protectFetch(new ServerV2({ name: "test", version: "1.0.0" }), () => new Response("ran"))
    return Object.assign(auth, { send: async (token: string) => (await handle(request(token))).status })
  }
}

/** An issuer on a loopback port, the `x-own` headers that it received, and an `HttpClient` that adds one. */
const world = Effect.gen(function*() {
  const seen: Array<string | undefined> = []
  const server = createServer()
  server.on("request", (req) => void seen.push(req.headers["x-own"] as string | undefined))
  const served = TestIssuer.serve({ resource }).pipe(
    Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" }))
  )
  const issuer = Context.get(yield* Layer.build(served), TestIssuer.TestIssuer)
  const client = HttpClient.mapRequest(
    yield* HttpClient.HttpClient,
    HttpClientRequest.setHeader("x-own", "1")
  )
  const options: Options = {
    resource,
    authorizationServers: [issuer.issuer],
    scopes: ["todos:read"],
    httpClient: HttpClientFetcher.make(client)
  }
  return { client, options, seen, token: yield* issuer.mint({ scopes: ["todos:read"] }) }
}).pipe(Effect.provide(FetchHttpClient.layer))

describe.each(Object.entries(hosts))("the option httpClient of %s", (_, make) => {
  it.live("sends the requests to authorization servers with an HttpClient of Effect", () =>
    Effect.gen(function*() {
      const { options, seen, token } = yield* world
      yield* Effect.promise(async () => {
        await using auth = await make(options)
        assert.strictEqual(await auth.send(token), 200)
      })
      assert.isAtLeast(seen.length, 2)
      assert.deepStrictEqual([...new Set(seen)], ["1"])
    }))

  it.live("is an error with fetch, and if it is an HttpClient itself", () =>
    Effect.gen(function*() {
      const { client, options } = yield* world
      const failure = (wrong: object) =>
        Effect.promise(() => make({ ...options, ...wrong }).then(() => undefined, (error: unknown) => error as Error))
      const both = yield* failure({ fetch: globalThis.fetch })
      assert.include(both?.message, "set either httpClient or fetch, not both")
      const bare = yield* failure({ httpClient: client })
      assert.include(bare?.message, "Write HttpClientFetcher.make(client) of effect-mcp-auth/http-client")
    }))
})
