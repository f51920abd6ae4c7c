import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Operation } from "effect-mcp-auth"
import * as Hostile from "./Hostile.ts"

type Brief = readonly [
  method: string,
  kind: Operation.Operation["kind"],
  target: string | undefined,
  notification?: true
]

const operations = (body: unknown): ReadonlyArray<Brief> =>
  Operation.fromBody(body).map(({ isNotification, kind, method, target }) =>
    isNotification ? [method, kind, target, true] : [method, kind, target]
  )

const request = (method: unknown, params?: unknown, id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params })

describe("Operation.fromBody", () => {
  it.each<[title: string, body: unknown, expected: ReadonlyArray<Brief>]>([
    ["a tool call", request("tools/call", { name: "add" }), [["tools/call", "tool", "add"]]],
    ["a prompt", request("prompts/get", { name: "plan" }), [["prompts/get", "prompt", "plan"]]],
    ["a resource", request("resources/read", { uri: "todo://1" }), [["resources/read", "resource", "todo://1"]]],
    ["a subscription to a resource", request("resources/subscribe", { uri: "todo://1" }), [[
      "resources/subscribe",
      "resource",
      "todo://1"
    ]]],
    ["its end", request("resources/unsubscribe", { uri: "todo://1" }), [[
      "resources/unsubscribe",
      "resource",
      "todo://1"
    ]]],
    ["a completion for a prompt", request("completion/complete", { ref: { type: "ref/prompt", name: "plan" } }), [[
      "completion/complete",
      "prompt",
      "plan"
    ]]],
    [
      "a completion for a resource template",
      request("completion/complete", { ref: { type: "ref/resource", uri: "todo://{id}" } }),
      [["completion/complete", "resource", "todo://{id}"]]
    ],
    [
      "a completion whose reference names both takes what its type says",
      request("completion/complete", { ref: { type: "ref/prompt", name: "plan", uri: "todo://{id}" } }),
      [["completion/complete", "prompt", "plan"]]
    ],
    ["a subscription to lists", request("subscriptions/listen", { notifications: { toolsListChanged: true } }), [[
      "subscriptions/listen",
      undefined,
      undefined
    ]]],
    [
      "a subscription to resources: itself, and each of them",
      request("subscriptions/listen", { notifications: { resourceSubscriptions: ["todo://1", 2, "todo://3"] } }),
      [
        ["subscriptions/listen", undefined, undefined],
        ["subscriptions/listen", "resource", "todo://1"],
        ["subscriptions/listen", "resource", undefined],
        ["subscriptions/listen", "resource", "todo://3"]
      ]
    ],
    [
      "a subscription whose resources are no list",
      request("subscriptions/listen", { notifications: { resourceSubscriptions: "todo://1" } }),
      [["subscriptions/listen", undefined, undefined]]
    ],
    ["a list", request("tools/list", { cursor: "x" }), [["tools/list", undefined, undefined]]],
    ["initialize", request("initialize", { name: "add" }), [["initialize", undefined, undefined]]],
    ["an unknown method", request("tools/delete", { name: "add" }), [["tools/delete", undefined, undefined]]],
    ["a notification", { jsonrpc: "2.0", method: "tools/call", params: { name: "add" } }, [[
      "tools/call",
      "tool",
      "add",
      true
    ]]],
    ["a request whose id is null", request("tools/call", { name: "add" }, null), [["tools/call", "tool", "add"]]],
    ["a response to the server's own request", { jsonrpc: "2.0", id: 1, result: { name: "add" } }, []],
    ["an error response", { jsonrpc: "2.0", id: 1, error: { code: -1, message: "no" } }, []],
    ["no version: the server may still run it", { method: "tools/call", params: { name: "add" } }, [[
      "tools/call",
      "tool",
      "add",
      true
    ]]],
    [
      "a batch, in its order",
      [request("tools/call", { name: "a" }), { id: 2, result: {} }, request("prompts/get", { name: "b" })],
      [["tools/call", "tool", "a"], ["prompts/get", "prompt", "b"]]
    ],
    ["an empty batch", [], []],
    ["a batch of no messages", [null, 1, "a", [], {}], []],
    ["a batch inside a batch is no message", [[request("tools/call", { name: "a" })]], []],
    ["null", null, []],
    ["a string", "tools/call", []],
    ["a number", 1, []],
    ["a method that is no string", request(["tools/call"], { name: "add" }), []],
    ["no params", request("tools/call"), [["tools/call", "tool", undefined]]],
    ["params in a list", request("tools/call", ["add"]), [["tools/call", "tool", undefined]]],
    ["params that are a string", request("tools/call", "add"), [["tools/call", "tool", undefined]]],
    ["a name that is no string", request("tools/call", { name: ["add"] }), [["tools/call", "tool", undefined]]],
    ["a completion without a reference", request("completion/complete", {}), [[
      "completion/complete",
      "resource",
      undefined
    ]]],
    ["near miss: another case", request("Tools/Call", { name: "add" }), [["Tools/Call", undefined, undefined]]],
    ["near miss: a space behind", request("tools/call ", { name: "add" }), [["tools/call ", undefined, undefined]]],
    ["near miss: a longer method", request("tools/call/x", { name: "add" }), [["tools/call/x", undefined, undefined]]],
    ["near miss: a zero-width space", request("tools\u200b/call", { name: "add" }), [[
      "tools\u200b/call",
      undefined,
      undefined
    ]]],
    ["a name is taken as it stands", request("tools/call", { name: " Add\u0000é " }), [[
      "tools/call",
      "tool",
      " Add\u0000é "
    ]]],
    ["a tool called constructor", request("tools/call", { name: "constructor" }), [[
      "tools/call",
      "tool",
      "constructor"
    ]]],
    ["a tool called __proto__", request("tools/call", { name: "__proto__" }), [["tools/call", "tool", "__proto__"]]]
  ])("%s", (_, body, expected) => {
    assert.deepStrictEqual(operations(body), expected)
  })

  it("members of the prototype are no members of the message", () => {
    assert.deepStrictEqual(operations(JSON.parse("{\"id\":1,\"__proto__\":{\"method\":\"tools/call\"}}")), [])
    assert.deepStrictEqual(
      operations(JSON.parse("{\"id\":1,\"method\":\"tools/call\",\"params\":{\"__proto__\":{\"name\":\"add\"}}}")),
      [["tools/call", "tool", undefined]]
    )
    assert.deepStrictEqual(operations(Object.create({ method: "tools/call" })), [])
    assert.deepStrictEqual(
      operations(
        JSON.parse(
          "{\"id\":1,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"__proto__\":{\"type\":\"ref/prompt\"}}}}"
        )
      ),
      [["completion/complete", "resource", undefined]]
    )
  })

  it("of a repeated member the last one counts, as in the server's own parse", () => {
    const body =
      "{\"id\":1,\"method\":\"tools/list\",\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"name\":\"b\"}}"
    assert.deepStrictEqual(operations(JSON.parse(body)), [["tools/call", "tool", "b"]])
  })

  it("hands the params on as they are", () => {
    const params = { name: "add", arguments: { title: "x" } }
    assert.strictEqual(Operation.fromBody(request("tools/call", params))[0]?.params, params)
  })

  const json: Arbitrary.Arbitrary<unknown> = Arbitrary.schema(Schema.MutableJson)

  it.prop(
    "any JSON is a list of operations, each with a method and a target that is a string or nothing",
    { body: json },
    ({ body }) =>
      Operation.fromBody(body).every(({ method, target }) =>
        typeof method === "string" && (target === undefined || typeof target === "string")
      ),
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "a batch asks for what its messages ask for one by one",
    {
      messages: Arbitrary.array(Arbitrary.map(
        Arbitrary.all([
          Arbitrary.schema(Schema.Literals(["tools/call", "prompts/get", "resources/read"])),
          Hostile.text
        ]),
        ([method, name]) => request(method, { name, uri: name })
      ))
    },
    ({ messages }) => {
      assert.deepStrictEqual(operations(messages), messages.flatMap((message) => operations(message)))
    }
  )
})
