import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Audience, AuthLayer, Profile } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { gateLayer } from "../servers/gates.ts"
import { authenticateToken, now, provider, resource } from "./harness.ts"

const oidcProvider = Profiles.oidcProvider({ issuer: "https://auth.example.com" })
const hex = "0123456789abcdef"

// Only the issuer of an opaque token can verify it.
describe("a gate without introspection", () => {
  it.effect.each([
    { row: "Auth0", profile: Profiles.auth0({ domain: "acme.eu.auth0.com" }), token: "A".repeat(32) },
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
    { row: "GitLab", profile: oidcProvider, token: hex.repeat(4) },
    { row: "Notion, Linear, Sentry, Canva, Asana, Stripe MCP", profile: oidcProvider, token: "mcp-token-x" },
    { row: "oidc-provider", profile: oidcProvider, token: "x".repeat(43) },
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
    { row: "Django OAuth Toolkit", profile: oidcProvider, token: "x".repeat(30) },
    { row: "Doorkeeper", profile: oidcProvider, token: "x".repeat(43) },
    { row: "MCP SDK demo AS", profile: oidcProvider, token: "3b241101-e2bb-4255-8caf-4136c566a962" }
  ])(
    "rejects a token of $row as malformed, and sends it nowhere (T-INTR-06)",
    ({ profile, token }) =>
      Effect.gen(function*() {
        const { gate, issuer } = yield* provider(profile, { algorithm: "ES256" })
        assert.strictEqual(yield* authenticateToken(gate, token), "malformed")
        assert.deepStrictEqual(yield* issuer.requests, [], "the token is sent nowhere")
      })
  )

  it.effect.each([
    { row: "Salesforce", token: "00D5e000000abcd!AQcAQ.x" },
    { row: "Cloudflare Access Managed OAuth", token: "oauth:abc" },
    { row: "workers-oauth-provider", token: "user:grant:secret" }
  ])("rejects a token of $row, which does not follow the grammar of RFC 6750", ({ token }) =>
    Effect.gen(function*() {
      const { gate } = yield* provider(oidcProvider, { algorithm: "ES256" })
      assert.strictEqual(yield* authenticateToken(gate, token), "not-token68")
    }))
})

const authenticateWith = (profile: Profile.Profile, answer: Introspection.Answer) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now * 1000)
    const services = yield* Layer.build(
      gateLayer({
        authorizationServers: [{ profile, introspection: Introspection.lookUp(() => Effect.succeed(answer)) }],
        resource,
        scopes: ["todos:read"]
      }).pipe(Layer.provide(TestIssuer.layer()))
    )
    return yield* authenticateToken(yield* Effect.provide(AuthLayer.AuthLayer, services), "opaque-token")
  })

const good = { active: true, exp: now + 60 }
const zitadel = Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "27" })
const roles = { "urn:zitadel:iam:org:project:roles": { "todos:read": { "1": "acme.zitadel.cloud" } } }
const clerk = Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["client-1"] })
const lemonldap = Profiles.lemonldap({ issuer: "https://auth.example.com" })
const hydra = Profiles.hydra({ url: "https://auth.example.com" })

/** The responses of GitLab, Doorkeeper and Django OAuth Toolkit name a client, but no issuer, audience or subject. */
const doorkeeper = Profile.make({
  id: "doorkeeper",
  name: "Doorkeeper",
  issuer: "https://gitlab.example.com",
  audience: Audience.clientIds(["client-1"]),
  boundTo: "client",
  machineMarks: [{ claim: "grant_type", values: ["client_credentials"] }],
  opaque: { issued: "always", verifiedBy: "introspection", hint: "every token is opaque" }
})
const nameless = { ...good, client_id: "client-1", scope: "todos:read", grant_type: "client_credentials" }
const byClient = { subject: undefined, clientId: "client-1", scopes: ["todos:read"] }

