import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import type { TokenShape } from "effect-mcp-auth/testing"
import { judge, provider, resource } from "../provider/harness.ts"

const tenant = "f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f"
const application = "2c3caa80-93f9-425e-8b85-0745f50c0d24"

interface Row {
  readonly shape: TokenShape.Provider
  readonly profile: Profile.Profile
  /** Default: the resource. */
  readonly audience?: string
}

/** The kit's shapes and the library's profiles are two readings of the same facts, so each must know the other's. */
const rows: ReadonlyArray<Row> = [
  { shape: "auth0", profile: Profiles.auth0({ domain: "acme.eu.auth0.com" }) },
  { shape: "auth0-rfc9068", profile: Profiles.auth0({ domain: "acme.eu.auth0.com" }) },
  { shape: "okta", profile: Profiles.okta({ domain: "acme.okta.com", server: "todos" }) },
  { shape: "entra", profile: Profiles.entra({ tenant, applicationId: application }), audience: application },
  {
    shape: "entra-v1",
    profile: Profiles.entra({ tenant, applicationId: application }),
    audience: `api://${application}`
  },
  { shape: "keycloak", profile: Profiles.keycloak({ url: "https://sso.example.com", realm: "todos" }) },
  { shape: "logto", profile: Profiles.logto({ endpoint: "https://acme.logto.app" }) },
  { shape: "workos", profile: Profiles.authkit({ domain: "acme.authkit.app" }) },
  {
    shape: "stytch",
    profile: Profiles.stytch({ domain: "acme.customers.stytch.com", projectId: "p-1" }),
    audience: "p-1"
  },
  { shape: "descope", profile: Profiles.descope({ projectId: "P2abc" }), audience: "P2abc" },
  {
    shape: "scalekit",
    profile: Profiles.scalekit({ environment: "https://acme.scalekit.com", resourceId: "res_1" }),
    audience: "res_1"
  },
  { shape: "clerk", profile: Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["client-1"] }) },
  {
    shape: "supabase",
    profile: Profiles.supabase({ url: "https://abcdefghijklmnopqrst.supabase.co", clientIds: ["client-1"] })
  },
  {
    shape: "cognito",
    profile: Profiles.cognito({
      region: "eu-west-1",
      userPoolId: "eu-west-1_AbCdEf123",
      clientIds: ["client-1"],
      resourceServer: "todos"
    })
  },
  {
    shape: "zitadel",
    profile: Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "271828" }),
    audience: "271828"
  },
  {
    shape: "authentik",
    profile: Profiles.authentik({ url: "https://auth.example.com", slug: "todos", clientId: "client-1" })
  },
  { shape: "hydra", profile: Profiles.hydra({ url: "https://auth.example.com" }) },
  {
    shape: "pingone",
    profile: Profiles.pingone({ environmentId: "b9817c16-9910-4415-b67e-4ac687da74d9", region: "eu" })
  },
  { shape: "oidc-provider", profile: Profiles.oidcProvider({ issuer: "https://auth.example.com" }) },
  { shape: "better-auth", profile: Profiles.betterAuth({ issuer: "https://example.com/api/auth" }) },
  { shape: "glewlwyd", profile: Profiles.glewlwyd({ issuer: "https://example.com/api/oidc" }) },
  { shape: "lemonldap", profile: Profiles.lemonldap({ issuer: "https://auth.example.com" }) },
  { shape: "openauth", profile: Profiles.openauth({ issuer: "https://auth.example.com", clientIds: ["client-1"] }) },
  {
    shape: "adfs",
    profile: Profiles.adfs({
      issuer: "https://fs.todos.test/adfs",
      accessTokenIssuer: "http://fs.todos.test/adfs/services/trust"
    })
  }
]

describe.each(rows)("$shape", ({ audience = resource, profile, shape }) => {
  const token = { audience, scopes: ["todos:read"] }

  it.effect("its profile admits its shape, and rejects its ID token", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* provider(profile, { algorithm: "ES256" })
      const caller = yield* judge(gate, yield* issuer.mintLike(shape, token))
      assert.isObject(caller)
      const idToken = yield* judge(gate, yield* issuer.mintIdTokenLike(shape, token))
      // ADFS has another issuer for access tokens than for ID tokens, which is told apart first.
      assert.include(shape === "adfs" ? ["unknown-issuer"] : ["id-token", "token-type"], idToken)
    }))
})
