import { Context, Effect, Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { HttpRouter } from "effect/http"
import { describe, expect, test } from "tstyche"
import { z } from "zod"

const options = {
  resource: "https://server.test/mcp",
  authorizationServers: ["https://issuer.test"],
  scopes: ["todos:read"]
} as const

const schema = z.object({ org: z.string(), level: z.coerce.number() })
type Output = z.output<typeof schema>

class Organization extends Context.Service<Organization, { readonly org: string; readonly level: number }>()("Org") {}
class Other extends Context.Service<Other, { readonly org: number }>()("Other") {}

describe("a schema of zod as the option claims", () => {
  test("gives handlers of fetch and Node its output", async () => {
    const ofFetch = await McpAuthFetch.make({ ...options, claims: schema })
    ofFetch.protect((_, { claims }) => {
      expect(claims).type.toBe<Output | undefined>()
      return new Response()
    })
    const ofNode = await McpAuthNode.make({ ...options, claims: schema })
    const admission = await ofNode.protect()(null as never, null as never)
    expect(admission?.claims).type.toBe<Output | undefined>()
    const mocked = await McpAuthFetch.mock({ scopes: ["todos:read"], claimsService: schema })
    mocked.protect((_, { claims }) => {
      expect(claims).type.toBe<Output | undefined>()
      return new Response()
    })
  })

  test("gives tools of both SDKs its output", async () => {
    const v1 = await SdkV1.make({ ...options, claims: schema })
    v1.registerTool(null as never, "a", {}, ({ principal }) => {
      expect(principal.claims).type.toBe<Output>()
      // @ts-expect-error Property 'tenant' does not exist
      return principal.claims.tenant
    })
    const v2 = await SdkV2.make({ ...options, claims: schema })
    v2.registerTool(null as never, "a", {}, ({ principal }) => {
      expect(principal.claims).type.toBe<Output>()
      // @ts-expect-error Property 'tenant' does not exist
      return principal.claims.tenant
    })
  })

  test("provides the service that it is combined with", () => {
    const Auth = AuthLayer.make({ ...options, claims: { service: Organization, schema } })
    const route = HttpRouter.add("GET", "/", Effect.as(Organization, undefined as never))
    HttpRouter.toWebHandler(route.pipe(Layer.provide(Auth))).handler(new Request("http://h"))
    const without = AuthLayer.make(options)
    // @ts-expect-error Expected 2 arguments
    HttpRouter.toWebHandler(route.pipe(Layer.provide(without))).handler(new Request("http://h"))
  })

  test("does not compile if its output is not the value of the service", () => {
    const claims = { service: Other, schema }
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, claims })
    expect(McpAuthFetch.make).type.not.toBeCallableWith({ ...options, claims })
    expect(McpAuthNode.make).type.not.toBeCallableWith({ ...options, claims })
    expect(SdkV1.make).type.not.toBeCallableWith({ ...options, claims })
    expect(SdkV2.make).type.not.toBeCallableWith({ ...options, claims })
  })

  test("does not compile if the value is not a schema", () => {
    expect(McpAuthFetch.make).type.not.toBeCallableWith({ ...options, claims: { org: "string" } })
    expect(McpAuthFetch.make).type.not.toBeCallableWith({ ...options, claims: schema.shape })
  })
})