describe("the rules of the profile apply to the introspection response", () => {
  it.effect.each([
    {
      title: "oidc-provider: a token without a subject belongs to the client that requested it for itself",
      profile: oidcProvider,
      answer: { ...good, aud: resource, client_id: "client-1", scope: "todos:read", token_type: "Bearer" },
      outcome: byClient
    },
    {
      title: "oidc-provider: a token of a user has a subject, also if it names the same client",
      profile: oidcProvider,
      answer: {
        ...good,
        aud: resource,
        client_id: "client-1",
        scope: "todos:read",
        token_type: "Bearer",
        sub: "alice"
      },
      outcome: { ...byClient, subject: "alice" }
    },
    {
      title: "oidc-provider: a token with an empty subject is rejected (T-AUD-17)",
      profile: oidcProvider,
      answer: { ...good, aud: resource, client_id: "client-1", token_type: "Bearer", sub: "" },
      outcome: "subject"
    },
    {
      title: "oidc-provider: a token without a subject and without a token type is rejected (T-AUD-17)",
      profile: oidcProvider,
      answer: { ...good, aud: resource, client_id: "client-1", scope: "todos:read" },
      outcome: "subject"
    },
    {
      title: "oidc-provider: a token without a subject and without a client is rejected (T-AUD-17)",
      profile: oidcProvider,
      answer: { ...good, aud: resource, token_type: "Bearer" },
      outcome: "subject"
    },
    {
      title: "Zitadel: a token of the project is admitted, with its roles as scopes",
      profile: zitadel,
      answer: { ...good, ...roles, sub: "1", aud: ["3", "27"], client_id: "3" },
      outcome: { subject: "1", clientId: "3", scopes: ["todos:read"] }
    },
    {
      title: "Zitadel: a token of another project is rejected (T-CLAIM-07)",
      profile: zitadel,
      answer: { ...good, ...roles, sub: "1", aud: ["3"], client_id: "3" },
      outcome: "audience"
    },
    {
      title: "Clerk: a token of a listed client is admitted",
      profile: clerk,
      answer: { ...good, sub: "user_1", client_id: "client-1", scope: "todos:read" },
      outcome: { subject: "user_1", clientId: "client-1", scopes: ["todos:read"] }
    },
    {
      title: "Clerk: a token of another client is rejected (T-CLAIM-07)",
      profile: clerk,
      answer: { ...good, sub: "user_1", client_id: "client-2", scope: "todos:read" },
      outcome: "audience"
    },
    {
      title: "LemonLDAP::NG: a response without aud is rejected (JWT-25)",
      profile: lemonldap,
      answer: { ...good, sub: "alice", client_id: "client-1", scope: "todos:read" },
      outcome: "audience"
    },
    {
      title: "Hydra: an issuer without the final slash is rejected",
      profile: hydra,
      answer: { ...good, iss: "https://auth.example.com", sub: "alice", aud: [resource], client_id: "c" },
      outcome: "unknown-issuer"
    },
    {
      title: "Hydra: a token for the resource is admitted",
      profile: hydra,
      answer: { ...good, iss: "https://auth.example.com/", sub: "alice", aud: [resource], client_id: "c", scope: "" },
      outcome: { subject: "alice", clientId: "c", scopes: [] }
    },
    {
      title: "Doorkeeper: a token of a listed client is admitted",
      profile: doorkeeper,
      answer: nameless,
      outcome: byClient
    },
    {
      title: "Doorkeeper: a token of another client is rejected (T-CLAIM-07)",
      profile: doorkeeper,
      answer: { ...nameless, client_id: "client-2" },
      outcome: "audience"
    },
    {
      title: "Doorkeeper: a token without a client is rejected",
      profile: { ...doorkeeper, audience: Audience.resource },
      answer: { ...nameless, client_id: undefined, aud: resource },
      outcome: "client-id"
    },
    {
      title: "Doorkeeper: a token without a client and a subject is rejected",
      profile: { ...doorkeeper, audience: Audience.resource },
      answer: { ...good, scope: "todos:read", aud: resource },
      outcome: "subject"
    },
    {
      title: "Doorkeeper: a token that may belong to a user is rejected without a subject (T-AUD-17)",
      profile: doorkeeper,
      answer: { ...nameless, grant_type: undefined },
      outcome: "subject"
    },
    {
      title: "Doorkeeper: a token with the name of its user is admitted if the profile lists that claim",
      profile: Profile.make({ ...doorkeeper, subjectClaims: ["sub", "username"] }),
      answer: { ...nameless, username: "alice" },
      outcome: { ...byClient, subject: "alice" }
    },
    {
      title: "Doorkeeper: a token without exp is rejected",
      profile: doorkeeper,
      answer: { ...nameless, exp: undefined },
      outcome: "expiry"
    }
  ])("$title", ({ answer, outcome, profile }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* authenticateWith(profile, answer), outcome)
    }))
})
