import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { Policy, requirePolicy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpSchema, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { authLayer } from "../gates.ts"

const { client, issuer } = await Effect.runPromise(TestIssuer.make())

const ran: Array<string> = []
const run = (name: string) => () => Effect.sync(() => `${name} ${ran.push(name)}`)

const ListTodos = requireScopes("todos:read")(Tool.make("list_todos", { success: Schema.String }))
const Purge = requireScopes("todos:admin")(Tool.make("purge", { success: Schema.String }))
  .annotate(Policy.Unauthorized, "hide")
const Todos = Toolkit.make(ListTodos, Purge)

const { handler } = HttpRouter.toWebHandler(
  McpAuth.layerHttp({
    name: "todos",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    registrations: McpAuth.toolkit(Todos).pipe(
      Layer.provide(Todos.toLayer({ list_todos: run("list_todos"), purge: run("purge") }))
    )
  }).pipe(
    Layer.provide(
      authLayer({
        resource: "https://server.test/mcp",
        authorizationServers: [issuer.issuer],
        scopes: { baseline: ["todos:read"], stepUp: ["todos:admin"] }
      })
    ),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  ),
  { disableLogger: true }
)

const ask = async (
  scopes: ReadonlyArray<string>,
  method: string,
  params: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string | undefined>> = {},
  server: { readonly url: string; readonly send: (request: Request) => Promise<Response> } = {
    url: "https://server.test/mcp",
    send: handler
  }
) => {
  ran.length = 0
  const sent: Record<string, string | undefined> = {
    authorization: `Bearer ${await Effect.runPromise(issuer.mint({ scopes }))}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    "mcp-name": params["name"] as string | undefined,
    ...headers
  }
  const response = await server.send(
    new Request(server.url, {
      method: "POST",
      headers: Object.entries(sent).filter((line): line is [string, string] => line[1] !== undefined),
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: {
          ...params,
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" }
          }
        }
      })
    })
  )
  const body = await response.json() as {
    readonly error?: { readonly code: number }
    readonly result?: { readonly tools?: ReadonlyArray<{ readonly name: string }> }
  }
  return { status: response.status, challenge: response.headers.get("www-authenticate"), body, ran: [...ran] }
}

const call = (name: string) => ({ name, arguments: {} })

describe("a hidden tool", () => {
  it("is listed for callers with its scopes", async () => {
    const names = async (scopes: ReadonlyArray<string>) =>
      (await ask(scopes, "tools/list", {})).body.result?.tools?.map(({ name }) => name)
    assert.deepStrictEqual(await names(["todos:read"]), ["list_todos"])
    assert.deepStrictEqual(await names(["todos:read", "todos:admin"]), ["list_todos", "purge"])
  })

  it("SCOPE-14 does not run for other callers, who get the response for an unknown tool", async () => {
    const hidden = await ask(["todos:read"], "tools/call", call("purge"))
    const unknown = await ask(["todos:read"], "tools/call", call("nonsense"))
    assert.deepStrictEqual(hidden.ran, [])
    assert.strictEqual(
      JSON.stringify(hidden).replaceAll("purge", "?"),
      JSON.stringify(unknown).replaceAll("nonsense", "?")
    )
    assert.deepStrictEqual((await ask(["todos:admin"], "tools/call", call("purge"))).ran, ["purge"])
  })
})

describe("rejections of the server come after those of the gate", () => {
  it.each<[string, Record<string, string | undefined>]>([
    ["MCP-03 no Mcp-Method", { "mcp-method": undefined }],
    ["MCP-03 no Mcp-Name", { "mcp-name": undefined }],
    ["MCP-03 another Mcp-Name", { "mcp-name": "purge" }],
    ["MCP-03 another Mcp-Method", { "mcp-method": "tools/list" }],
    ["MCP-06 another MCP-Protocol-Version than the body's", { "mcp-protocol-version": "2025-11-25" }],
    ["MCP-06 no MCP-Protocol-Version", { "mcp-protocol-version": undefined }]
  ])("%s", async (_, headers) => {
    const admitted = await ask(["todos:read"], "tools/call", call("list_todos"), headers)
    assert.deepStrictEqual([admitted.status, admitted.body.error?.code, admitted.ran], [
      400,
      McpSchema.HEADER_MISMATCH_ERROR_CODE,
      []
    ])
    assert.strictEqual((await ask([], "tools/call", call("list_todos"), headers)).status, 403)
  })
})

describe("a server of Effect without a gate in the same program", () => {
  const Open = Toolkit.make(Tool.make("open", { success: Schema.String }))
  const Anyone = Toolkit.make(requirePolicy(Policy.anyone)(Tool.make("anyone", { success: Schema.String })))
  const ours = McpAuth.layerHttp({
    name: "ours",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    registrations: Layer.merge(
      Layer.merge(
        McpAuth.toolkit(Open).pipe(Layer.provide(Open.toLayer({ open: run("open") }))),
        McpAuth.toolkit(Anyone).pipe(Layer.provide(Anyone.toLayer({ anyone: run("anyone") })))
      ),
      McpAuth.toolkit(Todos).pipe(
        Layer.provide(Todos.toLayer({ list_todos: run("list_todos"), purge: run("purge") }))
      )
    )
  }).pipe(
    Layer.provide(
      authLayer({
        resource: "https://server.test/mcp",
        authorizationServers: [issuer.issuer],
        scopes: { baseline: ["todos:read"], stepUp: ["todos:admin"] }
      })
    ),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  )
  const stock = McpServer.layerHttp({
    name: "stock",
    version: "1.0.0",
    path: "/open",
    protocols: [McpProtocol.v2026_07_28]
  })
  const start = (lines: Array<string>, other: typeof stock) =>
    HttpRouter.toWebHandler(
      Layer.merge(ours, other).pipe(
        Layer.provide(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
      ),
      { disableLogger: true }
    ).handler
  const callOpen = (send: (request: Request) => Promise<Response>, tool: string) =>
    ask([], "tools/call", call(tool), { authorization: undefined }, { url: "https://server.test/open", send })

  it("runs none of the protected tools, with or without scopes, and the log names the mistake", async () => {
    const lines: Array<string> = []
    const send = start(lines, stock)
    for (const tool of ["open", "list_todos"]) {
      const { body, ran } = await callOpen(send, tool)
      assert.deepStrictEqual([body.error?.code, ran], [-32001, []])
    }
    await callOpen(send, "open")
    assert.strictEqual(lines.filter((line) => line.includes("through another endpoint that has no gate")).length, 1)
    const admitted = await ask([], "tools/call", call("open"), {}, { url: "https://server.test/mcp", send })
    assert.deepStrictEqual([admitted.status, admitted.ran], [200, ["open"]])
  })

  it.each(["list_todos", "anyone"])("runs no call of %s, and logs the mistake once", async (tool) => {
    const lines: Array<string> = []
    const send = start(lines, stock)
    for (let i = 0; i < 2; i++) {
      const { body, ran } = await callOpen(send, tool)
      assert.deepStrictEqual([body.error?.code, ran], [-32001, []])
    }
    assert.strictEqual(lines.filter((line) => line.includes("through another endpoint that has no gate")).length, 1)
  })

  it("is named in the log if the program has no gate at all", async () => {
    const lines: Array<string> = []
    const tools = McpAuth.toolkit(Todos).pipe(
      Layer.provide(Todos.toLayer({ list_todos: run("list_todos"), purge: run("purge") }))
    )
    const { handler: send } = HttpRouter.toWebHandler(
      tools.pipe(
        Layer.provideMerge(Layer.fresh(stock)),
        Layer.provide(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
      ) as never,
      { disableLogger: true }
    )
    for (let i = 0; i < 2; i++) {
      const { body, ran } = await callOpen(send, "list_todos")
      assert.deepStrictEqual([body.error?.code, ran], [-32001, []])
    }
    assert.strictEqual(lines.filter((line) => line.includes("through an endpoint that has no gate")).length, 1)
  })

  it("has none of the protected tools with Layer.fresh", async () => {
    const send = start([], Layer.fresh(stock))
    assert.deepStrictEqual((await callOpen(send, "open")).body.error?.code, -32602)
  })
})

describe("two servers with two gates in one program", () => {
  const program = async (separate: (server: Layer.Layer<never, any, any>) => Layer.Layer<never, any, any>) => {
    const servers = await Promise.all(["a", "b"].map(async (name) => {
      const resource = `https://server.test/${name}`
      const Tools = Toolkit.make(requireScopes("todos:read")(Tool.make(`tool_${name}`, { success: Schema.String })))
      const auth = authLayer({ resource, authorizationServers: [issuer.issuer], scopes: ["todos:read"] })
      const layer = McpAuth.layerHttp({
        name,
        version: "1.0.0",
        path: `/${name}`,
        protocols: [McpProtocol.v2026_07_28],
        registrations: McpAuth.toolkit(Tools).pipe(
          Layer.provide(Tools.toLayer({ [`tool_${name}`]: run(`tool_${name}`) } as never))
        )
      })
      return separate(layer as never).pipe(Layer.provide(auth as never)) as Layer.Layer<never>
    }))
    return HttpRouter.toWebHandler(
      Layer.mergeAll(servers[0]!, servers[1]!).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client))),
      { disableLogger: true }
    ).handler
  }

  it("fail if they share their registrations, because a token for one resource would run the tools of the other", async () => {
    const shared = await program((server) => server)
    const error = await shared(new Request("https://server.test/a")).then(() => undefined, (error: unknown) => error)
    assert.match(
      String(error),
      /McpAuth\.layerHttp: it shares its tools, prompts and resources with a server that another/
    )
  })

  it("have separate tools with Layer.fresh", async () => {
    const send = await program(Layer.fresh)
    const token = await Effect.runPromise(
      issuer.mint({ scopes: ["todos:read"], audience: "https://server.test/a" })
    )
    const outcome = async (path: string, tool: string) => {
      const authorization = `Bearer ${token}`
      const url = `https://server.test/${path}`
      const { body, ran, status } = await ask([], "tools/call", call(tool), { authorization }, { url, send })
      return [status, body.error?.code, ran]
    }
    assert.deepStrictEqual(await outcome("a", "tool_a"), [200, undefined, ["tool_a"]])
    assert.deepStrictEqual(await outcome("a", "tool_b"), [200, -32602, []])
    assert.deepStrictEqual((await outcome("b", "tool_b")).slice(2), [[]])
    assert.strictEqual((await outcome("b", "tool_b"))[0], 401)
  })
})
