import { Effect, type Layer, Redacted } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { Gate } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Profiles } from "effect-mcp-auth/provider"
import { Revocations } from "effect-mcp-auth/revocation"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { Tenants } from "effect-mcp-auth/tenants"
import { TokenHeader } from "effect-mcp-auth/token-header"
import type { Fetcher } from "effect-mcp-auth/verification"
import type { HttpRouter } from "effect/http"
import { Persistence, Redis } from "effect/persistence"
import { describe, expect, test } from "tstyche"

const options = {
  resource: "https://server.test/mcp",
  authorizationServers: ["https://issuer.test"],
  scopes: ["todos:read"]
} as const

const dpop = Dpop.required({ replay: Effect.map(Redis.Redis, (redis) => Dpop.redis(redis)) })

const stored = {
  issuer: "https://stored.test",
  introspection: Introspection.make({
    clientId: "todos",
    clientSecret: Redacted.make("secret"),
    shared: Effect.flatMap(Persistence.BackingPersistence, (stores) => stores.make("introspection"))
  })
}

const table = {
  issuer: "https://table.test",
  introspection: Introspection.lookUp(() => Effect.as(Redis.Redis, { active: false }))
}

const apiKeys = ApiKeys.make({ store: Effect.map(Redis.Redis, (redis) => ApiKeys.redis(redis)), header: "x-api-key" })

declare const redis: Layer.Layer<Redis.Redis>

type Requires<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never

