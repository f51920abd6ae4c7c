/** Tests the security schemes in lists of the SDKs that depend on the SDK: event streams, tasks, handlers of the author and local callers. */
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore
} from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as V2 from "@modelcontextprotocol/server"
import { Logger } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"

const info = { name: "todos", version: "1.0.0" }
const options = {
  resource: "https://server.test/mcp",
  authorizationServers: ["https://issuer.test"],
  scopes: { baseline: ["read"], stepUp: ["write"] },
  anonymous: "allow-unscoped",
  layer: Logger.layer([])
} as const

/** Each request of a mock has a caller. */
const mocked = { resource: "http://localhost/mcp", scopes: options.scopes } as const

const noauth = { type: "noauth" }
const oauth2 = (...scopes: ReadonlyArray<string>) => ({ type: "oauth2", scopes })
const done = () => ({ content: [] })
const listed = { name: "a", inputSchema: { type: "object" as const } }

const request = (method: string, params: object = {}, url: string = options.resource) =>
  new Request(url, {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
  })

/** The schemes of each tool in a response. */
const schemesIn = async (response: Response) => {
  const text = await response.text()
  const data = /^data: (\{.*)$/m.exec(text)?.[1] ?? text
  const { tools } = JSON.parse(data).result as { readonly tools: ReadonlyArray<Record<string, any>> }
  for (const { _meta, securitySchemes } of tools) assert.deepStrictEqual(_meta?.["securitySchemes"], securitySchemes)
  return Object.fromEntries(tools.map(({ name, securitySchemes }) => [name, securitySchemes]))
}

/** Sends a request to a server of SDK v1, which answers with an event stream. */
const sendV1 = async (
  auth: Pick<Awaited<ReturnType<typeof SdkV1.make>>, "protectFetch">,
  make: () => V1.McpServer,
  sent: Request
) => {
  const handle = auth.protectFetch(make(), async (request, given) => {
    const transport = new WebStandardStreamableHTTPServerTransport({})
    await make().connect(transport as never)
    return transport.handleRequest(request, given)
  })
  return handle(sent)
}

describe("lists of SDK v1", () => {
  it("have security schemes in an event stream", async () => {
    await using auth = await SdkV1.make(options)
    const make = () => {
      const server = new V1.McpServer(info)
      auth.registerTool(server, "add", { scopes: ["write"] }, done)
      return server
    }
    const response = await sendV1(auth as never, make, request("tools/list"))
    assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
    assert.deepStrictEqual(await schemesIn(response), { add: [oauth2("read", "write")] })
  })

  it("have no noauth for a tool whose calls are tasks, because a task has no anonymous owner", async () => {
    await using auth = await SdkV1.make(options)
    const taskStore = new InMemoryTaskStore()
    const ran: Array<string> = []
    const make = () => {
      const server = new V1.McpServer(info, {
        capabilities: { tasks: { requests: { tools: { call: {} } } } },
        taskStore,
        taskMessageQueue: new InMemoryTaskMessageQueue()
      })
      const createTask = async (
        { taskStore }: { readonly taskStore: { readonly createTask: (params: object) => Promise<any> } }
      ) => {
        ran.push("task")
        return { task: await taskStore.createTask({ ttl: 1000 }) }
      }
      const register = auth.registerToolTask as (...parameters: ReadonlyArray<unknown>) => unknown
      register(server, "required", { execution: { taskSupport: "required" } }, createTask)
      register(server, "open", { execution: { taskSupport: "required" }, policy: Policy.anyone }, createTask)
      register(server, "optional", { execution: { taskSupport: "optional" } }, createTask)
      return server
    }
    assert.deepStrictEqual(await schemesIn(await sendV1(auth as never, make, request("tools/list"))), {
      required: [oauth2("read")],
      open: [oauth2("read")],
      optional: [noauth]
    })
    for (const name of ["required", "open"]) {
      const response = await sendV1(
        auth as never,
        make,
        request("tools/call", { name, arguments: {}, task: { ttl: 1000 } })
      )
      assert.strictEqual(response.status, 401)
    }
    assert.deepStrictEqual(ran, [])
  })

  it("have security schemes in the list of a handler of the author, which can be a promise", async () => {
    await using auth = await SdkV1.mock(mocked)
    const make = () => {
      const server = new V1.McpServer(info)
      auth.registerTool(server, "add", { scopes: ["write"] }, done)
      server.server.setRequestHandler(ListToolsRequestSchema, async () => ({
        tools: [{ ...listed, name: "add" }, { ...listed, name: "constructor" }, { ...listed, name: "other" }]
      }))
      return server
    }
    assert.deepStrictEqual(
      await schemesIn(await sendV1(auth as never, make, request("tools/list", {}, mocked.resource))),
      {
        add: [oauth2("read", "write")],
        constructor: [oauth2("read")],
        other: [oauth2("read")]
      }
    )
  })

  it("pass through if they are not lists", async () => {
    await using auth = await SdkV1.mock(mocked)
    const make = () => {
      const server = new V1.McpServer(info)
      auth.registerTool(server, "add", { scopes: ["write"] }, done)
      server.server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: "none", extra: 1 }) as never)
      return server
    }
    const text = await (await sendV1(auth as never, make, request("tools/list", {}, mocked.resource))).text()
    assert.include(text, "\"tools\":\"none\",\"extra\":1")
  })

  it("have no security schemes for a local caller, who cannot sign in", async () => {
    await using auth = await SdkV1.make(options)
    const server = new V1.McpServer(info)
    auth.registerTool(server, "add", { scopes: ["write"] }, done)
    const [near, far] = InMemoryTransport.createLinkedPair()
    await auth.local({ subject: "alice", scopes: ["write"] })(server).connect(far)
    const client = new Client(info)
    await client.connect(near)
    const { tools } = await client.listTools()
    assert.deepStrictEqual(tools.map(({ _meta, name }) => [name, _meta]), [["add", undefined]])
    await client.close()
  })
})

describe.each([["SDK v1", SdkV1], ["SDK v2", SdkV2]] as const)("the option securitySchemes of %s", (_, Sdk) => {
  const mock = Sdk.mock as (given: object) => Promise<Awaited<ReturnType<typeof SdkV2.mock>>>

  it("rejects every value other than list and omit", async () => {
    for (const make of [Sdk.make as typeof mock, mock]) {
      const given = make === mock ? { scopes: ["read"] } : options
      const error = await make({ ...given, securitySchemes: "none" }).then(() => undefined, (error: unknown) => error)
      assert.deepInclude(error as object, { _tag: "AuthConfigError", option: "securitySchemes" })
    }
  })
})

describe("lists of SDK v2", () => {
  it("are those of the running server in a mock", async () => {
    const list = async (securitySchemes?: "omit") => {
      await using auth = await SdkV2.mock({ ...mocked, securitySchemes })
      const handler = auth.createMcpHandler(() => {
        const server = new V2.McpServer(info)
        auth.registerTool(server, "list", { scopes: ["read"] }, done)
        auth.registerTool(server, "free", {}, done)
        return server
      })
      return schemesIn(await handler.fetch(request("tools/list", {}, mocked.resource)))
    }
    assert.deepStrictEqual(await list(), { list: [oauth2("read")], free: [oauth2("read")] })
    assert.deepStrictEqual(await list("omit"), { list: undefined, free: undefined })
  })
})
