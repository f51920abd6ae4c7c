import { assert, describe, it } from "@effect/vitest"
import type * as V1Server from "@modelcontextprotocol/sdk/server/mcp.js"
import type * as V1Transport from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import type * as V2Server from "@modelcontextprotocol/server"
import { type Layer, Logger } from "effect"
import { McpAuthSdk as V1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as V2 } from "effect-mcp-auth/sdk-v2"
import { createRequire } from "node:module"
import { callTool, modern } from "../sdk/rpc.ts"

// The copies of the SDKs that `require` loads. This library loads the copies that `import` loads.
const require = createRequire(import.meta.url)
const sdkV1: typeof V1Server = require("@modelcontextprotocol/sdk/server/mcp.js")
const transportV1: typeof V1Transport = require("@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js")
const sdkV2: typeof V2Server = require("@modelcontextprotocol/server")

const caller = {
  resource: "https://a.example/mcp",
  subject: "alice",
  scopes: ["read", "write"],
  granted: ["read"]
} as const
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

const call = (body: object, headers: Readonly<Record<string, string>> = {}) =>
  new Request("https://a.example/mcp", {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
    body: JSON.stringify(body)
  })

describe("a server of the copy of an SDK that require loads", () => {
  it("is protected by sdk-v1", async () => {
    await using auth = await V1.mock({ ...caller, layer: Logger.layer([]) })
    const server = new sdkV1.McpServer({ name: "test", version: "1.0.0" })
    auth.registerTool(server, "read", { scopes: ["read"] }, ({ principal }) => text(principal.owner))
    auth.registerTool(server, "write", { scopes: ["write"] }, () => text("written"))
    const handle = auth.protectFetch(server, async (request, options) => {
      const transport = new transportV1.WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
      await server.connect(transport as Parameters<typeof server.connect>[0])
      return transport.handleRequest(request, options)
    })
    assert.strictEqual((await handle(call(callTool("write")))).status, 403)
    const answer = await handle(call(callTool("read")))
    assert.include(await answer.text(), "alice")
  })

  const factory = (auth: Awaited<ReturnType<typeof makeV2>>) => () => {
    const server = new sdkV2.McpServer({ name: "test", version: "1.0.0" })
    auth.registerTool(server, "read", { scopes: ["read"] }, ({ principal }) => text(principal.owner))
    auth.registerTool(server, "write", { scopes: ["write"] }, () => text("written"))
    return server
  }
  const makeV2 = (layer: Layer.Layer<never> = Logger.layer([])) => V2.mock({ ...caller, layer })
  const callV2 = (name: string) => {
    const { body, headers } = modern(callTool(name))
    return call(body, headers)
  }

  it("is protected by sdk-v2 with the createMcpHandler of that copy", async () => {
    await using auth = await makeV2()
    const { fetch } = auth.createMcpHandler(factory(auth), { createMcpHandler: sdkV2.createMcpHandler })
    assert.strictEqual((await fetch(callV2("write"))).status, 403)
    assert.include(await (await fetch(callV2("read"))).text(), "alice")
  })

  it("is rejected by sdk-v2 without the createMcpHandler of that copy, with a log line that names the option", async () => {
    const lines: Array<string> = []
    const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
    await using auth = await makeV2(Logger.layer([logger]))
    const { fetch } = auth.createMcpHandler(factory(auth))
    assert.strictEqual((await fetch(callV2("read"))).status, 500)
    assert.include(lines.join("\n"), "auth.createMcpHandler(factory, { createMcpHandler })")
  })

  it("cannot replace createMcpHandler by a value that is not a function", async () => {
    await using auth = await makeV2()
    assert.throws(
      () => auth.createMcpHandler(factory(auth), { createMcpHandler: "require" as never }),
      /createMcpHandler\.createMcpHandler/
    )
  })
})
