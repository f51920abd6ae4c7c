import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore
} from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { completable as completableV1 } from "@modelcontextprotocol/sdk/server/completable.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { ResourceUpdatedNotificationSchema, SubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as V2 from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
import { Context, Effect, Layer, Logger } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { z } from "zod"
import { modern, request } from "./rpc.ts"

/* Tests that the caller of `local` reaches no completion, subscription, update or task that a policy does not admit. */

class Members extends Context.Service<Members, { readonly has: (subject: string) => boolean }>()("test/Members") {}

const isMember = Policy.checkCaller("member", ({ subject }) => Effect.map(Members, ({ has }) => has(subject!)))
const isFirst = Policy.check("first", (_, call: Policy.Call<{ readonly id: string }>) => call.arguments?.id === "1")

/** The registrations: the requirement, and whether a caller who is neither an admin nor a writer is admitted. */
const requirements = {
  open: {},
  read: { scopes: ["read"] },
  write: { scopes: ["write"] },
  deny_write: { scopes: ["write"], unauthorized: "deny" },
  dynamic: { scopes: () => ["read"] },
  admin: { policy: Policy.role("admin") },
  member: { policy: isMember },
  first: { policy: Policy.allOf(Policy.scopes("read"), isFirst) },
  first_write: { policy: Policy.allOf(Policy.scopes("write"), isFirst) },
  hidden: { policy: Policy.role("admin"), unauthorized: "hide" }
} as const
type Name = keyof typeof requirements
const names = Object.keys(requirements) as ReadonlyArray<Name>

const options = (members: ReadonlySet<string>) => ({
  resource: "https://a.example/mcp",
  authorizationServers: ["https://as.example"] as const,
  scopes: ["read", "write"] as const,
  layer: Layer.mergeAll(
    Logger.layer([]),
    Layer.succeed(Members, { has: (subject) => members.has(subject) })
  )
})

const info = { name: "test", version: "1.0.0" }
const capabilities = { resources: { subscribe: true } }

/** Registers a prompt, a resource and a template with each requirement, and returns what the handlers of the server received. */
const registerAll = (
  sdk: "v1" | "v2",
  auth: { readonly registerPrompt: (...args: Array<any>) => unknown } & {
    readonly registerResource: (...args: Array<any>) => unknown
  },
  server: V1.McpServer
) => {
  const ran: Array<string> = []
  const complete = (name: string) => () => {
    ran.push(`complete ${name}`)
    return ["1"]
  }
  const read = (uri: URL) => ({ contents: [{ uri: uri.href, text: "" }] })
  for (const name of names) {
    const argsSchema = sdk === "v1"
      ? { id: completableV1(z.string(), complete(`prompt ${name}`)) }
      : z.object({ id: V2.completable(z.string(), complete(`prompt ${name}`)) })
    const { ...requirement } = requirements[name]
    auth.registerPrompt(server, name, { ...requirement, argsSchema }, () => ({ messages: [] }))
    auth.registerResource(server, name, `todo://${name}`, requirement, read)
    const given = { list: undefined, complete: { id: complete(`template ${name}`) } }
    const template = sdk === "v1"
      ? new V1.ResourceTemplate(`item://${name}/{id}`, given)
      : new V2.ResourceTemplate(`item://${name}/{id}`, given)
    auth.registerResource(server, `${name} item`, template, requirement, read)
  }
  const subscribe = ({ params }: { readonly params: { readonly uri: string } }) => {
    ran.push(`subscribe ${params.uri}`)
    return {}
  }
  if (sdk === "v1") server.server.setRequestHandler(SubscribeRequestSchema, subscribe)
  else (server as unknown as V2.McpServer).server.setRequestHandler("resources/subscribe", subscribe)
  return ran
}

const makeAuth = async (sdk: "v1" | "v2", members: ReadonlySet<string>) =>
  await (sdk === "v1" ? SdkV1 : SdkV2).make(options(members)) as SdkV1.McpAuthSdk<
    "read" | "write",
    Readonly<Record<string, unknown>>,
    Members,
    "deny"
  >

