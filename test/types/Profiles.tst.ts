import { type Audience, AuthLayer } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { describe, expect, test } from "tstyche"

const places = { resource: "https://a.example/mcp", scopes: ["todos:read"] } as const
const okta = Profiles.okta({ domain: "acme.okta.com", server: "todos" })

describe("a profile", () => {
  test("is all that a server needs in addition to its resource and scopes", () => {
    expect(AuthLayer.make).type.toBeCallableWith({ ...places, authorizationServers: [okta] })
    expect(AuthLayer.make).type.toBeCallableWith({ ...places, authorizationServers: [okta.issuer, { profile: okta }] })
  })

  test("can be combined with authorization servers", () => {
    expect(AuthLayer.make).type.toBeCallableWith({ ...places, authorizationServers: [okta, "https://as.example"] })
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...places, profile: okta })
  })

  test("is required if there are no authorization servers", () => {
    expect(AuthLayer.make).type.not.toBeCallableWith(places)
  })

  test("names the issuer itself", () => {
    expect(AuthLayer.make).type.not.toBeCallableWith({
      ...places,
      authorizationServers: [{ metadataUrl: "https://as.example/metadata" }] as const
    })
  })

  test("never lacks an audience", () => {
    expect<Audience.Audience>().type.toBeAssignableFrom(okta.audience)
    const { audience: _, ...rest } = okta
    expect(AuthLayer.make).type.not.toBeCallableWith({ ...places, authorizationServers: [rest] })
  })
})

describe("the options of a profile", () => {
  test("Okta: the server of the organization is rejected", () => {
    expect(Profiles.okta).type.not.toBeCallableWith({ domain: "acme.okta.com" })
  })

  test("Cognito: requires clients, which bind a token", () => {
    expect(Profiles.cognito).type.not.toBeCallableWith({ region: "eu-west-1", userPoolId: "p" })
    expect(Profiles.cognito).type.not.toBeCallableWith({ region: "eu-west-1", userPoolId: "p", clientIds: [] })
  })

  test("Entra ID: accepts every tenant only by an explicit name", () => {
    const applicationId = "2c3caa80-93f9-425e-8b85-0745f50c0d24"
    expect(Profiles.entra).type.not.toBeCallableWith({ applicationId })
    expect(Profiles.entraMultiTenant).type.not.toBeCallableWith({ applicationId })
    expect(Profiles.entraMultiTenant).type.not.toBeCallableWith({ applicationId, tenants: [] })
    expect(Profiles.entraMultiTenant).type.not.toBeCallableWith({ applicationId, tenants: "any" })
    expect(Profiles.entraMultiTenant).type.toBeCallableWith({ applicationId, tenants: Profiles.anyTenant })
  })
})
