import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { type AuthError, AuthLayer, Policy, Principal, requirePolicy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { authLayer } from "../gates.ts"

class Db extends Context.Service<Db, { readonly ownerOf: (id: string) => Effect.Effect<string> }>()("test/Db") {}

/** The checks and handlers that ran, in their order. */
const ran: Array<string> = []

const { allOf, anyOf, check, checkCaller, claim, scopes } = Policy

const isOwner = check(
  "owner",
  (caller, { arguments: { id } }: Policy.Call<{ readonly id: string }>) =>
    Effect.gen(function*() {
      ran.push(`owner ${id}`)
      return (yield* (yield* Db).ownerOf(id)) === caller.subject
    })
)
const isBeta = checkCaller("beta", (caller) =>
  Effect.sync(() => {
    ran.push("beta")
    return caller.subject === "alice"
  }))
const isStaff = claim("department", (department) => department === "staff")
const broken = checkCaller("broken", () => Effect.die(new Error("down")))

const success = Schema.String
const withId = { parameters: Schema.Struct({ id: Schema.Trim }), success }

const Hello = requirePolicy(Policy.optional(scopes("todos:read")))(Tool.make("hello", { success }))
const List = requirePolicy(scopes("todos:read"))(Tool.make("list", { success }))
const Edit = requirePolicy(anyOf(scopes("todos:admin"), allOf(scopes("todos:write"), isOwner)))(
  Tool.make("edit", withId)
)
const Audit = requirePolicy(isStaff)(Tool.make("audit", { success }))
const Purge = requireScopes("todos:admin")(
  requirePolicy(isStaff)(Tool.make("purge", { success }).annotate(Policy.Unauthorized, "hide"))
)
const Try = requirePolicy(allOf(isBeta, isOwner))(Tool.make("try", withId).annotate(Policy.Unauthorized, "hide"))
const Broken = requirePolicy(broken)(Tool.make("broken", { success }).annotate(Policy.Unauthorized, "hide"))
const Todos = Toolkit.make(Hello, List, Edit, Audit, Purge, Try, Broken)

const answer = Effect.map(Effect.serviceOption(Principal), (principal) => {
  ran.push("handler")
  return principal._tag === "Some" ? principal.value.subject ?? "" : "anonymous"
})
const TodosLive = Todos.toLayer({
  hello: () => answer,
  list: () => answer,
  edit: () => answer,
  audit: () => answer,
  purge: () => answer,
  try: () => answer,
  broken: () => answer
})

const dbOf = (owner: string) => Layer.succeed(Db, { ownerOf: (id) => Effect.succeed(id === "1" ? owner : "bob") })

const options = {
  name: "todos",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28],
  registrations: McpAuth.toolkit(Todos).pipe(Layer.provide(TodosLive))
} as const

const { client, issuer } = await Effect.runPromise(TestIssuer.make())

const Auth = authLayer({
  resource: "https://server.test/mcp",
  authorizationServers: [issuer.issuer],
  anonymous: "allow-unscoped",
  scopes: { baseline: ["todos:read"], stepUp: ["todos:write", "todos:admin"] },
  scopeHierarchy: { "todos:admin": ["todos:write"], "todos:write": ["todos:read"] }
}).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))

const serve = (Server: Layer.Layer<never, any, any>, owner = "alice") =>
  HttpRouter.toWebHandler(
    Server.pipe(Layer.provide([Auth, dbOf(owner)])) as Layer.Layer<
      never,
      AuthError.AuthConfigError,
      HttpRouter.HttpRouter
    >,
    { disableLogger: true }
  )

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" }
}

interface Who {
  readonly subject: string
  readonly scopes: ReadonlyArray<string>
  readonly claims?: Record<string, unknown>
}

const send = async (
  handler: (request: Request) => Promise<Response>,
  method: string,
  params: { readonly name?: string; readonly arguments?: unknown },
  who: Who | undefined
) => {
  ran.length = 0
  const token = who === undefined ? undefined : await Effect.runPromise(issuer.mint(who))
  const response = await handler(
    new Request("https://server.test/mcp", {
      method: "POST",
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        ...(params.name === undefined ? {} : { "mcp-name": params.name })
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } })
    })
  )
  const text = await response.text()
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text
  return {
    status: response.status,
    challenge: response.headers.get("www-authenticate"),
    body: data === "" ? undefined : JSON.parse(data)
  }
}

const alice = (...scopes: ReadonlyArray<string>): Who => ({ subject: "alice", scopes })
const staff = (...scopes: ReadonlyArray<string>): Who => ({ subject: "bob", scopes, claims: { department: "staff" } })

const servers = [
  { name: "with the gate in front", Server: McpAuth.layerHttp(options), inFront: true },
  // Effect's own server does not evaluate policies before dispatch. Only the guard of the registration evaluates them.
  { name: "with the guard of the registrations alone", Server: McpServer.layerHttp(options), inFront: false }
]

