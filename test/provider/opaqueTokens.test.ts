import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Profiles } from "effect-mcp-auth/provider"
import { judge, provider } from "./harness.ts"

const ownIssuer = Profiles.oidcProvider({ issuer: "https://auth.example.com" })
const hex = "0123456789abcdef"

// Whether an opaque token is good, only its issuer can tell. Nothing of it may be mistaken for a JWT, and without a way
// to ask it is refused.
describe("an opaque token is refused where nobody can be asked about it", () => {
  it.effect.each([
    { row: "Auth0", profile: Profiles.auth0({ domain: "acme.eu.auth0.com" }), token: "A".repeat(32) },
    {
      row: "Google",
      profile: Profiles.google({ clientIds: ["c"] }),
      token: `ya29.a0${"A".repeat(130)}`
    },
    {
      row: "GitHub",
      profile: Profiles.github({ clientId: "c", clientSecret: Redacted.make("s") }),
      token: `gho_${"A".repeat(36)}`
    },
    { row: "Logto", profile: Profiles.logto({ endpoint: "https://acme.logto.app" }), token: "x".repeat(43) },
    {
      row: "Clerk",
      profile: Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["c"] }),
      token: "oat_8XOIucKvqHVr5tYP123456789abcdefghij"
    },
    {
      row: "Zitadel",
      profile: Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "1" }),
      token: "V2_1-at_1".padEnd(80, "x")
    },
    { row: "Ory Hydra", profile: Profiles.hydra({ url: "https://auth.example.com" }), token: "ory_at_abc.def" },
    { row: "GitLab", profile: ownIssuer, token: hex.repeat(4) },
    { row: "Notion, Linear, Sentry, Canva, Asana, Stripe MCP", profile: ownIssuer, token: "mcp-token-x" },
    { row: "oidc-provider", profile: ownIssuer, token: "x".repeat(43) },
    {
      row: "better-auth",
      profile: Profiles.betterAuth({ issuer: "https://example.com/api/auth" }),
      token: "x".repeat(32)
    },
    {
      row: "LemonLDAP::NG",
      profile: Profiles.lemonldap({ issuer: "https://auth.example.com" }),
      token: hex.repeat(4)
    },
    { row: "Django OAuth Toolkit", profile: ownIssuer, token: "x".repeat(30) },
    { row: "Doorkeeper", profile: ownIssuer, token: "x".repeat(43) },
    { row: "MCP SDK demo AS", profile: ownIssuer, token: "3b241101-e2bb-4255-8caf-4136c566a962" }
  ])("$row (T-INTR-06)", ({ profile, token }) =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* provider(profile, { algorithm: "ES256" })
      assert.strictEqual(yield* judge(gate, token), "malformed")
      assert.deepStrictEqual(yield* issuer.requests, [], "a token goes nowhere by itself")
    }))

  it.effect.each([
    { row: "Salesforce", token: "00D5e000000abcd!AQcAQ.x" },
    { row: "Cloudflare Access Managed OAuth", token: "oauth:abc" },
    { row: "workers-oauth-provider", token: "user:grant:secret" }
  ])("$row, whose tokens leave the grammar of RFC 6750", ({ token }) =>
    Effect.gen(function*() {
      const { gate } = yield* provider(ownIssuer, { algorithm: "ES256" })
      assert.strictEqual(yield* judge(gate, token), "not-token68")
    }))
})