const makeServer = (sdk: "v1" | "v2") =>
  (sdk === "v1" ? new V1.McpServer(info, { capabilities }) : new V2.McpServer(info, { capabilities })) as V1.McpServer

const start = async (
  sdk: "v1" | "v2",
  { members, roles, scopes }: {
    readonly scopes: ReadonlyArray<"read" | "write">
    readonly roles: ReadonlyArray<string>
    readonly members: ReadonlySet<string>
  }
) => {
  const auth = await makeAuth(sdk, members)
  const server = makeServer(sdk)
  const ran = registerAll(sdk, auth, server)
  const [near, far] = InMemoryTransport.createLinkedPair()
  await auth.local({ subject: "alice", scopes, roles })(server).connect(far)
  const client = new Client(info)
  const updated: Array<string> = []
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri))
  await client.connect(near)
  /** Returns what ran in the server, or the code of the error. */
  const run = async (sent: Promise<unknown>) => {
    const error = await sent.then(
      () => undefined,
      (cause: { readonly code: number; readonly message: string }) => cause
    )
    const lines = ran.splice(0)
    return error === undefined ? lines.join() : lines.length === 0 ? error.code : `${error.code} after ${lines.join()}`
  }
  return {
    server,
    updated,
    client,
    completePrompt: (name: Name) =>
      run(client.complete({ ref: { type: "ref/prompt", name }, argument: { name: "id", value: "" } })),
    completeTemplate: (name: Name) =>
      run(
        client.complete({
          ref: { type: "ref/resource", uri: `item://${name}/{id}` },
          argument: { name: "id", value: "" }
        })
      ),
    subscribe: (uri: string) => run(client.subscribeResource({ uri })),
    stop: async () => {
      await client.close()
      await auth.dispose()
    }
  }
}

const reader = { scopes: ["read"], roles: [], members: new Set<string>() } as const
const admin = { scopes: ["read", "write"], roles: ["admin"], members: new Set(["alice"]) } as const
const insufficient = -32001
const unknown = -32602

const without: Readonly<Record<Name, "runs" | number>> = {
  open: "runs",
  read: "runs",
  write: insufficient,
  deny_write: insufficient,
  dynamic: "runs",
  admin: insufficient,
  member: insufficient,
  first: "runs",
  first_write: insufficient,
  hidden: unknown
}

describe.each(["v1", "v2"] as const)("Completions and subscriptions of local callers on SDK %s", (sdk) => {
  it.each(names)("a caller without scope and role completes only what its policy admits: %s", async (name) => {
    const { completePrompt, completeTemplate, stop } = await start(sdk, reader)
    const expected = without[name]
    assert.strictEqual(await completePrompt(name), expected === "runs" ? `complete prompt ${name}` : expected)
    assert.strictEqual(await completeTemplate(name), expected === "runs" ? `complete template ${name}` : expected)
    await stop()
  })

  it.each(names)("a caller with scopes and role completes everything: %s", async (name) => {
    const { completePrompt, completeTemplate, stop } = await start(sdk, admin)
    assert.strictEqual(await completePrompt(name), `complete prompt ${name}`)
    assert.strictEqual(await completeTemplate(name), `complete template ${name}`)
    await stop()
  })

  it.each(names)("a caller subscribes only to resources whose policy admits it: %s", async (name) => {
    const uris = [`todo://${name}`, `item://${name}/1`]
    // A subscription names a URI and has no arguments, so that the check of the arguments fails.
    const isCheck = name.startsWith("first")
    for (const caller of [reader, admin]) {
      const { stop, subscribe } = await start(sdk, caller)
      const expected = isCheck ? insufficient : caller === admin ? "runs" : without[name]
      for (const uri of uris) {
        assert.strictEqual(await subscribe(uri), expected === "runs" ? `subscribe ${uri}` : expected, uri)
      }
      await stop()
    }
  })

  it("a caller receives updates only of resources whose policy admits it", async () => {
    const of = async (caller: typeof reader | typeof admin) => {
      const { client, server, stop, updated } = await start(sdk, caller)
      for (const name of names) {
        await server.server.sendResourceUpdated({ uri: `todo://${name}` })
        await server.server.sendResourceUpdated({ uri: `item://${name}/1` })
      }
      await client.ping()
      await stop()
      return updated.filter((uri) => uri.startsWith("todo")).map((uri) => uri.slice("todo://".length))
    }
    assert.deepStrictEqual(await of(reader), ["open", "read", "dynamic"])
    assert.deepStrictEqual(await of(admin), names.filter((name) => !name.startsWith("first")))
  })
})

