import { Context, Effect, Layer, Schema } from "effect"
import { type AuthError, AuthLayer, Policy, Principal, requirePolicy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpRouter, type HttpServer } from "effect/http"
import { describe, expect, test } from "tstyche"

const List = requireScopes("todos:read")(Tool.make("list", { success: Schema.String }))
const Add = requireScopes("todos:read", "todos:write")(Tool.make("add", { success: Schema.String }))
const Todos = Toolkit.make(List, Add)
const TodosLive = Todos.toLayer({
  list: () => Effect.map(Principal, (caller) => caller.owner),
  add: () => Effect.map(Principal, (caller) => caller.owner)
})

const places = { resource: "https://a.example/mcp", authorizationServers: ["https://as.example"] } as const
const options = {
  name: "todos",
  version: "1",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25]
} as const

const Auth = AuthLayer.make({ ...places, scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] } })
const Narrow = AuthLayer.make({ ...places, scopes: ["todos:read"] })
const Server = McpAuth.layerHttp({
  ...options,
  registrations: McpAuth.toolkit(Todos).pipe(Layer.provide(TodosLive))
})
const Unfenced = McpServer.layerHttp({
  ...options,
  registrations: McpServer.toolkit(Todos).pipe(Layer.provide(TodosLive))
})

declare const Port: Layer.Layer<HttpServer.HttpServer>
const run = <E>(main: Effect.Effect<never, E>) => main
const launch = <A, E, R>(app: Layer.Layer<A, E, R>) => Layer.launch(HttpRouter.serve(app).pipe(Layer.provide(Port)))

describe("a server", () => {
  test("compiles if it offers every scope, for toWebHandler and for runMain", () => {
    HttpRouter.toWebHandler(Server.pipe(Layer.provide(Auth))).handler(new Request("http://h"))
    run(launch(Server.pipe(Layer.provide(Auth))))
  })

  test("names a scope that it does not offer", () => {
    // @ts-expect-error Type 'RequiredScope<"todos:write">' is not assignable
    HttpRouter.toWebHandler(Server.pipe(Layer.provide(Narrow)))
    // @ts-expect-error Type 'RequiredScope<"todos:write">' is not assignable
    run(launch(Server.pipe(Layer.provide(Narrow))))
  })

  test("names a missing layer", () => {
    // @ts-expect-error Type 'RequiredScope<"todos:read"> | RequiredScope<"todos:write"> | AuthLayer
    HttpRouter.toWebHandler(Server)
    // @ts-expect-error Type 'Principal | RequiredScope<"todos:read"> | RequiredScope<"todos:write"> | AuthLayer'
    run(launch(Server))
    const unscoped = McpAuth.layerHttp({ ...options, registrations: Layer.empty })
    // @ts-expect-error Type 'AuthLayer' is not assignable
    HttpRouter.toWebHandler(unscoped)
  })

  test("names the fix if its tools with scopes are in the stock toolkit", () => {
    // `toWebHandler` turns the unmet requirements of routes into a second argument of the handler. No value satisfies the
    // requirement of this route.
    // @ts-expect-error Expected 2 arguments, but got 1
    HttpRouter.toWebHandler(Unfenced.pipe(Layer.provide(Auth))).handler(new Request("http://h"))
    // @ts-expect-error RegisterWithMcpAuthToolkit
    run(launch(Unfenced.pipe(Layer.provide(Auth))))
  })

  test("names the layer if a handler reads Principal without it", () => {
    const route = HttpRouter.add("GET", "/", Effect.as(Principal, undefined as never))
    HttpRouter.toWebHandler(route.pipe(Layer.provide(Auth))).handler(new Request("http://h"))
    // @ts-expect-error Expected 2 arguments
    HttpRouter.toWebHandler(route).handler(new Request("http://h"))
    // @ts-expect-error Type 'Principal' is not assignable
    run(launch(route))
  })

  test("with resources and prompts needs their scopes, too", () => {
    const resource = McpAuth.resource({ uri: "a://b", name: "b", scopes: ["files:read"], content: Effect.succeed("") })
    const template = McpAuth.resource`a://${Schema.String}`({
      name: "b",
      scopes: ["files:read"],
      content: (_uri, id) => Effect.succeed(id)
    })
    const prompt = McpAuth.prompt({ name: "p", scopes: ["prompts:get"], content: () => Effect.succeed("") })
    const served = <R>(registrations: Layer.Layer<never, never, R>) => McpAuth.layerHttp({ ...options, registrations })
    // @ts-expect-error Type 'RequiredScope<"files:read">' is not assignable
    HttpRouter.toWebHandler(served(resource).pipe(Layer.provide(Auth)))
    // @ts-expect-error Type 'RequiredScope<"files:read">' is not assignable
    HttpRouter.toWebHandler(served(template).pipe(Layer.provide(Auth)))
    // @ts-expect-error Type 'RequiredScope<"prompts:get">' is not assignable
    HttpRouter.toWebHandler(served(prompt).pipe(Layer.provide(Auth)))
    const Wide = AuthLayer.make({ ...places, scopes: ["files:read", "prompts:get"] })
    const all = served(Layer.mergeAll(resource, template, prompt))
    HttpRouter.toWebHandler(all.pipe(Layer.provide(Wide))).handler(new Request("http://h"))
  })
})

