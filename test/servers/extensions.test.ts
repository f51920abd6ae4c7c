/** Servers of Effect and of both SDKs name the extensions of MCP for authorization in their capabilities. */
import { assert, describe, it } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { McpServer as ServerV2 } from "@modelcontextprotocol/server"
import { Effect, Layer, Schema } from "effect"
import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

const resource = "https://notes.test/mcp"

const extensions = {
  "io.modelcontextprotocol/enterprise-managed-authorization": {},
  "io.modelcontextprotocol/oauth-client-credentials": {}
}

const info = { name: "notes", version: "1.0.0" }

type Fetch = typeof globalThis.fetch

interface Started {
  readonly url: string
  readonly fetch: Fetch
  readonly stop: () => Promise<unknown>
}

const effect = async (issuer: TestIssuer.PromisedTestIssuer): Promise<Started> => {
  const WhoAmI = requireScopes("notes:read")(Tool.make("whoami", { success: Schema.String }))
  const Tools = Toolkit.make(WhoAmI)
  const App = McpAuth.layerHttp({
    ...info,
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
    extensions,
    registrations: McpAuth.toolkit(Tools).pipe(
      Layer.provide(Tools.toLayer({ whoami: () => Effect.map(Principal, ({ subject }) => String(subject)) }))
    )
  }).pipe(
    Layer.provide(AuthLayer.make({
      resource,
      authorizationServers: [issuer.issuer],
      scopes: ["notes:read"],
      httpClient: issuer.httpClient
    }))
  )
  const { dispose, handler } = HttpRouter.toWebHandler(App, { disableLogger: true })
  return { url: resource, fetch: (input, init) => handler(new Request(input, init)), stop: dispose }
}

const v2 = async (issuer: TestIssuer.PromisedTestIssuer): Promise<Started> => {
  const auth = await SdkV2.make({
    resource,
    authorizationServers: [issuer.issuer],
    scopes: ["notes:read"],
    fetch: issuer.fetch
  })
  const { fetch } = auth.createMcpHandler(() => new ServerV2(info, { capabilities: { extensions, tools: {} } }))
  return { url: resource, fetch: (input, init) => fetch(new Request(input, init)), stop: auth.dispose }
}

const v1 = async (issuer: TestIssuer.PromisedTestIssuer): Promise<Started> => {
  const auth = await SdkV1.make({
    resource,
    authorizationServers: [issuer.issuer],
    scopes: ["notes:read"],
    fetch: issuer.fetch
  })
  const makeServer = () => new ServerV1(info, { capabilities: { extensions, tools: {} } })
  const guard = auth.protect(makeServer())
  const http = createServer((req: IncomingMessage & { body?: unknown }, res: ServerResponse) =>
    guard(req as never, res as never, async () => {
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
      await makeServer().connect(transport as never)
      await transport.handleRequest(req, res, req.body)
    })
  )
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    fetch: globalThis.fetch,
    stop: async () => {
      http.close()
      http.closeAllConnections()
      await auth.dispose()
    }
  }
}

const servers = { "Effect": effect, "SDK v1": v1, "SDK v2": v2 }

const cases = [
  ["Effect", "auto"],
  ["Effect", "legacy"],
  ["SDK v2", "auto"],
  ["SDK v2", "legacy"],
  ["SDK v1", "legacy"]
] as const

describe("a server", () => {
  it.each(cases)("on %s names the extensions in its capabilities for a client in the mode %s", async (name, mode) => {
    const issuer = await TestIssuer.start({ resource })
    const { fetch, stop, url } = await servers[name](issuer)
    const token = await issuer.mint({ scopes: ["notes:read"] })
    const client = new ClientV2({ name: "report", version: "1.0.0" }, { versionNegotiation: { mode } })
    await client.connect(
      new TransportV2(new URL(url), { fetch, requestInit: { headers: { authorization: `Bearer ${token}` } } })
    )
    assert.deepStrictEqual(client.getServerCapabilities()?.extensions, extensions)
    await client.close()
    await stop()
  })
})
