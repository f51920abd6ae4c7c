import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { Operation } from "effect-mcp-auth/protocol"
import * as Hostile from "./Hostile.ts"

type Brief = readonly [
  method: string,
  kind: Operation.Operation["kind"],
  target: string | undefined,
  notification?: true
]

const operations = (body: unknown): ReadonlyArray<Brief> =>
  Result.getOrThrow(Operation.fromBody(body)).map(({ isNotification, kind, method, target }) =>
    isNotification ? [method, kind, target, true] : [method, kind, target]
  )

const reasonOf = (body: unknown, maximum?: number) =>
  Result.match(Operation.fromBody(body, maximum), { onFailure: ({ reason }) => reason, onSuccess: () => undefined })

const request = (method: unknown, params?: unknown, id: unknown = 1) => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params })
})

const notification = { jsonrpc: "2.0", method: "tools/call", params: { name: "add" } }

describe("Operation.fromBody", () => {
  it.each<[title: string, body: unknown, expected: ReadonlyArray<Brief>]>([
    ["a tool call", request("tools/call", { name: "add" }), [["tools/call", "tool", "add"]]],
    ["a prompt", request("prompts/get", { name: "plan" }), [["prompts/get", "prompt", "plan"]]],
    ["a resource", request("resources/read", { uri: "todo://1" }), [["resources/read", "resource", "todo://1"]]],
    ["the state of a task", request("tasks/get", { taskId: "1" }), [["tasks/get", "task", "1"]]],
    ["the result of a task", request("tasks/result", { taskId: "1" }), [["tasks/result", "task", "1"]]],
    ["the end of a task", request("tasks/cancel", { taskId: "1" }), [["tasks/cancel", "task", "1"]]],
    ["input for a task", request("tasks/update", { taskId: "1" }), [["tasks/update", "task", "1"]]],
    ["the list of tasks", request("tasks/list"), [["tasks/list", "task", undefined]]],
    ["a subscription to a resource", request("resources/subscribe", { uri: "todo://1" }), [[
      "resources/subscribe",
      "resource",
      "todo://1"
    ]]],
    ["the end of a subscription", request("resources/unsubscribe", { uri: "todo://1" }), [[
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
      "a completion whose reference contains both: its type decides",
      request("completion/complete", { ref: { type: "ref/prompt", name: "plan", uri: "todo://{id}" } }),
      [["completion/complete", "prompt", "plan"]]
    ],
    ["a subscription to lists", request("subscriptions/listen", { notifications: { toolsListChanged: true } }), [[
      "subscriptions/listen",
      undefined,
      undefined
    ]]],
    [
      "a subscription to resources: the subscription, and each resource",
      request("subscriptions/listen", { notifications: { resourceSubscriptions: ["todo://1", "todo://3"] } }),
      [
        ["subscriptions/listen", undefined, undefined],
        ["subscriptions/listen", "resource", "todo://1"],
        ["subscriptions/listen", "resource", "todo://3"]
      ]
    ],
    [
      "a subscription whose resources are not a list",
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
    ["a request whose id is a string", request("tools/call", { name: "add" }, ""), [["tools/call", "tool", "add"]]],
    ["a request whose id is a fraction", request("tools/call", { name: "add" }, -1.5), [["tools/call", "tool", "add"]]],
    ["a response to the server's own request", { jsonrpc: "2.0", id: 1, result: { name: "add" } }, []],
    ["an error response", { jsonrpc: "2.0", id: 1, error: { code: -1, message: "no" } }, []],
    ["members that are undefined, as an author may build them", { ...notification, id: undefined, result: undefined }, [
      [
        "tools/call",
        "tool",
        "add",
        true
      ]
    ]],
    ["an error without an id", { jsonrpc: "2.0", error: { code: -1, message: "no", data: [1] } }, []],
    ["an error whose id is null", { jsonrpc: "2.0", id: null, error: { code: -1, message: "no" } }, []],
    ["a result of any kind", { jsonrpc: "2.0", id: "a", result: null }, []],
    [
      "a batch, in its order",
      [
        request("tools/call", { name: "a" }),
        { jsonrpc: "2.0", id: 2, result: {} },
        request("prompts/get", { name: "b" })
      ],
      [["tools/call", "tool", "a"], ["prompts/get", "prompt", "b"]]
    ],
    ["no params", request("tools/call"), [["tools/call", "tool", undefined]]],
    ["params in a list", request("tools/call", ["add"]), [["tools/call", "tool", undefined]]],
    ["a completion without a reference", request("completion/complete", {}), [[
      "completion/complete",
      "resource",
      undefined
    ]]],
    ["near miss: another case", request("Tools/Call", { name: "add" }), [["Tools/Call", undefined, undefined]]],
    ["near miss: a trailing space", request("tools/call ", { name: "add" }), [["tools/call ", undefined, undefined]]],
    ["near miss: a longer method", request("tools/call/x", { name: "add" }), [["tools/call/x", undefined, undefined]]],
    ["near miss: a zero-width space", request("tools\u200b/call", { name: "add" }), [[
      "tools\u200b/call",
      undefined,
      undefined
    ]]],
    ["a name is kept exactly", request("tools/call", { name: " Add\u0000é " }), [[
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
  ])("finds the operations of %s", (_, body, expected) => {
    assert.deepStrictEqual(operations(body), expected)
  })

  const message = request("tools/call", { name: "add" })

  it.each<[title: string, body: unknown]>([
    ["null", null],
    ["undefined", undefined],
    ["a string", "tools/call"],
    ["a number", 1],
    ["an empty object", {}],
    ["an empty batch", []],
    ["a batch of no messages", [null, 1, "a", [], {}]],
    ["a batch inside a batch", [[message]]],
    ["a batch whose last entry is not a message", [message, null]],
    ["a batch with a gap", Object.assign([message], { 2: message })],
    ["no version", { id: 1, method: "tools/call", params: { name: "add" } }],
    ["another version", { ...message, jsonrpc: "2" }],
    ["a version in a list", { ...message, jsonrpc: ["2.0"] }],
    ["a request whose id is null", request("tools/call", { name: "add" }, null)],
    ["an id that is an object", request("tools/call", { name: "add" }, {})],
    ["an id that is a boolean", request("tools/call", { name: "add" }, false)],
    ["an id that is NaN", request("tools/call", { name: "add" }, Number.NaN)],
    ["an id that is infinite", request("tools/call", { name: "add" }, Number.POSITIVE_INFINITY)],
    ["a method that is not a string", request(["tools/call"], { name: "add" })],
    ["a method that is null", request(null, { name: "add" })],
    ["params that are a string", request("tools/call", "add")],
    ["params that are null", request("tools/call", null)],
    ["a request and a result", { ...message, result: {} }],
    ["a request and an error", { ...message, error: { code: 1, message: "" } }],
    ["a result and an error", { jsonrpc: "2.0", id: 1, result: {}, error: { code: 1, message: "" } }],
    ["a result with params", { jsonrpc: "2.0", id: 1, result: {}, params: {} }],
    ["a result without an id", { jsonrpc: "2.0", result: {} }],
    ["a result whose id is null", { jsonrpc: "2.0", id: null, result: {} }],
    ["a result that is undefined", { jsonrpc: "2.0", id: 1, result: undefined }],
    ["an error that is a string", { jsonrpc: "2.0", id: 1, error: "no" }],
    ["an error that is null", { jsonrpc: "2.0", id: 1, error: null }],
    ["an error without a message", { jsonrpc: "2.0", id: 1, error: { code: 1 } }],
    ["an error whose code is a string", { jsonrpc: "2.0", id: 1, error: { code: "1", message: "" } }],
    ["an error with a cause", { jsonrpc: "2.0", id: 1, error: { code: 1, message: "", _tag: "Cause" } }],
    ["no method", { jsonrpc: "2.0", id: 1 }],
    ...[
      "headers",
      "traceId",
      "spanId",
      "sampled",
      "discard",
      "chunk",
      "isHeartbeat",
      "_tag",
      "_meta",
      "Method",
      "id ",
      ""
    ]
      .map((name): [string, unknown] => [`a member named ${JSON.stringify(name)}`, { ...message, [name]: [] }]),
    ["a member named __proto__", JSON.parse(`{"jsonrpc":"2.0","id":1,"method":"a","__proto__":{}}`)],
    ["a member named constructor", { ...message, constructor: {} }],
    ["inherited members", Object.create(message)],
    [
      "an inherited method",
      Object.assign(Object.create({ method: "tools/call" }), { jsonrpc: "2.0", id: 1, result: {} })
    ],
    ["a member of no prototype", Object.assign(Object.create(null), message, { headers: [] })],
    ["an inherited id", Object.assign(Object.create({ id: 1 }), { jsonrpc: "2.0", method: "tools/call" })]
  ])("[T-AUD-04a] rejects what is not JSON-RPC 2.0: %s", (_, body) => {
    assert.strictEqual(reasonOf(body), "not-json-rpc")
    assert.strictEqual(reasonOf([message, body]), "not-json-rpc")
  })

  it.each<[title: string, method: string, paramsOf: (target: unknown) => unknown]>([
    ["a tool", "tools/call", (name) => ({ name })],
    ["a prompt", "prompts/get", (name) => ({ name })],
    ["a resource", "resources/read", (uri) => ({ uri })],
    ["a subscription", "resources/subscribe", (uri) => ({ uri })],
    ["the end of a subscription", "resources/unsubscribe", (uri) => ({ uri })],
    ["a prompt to complete", "completion/complete", (name) => ({ ref: { type: "ref/prompt", name } })],
    ["a template to complete", "completion/complete", (uri) => ({ ref: { type: "ref/resource", uri } })],
    ["a task", "tasks/get", (taskId) => ({ taskId })],
    ["a watched resource", "subscriptions/listen", (uri) => ({ notifications: { resourceSubscriptions: ["a", uri] } })]
  ])("[T-AUD-04d] rejects a target that is not a string: %s", (_, method, paramsOf) => {
    for (const target of [["add"], { toString: "add" }, 1, true, null]) {
      assert.strictEqual(reasonOf(request(method, paramsOf(target))), "name-not-text")
      assert.strictEqual(reasonOf([message, request(method, paramsOf(target))]), "name-not-text")
    }
    assert.isUndefined(reasonOf(request(method, paramsOf("add"))))
  })

  it("ignores members of a prototype in the params", () => {
    assert.deepStrictEqual(
      operations(
        JSON.parse(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"add"}}}`)
      ),
      [["tools/call", "tool", undefined]]
    )
    assert.deepStrictEqual(
      operations(
        JSON.parse(
          `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"__proto__":{"type":"ref/prompt"}}}}`
        )
      ),
      [["completion/complete", "resource", undefined]]
    )
  })

  it("uses the last of repeated members, as the server's parser does", () => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"a","name":"b"}}`
    assert.deepStrictEqual(operations(JSON.parse(body)), [["tools/call", "tool", "b"]])
  })

  it("[T-AUD-06a] counts messages and watched resources, up to the maximum", () => {
    const listen = (length: number) =>
      request("subscriptions/listen", { notifications: { resourceSubscriptions: Array.from({ length }, () => "a") } })
    const batch = (length: number) => Array.from({ length }, () => message)
    assert.isUndefined(reasonOf(batch(100)))
    assert.strictEqual(reasonOf(batch(101)), "too-many-operations")
    assert.isUndefined(reasonOf(listen(99)))
    assert.strictEqual(reasonOf(listen(100)), "too-many-operations")
    assert.isUndefined(reasonOf([listen(4), listen(4)], 10))
    assert.strictEqual(reasonOf([listen(4), listen(4), message], 10), "too-many-operations")
    assert.strictEqual(reasonOf([message, { jsonrpc: "2.0", id: 1, result: {} }], 1), "too-many-operations")
    assert.isUndefined(reasonOf(message, 1))
    // The number of messages is checked before their content, so a million invalid entries cost nothing.
    assert.strictEqual(reasonOf(Array.from({ length: 1_000_000 })), "too-many-operations")
  })

  it("returns the params unchanged", () => {
    const params = { name: "add", arguments: { title: "x" } }
    assert.strictEqual(Result.getOrThrow(Operation.fromBody(request("tools/call", params)))[0]?.params, params)
  })

  const json: Arbitrary.Arbitrary<unknown> = Arbitrary.schema(Schema.MutableJson)

  it.prop(
    "any JSON is rejected or a list of operations, each with a method and a target that is a string or undefined",
    { body: json },
    ({ body }) =>
      Result.getOrElse(Operation.fromBody(body), () => []).every(({ method, target }) =>
        typeof method === "string" && (target === undefined || typeof target === "string")
      ),
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "a batch requests the operations of its messages",
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
      if (messages.length === 0) return
      assert.deepStrictEqual(operations(messages), messages.flatMap((message) => operations(message)))
    }
  )
})