describe("a mechanism", () => {
  test("adds the services that it needs to the requirements of the layer", () => {
    const plain = AuthLayer.make({ ...options, dpop: Dpop.optional() })
    expect<Requires<typeof plain>>().type.toBe<HttpRouter.HttpRouter>()
    const several = AuthLayer.make({ ...options, dpop, revocation: Revocations.stored })
    expect<Requires<typeof several>>().type.toBe<HttpRouter.HttpRouter | Redis.Redis | Revocations.Revocations>()
    const tenants = Tenants.fromHeader("x-tenant", {
      authorizationServers: (tenant) => Effect.as(Redis.Redis, [tenant])
    })
    const routed = AuthLayer.make({ ...options, tenants })
    expect<Requires<typeof routed>>().type.toBe<HttpRouter.HttpRouter | Redis.Redis>()
  })

  test("requires the services of the store of API keys, and exactly one place of the key", () => {
    const stored = AuthLayer.make({ ...options, apiKeys })
    expect<Requires<typeof stored>>().type.toBe<HttpRouter.HttpRouter | Redis.Redis>()
    const store = ApiKeys.memory()
    const plain = AuthLayer.make({
      ...options,
      apiKeys: ApiKeys.make({ store, scheme: "ApiKey" }),
      tokenHeader: TokenHeader.cloudflareAccess
    })
    expect<Requires<typeof plain>>().type.toBe<HttpRouter.HttpRouter>()
    expect(ApiKeys.make).type.not.toBeCallableWith({ store })
    expect(ApiKeys.make).type.not.toBeCallableWith({ store, header: "x-api-key", scheme: "ApiKey" })
    expect(ApiKeys.make).type.not.toBeCallableWith({ store, scheme: "Token" })
    expect(ApiKeys.make).type.not.toBeCallableWith({ store: {}, header: "x-api-key" })
    expect(TokenHeader.make).type.not.toBeCallableWith({ name: "x-token" })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, apiKeys: { store, header: "x-api-key" } })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, tokenHeader: { name: "x-token", setBy: "proxy" } })
    // @ts-expect-error Property 'layer' is missing
    McpAuthNode.make({ ...options, apiKeys })
    // @ts-expect-error Property 'layer' is missing
    McpAuthFetch.make({ ...options, apiKeys })
    // @ts-expect-error Property 'layer' is missing
    SdkV1.make({ ...options, apiKeys })
    // @ts-expect-error Property 'layer' is missing
    SdkV2.make({ ...options, apiKeys })
    McpAuthNode.make({ ...options, apiKeys, layer: redis })
    McpAuthFetch.make({ ...options, apiKeys, layer: redis })
    SdkV1.make({ ...options, apiKeys, layer: redis })
    SdkV2.make({ ...options, apiKeys, layer: redis })
  })

  test("adds its services to the requirements of the layer if it belongs to an authorization server", () => {
    const one = AuthLayer.make({ ...options, authorizationServers: [stored] })
    expect<Requires<typeof one>>().type.toBe<HttpRouter.HttpRouter | Persistence.BackingPersistence>()
    // The authorization servers require different services, and some require none.
    const several = AuthLayer.make({
      ...options,
      authorizationServers: [
        "https://issuer.test",
        stored,
        table,
        Profiles.okta({ domain: "acme.okta.com", server: "todos" })
      ]
    })
    expect<Requires<typeof several>>().type.toBe<
      HttpRouter.HttpRouter | Persistence.BackingPersistence | Redis.Redis
    >()
    const profiled = AuthLayer.make({
      ...options,
      authorizationServers: [{
        profile: Profiles.okta({ domain: "acme.okta.com", server: "todos" }),
        introspection: stored.introspection
      }]
    })
    expect<Requires<typeof profiled>>().type.toBe<HttpRouter.HttpRouter | Persistence.BackingPersistence>()
    const gate = Gate.layer({ ...options, authorizationServers: [table] })
    expect<Requires<typeof gate>>().type.toBe<Fetcher.Fetcher | Redis.Redis>()
  })

  test("on a host outside Effect gets its services from the option layer", () => {
    expect(McpAuthNode.make).type.toBeCallableWith({ ...options, dpop: Dpop.required() })
    // @ts-expect-error Property 'layer' is missing
    McpAuthNode.make({ ...options, dpop })
    // @ts-expect-error Property 'layer' is missing
    McpAuthNode.make({ ...options, revocation: Revocations.stored })
    // @ts-expect-error Property 'layer' is missing
    McpAuthNode.make({ ...options, authorizationServers: [table] })
    // @ts-expect-error Revocations
    McpAuthNode.make({ ...options, dpop, revocation: Revocations.stored, layer: redis })
    McpAuthNode.make({ ...options, authorizationServers: [table], dpop, layer: redis })
    McpAuthNode.make({ ...options, revocation: Revocations.stored, layer: Revocations.layerMemory })
    // @ts-expect-error Property 'layer' is missing
    McpAuthFetch.make({ ...options, dpop })
    // @ts-expect-error Property 'layer' is missing
    McpAuthFetch.make({ ...options, revocation: Revocations.stored })
    // @ts-expect-error Property 'layer' is missing
    McpAuthFetch.make({ ...options, authorizationServers: [table] })
    // @ts-expect-error Revocations
    McpAuthFetch.make({ ...options, dpop, revocation: Revocations.stored, layer: redis })
    McpAuthFetch.make({ ...options, authorizationServers: [table], dpop, layer: redis })
    McpAuthFetch.make({ ...options, revocation: Revocations.stored, layer: Revocations.layerMemory })
    // @ts-expect-error Property 'layer' is missing
    SdkV1.make({ ...options, dpop })
    // @ts-expect-error Property 'layer' is missing
    SdkV1.make({ ...options, revocation: Revocations.stored })
    // @ts-expect-error Property 'layer' is missing
    SdkV1.make({ ...options, authorizationServers: [table] })
    // @ts-expect-error Revocations
    SdkV1.make({ ...options, dpop, revocation: Revocations.stored, layer: redis })
    SdkV1.make({ ...options, authorizationServers: [table], dpop, layer: redis })
    SdkV1.make({ ...options, revocation: Revocations.stored, layer: Revocations.layerMemory })
    // @ts-expect-error Property 'layer' is missing
    SdkV2.make({ ...options, dpop })
    // @ts-expect-error Property 'layer' is missing
    SdkV2.make({ ...options, revocation: Revocations.stored })
    // @ts-expect-error Property 'layer' is missing
    SdkV2.make({ ...options, authorizationServers: [table] })
    // @ts-expect-error Revocations
    SdkV2.make({ ...options, dpop, revocation: Revocations.stored, layer: redis })
    SdkV2.make({ ...options, authorizationServers: [table], dpop, layer: redis })
    SdkV2.make({ ...options, revocation: Revocations.stored, layer: Revocations.layerMemory })
  })

  test("is not enabled by a string, an object or a function", () => {
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, dpop: "required" as const })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, dpop: { mode: "required" as const } })
    expect(AuthLayer.make).type.not.toBeCallableWith({
      ...options,
      tenants: { authorizationServers: () => Effect.succeed([]) }
    })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, revocation: () => Effect.succeed(false) })
  })
})
