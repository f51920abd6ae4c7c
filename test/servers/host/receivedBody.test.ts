import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { AuthError } from "effect-mcp-auth"
import { Host, NodeRequest, WebRequest } from "effect-mcp-auth/host"

const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add_todo", arguments: { title: "ä" } } }
const text = JSON.stringify(call)
const bytes = new TextEncoder().encode(text)

const read = (body: unknown, contentType: string | undefined, maximumBody = bytes.length) =>
  Effect.runSync(Effect.result(Host.bodyReader({ body, contentType }, { maximumBody })()))

describe("a body that a host has received", () => {
  it.each([["text", text], ["bytes", bytes], ["a parsed value", call]])("is read from %s", (_, body) => {
    const { operations, value } = Result.getOrThrow(read(body, "application/json; charset=utf-8"))
    assert.deepStrictEqual(operations.map(({ method, target }) => `${method} ${target}`), ["tools/call add_todo"])
    assert.deepStrictEqual(value, call)
  })

  const deep = `${"[".repeat(100)}${"]".repeat(100)}`
  it.each<[string, unknown, string | undefined, number, string]>([
    ["another content type", text, "text/plain", 1000, "content-type"],
    ["no content type", text, undefined, 1000, "content-type"],
    ["text that is one byte too long", text, "application/json", bytes.length - 1, "too-large"],
    ["bytes that are one too many", bytes, "application/json", bytes.length - 1, "too-large"],
    ["text that is not JSON", "{", "application/json", 1000, "not-json"],
    ["nothing", undefined, "application/json", 1000, "not-json-rpc"],
    ["an empty text", "", "application/json", 1000, "not-json"],
    ["deep JSON", deep, "application/json", 1000, "too-deep"],
    ["a deep value", JSON.parse(deep), "application/json", 1000, "too-deep"],
    ["a batch inside a batch", [[call]], "application/json", 1000, "not-json-rpc"]
  ])("is rejected: %s", (_, body, contentType, limit, reason) => {
    const result = read(body, contentType, limit)
    assert.ok(Result.isFailure(result) && result.failure instanceof AuthError.MalformedRequest)
    assert.strictEqual(result.failure.reason, reason)
  })

  it("is not read with an unknown option, nor from a value that is not an object", () => {
    const received = { body: text, contentType: "application/json" }
    for (
      const bodyReader of [
        (options: object) => Host.bodyReader(received, options),
        (options: object) => WebRequest.bodyReader(new Request("https://server.test/mcp"), options),
        (options: object) => NodeRequest.bodyReader({} as never, options)
      ]
    ) {
      assert.throws(() => bodyReader({ maximumBodyy: 5 }), /maximumBodyy: there is no such option/)
    }
    assert.throws(
      () => Host.bodyReader(undefined as never),
      /Host\.bodyReader: the value is missing; expected an object/
    )
  })

  it("is not read with a wrong limit", () => {
    assert.throws(
      () => Host.bodyReader({ body: text, contentType: "application/json" }, { maximumBody: 0 }),
      /maximumBody/
    )
  })
})
