import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Context, Effect, Layer } from "effect"
import type { Principal } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { HttpServerRequest } from "effect/http"
import { describe, expect, test } from "tstyche"
import { z } from "zod"

class Db extends Context.Service<Db, { readonly ownerOf: (id: string) => Effect.Effect<string> }>()("app/Db") {}
class Flags extends Context.Service<Flags, { readonly isOn: boolean }>()("app/Flags") {}
class Tenant extends Context.Service<Tenant, { readonly id: string }>()("app/Tenant") {}

interface HasId {
  readonly id: string
}

const isOwner = Policy.check("owner", (caller, { arguments: { id } }: Policy.Call<HasId>) =>
  Effect.gen(function*() {
    const db = yield* Db
    return (yield* db.ownerOf(id)) === caller.owner
  }))
const needsScope = Policy.checkCaller("scope", () => Effect.as(Effect.scope, true))
const needsRequest = Policy.checkCaller(
  "request",
  () => Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => url === "/")
)
const isBeta = Policy.checkCaller("beta", () => Effect.map(Flags, ({ isOn }) => isOn))

describe("a policy", () => {
  test("lists its scopes, its services and the arguments that it reads in its type", () => {
    expect(Policy.scopes("a", "b")).type.toBe<Policy.Policy<"a" | "b">>()
    expect(Policy.role("admin")).type.toBe<Policy.Policy<never>>()
    expect(Policy.claim("sub", (value) => value === "a")).type.toBe<Policy.Policy<never>>()
    expect(isBeta).type.toBe<Policy.Policy<never, Flags>>()
    expect(isOwner).type.toBe<Policy.Policy<never, Db, HasId>>()
    expect(Policy.claims(Tenant, ({ id }) => id === "acme")).type.toBe<
      Policy.Policy<never, Policy.PerRequest<Tenant>>
    >()
    expect(Policy.authenticated).type.toBe<Policy.Policy<never>>()
  })

  test("combines the types of its members", () => {
    const canEdit = Policy.anyOf(Policy.scopes("admin"), Policy.allOf(Policy.scopes("write"), isOwner, isBeta))
    expect(canEdit).type.toBe<Policy.Policy<"admin" | "write", Db | Flags, HasId>>()
    const both = Policy.allOf(
      isOwner,
      Policy.check("late", (_, call: Policy.Call<{ readonly at: number }>) => call.arguments.at > 0)
    )
    expect(both).type.toBe<Policy.Policy<never, Db, HasId & { readonly at: number }>>()
  })

  test("is assignable to a policy of more scopes, more services and arguments with more members", () => {
    expect(Policy.scopes("a")).type.toBeAssignableTo<Policy.Policy<"a" | "b", Db, HasId>>()
    expect(Policy.scopes("a", "b")).type.not.toBeAssignableTo<Policy.Policy<"a">>()
    expect(isBeta).type.not.toBeAssignableTo<Policy.Policy<never, Db>>()
    expect(isOwner).type.not.toBeAssignableTo<Policy.Policy<never, Db, {}>>()
  })

  test("cannot be combined if it is open", () => {
    expect(Policy.anyone).type.toBe<Policy.OpenPolicy<never>>()
    expect(Policy.optional(Policy.scopes("a"))).type.toBe<Policy.OpenPolicy<"a">>()
    expect(Policy.anyOf).type.not.toBeCallableWith(Policy.anyone, Policy.scopes("a"))
    expect(Policy.allOf).type.not.toBeCallableWith(Policy.scopes("a"), Policy.optional(Policy.scopes("b")))
    expect(Policy.optional).type.not.toBeCallableWith(Policy.anyone)
    expect(Policy.optional).type.not.toBeCallableWith(isOwner)
  })

  test("has at least one scope or one member", () => {
    expect(Policy.scopes).type.not.toBeCallableWith()
    expect(Policy.anyOf).type.not.toBeCallableWith()
    expect(Policy.allOf).type.not.toBeCallableWith()
  })

  test("has literal scopes", () => {
    expect(Policy.scopes).type.not.toBeCallableWith("a" as string)
  })

  test("has checks that cannot fail and answer with a boolean", () => {
    expect(Policy.check).type.not.toBeCallableWith("c", () => Effect.fail("down"))
    expect(Policy.check).type.not.toBeCallableWith("c", () => "yes")
    expect(Policy.check).type.toBeCallableWith("c", async () => true)
    expect(Policy.checkCaller).type.not.toBeCallableWith(
      "c",
      (_caller: unknown, call: Policy.Call) => call.target === "t"
    )
  })
})

