import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Effect, Layer, Schema } from "effect"
import { Policy, Principal, RequestState, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, McpTest, Tool, Toolkit } from "effect/ai"
import { join } from "node:path"

const Tools = Toolkit.make(
  requireScopes("read")(
    Tool.make("whoami", { success: Schema.String, dependencies: [RequestState.RequestState] })
  ),
  requireScopes("write")(Tool.make("add", { success: Schema.String })),
  requireScopes("write")(Tool.make("purge", { success: Schema.String })).annotate(
    Policy.Unauthorized,
    "hide"
  )
)
const ToolsLive = Tools.toLayer({
  whoami: () =>
    Effect.gen(function*() {
      const { owner } = yield* Principal
      const sealed = yield* Effect.orDie(RequestState.seal("state", { operation: "whoami" }))
      return `${owner} ${yield* Effect.orDie(RequestState.open(sealed, { operation: "whoami" }))}`
    }),
  add: () => Effect.succeed("added"),
  purge: () => Effect.succeed("purged")
})
const registrations = McpAuth.toolkit(Tools).pipe(Layer.provide(ToolsLive))
const protocols = [McpProtocol.v2025_11_25] as const

describe("McpAuth.layerLocal", () => {
  it.live("gives a server in memory a caller with its granted scopes", () =>
    Effect.gen(function*() {
      const caller = McpAuth.layerLocal({ subject: "alice", scopes: ["read", "write"], granted: ["read"] })
      const client = yield* McpTest.makeClient(registrations.pipe(Layer.provide(caller)), { protocols })
      const answer = yield* client.callTool({ name: "whoami", arguments: {} })
      assert.include(JSON.stringify(answer), "alice")
      assert.include(JSON.stringify(answer), " state")
      const error = yield* Effect.flip(client.callTool({ name: "add", arguments: {} }))
      assert.deepStrictEqual([error.code, error.message], [-32001, "Insufficient scope"])
      assert.strictEqual((yield* Effect.flip(client.callTool({ name: "purge", arguments: {} }))).code, -32602)
    }))

  it("serves a client of the SDK over stdio, in a child process", async () => {
    const client = new Client({ name: "test", version: "1.0.0" })
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: ["--conditions=effect-mcp-auth/source", join(import.meta.dirname, "localServer.ts")]
      })
    )
    try {
      assert.deepStrictEqual((await client.listTools()).tools.map(({ name }) => name), ["whoami", "add"])
      assert.include(JSON.stringify(await client.callTool({ name: "whoami", arguments: {} })), "alice")
      const rejected = await client.callTool({ name: "add", arguments: {} }).then(JSON.stringify, String)
      assert.include(rejected, "Insufficient scope")
    } finally {
      await client.close()
    }
  })

  it.each([
    { options: { scopes: ["read"] }, fault: /McpAuth\.layerLocal\.subject/ },
    { options: { subject: "alice", scopes: ["read"], granted: ["write"] }, fault: /does not offer write/ },
    { options: { subject: "alice", scopes: ["read"], subjects: "bob" }, fault: /subjects/ }
  ])("throws for wrong options: $options", ({ fault, options }) => {
    assert.throws(() => McpAuth.layerLocal(options as never), fault)
  })
})
