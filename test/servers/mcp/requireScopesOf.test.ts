import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { type AuthError, type AuthLayer, Policy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { authLayer } from "../gates.ts"

const ran: Array<string> = []

const ListTodos = Policy.requireScopesOf(
  Tool.make("list_todos", {
    parameters: Schema.Struct({ of: Schema.optionalKey(Schema.Literals(["me", "everybody"])) }),
    success: Schema.String
  }),
  ["todos:read", "todos:admin"],
  ({ of }) => {
    if (of === undefined) return []
    return of === "everybody" ? ["todos:read", "todos:admin"] : ["todos:read"]
  }
)

const Archive = requireScopes("todos:write")(
  Policy.requireScopesOf(
    Tool.make("archive", { parameters: Schema.Struct({ days: Schema.Int }), success: Schema.String }),
    ["todos:admin"],
    ({ days }) => {
      if (days === 0) throw new Error("never")
      return days < 7 ? ["todos:admin"] : []
    }
  )
)

const Todos = Toolkit.make(ListTodos, Archive)
const registrations = McpAuth.toolkit(Todos).pipe(
  Layer.provide(Todos.toLayer({
    list_todos: ({ of }) => Effect.sync(() => `listed ${ran.push(`list ${of}`)}`),
    archive: ({ days }) => Effect.sync(() => `archived ${ran.push(`archive ${days}`)}`)
  }))
)

const options = {
  name: "todos",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28],
  registrations
} as const

const servers = [
  { name: "before dispatch", Server: McpAuth.layerHttp(options) },
  // Effect's own server does not check scopes before dispatch. Only the scope guard of the registration checks them.
  {
    name: "in the scope guard",
    Server: McpServer.layerHttp(options) as unknown as ReturnType<typeof McpAuth.layerHttp>
  }
]

const { client, issuer } = await Effect.runPromise(TestIssuer.make())

const serve = (Server: Layer.Layer<never, any, any>, scopes: AuthLayer.Scopes) =>
  HttpRouter.toWebHandler(
    Server.pipe(
      Layer.provide(
        authLayer({
          resource: "https://server.test/mcp",
          authorizationServers: [issuer.issuer],
          scopes: scopes as ["todos:read"]
        })
      ),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    ) as Layer.Layer<never, AuthError.AuthConfigError, HttpRouter.HttpRouter>,
    { disableLogger: true }
  )

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" }
}

const all = ["todos:read", "todos:write", "todos:admin"] as const

describe.each(servers)("scopes that depend on the arguments, $name", ({ Server }) => {
  it.each<[string, unknown, ReadonlyArray<string>, string | undefined]>([
    ["list_todos", { of: "me" }, ["todos:read"], undefined],
    ["list_todos", {}, [], undefined],
    ["list_todos", undefined, [], undefined],
    ["list_todos", { of: "me" }, [], "todos:read"],
    ["list_todos", { of: "everybody" }, ["todos:read"], "todos:read todos:admin"],
    ["list_todos", { of: "everybody" }, ["todos:read", "todos:admin"], undefined],
    ["archive", { days: 30 }, ["todos:write"], undefined],
    ["archive", { days: 3 }, ["todos:write"], "todos:write todos:admin"],
    ["archive", { days: 3 }, [], "todos:write todos:admin"],
    ["archive", { days: 3 }, ["todos:write", "todos:admin"], undefined],
    ["archive", { days: 0 }, ["todos:write"], "todos:write todos:admin"]
  ])("SCOPE-10 %s of %j with %j requires %j", async (name, args, scopes, required) => {
    const { dispose, handler } = serve(Server as never, all)
    ran.length = 0
    const token = await Effect.runPromise(issuer.mint({ scopes }))
    const response = await handler(
      new Request("https://server.test/mcp", {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "tools/call",
          "mcp-name": name
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name, ...(args === undefined ? {} : { arguments: args }), _meta: meta }
        })
      })
    )
    assert.strictEqual(response.status, required === undefined ? 200 : 403, await response.text())
    assert.strictEqual(/scope="([^"]*)"/.exec(response.headers.get("www-authenticate") ?? "")?.[1], required)
    assert.strictEqual(ran.length, required === undefined ? 1 : 0)
    await dispose()
  })
})

it("arguments that do not decode require every scope, so that invalid ones reveal nothing", async () => {
  const { dispose, handler } = serve(servers[0]!.Server as never, all)
  const ask = async (scopes: ReadonlyArray<string>) => {
    const token = await Effect.runPromise(issuer.mint({ scopes }))
    return (await handler(
      new Request("https://server.test/mcp", {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "tools/call",
          "mcp-name": "list_todos"
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "list_todos", arguments: { of: "nobody" }, _meta: meta }
        })
      })
    )).status
  }
  assert.strictEqual(await ask(["todos:read"]), 403)
  assert.strictEqual(await ask(["todos:read", "todos:admin"]), 200)
  await dispose()
})

it("a scope that a call can require must be offered", async () => {
  const { dispose, handler } = serve(servers[0]!.Server as never, ["todos:read", "todos:write"])
  const failed = await handler(new Request("https://server.test/mcp")).catch((error: unknown) => error)
  assert.include(String((failed as Error).message), "list_todos requires todos:admin")
  await dispose().catch(() => {})
})

it("a call that only the scope guard rejects is answered with 403, and with 401 if the caller is anonymous", async () => {
  let evaluations = 0
  // Requires nothing when the gate asks, and a scope when the scope guard asks.
  const Changing = Policy.requireScopesOf(
    Tool.make("changing", { parameters: Tool.EmptyParams, success: Schema.String }),
    ["todos:read"],
    () => evaluations++ === 0 ? [] : ["todos:read"]
  )
  const Tools = Toolkit.make(Changing)
  const Server = McpAuth.layerHttp({
    ...options,
    registrations: McpAuth.toolkit(Tools).pipe(
      Layer.provide(Tools.toLayer({ changing: () => Effect.succeed("never") }))
    )
  })
  const { dispose, handler } = HttpRouter.toWebHandler(
    Server.pipe(
      Layer.provide(authLayer({
        resource: "https://server.test/mcp",
        authorizationServers: [issuer.issuer],
        scopes: ["todos:read"],
        anonymous: "allow-unscoped"
      })),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    ) as Layer.Layer<never, AuthError.AuthConfigError, HttpRouter.HttpRouter>,
    { disableLogger: true }
  )
  const token = await Effect.runPromise(issuer.mint({ scopes: [] }))
  for (const [status, credentials] of [[403, { authorization: `Bearer ${token}` }], [401, {}]] as const) {
    evaluations = 0
    const response = await handler(
      new Request("https://server.test/mcp", {
        method: "POST",
        headers: {
          ...credentials,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": "tools/call",
          "mcp-name": "changing"
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "changing", arguments: {}, _meta: meta }
        })
      })
    )
    assert.strictEqual(response.status, status, await response.text())
    const challenge = response.headers.get("www-authenticate") ?? ""
    assert.strictEqual(/error="([^"]*)"/.exec(challenge)?.[1], status === 403 ? "insufficient_scope" : undefined)
    assert.strictEqual(/scope="([^"]*)"/.exec(challenge)?.[1], "todos:read")
  }
  await dispose()
})