const places = { resource: "https://a.example/mcp", authorizationServers: ["https://as.example"] } as const
const scopes = { baseline: ["read"], stepUp: ["write"] } as const
const layer = Layer.succeed(Db, { ownerOf: () => Effect.succeed("alice") })
const node = await McpAuthNode.make({ ...places, scopes, layer })
const web = await McpAuthFetch.make({ ...places, scopes, layer })
const bare = await McpAuthNode.make({ ...places, scopes })
const bareWeb = await McpAuthFetch.make({ ...places, scopes })
const handler = () => new Response()
const anyOwner = Policy.checkCaller("owner", (caller) => Effect.map(Db, () => caller.owner === "alice"))

describe("the option policy of a host", () => {
  test("returns scopes or a policy, and receives the operation and the principal", () => {
    node.protect({
      policy: ({ target }, principal) => {
        expect(principal).type.toBe<Principal | undefined>()
        return target === "list" ? { scopes: ["read"] } : Policy.anyOf(Policy.scopes("write"), anyOwner)
      }
    })
    web.protect(handler, { policy: () => Policy.allOf(Policy.scopes("read"), anyOwner) })
    bare.protect({ policy: () => Policy.anyone })
  })

  test("requires no scope that the server does not offer", () => {
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    node.protect({ policy: () => Policy.scopes("other") })
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    web.protect(handler, { policy: () => Policy.anyOf(Policy.scopes("read"), Policy.scopes("other")) })
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    node.protect({ policy: () => Policy.optional(Policy.scopes("other")) })
  })

  test("uses no service that the option layer does not provide", () => {
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bare.protect({ policy: () => anyOwner })
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareWeb.protect(handler, { policy: () => anyOwner })
    // @ts-expect-error Type 'Flags' is not assignable to type
    node.protect({ policy: () => isBeta })
  })

  test("has no check that needs a Scope or the HTTP request", () => {
    // @ts-expect-error Type 'Scope' is not assignable to type
    node.protect({ policy: () => needsScope })
    // @ts-expect-error Type 'HttpServerRequest' is not assignable to type
    node.protect({ policy: () => needsRequest })
    // @ts-expect-error Type 'Scope' is not assignable to type
    web.protect(handler, { policy: () => needsScope })
    // @ts-expect-error Type 'HttpServerRequest' is not assignable to type
    web.protect(handler, { policy: () => needsRequest })
  })

  test("reads no decoded arguments, which a host does not know", () => {
    // @ts-expect-error Type 'unknown' is not assignable to type 'HasId'
    node.protect({ policy: () => isOwner })
    // @ts-expect-error Type 'unknown' is not assignable to type 'HasId'
    web.protect(handler, { policy: () => isOwner })
  })

  test("is not a promise", () => {
    // @ts-expect-error Type 'Promise<
    node.protect({ policy: async () => Policy.scopes("read") })
  })
})

const v1 = await SdkV1.make({ ...places, scopes, layer })
const bareV1 = await SdkV1.make({ ...places, scopes })
const openV1 = await SdkV1.make({ ...places, scopes, anonymous: "allow-unscoped" })
const serverV1 = new McpServerV1({ name: "test", version: "1.0.0" })