describe.each(servers)("requirePolicy on tools, $name", ({ Server, inFront }) => {
  const cases: ReadonlyArray<
    readonly [tool: string, args: unknown, caller: Who | undefined, answer: ReadonlyArray<unknown>]
  > = [
    ["hello", {}, undefined, [200, "anonymous", "handler"]],
    ["hello", {}, alice(), [200, "alice", "handler"]],
    ["list", {}, undefined, [401, "todos:read"]],
    ["list", {}, alice("todos:admin"), [200, "alice", "handler"]],
    ["edit", { id: "1" }, undefined, [401, "todos:read todos:write"]],
    ["edit", { id: "1" }, alice("todos:read"), [403, "todos:write", "owner 1"]],
    ["edit", { id: "2" }, alice("todos:write"), [403, "todos:admin", "owner 2"]],
    ["edit", { id: " 1 " }, alice("todos:write"), [200, "alice", "owner 1", "handler"]],
    ["edit", { id: "2" }, alice("todos:admin"), [200, "alice", "handler"]],
    ["edit", {}, alice("todos:write"), [200, -32602]],
    ["audit", {}, alice("todos:admin"), [403, undefined]],
    ["audit", {}, staff(), [200, "bob", "handler"]],
    ["purge", {}, alice("todos:admin"), [200, -32602]],
    ["purge", {}, staff("todos:write"), [200, -32602]],
    ["purge", {}, staff("todos:admin"), [200, "bob", "handler"]],
    ["try", { id: "1" }, alice(), [200, "alice", "beta", "owner 1", "handler"]],
    ["try", { id: "2" }, alice(), [403, undefined, "beta", "owner 2"]],
    ["try", { id: "2" }, staff(), [200, -32602, "beta"]]
  ]

  // Without the gate of `layerHttp`, the layer rejects every anonymous request.
  it.each(cases.filter(([, , caller]) => inFront || caller !== undefined))(
    "answers a call of %s with %j (%#)",
    async (name, args, caller, [status, content, ...steps]) => {
      const { dispose, handler } = serve(Server as never)
      const { body, challenge, status: actual } = await send(
        handler as never,
        "tools/call",
        { name, arguments: args },
        caller
      )
      const scope = /scope="([^"]*)"/.exec(challenge ?? "")?.[1]
      assert.strictEqual(actual, status, JSON.stringify(body))
      assert.deepStrictEqual(
        status === 200 ? body.result === undefined ? body.error?.code : JSON.parse(body.result.content[0].text) : scope,
        content
      )
      // The guard alone runs the check of the caller for the list and for the call.
      assert.deepStrictEqual(inFront ? ran : [...new Set(ran)], steps)
      await dispose()
    }
  )

  it("lists what the caller can use, runs each check of the caller once, and no check of calls", async () => {
    const { dispose, handler } = serve(Server as never)
    const list = async (caller: Who | undefined) => {
      const { body } = await send(handler as never, "tools/list", {}, caller)
      return body.result.tools.map(({ name }: { readonly name: string }) => name)
    }
    if (inFront) {
      assert.deepStrictEqual(await list(undefined), ["hello", "list", "edit", "audit"])
      assert.deepStrictEqual(ran, [])
    }
    assert.deepStrictEqual(await list(alice()), ["hello", "list", "edit", "audit", "try"])
    assert.deepStrictEqual(ran, ["beta"])
    assert.deepStrictEqual(await list(staff("todos:admin")), ["hello", "list", "edit", "audit", "purge"])
    await dispose()
  })
})

describe("the services of checks", () => {
  it("are those of each server, although both have the same toolkit", async () => {
    const edit = async (owner: string) => {
      const { dispose, handler } = serve(McpAuth.layerHttp(options), owner)
      const { status } = await send(
        handler as never,
        "tools/call",
        { name: "edit", arguments: { id: "1" } },
        alice("todos:write")
      )
      await dispose()
      return status
    }
    assert.deepStrictEqual([await edit("alice"), await edit("carol")], [200, 403])
  })
})

describe("requirePolicy on an effect", () => {
  it.effect("fails with the scopes or the conditions that are missing", () =>
    Effect.gen(function*() {
      const run = (policy: Policy.AnyPolicy) =>
        requirePolicy(policy as Policy.Policy<"todos:read">)(Effect.succeed("done")).pipe(
          Effect.provide(AuthLayer.mock({ subject: "alice", scopes: ["todos:read"] })),
          Effect.catch(Effect.succeed)
        )
      assert.strictEqual(yield* run(scopes("todos:read")), "done")
      assert.strictEqual(yield* run(anyOf(scopes("todos:read"), isStaff)), "done")
      assert.include(yield* run(isStaff), { _tag: "AccessDenied" })
      assert.include(yield* run(anyOf(scopes("todos:write"), isStaff)), { _tag: "InsufficientScope" })
    }))
})

describe("requirePolicy on the effect of a route", () => {
  it("answers 403 without a challenge if a condition fails, and with one if a scope is missing", async () => {
    const route = <E, R>(path: "/a" | "/b", effect: Effect.Effect<string, E, R>) =>
      HttpRouter.add("GET", path, Effect.map(effect, (text) => HttpServerResponse.text(text)))
    const done = Effect.succeed("done")
    const Routes = Layer.mergeAll(
      route("/a", requirePolicy(isStaff)(done)),
      route("/b", requirePolicy(allOf(scopes("todos:write"), isStaff))(done))
    )
    const { dispose, handler } = HttpRouter.toWebHandler(Routes.pipe(Layer.provide(Auth)), { disableLogger: true })
    const get = async (path: string, who: Who) => {
      const token = await Effect.runPromise(issuer.mint(who))
      const response = await (handler as (request: Request) => Promise<Response>)(
        new Request(`https://server.test${path}`, { headers: { authorization: `Bearer ${token}` } })
      )
      return [response.status, /scope="([^"]*)"/.exec(response.headers.get("www-authenticate") ?? "")?.[1]]
    }
    assert.deepStrictEqual(await get("/a", staff()), [200, undefined])
    assert.deepStrictEqual(await get("/a", alice()), [403, undefined])
    assert.deepStrictEqual(await get("/b", staff()), [403, "todos:write"])
    assert.deepStrictEqual(await get("/b", staff("todos:admin")), [200, undefined])
    await dispose()
  })
})
