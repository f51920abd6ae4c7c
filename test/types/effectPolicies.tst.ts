import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { AuthLayer, Principal, requirePolicy } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Policy } from "effect-mcp-auth/policy"
import { McpProtocol, McpSchema, type McpServer, Tool, Toolkit } from "effect/ai"
import { HttpRouter, type HttpServer, HttpServerRequest } from "effect/http"
import { describe, expect, test } from "tstyche"

class Db extends Context.Service<Db, { readonly ownerOf: (id: string) => Effect.Effect<string> }>()("app/Db") {}
class Tenant extends Context.Service<Tenant, { readonly id: string }>()("app/Tenant") {}

const places = { resource: "https://a.example/mcp", authorizationServers: ["https://as.example"] } as const
const Auth = AuthLayer.make({ ...places, scopes: { baseline: ["read"], stepUp: ["write"] } })
const WithTenant = AuthLayer.make({
  ...places,
  scopes: ["read"],
  claims: { service: Tenant, schema: Schema.Struct({ id: Schema.String }) }
})
const DbLive = Layer.succeed(Db, { ownerOf: Effect.succeed })

declare const Port: Layer.Layer<HttpServer.HttpServer>
const run = <E>(main: Effect.Effect<never, E>) => main
const serve = <R>(registrations: Layer.Layer<never, never, R>) =>
  McpAuth.layerHttp({
    name: "test",
    version: "1",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    registrations
  })
const launch = <A, E, R>(app: Layer.Layer<A, E, R>) => Layer.launch(HttpRouter.serve(app).pipe(Layer.provide(Port)))

const isOwner = Policy.check("owner", (caller, { target }) =>
  Effect.gen(function*() {
    const db = yield* Db
    return (yield* db.ownerOf(target)) === caller.owner
  }))
const isFirst = Policy.check("first", (_, call: Policy.Call<{ readonly id: string }>) => call.arguments.id === "1")
const isOurs = Policy.claims(Tenant, ({ id }) => id === "acme")
const needsScope = Policy.check("scope", () => Effect.as(Effect.scope, true))
const needsRequest = Policy.check(
  "request",
  () => Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => url === "/")
)

const needsClient = Policy.check("client", () => Effect.as(McpSchema.McpRequestContext, true))
const id = McpSchema.param("id", Schema.String)