describe("the policy of a registration of SDK v1", () => {
  const inputSchema = z.object({ id: z.string() })
  const result = () => ({ content: [] })

  test("can be any policy whose scopes the server offers, with the services of the option layer", () => {
    const policy = Policy.anyOf(Policy.scopes("write"), isOwner)
    const tool = v1.registerTool(serverV1, "a", { inputSchema, policy }, ({ id }, { principal }) => {
      expect(id).type.toBe<string>()
      expect(principal.key).type.toBe<string>()
      return result()
    })
    expect<NonNullable<typeof tool["~effect-mcp-auth/Scoped"]>>().type.toBe<"write">()
    v1.registerTool(serverV1, "a", { policy: Policy.role("admin"), unauthorized: "hide" }, result)
    v1.registerTool(serverV1, "a", { scopes: ["write"], unauthorized: "deny" }, result)
    v1.registerPrompt(serverV1, "a", { policy: Policy.scopes("read"), unauthorized: "deny" }, () => ({ messages: [] }))
    v1.registerResource(serverV1, "a", "a://b", { policy: anyOwner }, () => ({ contents: [] }))
  })

  test("requires no scope that the server does not offer", () => {
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    v1.registerTool(serverV1, "a", { policy: Policy.scopes("other") }, result)
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    v1.registerPrompt(serverV1, "a", { policy: Policy.scopes("other") }, () => ({ messages: [] }))
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    v1.registerResource(serverV1, "a", "a://b", { policy: Policy.scopes("other") }, () => ({ contents: [] }))
  })

  test("uses no service that the option layer does not provide", () => {
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareV1.registerTool(serverV1, "a", { inputSchema, policy: isOwner }, result)
    // @ts-expect-error Type 'Flags' is not assignable to type
    v1.registerTool(serverV1, "a", { policy: isBeta }, result)
    // @ts-expect-error Type 'PerRequest<Tenant>' is not assignable to type
    v1.registerTool(serverV1, "a", { policy: Policy.claims(Tenant, () => true) }, result)
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareV1.registerPrompt(serverV1, "a", { policy: anyOwner }, () => ({ messages: [] }))
    // @ts-expect-error Type 'Flags' is not assignable to type
    v1.registerPrompt(serverV1, "a", { policy: isBeta }, () => ({ messages: [] }))
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareV1.registerResource(serverV1, "a", "a://b", { policy: anyOwner }, () => ({ contents: [] }))
    // @ts-expect-error Type 'Flags' is not assignable to type
    v1.registerResource(serverV1, "a", "a://b", { policy: isBeta }, () => ({ contents: [] }))
    // @ts-expect-error Type 'PerRequest<Tenant>' is not assignable to type
    v1.registerResource(serverV1, "a", "a://b", { policy: Policy.claims(Tenant, () => true) }, () => ({ contents: [] }))
  })

  test("has no check that needs a Scope or the HTTP request", () => {
    // @ts-expect-error Type 'Scope' is not assignable to type
    v1.registerTool(serverV1, "a", { policy: needsScope }, result)
    // @ts-expect-error Type 'HttpServerRequest' is not assignable to type
    v1.registerTool(serverV1, "a", { policy: needsRequest }, result)
    // @ts-expect-error Type 'Scope' is not assignable to type
    v1.registerPrompt(serverV1, "a", { policy: needsScope }, () => ({ messages: [] }))
    // @ts-expect-error Type 'HttpServerRequest' is not assignable to type
    v1.registerResource(serverV1, "a", "a://b", { policy: needsRequest }, () => ({ contents: [] }))
  })

  test("reads no arguments that the registration does not have", () => {
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v1.registerTool(serverV1, "a", { policy: isOwner }, result)
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v1.registerTool(serverV1, "a", { inputSchema: z.object({ id: z.number() }), policy: isOwner }, result)
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v1.registerResource(serverV1, "a", "a://b", { policy: isOwner }, () => ({ contents: [] }))
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v1.registerPrompt(serverV1, "a", { policy: isOwner }, () => ({ messages: [] }))
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v1.registerPrompt(serverV1, "a", { argsSchema: { other: z.string() }, policy: isOwner }, () => ({ messages: [] }))
    v1.registerPrompt(serverV1, "a", { argsSchema: { id: z.string() }, policy: isOwner }, () => ({ messages: [] }))
  })

  test("is not combined with scopes", () => {
    // @ts-expect-error is not assignable to type
    v1.registerTool(serverV1, "a", { scopes: ["read"], policy: Policy.role("admin") }, result)
    // @ts-expect-error is not assignable to type
    v1.registerPrompt(serverV1, "a", { scopes: ["read"], policy: Policy.role("admin") }, () => ({ messages: [] }))
    const both = { scopes: ["read"], policy: Policy.role("admin") } as const
    // @ts-expect-error is not assignable to
    v1.registerResource(serverV1, "a", "a://b", both, () => ({ contents: [] }))
  })

  test("decides whether there is a principal if anonymous requests are allowed", () => {
    openV1.registerTool(serverV1, "a", { policy: Policy.role("admin") }, ({ principal }) => {
      expect(principal.key).type.toBe<string>()
      return result()
    })
    openV1.registerTool(serverV1, "a", { policy: Policy.optional(Policy.scopes("read")) }, ({ principal }) => {
      // @ts-expect-error 'principal' is possibly 'undefined'
      expect(principal.key).type.toBe<string>()
      return result()
    })
  })
})

const v2 = await SdkV2.make({ ...places, scopes, layer })
const bareV2 = await SdkV2.make({ ...places, scopes })
const openV2 = await SdkV2.make({ ...places, scopes, anonymous: "allow-unscoped" })
const serverV2 = new McpServerV2({ name: "test", version: "1.0.0" })

