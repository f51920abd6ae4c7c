import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Context, Effect, Layer, Queue, Schema } from "effect"
import { Policy, Principal, RequestState, requirePolicy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, McpSchema, McpTest, Tool, Toolkit } from "effect/ai"
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

class Team extends Context.Service<Team, { readonly team: string }>()("test/Team") {}
class Owners extends Context.Service<Owners, { readonly ownerOf: (id: string) => string }>()("test/Owners") {}

const isAdmin = Policy.role("admin")
const isOwner = Policy.check(
  "owner",
  (caller, { arguments: { id } }: Policy.Call<{ readonly id: string }>) =>
    Effect.map(Owners, ({ ownerOf }) => ownerOf(id) === caller.subject)
)
const isBlue = Policy.claims(Team, ({ team }) => team === "blue")
const isOfAlice = Policy.checkCaller(
  "alice",
  ({ subject }) => Effect.map(Owners, ({ ownerOf }) => ownerOf("1") === subject)
)
const Protected = Toolkit.make(
  requirePolicy(isAdmin)(Tool.make("purge", { success: Schema.Void })).annotate(Policy.Unauthorized, "hide"),
  requirePolicy(isBlue)(Tool.make("blue", { success: Schema.Void })),
  requirePolicy(isOwner)(
    Tool.make("edit", { parameters: Schema.Struct({ id: Schema.String }), success: Schema.Void })
  )
)
const policies = Layer.merge(
  McpAuth.toolkit(Protected).pipe(
    Layer.provide(Protected.toLayer({ purge: () => Effect.void, blue: () => Effect.void, edit: () => Effect.void }))
  ),
  McpAuth.prompt({
    name: "plan",
    policy: Policy.allOf(isAdmin, isOwner),
    parameters: { id: Schema.String },
    completion: { id: () => Effect.succeed(["1"]) },
    content: () => Effect.succeed("plan")
  })
)
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

  it.live("gives policies the roles, the claims and the services of checks", () =>
    Effect.gen(function*() {
      const start = (options: { readonly roles?: ReadonlyArray<string>; readonly team: string }) =>
        McpTest.makeClient(
          policies.pipe(
            Layer.provide(McpAuth.layerLocal({
              subject: "alice",
              scopes: ["read"],
              roles: options.roles,
              claims: { team: options.team },
              claimsService: { service: Team, schema: Schema.Struct({ team: Schema.String }) }
            })),
            Layer.provide(Layer.succeed(Owners, { ownerOf: (id) => id === "1" ? "alice" : "bob" }))
          ),
          { protocols }
        )
      const admin = yield* start({ roles: ["admin"], team: "blue" })
      const call = (client: typeof admin, name: string, args: object) =>
        client.callTool({ name, arguments: args }).pipe(
          Effect.as("runs"),
          Effect.catch(({ code }) => Effect.succeed(code))
        )
      assert.strictEqual(yield* call(admin, "purge", {}), "runs")
      assert.strictEqual(yield* call(admin, "blue", {}), "runs")
      assert.strictEqual(yield* call(admin, "edit", { id: "1" }), "runs")
      assert.strictEqual(yield* call(admin, "edit", { id: "2" }), -32001)
      const complete = (client: typeof admin) =>
        client.complete({ ref: { type: "ref/prompt", name: "plan" }, argument: { name: "id", value: "" } }).pipe(
          Effect.as("runs"),
          Effect.catch(({ code }) => Effect.succeed(code))
        )
      assert.strictEqual(yield* complete(admin), "runs")
      const other = yield* start({ team: "red" })
      assert.strictEqual(yield* call(other, "purge", {}), -32602)
      assert.strictEqual(yield* call(other, "blue", {}), -32001)
      assert.strictEqual(yield* complete(other), -32001)
      assert.deepStrictEqual((yield* other.listTools()).tools.map(({ name }) => name), ["blue", "edit"])
    }).pipe(Effect.scoped))

  it.live("sends updates only of resources whose policy admits the caller, also by its claims and checks", () =>
    Effect.gen(function*() {
      const content = Effect.succeed("text")
      const id = McpSchema.param("id", Schema.String)
      const resources = Layer.mergeAll(
        McpAuth.resource({ uri: "todo://hidden", name: "a", policy: isAdmin, unauthorized: "hide", content }),
        McpAuth.resource({ uri: "todo://admin", name: "b", policy: isAdmin, content }),
        McpAuth.resource({ uri: "todo://write", name: "c", scopes: ["write"], content }),
        McpAuth.resource({ uri: "todo://blue", name: "d", policy: isBlue, content }),
        McpAuth.resource({ uri: "todo://first", name: "e", policy: isOfAlice, content }),
        McpAuth.resource`item://${id}`({ name: "f", policy: isAdmin, content: () => content }),
        McpAuth.resource({ uri: "todo://read", name: "g", scopes: ["read"], content })
      )
      const names = ["hidden", "admin", "write", "blue", "first"]
      const uris = [...names.map((name) => `todo://${name}`), "item://1", "todo://read"]
      const updates = Effect.fnUntraced(function*(roles: ReadonlyArray<string>, team: string, owner: string) {
        const client = yield* McpTest.makeClient(
          resources.pipe(
            Layer.provide(McpAuth.layerLocal({
              subject: "alice",
              scopes: ["read", "write"],
              granted: roles.length === 0 ? ["read"] : ["read", "write"],
              roles,
              claims: { team },
              claimsService: { service: Team, schema: Schema.Struct({ team: Schema.String }) }
            })),
            Layer.provide(Layer.succeed(Owners, { ownerOf: () => owner }))
          ),
          { protocols }
        )
        for (const uri of uris) {
          yield* client.subscribe({ uri })
          yield* client.server.notifications["notifications/resources/updated"]({ uri })
        }
        const received: Array<string> = []
        while (received.at(-1) !== uris.at(-1)) {
          const notification = yield* Queue.take(client.notifications)
          if (notification.method === "notifications/resources/updated") received.push(notification.payload.uri)
        }
        return received
      })
      assert.deepStrictEqual(yield* updates(["admin"], "blue", "alice"), uris)
      assert.deepStrictEqual(yield* updates([], "red", "bob"), ["todo://read"])
    }).pipe(Effect.scoped))

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
    { options: { subject: "alice", scopes: ["read"], subjects: "bob" }, fault: /subjects/ },
    { options: { subject: "alice", scopes: ["read"], roles: "admin" }, fault: /layerLocal\.roles/ },
    { options: { subject: "alice", scopes: ["read"], roles: [""] }, fault: /layerLocal\.roles/ }
  ])("throws for wrong options: $options", ({ fault, options }) => {
    assert.throws(() => McpAuth.layerLocal(options as never), fault)
  })
})