describe("the policy of a resource, a template or a prompt", () => {
  test("compiles if the server offers the scopes and a layer provides the services of the checks", () => {
    const policy = Policy.anyOf(Policy.scopes("write"), Policy.allOf(Policy.scopes("read"), isOwner))
    const resource = McpAuth.resource({ uri: "a://b", name: "b", policy, content: Effect.succeed("") })
    const template = McpAuth.resource`a://${McpSchema.param("id", Schema.String)}`({
      name: "c",
      policy,
      unauthorized: "hide",
      completion: { id: () => Effect.succeed(["1"]) },
      content: (uri, id) => {
        expect(uri).type.toBe<string>()
        expect(id).type.toBe<string>()
        return Effect.map(Principal, (caller) => caller.owner)
      }
    })
    const prompt = McpAuth.prompt({
      name: "p",
      policy: Policy.allOf(policy, isFirst),
      unauthorized: "deny",
      parameters: { id: Schema.String },
      content: (params) => {
        expect(params).type.toBe<{ readonly id: string }>()
        return Effect.map(Principal, (caller) => caller.owner)
      }
    })
    expect(run).type.toBeCallableWith(
      launch(serve(Layer.mergeAll(resource, template, prompt)).pipe(Layer.provide([Auth, DbLive])))
    )
  })

  test("can be a list of scopes", () => {
    const policy = Policy.scopes("write")
    const resource = McpAuth.resource({ uri: "a://b", name: "b", policy, content: Effect.succeed("") })
    const scoped = McpAuth.resource({ uri: "a://b", name: "b", scopes: ["write"], content: Effect.succeed("") })
    expect<Layer.Services<typeof resource>>().type.toBe<Layer.Services<typeof scoped>>()
  })

  test("requires no scope that the server does not offer", () => {
    const policy = Policy.anyOf(Policy.scopes("read"), Policy.scopes("other"))
    const resource = McpAuth.resource({ uri: "a://b", name: "b", policy, content: Effect.succeed("") })
    const template = McpAuth.resource`a://${id}`({ name: "c", policy, content: () => Effect.succeed("") })
    const prompt = McpAuth.prompt({ name: "p", policy, content: () => Effect.succeed("") })
    const open = McpAuth.prompt({
      name: "p",
      policy: Policy.optional(Policy.scopes("other")),
      content: () => Effect.succeed("")
    })
    // @ts-expect-error Type 'RequiredScope<"other">' is not assignable to type 'never'
    run(launch(serve(resource).pipe(Layer.provide(Auth))))
    // @ts-expect-error Type 'RequiredScope<"other">' is not assignable to type 'never'
    run(launch(serve(template).pipe(Layer.provide(Auth))))
    // @ts-expect-error Type 'RequiredScope<"other">' is not assignable to type 'never'
    run(launch(serve(prompt).pipe(Layer.provide(Auth))))
    // @ts-expect-error Type 'RequiredScope<"other">' is not assignable to type 'never'
    run(launch(serve(open).pipe(Layer.provide(Auth))))
  })

  test("uses no service that no layer provides", () => {
    const resource = McpAuth.resource({ uri: "a://b", name: "b", policy: isOwner, content: Effect.succeed("") })
    const template = McpAuth.resource`a://${id}`({ name: "c", policy: isOwner, content: () => Effect.succeed("") })
    const prompt = McpAuth.prompt({ name: "p", policy: isOwner, content: () => Effect.succeed("") })
    expect<Db>().type.toBeAssignableTo<Layer.Services<typeof resource>>()
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    run(launch(serve(resource).pipe(Layer.provide(Auth))))
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    run(launch(serve(template).pipe(Layer.provide(Auth))))
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    run(launch(serve(prompt).pipe(Layer.provide(Auth))))
    run(launch(serve(Layer.mergeAll(resource, template, prompt)).pipe(Layer.provide([Auth, DbLive]))))
  })

  test("requires the claims of the option for each request", () => {
    const resource = McpAuth.resource({ uri: "a://b", name: "b", policy: isOurs, content: Effect.succeed("") })
    const template = McpAuth.resource`a://${id}`({ name: "c", policy: isOurs, content: () => Effect.succeed("") })
    const prompt = McpAuth.prompt({ name: "p", policy: isOurs, content: () => Effect.succeed("") })
    for (const registration of [resource, template, prompt]) {
      const server = serve(registration)
      expect<HttpRouter.Request<"Requires", Tenant>>().type.toBeAssignableTo<Layer.Services<typeof server>>()
      expect<Tenant>().type.not.toBeAssignableTo<Layer.Services<typeof server>>()
    }
    // @ts-expect-error Type 'Tenant' is not assignable to type 'never'
    run(launch(serve(resource).pipe(Layer.provide(Auth))))
    run(launch(serve(Layer.mergeAll(resource, template, prompt)).pipe(Layer.provide(WithTenant))))
  })

  test("reads no arguments that the registration does not have", () => {
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    McpAuth.resource({ uri: "a://b", name: "b", policy: isFirst, content: Effect.succeed("") })
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    McpAuth.resource`a://${id}`({ name: "c", policy: isFirst, content: () => Effect.succeed("") })
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    McpAuth.prompt({ name: "p", policy: isFirst, content: () => Effect.succeed("") })
    McpAuth.prompt({
      name: "p",
      // @ts-expect-error "the policy reads arguments that this registration does not have"
      policy: isFirst,
      parameters: { other: Schema.String },
      content: () => Effect.succeed("")
    })
  })

  test("has no check that needs a Scope, the HTTP request or the MCP request", () => {
    const resource = McpAuth.resource({ uri: "a://b", name: "b", policy: needsScope, content: Effect.succeed("") })
    const template = McpAuth.resource`a://${id}`({ name: "c", policy: needsRequest, content: () => Effect.succeed("") })
    const prompt = McpAuth.prompt({ name: "p", policy: needsClient, content: () => Effect.succeed("") })
    expect<McpAuth.UnavailableToChecks<Scope.Scope>>().type.toBeAssignableTo<Layer.Services<typeof resource>>()
    // @ts-expect-error Type 'UnavailableToChecks<Scope>' is not assignable to type 'never'
    run(Effect.scoped(launch(serve(resource).pipe(Layer.provide(Auth)))))
    // @ts-expect-error Type 'UnavailableToChecks<HttpServerRequest>' is not assignable to type 'never'
    run(launch(serve(template).pipe(Layer.provide(Auth))))
    // @ts-expect-error Type 'UnavailableToChecks<McpRequestContext>' is not assignable to type 'never'
    run(launch(serve(prompt).pipe(Layer.provide(Auth))))
  })

  test("is not combined with scopes, and one of them is set", () => {
    const [policy, content] = [Policy.role("admin"), () => Effect.succeed("")] as const
    // @ts-expect-error Type 'string[]' is not assignable to type 'never'
    McpAuth.resource({ uri: "a://b", name: "b", scopes: ["read"], policy, content: Effect.succeed("") })
    // @ts-expect-error Type 'string[]' is not assignable to type 'never'
    McpAuth.resource`a://${id}`({ name: "c", scopes: ["read"], policy, content })
    // @ts-expect-error Type 'string[]' is not assignable to type 'never'
    McpAuth.prompt({ name: "p", scopes: ["read"], policy, content })
    // @ts-expect-error Property 'scopes' is missing
    McpAuth.resource({ uri: "a://b", name: "b", content: Effect.succeed("") })
    // @ts-expect-error Property 'scopes' is missing
    McpAuth.resource`a://${id}`({ name: "c", content })
    // @ts-expect-error Property 'scopes' is missing
    McpAuth.prompt({ name: "p", content })
  })

  test("is a policy", () => {
    // @ts-expect-error is not assignable
    McpAuth.prompt({ name: "p", policy: "admin", content: () => Effect.succeed("") })
    // @ts-expect-error is not assignable
    McpAuth.prompt({ name: "p", policy: async () => true, content: () => Effect.succeed("") })
  })

  test("admits callers without a principal if it is open", () => {
    const who = Effect.map(Principal, (caller) => caller.owner)
    // @ts-expect-error "an open policy admits callers without a Principal"
    McpAuth.resource({ uri: "a://b", name: "b", policy: Policy.anyone, content: who })
    // @ts-expect-error "an open policy admits callers without a Principal"
    McpAuth.resource`a://${id}`({ name: "c", policy: Policy.anyone, content: () => who })
    // @ts-expect-error "an open policy admits callers without a Principal"
    McpAuth.prompt({ name: "p", policy: Policy.optional(Policy.scopes("read")), content: () => who })
    const maybe = Effect.map(Effect.serviceOption(Principal), () => "")
    const open = McpAuth.prompt({ name: "p", policy: Policy.anyone, content: () => maybe })
    run(launch(serve(open).pipe(Layer.provide(Auth))))
  })
})

