import { assert, describe, it } from "@effect/vitest"
import * as ClientV2 from "@modelcontextprotocol/client"
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import { Principal } from "effect-mcp-auth"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { join } from "node:path"
import { z } from "zod"

const info = { name: "test", version: "1.0.0" }
const owner = "[\"urn:effect-mcp-auth:local\",\"alice\"]"

/** The members of the clients of both SDKs that the tests use. */
interface Client {
  readonly callTool: (params: { readonly name: string }) => Promise<unknown>
  readonly listTools: () => Promise<{ readonly tools: ReadonlyArray<{ readonly name: string }> }>
}

const check = async (client: Client) => {
  const { tools } = await client.listTools()
  assert.deepStrictEqual(tools.map(({ name }) => name), ["whoami", "add"])
  assert.include(JSON.stringify(await client.callTool({ name: "whoami" })), JSON.stringify(owner).slice(1, -1))
  const rejected = JSON.stringify(await client.callTool({ name: "add" }))
  assert.include(rejected, "\"isError\":true")
  assert.include(rejected, "Insufficient scope")
  const answered = await client.callTool({ name: "hidden" }).then(JSON.stringify, String)
  assert.match(answered, /hidden not found/)
}

const program = (kind: string) => ({
  command: process.execPath,
  args: ["--conditions=effect-mcp-auth/source", join(import.meta.dirname, "localServer.ts"), kind]
})

describe("a local caller over stdio, in a child process", () => {
  it("calls the tools that its scopes allow on SDK v1", async () => {
    const client = new ClientV1(info)
    await client.connect(new StdioV1(program("v1")))
    try {
      await check(client as Client)
    } finally {
      await client.close()
    }
  })

  it.each(["v2", "v2-serve"])("calls the tools that its scopes allow on SDK v2, with %s", async (kind) => {
    const client = new ClientV2.Client(info)
    await client.connect(new StdioV2(program(kind)))
    try {
      await check(client)
    } finally {
      await client.close()
    }
  })
})

const options = {
  resource: "https://a.example/mcp",
  authorizationServers: ["https://as.example"],
  scopes: ["read", "write"],
  claims: Schema.decodeUnknownResult(Schema.Struct({ team: Schema.String })),
  layer: Logger.layer([])
} as const
const alice = { subject: "alice", scopes: ["read"], claims: { team: "blue" } } as const
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

class Owners extends Context.Service<Owners, { readonly ownerOf: (id: string) => string }>()("test/Owners") {}

const isBlue = Policy.claim("team", (team) => team === "blue")
const isOwner = Policy.check(
  "owner",
  (caller, { arguments: { id } }: Policy.Call<{ readonly id: string }>) =>
    Effect.map(Owners, ({ ownerOf }) => ownerOf(id) === caller.subject)
)
const isAlice = Policy.checkCaller("alice", ({ subject }) => Effect.map(Owners, () => subject === "alice"))

