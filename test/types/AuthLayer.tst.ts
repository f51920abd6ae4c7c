import { Config, Schema } from "effect"
import type { Context, Layer } from "effect"
import type { AuthError } from "effect-mcp-auth"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Profiles } from "effect-mcp-auth/provider"
import { PublicUrl } from "effect-mcp-auth/public-url"
import type { HttpClient, HttpRouter } from "effect/http"
import { describe, expect, test } from "tstyche"

const options = {
  resource: "https://server.test/mcp",
  authorizationServers: ["https://issuer.test"],
  scopes: ["todos:read"]
} as const

type Requires<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never
type Fails<L> = L extends Layer.Layer<infer _A, infer E, infer _R> ? E : never

const list = Config.Array(Schema.String, "LIST")

describe("an option from a Config", () => {
  test("adds ConfigError to the errors of the layer, and its absence does not", () => {
    const plain = AuthLayer.make(options)
    expect<Fails<typeof plain>>().type.toBe<AuthError.AuthConfigError>()
    const layers = [
      AuthLayer.make({ ...options, resource: Config.String("RESOURCE_URL") }),
      AuthLayer.make({ ...options, authorizationServers: list }),
      AuthLayer.make({ ...options, allowedOrigins: list }),
      AuthLayer.make({ ...options, allowedHosts: list }),
      AuthLayer.make({
        ...options,
        authorizationServers: Config.map(
          Config.all({ issuer: Config.String("ISSUER"), metadataUrl: Config.String("METADATA_URL") }),
          (server) => [server]
        )
      }),
      AuthLayer.make({ ...options, resource: Config.String("RESOURCE_URL"), authorizationServers: list })
    ] as const
    expect<Fails<typeof layers[number]>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
    expect<Fails<typeof layers[0]>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
    expect<Fails<typeof layers[1]>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
    expect<Fails<typeof layers[2]>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
    expect<Fails<typeof layers[3]>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
    expect<Requires<typeof layers[5]>>().type.toBe<HttpRouter.HttpRouter>()
  })

  test("can contain a PublicUrl, which every host accepts", () => {
    const resource = PublicUrl.make({ url: "https://server.test/tools/mcp", publicPrefix: "/tools" })
    const layer = AuthLayer.make({
      ...options,
      resource: Config.map(Config.String("RESOURCE_URL"), (url) => PublicUrl.make({ url, publicPrefix: "/tools" }))
    })
    expect<Fails<typeof layer>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
    expect<Requires<typeof layer>>().type.toBe<HttpRouter.HttpRouter>()
    expect(AuthLayer.make).type.toBeCallableWith({ ...options, resource })
    expect(McpAuthNode.make).type.toBeCallableWith({ ...options, resource })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, resource: { url: "https://server.test/mcp" } })
    expect(PublicUrl.make).type.not.toBeCallableWith({ url: "https://server.test/mcp", prefix: "/tools" })
  })

  test("has the type of the option", () => {
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, resource: Config.Number("RESOURCE_URL") })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, authorizationServers: Config.String("ISSUER") })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, unlisted: Config.String("UNLISTED") })
  })

  test("is rejected by hosts outside Effect", () => {
    expect(McpAuthNode.make).type.not.toBeCallableWith({ ...options, resource: Config.String("RESOURCE_URL") })
    expect(McpAuthNode.make).type.not.toBeCallableWith({ ...options, authorizationServers: list })
  })
})

describe("allowedOrigins", () => {
  test("is a list, or a function from an origin to a boolean", () => {
    AuthLayer.make({ ...options, allowedOrigins: (origin) => origin.endsWith(".test") })
    McpAuthNode.make({ ...options, allowedOrigins: (origin) => origin.endsWith(".test") })
    AuthLayer.make({ ...options, allowedOrigins: ["tauri://localhost"], allowNullOrigin: true })
    // @ts-expect-error is not assignable to type
    AuthLayer.make({ ...options, allowedOrigins: async () => true })
    // @ts-expect-error is not assignable to type
    McpAuthNode.make({ ...options, allowedOrigins: async () => true })
    // @ts-expect-error is not assignable to type
    McpAuthNode.make({ ...options, allowedOrigins: () => "yes" })
  })
})

describe("httpClient", () => {
  test("adds its errors and requirements to the layer", () => {
    interface Proxy {
      readonly proxy: unique symbol
    }
    class Refused {
      readonly _tag = "Refused"
    }
    const httpClient = null as unknown as Layer.Layer<
      HttpClient.HttpClient,
      Refused,
      Context.Key<Proxy, Proxy>["Identifier"]
    >
    const layer = AuthLayer.make({ ...options, httpClient })
    expect<Requires<typeof layer>>().type.toBe<HttpRouter.HttpRouter | Proxy>()
    expect<Fails<typeof layer>>().type.toBe<AuthError.AuthConfigError | Refused>()
    expect<Requires<typeof layer.ready>>().type.toBe<Proxy>()
    expect<Fails<typeof layer.ready>>().type.toBe<
      AuthError.AuthConfigError | AuthError.AuthorizationServerUnavailable | AuthError.InvalidMetadata | Refused
    >()
  })
})

describe("an unknown option", () => {
  test("is rejected in the layer, an authorization server or a profile", () => {
    // @ts-expect-error 'revocaton' does not exist
    AuthLayer.make({ ...options, revocaton: undefined })
    const issuer = "https://issuer.test"
    // @ts-expect-error NoSuchOption
    AuthLayer.make({ ...options, authorizationServers: [{ issuer, jwksUrl: issuer }] })
    // @ts-expect-error NoSuchOption
    McpAuthNode.make({ ...options, authorizationServers: [issuer, { issuer, algoritms: ["ES256"] }] })
    const profile = Profiles.okta({ domain: "acme.okta.com", server: "todos" })
    // @ts-expect-error NoSuchOption
    AuthLayer.make({ ...options, authorizationServers: [{ profile, introspections: undefined }] })
    AuthLayer.make({ ...options, authorizationServers: [{ ...profile, jwksUri: "https://issuer.test/keys" }] })
    AuthLayer.make({
      ...options,
      authorizationServers: [{ issuer: "http://issuer", [AuthLayer.allowInsecureHttp]: true }]
    })
  })
})

describe("the options of answers", () => {
  test("accept the values that exist, and no others", () => {
    expect(AuthLayer.make).type.toBeCallableWith({ ...options, structuredDenials: true })
    expect(McpAuthNode.make).type.toBeCallableWith({ ...options, structuredDenials: false })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, structuredDenials: "tool-result" })
    expect(McpAuthNode.make).type.not.toBeCallableWith({ ...options, structuredDenials: "unavailable" })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, structuredDenial: true })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...options, authChallenge: "result" })
  })
})
