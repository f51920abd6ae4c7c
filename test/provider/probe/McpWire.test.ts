import { assert, describe, it } from "@effect/vitest"
import * as McpProbe from "../../../src/provider/probe/McpProbe.ts"
import * as McpWire from "../../../src/provider/probe/McpWire.ts"

const client = { name: "test", version: "1" }

describe("the wire format of MCP", () => {
  it("repeats method and name of a stateless message in its headers", () => {
    const message = McpWire.toStateless({ id: 1, method: "tools/call", params: { name: "add_todo" } }, client)
    assert.deepStrictEqual(McpWire.getStatelessHeaders(message), {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "add_todo"
    })
    const meta = message.params?.["_meta"] as Record<string, unknown> | undefined
    assert.deepStrictEqual(meta?.["io.modelcontextprotocol/clientInfo"], client)
  })

  it.each([
    ["add todo", "add todo"],
    [" add", "=?base64?IGFkZA==?="],
    ["añadir", "=?base64?YcOxYWRpcg==?="],
    ["=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="]
  ])("writes the name %j as the header %j", (name, header) => {
    assert.strictEqual(McpWire.getStatelessHeaders({ method: "tools/call", params: { name } })["mcp-name"], header)
  })

  it("finds the reply to a message in a batch", () => {
    const text = JSON.stringify([
      { jsonrpc: "2.0", id: 1, result: {} },
      { jsonrpc: "2.0", id: 2, error: { code: -32602, message: "no" } }
    ])
    assert.strictEqual(McpWire.findReply(text, 2)?.error?.code, -32602)
    assert.isUndefined(McpWire.findReply(text, 3))
  })

  it.each([
    "",
    "null",
    "[null]",
    "{\"error\":\"invalid_token\"}",
    "<html>",
    "{\"result\":{}}",
    "{\"error\":{\"code\":404}}"
  ])("finds no reply in %j", (text) => {
    assert.isUndefined(McpWire.findReply(text))
  })

  it("reads the data of each event of a stream", () => {
    assert.deepStrictEqual(McpWire.getEvents(": hello\n\ndata: {\ndata:  }\r\n\r\nevent: x\ndata: 1\n\n"), [
      "",
      "{\n}",
      "1",
      ""
    ])
  })
})

describe("the requests of the doctor", () => {
  const exchange = (body: string, type: string) =>
    ({ _tag: "Response", url: "", status: 200, headers: { "content-type": type }, body }) as const
  const reply = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [{ name: "a" }, {}, { name: "b" }] } })

  it("read the tools of a JSON response and of an event stream", () => {
    assert.deepStrictEqual(McpProbe.getTools(exchange(reply, "application/json")), ["a", "b"])
    assert.deepStrictEqual(McpProbe.getTools(exchange(`data: ${reply}\n\n`, "text/event-stream")), ["a", "b"])
    assert.deepStrictEqual(McpProbe.getTools(exchange("", "application/json")), [])
  })

  it("open sessions in the newest revision that has them", () => {
    const request = McpProbe.initialize({ revision: "2026-07-28", headers: { authorization: "Bearer x" } })
    assert.include(request.body!, "\"protocolVersion\":\"2025-11-25\"")
    assert.strictEqual(request.headers?.["authorization"], "Bearer x")
    assert.notProperty(request.headers, "mcp-protocol-version")
  })

  it("send a revision before 2026-07-28 without members of that revision", () => {
    const request = McpProbe.post({ revision: "2025-06-18", headers: {} }, "tools/list")
    assert.strictEqual(request.headers?.["mcp-protocol-version"], "2025-06-18")
    assert.notProperty(request.headers, "mcp-method")
    assert.notInclude(request.body!, "_meta")
  })
})
