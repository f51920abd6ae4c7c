/** Tests the test client of the testing kit with servers of the official SDKs. */
import { assert, describe, it } from "@effect/vitest"
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Layer, References } from "effect"
import { McpAuthSdk as V1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as V2 } from "effect-mcp-auth/sdk-v2"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"

const text = (text: string) => ({ content: [{ type: "text" as const, text }] })

const start = async () => {
  const issuer = await TestIssuer.start()
  const decisions = TestClient.decisions()
  const options = {
    resource: issuer.resource,
    authorizationServers: [issuer.issuer],
    scopes: { baseline: ["a"], stepUp: ["b"] },
    fetch: issuer.fetch,
    // These tests cause rejections, which would fill the log.
    layer: Layer.merge(decisions.layer, Layer.succeed(References.MinimumLogLevel, "Error"))
  } as const
  return { issuer, decisions, options }
}

const v1 = async () => {
  const { options, ...rest } = await start()
  const auth = await V1.make(options)
  const makeServer = () => {
    const server = new McpServerV1({ name: "test", version: "1.0.0" })
    auth.registerTool(server, "write", { scopes: ["b"] }, ({ principal }) => text(principal.subject ?? "no subject"))
    return server
  }
  const handler = auth.protectFetch(makeServer(), async (request, options) => {
    const transport = new WebStandardStreamableHTTPServerTransport({})
    const server = makeServer()
    await server.connect(transport as Parameters<typeof server.connect>[0])
    return transport.handleRequest(request, options)
  })
  return { ...rest, handler, dispose: auth.dispose }
}

const v2 = async () => {
  const { options, ...rest } = await start()
  const auth = await V2.make(options)
  const { fetch: handler } = auth.createMcpHandler(() => {
    const server = new McpServerV2({ name: "test", version: "1.0.0" })
    auth.registerTool(server, "write", { scopes: ["b"] }, ({ principal }) => text(principal.subject ?? "no subject"))
    return server
  })
  return { ...rest, handler, dispose: auth.dispose }
}

const bob = { subject: "bob", scopes: ["a", "b"] }

describe.each(
  [
    { title: "v1", make: v1, protocol: "2025-11-25" },
    { title: "v2", make: v2, protocol: "2025-11-25" },
    { title: "v2", make: v2, protocol: "2026-07-28" }
  ] as const
)("SDK $title, MCP $protocol", ({ make, protocol }) => {
  it("returns result, challenge and reason", async () => {
    const { decisions, dispose, handler, issuer } = await make()
    const client = TestClient.start({ issuer, handler: (request) => handler(request), decisions, protocol })

    assert.strictEqual(expectAdmitted(await client.as(bob).callTool("write")).value, "bob")
    await expectChallenge({ error: null, scope: ["a"] })(client.callTool("write"))
    const response = await expectChallenge({ scope: protocol === "2026-07-28" ? ["b"] : ["a", "b"] })(
      client.as({ ...bob, scopes: ["a"] }).callTool("write")
    )
    assert.strictEqual(response.status, 403)
    await expectRejected("missing-scope")(response)
    await expectRejected("expired")(client.as({ ...bob, expiresIn: "-1 second" }).callTool("write"))
    await expectRejected("algorithm")(client.as(await issuer.mintBroken("alg-none", bob)).callTool("write"))
    await issuer.rotateKeys()
    expectAdmitted(await client.as(bob).callTool("write"))
    await dispose()
  })
})
