/** Tests policies of registrations of both SDKs: which checks run, and what they receive. */
import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { z } from "zod"

const names = { name: "notes", version: "1.0.0" }
const options = { subject: "alice", scopes: ["read", "write"], granted: ["read"] } as const

const post = (method: string, params: object) =>
  new Request("http://localhost/mcp", {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
  })

/** Serves one tool and one resource. `evaluated` records the calls of the checks. */
const start = async (version: "SDK v1" | "SDK v2") => {
  const evaluated: Array<string> = []
  const isEven = Policy.check("even", async (_caller, call: Policy.Call<{ readonly id: string }>) => {
    evaluated.push(`even ${call.arguments.id}`)
    return call.arguments.id === "2"
  })
  const isListed = Policy.checkCaller("listed", async () => {
    evaluated.push("listed")
    return true
  })
  const isBroken = Policy.checkCaller("broken", async () => {
    evaluated.push("broken")
    throw new Error("the database is down")
  })
  const isNote = Policy.check("note", (_caller, call) => {
    evaluated.push(`note ${call.target}`)
    return call.target === "note://a"
  })
  const inputSchema = z.object({ id: z.string().trim() })
  const auth = version === "SDK v1" ? await SdkV1.mock(options) : await SdkV2.mock(options)
  const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })
  const register = <S>(server: S): S => {
    const { registerResource, registerTool } = auth as SdkV1.McpAuthSdk<"read" | "write", unknown, never, "deny">
    const to = server as V1.McpServer
    registerTool(to, "edit", { inputSchema, policy: isEven }, ({ id }) => text(`edited ${id}`))
    registerTool(to, "listed", { policy: isListed, unauthorized: "hide" }, () => text("listed"))
    registerTool(to, "broken", { policy: isBroken, unauthorized: "hide" }, () => text("broken"))
    registerResource(to, "note", "note://a", { policy: isNote }, (uri) => ({
      contents: [{ uri: uri.href, text: "note" }]
    }))
    return server
  }
  const handle = version === "SDK v2"
    ? (auth as SdkV2.McpAuthSdk<"read" | "write", unknown, never, "deny">)
      .createMcpHandler(() => register(new V2.McpServer(names))).fetch
    : (() => {
      const v1 = auth as SdkV1.McpAuthSdk<"read" | "write", unknown, never, "deny">
      const protect = v1.protectFetch(() => register(new V1.McpServer(names)), async (request, given) => {
        const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
        await (v1.serverFor(request) as V1.McpServer).connect(transport as never)
        return transport.handleRequest(request, given)
      })
      return (request: Request) => protect(request)
    })()
  return {
    send: async (method: string, params: object = {}) => {
      evaluated.length = 0
      const response = await handle(post(method, params))
      return { status: response.status, body: await response.text(), evaluated: [...evaluated] }
    },
    [Symbol.asyncDispose]: () => auth.dispose()
  }
}

describe.each(["SDK v1", "SDK v2"] as const)("%s", (version) => {
  it("a check runs once for each call, and receives the decoded arguments", async () => {
    await using server = await start(version)
    const admitted = await server.send("tools/call", { name: "edit", arguments: { id: " 2 " } })
    assert.deepStrictEqual([admitted.status, admitted.evaluated], [200, ["even 2"]])
    assert.include(admitted.body, "edited 2")
    const denied = await server.send("tools/call", { name: "edit", arguments: { id: "1" } })
    assert.deepStrictEqual([denied.status, denied.evaluated], [403, ["even 1"]])
  })

  it("arguments that do not decode reach neither a check nor the handler", async () => {
    await using server = await start(version)
    const { evaluated, body, status } = await server.send("tools/call", { name: "edit", arguments: { id: 2 } })
    assert.deepStrictEqual([status, evaluated], [200, []])
    assert.notInclude(body, "edited")
  })

  it("a check of a resource receives the URI as the handler receives it", async () => {
    await using server = await start(version)
    const { evaluated, status } = await server.send("resources/read", { uri: "NOTE://a" })
    assert.deepStrictEqual([status, evaluated], [200, ["note note://a"]])
  })

  it("a check of the caller runs once for each list, and one that fails hides only its registration", async () => {
    await using server = await start(version)
    const { evaluated, body } = await server.send("tools/list")
    assert.deepStrictEqual(evaluated.toSorted(), ["broken", "listed"])
    assert.include(body, "\"name\":\"listed\"")
    assert.notInclude(body, "\"name\":\"broken\"")
  })

  it("a call evaluates no check of another registration", async () => {
    await using server = await start(version)
    const { evaluated } = await server.send("tools/call", { name: "edit", arguments: { id: "2" } })
    assert.deepStrictEqual(evaluated, ["even 2"])
  })
})
