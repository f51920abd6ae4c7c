/** Tests the lists of tools that Effect's server sends in sessions, in batches and in streams. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import * as toolList from "../../../src/servers/mcp/internal/toolList.ts"
import { authLayer } from "../gates.ts"

const { client, issuer } = await Effect.runPromise(TestIssuer.make())
const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))

const Wait = requireScopes("todos:read")(Tool.make("wait", { success: Schema.String, description: "Wäit \"tools\"" }))
const Tools = Toolkit.make(Wait)

const { handler } = HttpRouter.toWebHandler(
  McpAuth.layerHttp({
    name: "todos",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2025_11_25, McpProtocol.v2025_06_18, McpProtocol.v2025_03_26],
    registrations: McpAuth.toolkit(Tools).pipe(
      Layer.provide(Tools.toLayer({ wait: () => Effect.succeed("waited for \"tools\"") }))
    )
  }).pipe(
    Layer.provide(authLayer({
      resource: "https://server.test/mcp",
      authorizationServers: [issuer.issuer],
      scopes: ["todos:read"]
    })),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  ) as Layer.Layer<never, unknown, HttpRouter.HttpRouter>,
  { disableLogger: true }
)

const send = (message: unknown, headers: Readonly<Record<string, string>> = {}) =>
  handler(
    new Request("https://server.test/mcp", {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers
      },
      body: JSON.stringify(message)
    })
  )

const open = async (protocolVersion: string) => {
  const response = await send({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion, capabilities: {}, clientInfo: { name: "c", version: "1" } }
  })
  const session = { "mcp-session-id": response.headers.get("mcp-session-id")! }
  await response.text()
  const headers = protocolVersion === "2025-03-26" ? session : { ...session, "mcp-protocol-version": protocolVersion }
  await send({ jsonrpc: "2.0", method: "notifications/initialized" }, headers)
  return headers
}

const schemes = [{ type: "oauth2", scopes: ["todos:read"] }]

const toolOf = (message: { readonly result: { readonly tools: ReadonlyArray<Record<string, any>> } }) =>
  message.result.tools[0]!

const list = { jsonrpc: "2.0", id: 1, method: "tools/list" }

describe("a list of tools of Effect's server", () => {
  it.each(["2025-11-25", "2025-06-18", "2025-03-26"])(
    "has security schemes in a session of MCP %s",
    async (version) => {
      const response = await send(list, await open(version))
      const text = await response.text()
      // Over a socket, a wrong length would truncate the body.
      assert.strictEqual(response.headers.get("content-length"), String(new TextEncoder().encode(text).length))
      const tool = toolOf(JSON.parse(text))
      assert.deepStrictEqual([tool["securitySchemes"], tool["_meta"]["securitySchemes"]], [schemes, schemes])
      assert.strictEqual(tool["description"], "Wäit \"tools\"")
    }
  )

  it("has security schemes in a batch, and the results of calls in the same batch are not changed", async () => {
    const call = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "wait", arguments: {} } }
    const response = await send([list, call], await open("2025-03-26"))
    const messages = JSON.parse(await response.text()) as ReadonlyArray<{ readonly id: number; readonly result: any }>
    const [listed, called] = [1, 2].map((id) => messages.find((message) => message.id === id)!)
    const tool = toolOf(listed!)
    assert.deepStrictEqual([tool["securitySchemes"], tool["_meta"]["securitySchemes"]], [schemes, schemes])
    assert.deepStrictEqual(called!.result.content, [{ type: "text", text: "waited for \"tools\"" }])
  })
})

describe("rewrite", () => {
  const change = () => "changed"
  const encode = (text: string) => new TextEncoder().encode(text)
  const textOf = (response: HttpServerResponse.HttpServerResponse) =>
    Effect.promise(() => HttpServerResponse.toWeb(response).text())

  const cases: ReadonlyArray<readonly [title: string, before: string, after: string]> = [
    ["a JSON message", "{\"id\":1,\"result\":{\"tools\":[]}}\n", "{\"id\":1,\"result\":\"changed\"}\n"],
    ["a batch", "[{\"id\":1,\"result\":{\"tools\":[]}},1]\n", "[{\"id\":1,\"result\":\"changed\"},1]\n"],
    ["an event", "data: {\"result\":{\"tools\":[]}}\n\n", "data: {\"result\":\"changed\"}\n\n"],
    ["a comment", ": \"tools\"\n\n", ": \"tools\"\n\n"],
    ["an error", "{\"error\":{\"data\":\"tools\"}}\n", "{\"error\":{\"data\":\"tools\"}}\n"],
    ["a tool call", "{\"result\":{\"content\":[],\"tools\":[]}}\n", "{\"result\":{\"content\":[],\"tools\":[]}}\n"],
    ["text without tools", "{ \"result\": {} }\n", "{ \"result\": {} }\n"]
  ]

  it.effect.each(cases)("changes only results of tools/list in %s", ([_, before, after]) =>
    Effect.gen(function*() {
      const whole = toolList.rewrite(HttpServerResponse.uint8Array(encode(before)), change)
      assert.strictEqual(yield* textOf(whole), after)
      const streamed = toolList.rewrite(HttpServerResponse.stream(Stream.make(encode(before), encode(before))), change)
      assert.strictEqual(yield* textOf(streamed), after + after)
    }))

  it("leaves a response with another body as it is", () => {
    const empty = HttpServerResponse.empty()
    assert.strictEqual(toolList.rewrite(empty, change), empty)
  })
})