describe("the policy of a registration of SDK v2", () => {
  const inputSchema = z.object({ id: z.string() })
  const result = () => ({ content: [] })

  test("can be any policy whose scopes the server offers, with the services of the option layer", () => {
    const policy = Policy.anyOf(Policy.scopes("write"), isOwner)
    const tool = v2.registerTool(serverV2, "a", { inputSchema, policy }, ({ id }, { principal }) => {
      expect(id).type.toBe<string>()
      expect(principal.key).type.toBe<string>()
      return result()
    })
    expect<NonNullable<typeof tool["~effect-mcp-auth/Scoped"]>>().type.toBe<"write">()
    v2.registerTool(serverV2, "a", { policy: Policy.role("admin"), unauthorized: "hide" }, result)
    v2.registerTool(serverV2, "a", { scopes: ["write"], unauthorized: "deny" }, result)
    v2.registerPrompt(serverV2, "a", { policy: Policy.scopes("read"), unauthorized: "deny" }, () => ({ messages: [] }))
    v2.registerResource(serverV2, "a", "a://b", { policy: anyOwner }, () => ({ contents: [] }))
  })

  test("requires no scope that the server does not offer", () => {
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    v2.registerTool(serverV2, "a", { policy: Policy.scopes("other") }, result)
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    v2.registerPrompt(serverV2, "a", { policy: Policy.scopes("other") }, () => ({ messages: [] }))
    // @ts-expect-error Type '"other"' is not assignable to type '"read" | "write"'
    v2.registerResource(serverV2, "a", "a://b", { policy: Policy.scopes("other") }, () => ({ contents: [] }))
  })

  test("uses no service that the option layer does not provide", () => {
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareV2.registerTool(serverV2, "a", { inputSchema, policy: isOwner }, result)
    // @ts-expect-error Type 'Flags' is not assignable to type
    v2.registerTool(serverV2, "a", { policy: isBeta }, result)
    // @ts-expect-error Type 'PerRequest<Tenant>' is not assignable to type
    v2.registerTool(serverV2, "a", { policy: Policy.claims(Tenant, () => true) }, result)
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareV2.registerPrompt(serverV2, "a", { policy: anyOwner }, () => ({ messages: [] }))
    // @ts-expect-error Type 'Flags' is not assignable to type
    v2.registerPrompt(serverV2, "a", { policy: isBeta }, () => ({ messages: [] }))
    // @ts-expect-error Type 'Db' is not assignable to type 'never'
    bareV2.registerResource(serverV2, "a", "a://b", { policy: anyOwner }, () => ({ contents: [] }))
    // @ts-expect-error Type 'Flags' is not assignable to type
    v2.registerResource(serverV2, "a", "a://b", { policy: isBeta }, () => ({ contents: [] }))
    // @ts-expect-error Type 'PerRequest<Tenant>' is not assignable to type
    v2.registerResource(serverV2, "a", "a://b", { policy: Policy.claims(Tenant, () => true) }, () => ({ contents: [] }))
  })

  test("has no check that needs a Scope or the HTTP request", () => {
    // @ts-expect-error Type 'Scope' is not assignable to type
    v2.registerTool(serverV2, "a", { policy: needsScope }, result)
    // @ts-expect-error Type 'HttpServerRequest' is not assignable to type
    v2.registerTool(serverV2, "a", { policy: needsRequest }, result)
    // @ts-expect-error Type 'Scope' is not assignable to type
    v2.registerPrompt(serverV2, "a", { policy: needsScope }, () => ({ messages: [] }))
    // @ts-expect-error Type 'HttpServerRequest' is not assignable to type
    v2.registerResource(serverV2, "a", "a://b", { policy: needsRequest }, () => ({ contents: [] }))
  })

  test("reads no arguments that the registration does not have", () => {
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v2.registerTool(serverV2, "a", { policy: isOwner }, result)
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v2.registerTool(serverV2, "a", { inputSchema: z.object({ id: z.number() }), policy: isOwner }, result)
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v2.registerResource(serverV2, "a", "a://b", { policy: isOwner }, () => ({ contents: [] }))
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v2.registerPrompt(serverV2, "a", { policy: isOwner }, () => ({ messages: [] }))
    const other = z.object({ other: z.string() })
    // @ts-expect-error "the policy reads arguments that this registration does not have"
    v2.registerPrompt(serverV2, "a", { argsSchema: other, policy: isOwner }, () => ({ messages: [] }))
    v2.registerPrompt(serverV2, "a", { argsSchema: inputSchema, policy: isOwner }, () => ({ messages: [] }))
  })

  test("is not combined with scopes", () => {
    // @ts-expect-error is not assignable to type
    v2.registerTool(serverV2, "a", { scopes: ["read"], policy: Policy.role("admin") }, result)
    // @ts-expect-error is not assignable to type
    v2.registerPrompt(serverV2, "a", { scopes: ["read"], policy: Policy.role("admin") }, () => ({ messages: [] }))
    const both = { scopes: ["read"], policy: Policy.role("admin") } as const
    // @ts-expect-error is not assignable to
    v2.registerResource(serverV2, "a", "a://b", both, () => ({ contents: [] }))
  })

  test("decides whether there is a principal if anonymous requests are allowed", () => {
    openV2.registerTool(serverV2, "a", { policy: Policy.role("admin") }, ({ principal }) => {
      expect(principal.key).type.toBe<string>()
      return result()
    })
    openV2.registerTool(serverV2, "a", { policy: Policy.optional(Policy.scopes("read")) }, ({ principal }) => {
      // @ts-expect-error 'principal' is possibly 'undefined'
      expect(principal.key).type.toBe<string>()
      return result()
    })
  })
})