describe("requireScopes", () => {
  test("records the scopes of an effect", () => {
    const program = requireScopes("a", "b")(Effect.succeed(1))
    expect<Effect.Services<typeof program>>().type.toBeAssignableFrom<Principal>()
    Effect.runSync(program.pipe(Effect.ignore, Effect.provide(AuthLayer.mock({ subject: "x", scopes: ["a", "b"] }))))
    // @ts-expect-error Type 'RequiredScope<"b">' is not assignable
    Effect.runSync(program.pipe(Effect.ignore, Effect.provide(AuthLayer.mock({ subject: "x", scopes: ["a"] }))))
  })

  test("works inside pipe", () => {
    const program = Effect.succeed(1).pipe(requireScopes("a"))
    expect<Effect.Success<typeof program>>().type.toBe<number>()
  })

  test("adds the scopes of several applications", () => {
    const tool = requireScopes("b")(requireScopes("a")(Tool.make("t", { success: Schema.Void })))
    const Kit = Toolkit.make(tool)
    const server = McpAuth.layerHttp({
      ...options,
      registrations: McpAuth.toolkit(Kit).pipe(Layer.provide(Kit.toLayer({ t: () => Effect.void })))
    })
    // @ts-expect-error Type 'RequiredScope<"b">' is not assignable
    HttpRouter.toWebHandler(server.pipe(Layer.provide(AuthLayer.make({ ...places, scopes: ["a"] }))))
  })

  test("rejects an empty list", () => {
    // @ts-expect-error Source has 0 element(s) but target requires 1
    requireScopes()
  })

  test("rejects the wide type string", () => {
    const scope: string = "todos:read"
    // @ts-expect-error scopes must be literals
    requireScopes(scope)
  })
})

describe("AuthLayer", () => {
  test("rejects scopes of the wide type string", () => {
    const scope: string = "todos:read"
    // @ts-expect-error scopes must be literals
    AuthLayer.make({ ...places, scopes: [scope] })
    // @ts-expect-error scopes must be literals
    AuthLayer.make({ ...places, scopes: { baseline: ["a"], stepUp: [scope] } })
  })

  test("without scopes, provides a route that requires none, and no other", () => {
    const open = HttpRouter.add("GET", "/", Effect.as(Principal, undefined as never))
    const scoped = HttpRouter.add("GET", "/", requireScopes("a")(Effect.as(Principal, undefined as never)))
    const request = new Request("http://h")
    for (const layer of [AuthLayer.make({ ...places, scopes: [] }), AuthLayer.mock({ scopes: [] })]) {
      HttpRouter.toWebHandler(open.pipe(Layer.provide(layer))).handler(request)
      // @ts-expect-error Expected 2 arguments
      HttpRouter.toWebHandler(scoped.pipe(Layer.provide(layer))).handler(request)
    }
    const Kit = Toolkit.make(requireScopes("a")(Tool.make("t", { success: Schema.Void })))
    const server = McpAuth.layerHttp({
      ...options,
      registrations: McpAuth.toolkit(Kit).pipe(Layer.provide(Kit.toLayer({ t: () => Effect.void })))
    })
    // @ts-expect-error Type 'RequiredScope<"a">' is not assignable
    HttpRouter.toWebHandler(server.pipe(Layer.provide(AuthLayer.make({ ...places, scopes: [] }))))
  })

  test("rejects an empty list of authorization servers", () => {
    // @ts-expect-error Source has 0 element(s) but target requires 1
    AuthLayer.make({ resource: places.resource, authorizationServers: [], scopes: ["a"] })
  })

  test("provides the claims of the author's schema to routes and tools", () => {
    class Tenant extends Context.Service<Tenant, { readonly tid: string }>()("test/Tenant") {}
    const route = HttpRouter.add("GET", "/", Effect.as(Tenant, undefined as never))
    const claims = { service: Tenant, schema: Schema.Struct({ tid: Schema.String }) }
    HttpRouter.toWebHandler(route.pipe(Layer.provide(AuthLayer.make({ ...places, scopes: ["a"], claims })))).handler(
      new Request("http://h")
    )
    // @ts-expect-error Expected 2 arguments
    HttpRouter.toWebHandler(route.pipe(Layer.provide(Auth))).handler(new Request("http://h"))
    const wrong = { service: Tenant, schema: Schema.Struct({ tid: Schema.Number }) }
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    AuthLayer.make({ ...places, scopes: ["a"], claims: wrong })
  })
})