describe("a local caller in memory", () => {
  it("reaches handlers and effects of SDK v1 with decoded claims", async () => {
    await using auth = await SdkV1.make(options)
    const server = new V1.McpServer(info)
    auth.registerTool(
      server,
      "handler",
      {},
      ({ principal }) => text(`${principal.subject} of ${principal.claims.team}`)
    )
    auth.registerTool(server, "effect", {}, () => Effect.map(Principal, ({ issuer }) => text(issuer)))
    const [near, far] = InMemoryTransport.createLinkedPair()
    await auth.local(alice)(server).connect(far)
    const client = new ClientV1(info)
    await client.connect(near)
    assert.deepStrictEqual((await client.callTool({ name: "handler" }))["content"], text("alice of blue").content)
    assert.deepStrictEqual(
      (await client.callTool({ name: "effect" }))["content"],
      text("urn:effect-mcp-auth:local").content
    )
    await client.close()
  })

  it("reaches handlers of SDK v2 with messages that were sent before the server connected", async () => {
    await using auth = await SdkV2.make(options)
    const server = new V2.McpServer(info)
    auth.registerTool(
      server,
      "handler",
      {},
      ({ principal, state }) => state.seal("x").then((sealed) => text(`${principal.claims.team} ${sealed.length > 0}`))
    )
    const [near, far] = V2.InMemoryTransport.createLinkedPair()
    const answers: Array<string> = []
    Object.assign(near, { onmessage: (message: unknown) => void answers.push(JSON.stringify(message)) })
    await near.start()
    await near.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "handler", arguments: {} } })
    await auth.local(alice)(server).connect(far)
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.include(answers[0], "blue true")
    await server.close()
  })

  it.each(["v1", "v2"] as const)("satisfies policies with its roles, claims and checks on SDK %s", async (sdk) => {
    const layer = Layer.mergeAll(
      Logger.layer([]),
      Layer.succeed(Owners, { ownerOf: (id) => id === "1" ? "alice" : "bob" })
    )
    await using auth = await (sdk === "v1" ? SdkV1 : SdkV2).make({ ...options, layer }) as unknown as SdkV1.McpAuthSdk<
      "read",
      { readonly team: string },
      Owners,
      "deny"
    >
    const start = async (roles: ReadonlyArray<string>, team: string) => {
      const server = (sdk === "v1" ? new V1.McpServer(info) : new V2.McpServer(info)) as V1.McpServer
      const inputSchema = z.object({ id: z.string() })
      auth.registerTool(server, "purge", { policy: Policy.role("admin"), unauthorized: "hide" }, () => text("runs"))
      auth.registerTool(server, "blue", { policy: isBlue }, () => text("runs"))
      auth.registerTool(server, "edit", { inputSchema, policy: isOwner }, () => text("runs"))
      auth.registerTool(server, "mine", { policy: isAlice, unauthorized: "hide" }, () => text("runs"))
      const [near, far] = InMemoryTransport.createLinkedPair()
      await auth.local({ subject: "alice", scopes: ["read"], roles, claims: { team } })(server).connect(far)
      const client = new ClientV1(info)
      await client.connect(near)
      const call = async (name: string, args: Record<string, unknown> = {}) =>
        client.callTool({ name, arguments: args }).then((_) => JSON.stringify(_).includes("runs"), () => false)
      return {
        list: async () => (await client.listTools()).tools.map(({ name }) => name),
        calls: async () => [
          await call("purge"),
          await call("blue"),
          await call("edit", { id: "1" }),
          await call("edit", { id: "2" }),
          await call("mine")
        ],
        client
      }
    }
    const admin = await start(["admin"], "blue")
    assert.deepStrictEqual(await admin.calls(), [true, true, true, false, true])
    assert.deepStrictEqual(await admin.list(), ["purge", "blue", "edit", "mine"])
    const other = await start([], "red")
    assert.deepStrictEqual(await other.calls(), [false, false, true, false, true])
    assert.deepStrictEqual(await other.list(), ["blue", "edit", "mine"])
    await Promise.all([admin.client.close(), other.client.close()])
  })

  it("does not replace a remote caller, whose message an HTTP request brought", async () => {
    await using auth = await SdkV1.make(options)
    const server = new V1.McpServer(info)
    auth.registerTool(server, "handler", {}, ({ principal }) => text(principal.owner))
    const [near, far] = InMemoryTransport.createLinkedPair()
    const answers: Array<string> = []
    Object.assign(near, { onmessage: (message: unknown) => void answers.push(JSON.stringify(message)) })
    await auth.local(alice)(server).connect(far)
    const foreign = { token: "x", clientId: "mallory", scopes: ["read"] }
    await near.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "handler" } }, { authInfo: foreign })
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.include(answers[0], "Authentication required")
    await server.close()
  })

  it("cannot be connected to an HTTP transport", async () => {
    await using auth = await SdkV1.make(options)
    const server = auth.local(alice)(new V1.McpServer(info))
    const transport = new WebStandardStreamableHTTPServerTransport({})
    const error = await server.connect(transport as Parameters<typeof server.connect>[0]).catch(String)
    assert.match(error as string, /every client would be that caller/)
  })

  it.each([
    { given: undefined, fault: /local/ },
    { given: { scopes: [] }, fault: /local\.subject/ },
    { given: { subject: "", scopes: [] }, fault: /local\.subject/ },
    { given: { subject: "alice" }, fault: /local\.scopes/ },
    { given: { subject: "alice", scopes: ["admin"], claims: { team: "x" } }, fault: /does not offer admin/ },
    { given: { subject: "alice", scopes: ["read"] }, fault: /local\.claims/ },
    { given: { subject: "alice", scope: ["read"] }, fault: /local\.scope\b/ },
    { given: { subject: "alice", scopes: ["read"], roles: "admin", claims: { team: "x" } }, fault: /local\.roles/ }
  ])("has checked options: $given", async ({ fault, given }) => {
    await using auth = await SdkV2.make(options)
    assert.throws(() => auth.local(given as never), fault)
  })

  it("requires an McpServer", async () => {
    await using auth = await SdkV2.make(options)
    assert.throws(() => auth.local(alice)({} as never), /an McpServer of the MCP SDK/)
  })
})