describe("the policy of a tool", () => {
  const register = <R>(layer: Layer.Layer<never, never, R>) => launch(serve(layer).pipe(Layer.provide([Auth, DbLive])))

  test("has no check that needs a Scope or the HTTP request", () => {
    const scoped = Toolkit.make(requirePolicy(needsScope)(Tool.make("t", { success: Schema.Void })))
    const requesting = Toolkit.make(requirePolicy(needsRequest)(Tool.make("t", { success: Schema.Void })))
    const [first, second] = [
      McpAuth.toolkit(scoped).pipe(Layer.provide(scoped.toLayer({ t: () => Effect.void }))),
      McpAuth.toolkit(requesting).pipe(Layer.provide(requesting.toLayer({ t: () => Effect.void })))
    ]
    // @ts-expect-error Type 'UnavailableToChecks<Scope>' is not assignable to type 'never'
    run(Effect.scoped(register(first)))
    // @ts-expect-error Type 'UnavailableToChecks<HttpServerRequest>' is not assignable to type 'never'
    run(register(second))
  })

  test("is not open if it is combined", () => {
    const tool = Tool.make("t", { success: Schema.Void })
    expect(requirePolicy(Policy.anyone)).type.toBeCallableWith(tool)
    expect(Policy.anyOf).type.not.toBeCallableWith(Policy.anyone, Policy.role("admin"))
    expect(Policy.allOf).type.not.toBeCallableWith(Policy.optional(Policy.scopes("read")), Policy.role("admin"))
  })
})

describe("layerLocal", () => {
  const prompt = McpAuth.prompt({ name: "p", policy: isOurs, content: () => Effect.succeed("") })
  const caller = { subject: "alice", scopes: ["read"] } as const

  test("provides the claims that a policy reads only with claimsService", () => {
    const schema = Schema.Struct({ id: Schema.String })
    const claimsService = { service: Tenant, schema }
    const known = prompt.pipe(Layer.provide(McpAuth.layerLocal({ ...caller, claims: { id: "acme" }, claimsService })))
    const unknown = prompt.pipe(Layer.provide(McpAuth.layerLocal({ ...caller, claims: { id: "acme" } })))
    expect<Layer.Services<typeof known>>().type.toBe<McpServer.McpServer>()
    expect<Layer.Services<typeof unknown>>().type.not.toBe<McpServer.McpServer>()
  })

  test("has a schema whose result fits the service", () => {
    const wrong = { service: Tenant, schema: Schema.Struct({ id: Schema.Number }) }
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    McpAuth.layerLocal({ ...caller, claimsService: wrong })
  })
})
