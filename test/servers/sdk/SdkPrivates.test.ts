import { assert, describe, it } from "@effect/vitest"
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore
} from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import * as V2 from "@modelcontextprotocol/server"
import { z } from "zod"
import * as sdkPrivates from "../../../src/servers/sdk/SdkPrivates.ts"

type Check = (value: unknown) => boolean

const isFunction: Check = (value) => typeof value === "function"
const isRecord: Check = (value) => typeof value === "object" && value !== null && Object.keys(value).length === 1
const isTrue: Check = (value) => value === true

// The types of these tables require an entry for each private member in `SdkPrivates.ts`, so none is left untested.
const ofMcpServer: Readonly<Record<Exclude<keyof sdkPrivates.McpServer, "server">, Check>> = {
  _registeredTools: isRecord,
  _registeredPrompts: isRecord,
  _registeredResources: isRecord,
  _registeredResourceTemplates: isRecord,
  _toolHandlersInitialized: isTrue,
  _promptHandlersInitialized: isTrue,
  _resourceHandlersInitialized: isTrue,
  _completionHandlerInitialized: isTrue
}

const ofProtocol: Readonly<
  Record<Exclude<keyof sdkPrivates.Protocol, keyof sdkPrivates.TaskProtocol | "fallbackRequestHandler">, Check>
> = {
  _requestHandlers: (value) =>
    value instanceof Map && Object.keys(sdkPrivates.marks).every((method) => value.has(method)),
  connect: isFunction,
  setRequestHandler: isFunction
}

const ofTaskProtocol: Readonly<Record<keyof sdkPrivates.TaskProtocol, Check>> = {
  _taskStore: (value) => value instanceof InMemoryTaskStore,
  _taskMessageQueue: (value) => value instanceof InMemoryTaskMessageQueue,
  _onrequest: isFunction,
  requestTaskStore: isFunction
}

const ofUriTemplate: Readonly<Record<keyof sdkPrivates.ParsedUriTemplate, Check>> = {
  match: isFunction,
  toString: isFunction,
  parts: (value) => Array.isArray(value) && value[0] === "note://" && typeof value[1] === "object",
  escapeRegExp: isFunction,
  partToRegExp: isFunction
}

const expectParts = (sdk: string, type: string, value: object, checks: Readonly<Record<string, Check>>) => {
  for (const [name, check] of Object.entries(checks)) {
    assert.isTrue(
      check((value as Readonly<Record<string, unknown>>)[name]),
      `${sdk} has changed ${type}.${name}. Adapt src/servers/sdk/SdkPrivates.ts and the files that import it`
    )
  }
}

const transport = { start: async () => {}, send: async () => {}, close: async () => {} }
const resource = { contents: [] }

const serverV1 = async () => {
  const server = new V1.McpServer({ name: "notes", version: "1.0.0" }, {
    capabilities: { tasks: {} },
    taskStore: new InMemoryTaskStore(),
    taskMessageQueue: new InMemoryTaskMessageQueue()
  })
  const { completable } = await import("@modelcontextprotocol/sdk/server/completable.js")
  server.registerTool("add", {}, () => ({ content: [] }))
  server.registerPrompt("ask", { argsSchema: { topic: completable(z.string(), () => []) } }, () => ({ messages: [] }))
  server.registerResource("one", "note://one", {}, () => resource)
  server.registerResource("any", new V1.ResourceTemplate("note://{id}", { list: undefined }), {}, () => resource)
  await server.connect(transport)
  return server
}

const serverV2 = async () => {
  const server = new V2.McpServer({ name: "notes", version: "1.0.0" })
  server.registerTool("add", {}, () => ({ content: [] }))
  server.registerPrompt(
    "ask",
    { argsSchema: z.object({ topic: V2.completable(z.string(), () => []) }) },
    () => ({ messages: [] })
  )
  server.registerResource("one", "note://one", {}, () => resource)
  server.registerResource("any", new V2.ResourceTemplate("note://{id}", { list: undefined }), {}, () => resource)
  await server.connect(transport)
  return server
}

describe("Private parts of the official SDKs", () => {
  it.each([
    { sdk: "@modelcontextprotocol/sdk", make: serverV1, hasTasks: true },
    { sdk: "@modelcontextprotocol/server", make: serverV2, hasTasks: false }
  ])("$sdk has every private part that this library relies on", async ({ hasTasks, make, sdk }) => {
    const server: object = await make()
    expectParts(sdk, "McpServer", server, ofMcpServer)
    if (!sdkPrivates.isMcpServer(server)) assert.fail(`isMcpServer does not recognize a server of ${sdk}`)
    expectParts(sdk, "Protocol", server.server, ofProtocol)
    if (hasTasks) expectParts(sdk, "Protocol", server.server, ofTaskProtocol)
    else assert.isUndefined(server.server._taskStore, `${sdk} has a task store now: SdkTasks.ts separates its callers`)
    const [template] = Object.values(server._registeredResourceTemplates)
    const uriTemplate = sdkPrivates.uriTemplateOf(template!)
    if (uriTemplate === undefined) assert.fail(`${sdk} keeps the template of a resource elsewhere`)
    expectParts(sdk, "UriTemplate", uriTemplate, ofUriTemplate)
  })

  it.each([
    { what: "an empty object", value: {} },
    { what: "the low-level server of an McpServer", value: new V1.McpServer({ name: "a", version: "1" }).server }
  ])("$what is not recognized as an McpServer", ({ value }) => {
    assert.isFalse(sdkPrivates.isMcpServer(value))
  })

  it("a registration is found by its own name and never by an inherited one", () => {
    const tool = {}
    assert.strictEqual(sdkPrivates.getRegistration({ add: tool }, "add"), tool)
    assert.isUndefined(sdkPrivates.getRegistration({ add: tool }, "constructor"))
    assert.isUndefined(sdkPrivates.getRegistration({ add: tool }, undefined))
  })
})
