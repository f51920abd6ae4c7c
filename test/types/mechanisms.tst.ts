import { Effect, type Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Revocations } from "effect-mcp-auth/revocation"
import { Tenants } from "effect-mcp-auth/tenants"
import type { HttpRouter } from "effect/http"
import { Redis } from "effect/persistence"
import { describe, expect, test } from "tstyche"

const options = {
  resource: "https://server.test/mcp",
  authorizationServers: ["https://issuer.test"],
  scopes: ["todos:read"]
} as const

const dpop = Dpop.required({ replay: Effect.map(Redis.Redis, (redis) => Dpop.redis(redis)) })

describe("a mechanism", () => {
  test("adds the services that it needs to the requirements of the layer", () => {
    type Requires<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never
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

  test("that needs a service is rejected where nothing provides it", () => {
    expect(McpAuthNode.make).type.toBeCallableWith({ ...options, dpop: Dpop.required() })
    expect(McpAuthNode.make).type.not.toBeCallableWith({ ...options, dpop })
    expect(McpAuthNode.make).type.not.toBeCallableWith({ ...options, revocation: Revocations.stored })
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
