import { Context, Effect, Layer } from "effect"
import type { Principal } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Policy } from "effect-mcp-auth/policy"
import { describe, expect, test } from "tstyche"

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