describe("requireScopesOf", () => {
  const Purge = Tool.make("purge", { parameters: Schema.Struct({ all: Schema.Boolean }), success: Schema.Void })

  test("puts every scope that can be required into the type", () => {
    const scoped = Policy.requireScopesOf(
      Purge,
      ["todos:write", "todos:admin"],
      ({ all }) => all ? ["todos:admin"] : ["todos:write"]
    )
    expect<Tool.HandlerServices<typeof scoped>>().type.toBe<
      Tool.HandlerServices<ReturnType<typeof both>>
    >()
  })
  const both = () => requireScopes("todos:write", "todos:admin")(Purge)

  test("rejects a scope that is not in its list", () => {
    Policy.requireScopesOf(
      Purge,
      ["todos:write"],
      // @ts-expect-error "todos:admin"
      () => ["todos:admin"]
    )
  })

  test("passes the decoded arguments", () => {
    Policy.requireScopesOf(Purge, ["todos:write"], (parameters) => {
      expect(parameters).type.toBe<{ readonly all: boolean }>()
      return []
    })
  })
})

describe("requirePolicy", () => {
  class Db extends Context.Service<Db, { readonly ownerOf: (id: string) => Effect.Effect<string> }>()("app/Db") {}
  class Tenant extends Context.Service<Tenant, { readonly id: string }>()("app/Tenant") {}
  const isOwner = Policy.check(
    "owner",
    (caller, { arguments: { id } }: Policy.Call<{ readonly id: string }>) =>
      Effect.gen(function*() {
        const db = yield* Db
        return (yield* db.ownerOf(id)) === caller.owner
      })
  )
  const Edit = requirePolicy(
    Policy.anyOf(Policy.scopes("todos:write"), Policy.allOf(Policy.scopes("todos:read"), isOwner))
  )(Tool.make("edit", { parameters: Schema.Struct({ id: Schema.String }), success: Schema.String }))
  const Ours = requirePolicy(Policy.claims(Tenant, ({ id }) => id === "acme"))(
    Tool.make("ours", { success: Schema.String })
  )
  const edits = Toolkit.make(Edit)
  const ours = Toolkit.make(Ours)
  const EditServer = McpAuth.layerHttp({
    ...options,
    registrations: McpAuth.toolkit(edits).pipe(Layer.provide(edits.toLayer({ edit: () => Effect.succeed("") })))
  })
  const OurServer = McpAuth.layerHttp({
    ...options,
    registrations: McpAuth.toolkit(ours).pipe(Layer.provide(ours.toLayer({ ours: () => Effect.succeed("") })))
  })
  const DbLive = Layer.succeed(Db, { ownerOf: Effect.succeed })

  test("compiles if the server offers every scope and a layer provides the services of checks", () => {
    expect(run).type.toBeCallableWith(launch(EditServer.pipe(Layer.provide([Auth, DbLive]))))
  })

  test("does not compile without a scope, or without a service of a check", () => {
    expect(run).type.not.toBeCallableWith(launch(EditServer.pipe(Layer.provide([Narrow, DbLive]))))
    expect(run).type.not.toBeCallableWith(launch(EditServer.pipe(Layer.provide(Auth))))
    expect<Db>().type.toBeAssignableTo<Layer.Services<typeof EditServer>>()
  })

  test("does not compile on a tool without the arguments that a check reads", () => {
    expect(requirePolicy(isOwner)).type.not.toBeCallableWith(Tool.make("t", { success: Schema.String }))
    expect(requirePolicy(isOwner)).type.not.toBeCallableWith(Effect.succeed(""))
    expect(requirePolicy(Policy.anyone)).type.not.toBeCallableWith(Effect.succeed(""))
  })

  test("requires the claims of the option for each request", () => {
    expect<HttpRouter.Request<"Requires", Tenant>>().type.toBeAssignableTo<Layer.Services<typeof OurServer>>()
    expect<Tenant>().type.not.toBeAssignableTo<Layer.Services<typeof OurServer>>()
    const schema = Schema.Struct({ id: Schema.String })
    const WithTenant = AuthLayer.make({ ...places, scopes: ["todos:read"], claims: { service: Tenant, schema } })
    expect(run).type.toBeCallableWith(launch(OurServer.pipe(Layer.provide(WithTenant))))
    expect(run).type.not.toBeCallableWith(launch(OurServer.pipe(Layer.provide(Auth))))
  })

  test("does not compile with the toolkit of Effect", () => {
    const stock = McpServer.toolkit(edits)
    expect<McpServer.McpRequest<"Requires", Policy.RegisterWithMcpAuthToolkit>>().type.toBeAssignableTo<
      Layer.Services<typeof stock>
    >()
  })

  test("gives an effect its errors, its services and its scopes", () => {
    expect(requirePolicy(Policy.allOf(Policy.scopes("todos:read"), Policy.role("admin")))(Effect.succeed(1))).type.toBe<
      Effect.Effect<
        number,
        AuthError.InsufficientScope | AuthError.AccessDenied,
        Principal | Policy.RequiredScope<"todos:read">
      >
    >()
  })
})