describe("Local callers of MCP 2026-07-28", () => {
  it("a subscription over stdio receives updates only of resources whose policy admits the caller", async () => {
    const auth = await makeAuth("v2", new Set())
    const [near, far] = V2.InMemoryTransport.createLinkedPair()
    const received: Array<string> = []
    let notify = () => {}
    Object.assign(near, {
      onmessage: (message: unknown) => {
        received.push(JSON.stringify(message))
        notify()
      }
    })
    const until = async (text: string) => {
      while (!received.some((message) => message.includes(text))) {
        await new Promise<void>((resolve) => {
          notify = resolve
        })
      }
    }
    await near.start()
    let server!: V1.McpServer
    const handle = serveStdio(() => {
      server = makeServer("v2")
      registerAll("v2", auth, server)
      return auth.local({ subject: "alice", scopes: ["read"] })(server) as unknown as V2.McpServer
    }, { transport: far })
    const uris = names.map((name) => `todo://${name}`)
    const sent = request("subscriptions/listen", { notifications: { resourceSubscriptions: uris } })
    await near.send(modern(sent, { subscriptions: {} }).body)
    await until("acknowledged")
    for (const uri of [...uris.toReversed(), "todo://open"]) await server.server.sendResourceUpdated({ uri })
    await until("\"uri\":\"todo://open\"")
    const updated = received.flatMap((message) => /updated.*"uri":"todo:\/\/(\w+)"/.exec(message)?.[1] ?? [])
    assert.deepStrictEqual([...new Set(updated)], ["dynamic", "read", "open"])
    await handle.close()
    await auth.dispose()
  })
})

describe("Tasks of local callers on SDK v1", () => {
  it("a caller finds the tasks of its tools, and none of a tool whose policy no longer admits it", async () => {
    const members = new Set(["alice"])
    const auth = await SdkV1.make(options(members))
    const server = new V1.McpServer(info, {
      capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
      taskStore: new InMemoryTaskStore(),
      taskMessageQueue: new InMemoryTaskMessageQueue()
    })
    for (const name of ["member", "admin", "open"] as const) {
      auth.registerToolTask(server, name, { ...requirements[name] }, async ({ taskStore }) => {
        const task = await taskStore.createTask({ ttl: null })
        await taskStore.storeTaskResult(task.taskId, "completed", { content: [] })
        return { task: await taskStore.getTask(task.taskId) }
      })
    }
    const [near, far] = InMemoryTransport.createLinkedPair()
    await auth.local({ subject: "alice", scopes: ["read"] })(server).connect(far)
    const client = new Client(info)
    await client.connect(near)
    const create = async (name: string) => {
      const { task } = await client.request(
        { method: "tools/call", params: { name, task: {} } },
        z.object({ task: z.object({ taskId: z.string() }) })
      )
      return task.taskId
    }
    const id = await create("member")
    assert.strictEqual((await client.experimental.tasks.getTask(id)).taskId, id)
    const other = await create("open")
    const rejected = await create("admin").then(() => undefined, ({ code }) => code)
    // The SDK expected a task, and replaces the error result by an error.
    assert.strictEqual(rejected, unknown)
    const listed = async () => (await client.experimental.tasks.listTasks()).tasks.map(({ taskId }) => taskId)
    assert.sameMembers(await listed(), [id, other])
    members.clear()
    assert.deepStrictEqual(await listed(), [other])
    const missing = await client.experimental.tasks.getTask(id).then(() => undefined, ({ code }) => code)
    assert.strictEqual(missing, unknown)
    await client.close()
    await auth.dispose()
  })
})
