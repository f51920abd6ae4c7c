/** Replaces handlers of registrations while the server runs. */
import { assert, describe, it } from "@effect/vitest"
import * as ClientV2 from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Logger } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"

const options = {
  resource: "https://todos.example.com/mcp",
  authorizationServers: ["https://auth.example.com"],
  scopes: ["todos:read"],
  layer: Logger.layer([])
} as const
const info = { name: "test", version: "1.0.0" }
const policy = Policy.role("admin")

/** The members of both SDKs that the test uses. */
interface Any {
  readonly auth: SdkV1.McpAuthSdk<"todos:read", unknown, never, "deny">
  readonly server: V1.McpServer
  readonly template: V1.ResourceTemplate
  readonly connect: () => Promise<ClientV1>
}

const uri = "note://{id}"

const versions: Readonly<Record<string, () => Promise<Any>>> = {
  "SDK v1": async () => {
    const server = new V1.McpServer(info)
    return {
      auth: await SdkV1.make(options) as never,
      server,
      template: new V1.ResourceTemplate(uri, { list: undefined }),
      connect: async () => {
        const [ofClient, ofServer] = InMemoryTransport.createLinkedPair()
        const client = new ClientV1(info)
        await server.connect(ofServer)
        await client.connect(ofClient)
        return client
      }
    }
  },
  "SDK v2": async () => {
    const server = new V2.McpServer(info)
    return {
      auth: await SdkV2.make(options) as never,
      server: server as never,
      template: new V2.ResourceTemplate(uri, { list: undefined }) as never,
      connect: async () => {
        const [ofClient, ofServer] = ClientV2.InMemoryTransport.createLinkedPair()
        const client = new ClientV2.Client(info)
        await server.connect(ofServer as never)
        await client.connect(ofClient)
        return client as never
      }
    }
  }
}

const content = (text: string) => ({ content: [{ type: "text" as const, text }] })

describe.each(Object.keys(versions))("on %s, a handler that replaces the first one", (version) => {
  it.each([true, false])(
    "has the guard and the principal of the first one, with a local caller: %s",
    async (isLocal) => {
      const ran: Array<unknown> = []
      const { auth, connect, server, template } = await versions[version]!()
      if (isLocal) auth.local({ subject: "alice", scopes: ["todos:read"] })(server)
      const run = (...parameters: ReadonlyArray<any>) => {
        ran.push(parameters.at(-1).principal?.subject)
        return { ...content("ran"), contents: [], messages: [] }
      }
      const never = () => assert.fail("the first handler ran")
      auth.registerTool(server, "purge", { policy }, never).update({ callback: run })
      auth.registerTool(server, "whoami", { scopes: ["todos:read"] }, never).update({ callback: run })
      auth.registerPrompt(server, "ask", { policy }, never).update({ callback: run })
      auth.registerResource(server, "one", "note://one", { policy }, never).update({ callback: run })
      auth.registerResource(server, "any", template, { policy }, never).update({ callback: run })
      const client = await connect()
      const failed = await Promise.all([
        client.callTool({ name: "purge" }).then(({ isError }) => isError === true, () => true),
        client.getPrompt({ name: "ask" }).then(() => false, () => true),
        client.readResource({ uri: "note://one" }).then(() => false, () => true),
        client.readResource({ uri: "note://two" }).then(() => false, () => true)
      ])
      assert.deepStrictEqual([failed, ran], [[true, true, true, true], []])
      await client.callTool({ name: "whoami" }).catch(() => {})
      assert.deepStrictEqual(ran, isLocal ? ["alice"] : [])
      await client.close()
      await auth.dispose()
    }
  )
})

describe("a task of SDK v1", () => {
  it("has the guard of the first handler after an update", async () => {
    const auth = await SdkV1.make(options)
    const taskStore = new InMemoryTaskStore()
    const server = new V1.McpServer(info, { taskStore, capabilities: { tasks: { requests: { tools: { call: {} } } } } })
    auth.local({ subject: "alice", scopes: ["todos:read"] })(server)
    const never = async () => assert.fail("a handler ran")
    const config = { policy, execution: { taskSupport: "required" as const } }
    const registered = auth.registerToolTask(server, "report", config, never)
    const { handler } = registered
    const callback = { createTask: never, getTask: never, getTaskResult: never }
    registered.update({ callback } as never)
    assert.notStrictEqual(registered.handler, handler)
    const { createTask } = registered.handler as unknown as typeof callback
    assert.notStrictEqual(createTask, never)
    await auth.dispose()
  })
})
