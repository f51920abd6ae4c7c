/** Tests that policies read the option `roles` of the mock of every host. */
import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Effect, Exit, Layer, Logger, Schema, Scope } from "effect"
import { AuthLayer, requirePolicy } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { listen } from "./sdk/listen.ts"
import { callTool, modern } from "./sdk/rpc.ts"

const resource = "http://localhost/mcp"
const policy = Policy.role("admin")
const info = { name: "test", version: "1.0.0" }
const optionsWith = (roles: ReadonlyArray<string>) =>
  ({ resource, subject: "alice", scopes: ["read"], roles, layer: Logger.layer([]) }) as const

const { body, headers } = modern(callTool("purge"))
const sent = (url: string) =>
  new Request(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      authorization: "Bearer any",
      ...headers
    },
    body: JSON.stringify(body)
  })

/** Sends a call that requires the role `admin`, and returns the status. */
const hosts: Readonly<Record<string, (roles: ReadonlyArray<string>) => Promise<number>>> = {
  Effect: async (roles) => {
    const { layer: _, ...options } = optionsWith(roles)
    const tools = Toolkit.make(requirePolicy(policy)(Tool.make("purge", { success: Schema.Void })))
    const { dispose, handler } = HttpRouter.toWebHandler(
      McpAuth.layerHttp({
        ...info,
        path: "/mcp",
        protocols: [McpProtocol.v2026_07_28],
        registrations: McpAuth.toolkit(tools).pipe(Layer.provide(tools.toLayer({ purge: () => Effect.void })))
      }).pipe(Layer.provide(AuthLayer.mock(options)), Layer.provide(Logger.layer([]))),
      { disableLogger: true }
    )
    const { status } = await handler(sent(resource))
    await dispose()
    return status
  },
  "SDK v1": async (roles) => {
    await using auth = await SdkV1.mock(optionsWith(roles))
    const server = new V1.McpServer(info)
    auth.registerTool(server, "purge", { policy }, () => ({ content: [] }))
    const handle = auth.protectFetch(server, async (request, given) => {
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
      await server.connect(transport as never)
      const others = new Headers(request.headers)
      // Version 1 of the SDK rejects the revision.
      others.delete("mcp-protocol-version")
      return transport.handleRequest(new Request(request.url, { method: "POST", headers: others }), given)
    })
    return (await handle(sent(resource))).status
  },
  "SDK v2": async (roles) => {
    await using auth = await SdkV2.mock(optionsWith(roles))
    const handler = auth.createMcpHandler(() => {
      const server = new V2.McpServer(info)
      auth.registerTool(server, "purge", { policy }, () => ({ content: [] }))
      return server
    })
    return (await handler.fetch(sent(resource))).status
  },
  fetch: async (roles) => {
    await using auth = await McpAuthFetch.mock(optionsWith(roles))
    return (await auth.protect(() => new Response(), { policy: () => policy })(sent(resource))).status
  },
  node: async (roles) => {
    await using auth = await McpAuthNode.mock(optionsWith(roles))
    const guard = auth.protect({ policy: () => policy })
    const scope = Scope.makeUnsafe()
    const listening = listen(() =>
      Effect.succeed((req, res) => void guard(req, res).then((admitted) => admitted === undefined || res.end()))
    )
    const origin = await Effect.runPromise(Effect.provideService(listening, Scope.Scope, scope))
    const { status } = await fetch(sent(`${origin}/mcp`))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    return status
  }
}

describe.each(Object.keys(hosts))("The mock of %s", (name) => {
  it("gives its caller the stated roles, and no others", async () => {
    const call = hosts[name]!
    assert.deepStrictEqual([await call(["admin"]), await call(["reader"]), await call([])], [200, 403, 403])
  })
})
