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

  const withParams = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
  const prototypes = {
    params: withParams(`{"name":"add_todo","__proto__":{"arguments":{"title":"ä"}}}`),
    arguments: withParams(`{"name":"add_todo","arguments":{"__proto__":{"title":"ä"}}}`),
    list: withParams(`{"name":"add_todo","arguments":{"all":[[{"__proto__":null}]]}}`),
    escaped: withParams(`{"name":"add_todo","\\u005f_pro\\u0074o__":{"arguments":{"title":"ä"}}}`)
  }
  const inherited: unknown = Object.create({ name: "add_todo" })

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
    ["a member named __proto__ in the params", prototypes.params, "application/json", 1000, "prototype"],
    ["such a member in the arguments", prototypes.arguments, "application/json", 1000, "prototype"],
    ["such a member in a list", prototypes.list, "application/json", 1000, "prototype"],
    ["such a member that is written with an escape", prototypes.escaped, "application/json", 1000, "prototype"],
    ["bytes with such a member", new TextEncoder().encode(prototypes.params), "application/json", 1000, "prototype"],
    ["a value with such a member", JSON.parse(prototypes.params), "application/json", 1000, "prototype"],
    ["a value with inherited params", { ...call, params: inherited }, "application/json", 1000, "prototype"],
    ["a batch inside a batch", [[call]], "application/json", 1000, "not-json-rpc"]
  ])("[T-POL-11] is rejected: %s", (_, body, contentType, limit, reason) => {
    const result = read(body, contentType, limit)
    assert.ok(Result.isFailure(result) && result.failure instanceof AuthError.MalformedRequest)
    assert.strictEqual(result.failure.reason, reason)
  })

  it.each([
    ["a text that names __proto__", { title: "__proto__" }],
    ["a text with escapes", { title: "\u0001 \\u005f" }],
    ["a member named constructor", { constructor: { prototype: {} } }],
    ["a member without a prototype", Object.assign(Object.create(null), { title: 1 })],
    ["an object that occurs twice", { a: [call], b: [call] }]
  ])("is read with %s", (_, args) => {
    const body = { ...call, params: { ...call.params, arguments: args } }
    for (const form of [body, JSON.stringify(body)]) {
      const { operations } = Result.getOrThrow(read(form, "application/json", 1000))
      assert.deepStrictEqual(operations.map(({ target }) => target), ["add_todo"])
    }
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
