import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as V2 from "@modelcontextprotocol/server"
import { InstrumentedServer, isStandardMethod } from "../../../src/servers/sdk/InstrumentedServer.ts"
import { isMcpServer, type McpServer } from "../../../src/servers/sdk/SdkPrivates.ts"

const names = { name: "notes", version: "1.0.0" }

/** Instruments a server as `Registry` does. `wrapped` lists the methods whose handlers are wrapped. */
const instrument = (server: object) => {
  if (!isMcpServer(server)) return assert.fail("not an McpServer")
  const wrapped: Array<string> = []
  const instrumented = new InstrumentedServer(server, (_, method, handler) => {
    wrapped.push(method)
    return (request, extra) => handler(request, extra)
  }, () => {})
  server.server.setRequestHandler = (...args) => instrumented.setRequestHandler(args)
  return { server, instrumented, wrapped }
}

const isStandard = ({ instrumented, server }: { instrumented: InstrumentedServer; server: McpServer }) =>
  isStandardMethod(server, "tools/call", instrumented)

describe("InstrumentedServer", () => {
  for (
    const { make, replace, version } of [
      {
        version: "SDK v1",
        make: () => new V1.McpServer(names),
        replace: (server: V1.McpServer | V2.McpServer) =>
          (server as V1.McpServer).server.setRequestHandler(CallToolRequestSchema, () => ({ content: [] }))
      },
      {
        version: "SDK v2",
        make: () => new V2.McpServer(names),
        replace: (server: V1.McpServer | V2.McpServer) =>
          (server as V2.McpServer).server.setRequestHandler("tools/call", () => ({ content: [] }))
      }
    ]
  ) {
    const add = (server: V1.McpServer | V2.McpServer) =>
      (server as V2.McpServer).registerTool("add", {}, () => ({ content: [] }))

    it(`${version}: a handler that the SDK installs later is wrapped once, and is the SDK's own`, () => {
      const sdk = make()
      const made = instrument(sdk)
      add(sdk)
      assert.deepStrictEqual(made.wrapped.toSorted(), ["tools/call", "tools/list"])
      assert.isTrue(isStandard(made))
    })

    it(`${version}: a handler that replaces the SDK's own is wrapped, and is the author's`, () => {
      const sdk = make()
      const made = instrument(sdk)
      add(sdk)
      replace(sdk)
      assert.strictEqual(made.wrapped.filter((method) => method === "tools/call").length, 2)
      assert.isFalse(isStandard(made))
    })

    it(`${version}: the origin of a handler that the server had before is unknown, so it is not the SDK's own`, () => {
      const sdk = make()
      add(sdk)
      const made = instrument(sdk)
      assert.include(made.wrapped, "tools/call")
      assert.isFalse(isStandard(made))
      const handler = made.server.server._requestHandlers.get("tools/call")!
      assert.isTrue(made.instrumented.isPresumedStandard("tools/call", handler))
    })
  }
})
