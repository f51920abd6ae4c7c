import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Profile } from "effect-mcp-auth"
import { Facts, Profiles } from "effect-mcp-auth/provider"
import { TokenShape } from "effect-mcp-auth/testing"
import { authenticateToken, provider, resource } from "./harness.ts"

const tenant = "f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f"
const application = "2c3caa80-93f9-425e-8b85-0745f50c0d24"
const selfHosted = { issuer: "https://id.todos.test" }

interface Pair {
  readonly profile: Profile.Profile
  /** The requested audience. Default: the resource. */
  readonly audience?: string
  /** Whether tokens are bound to their client instead of an audience. Default: `false`. */
  readonly boundToClient?: true
  /** Whether tokens name their client. Default: `true`. */
  readonly namesClient?: false
  /** The scopes of the principal. Default: the granted scopes. */
  readonly scopes?: ReadonlyArray<string>
}

/** The profile for each shape of the testing kit. */
const pairs: Partial<Record<TokenShape.Provider, Pair>> = {
  auth0: { profile: Profiles.auth0({ domain: "todos.eu.auth0.com" }) },
  "auth0-rfc9068": { profile: Profiles.auth0({ domain: "todos.eu.auth0.com" }) },
  okta: { profile: Profiles.okta({ domain: "todos.okta.com", server: "default" }) },
  "entra-v1": {
    profile: Profiles.entra({ tenant, applicationId: application }),
    audience: `api://${application}`
  },
  entra: { profile: Profiles.entra({ tenant, applicationId: application }), audience: application },
  adfs: {
    profile: Profiles.adfs({
      issuer: "https://fs.todos.test/adfs",
      accessTokenIssuer: "http://fs.todos.test/adfs/services/trust",
      machineClients: ["client-1"]
    })
  },
  cognito: {
    profile: Profiles.cognito({
      region: "eu-central-1",
      userPoolId: "eu-central-1_AbCdEfGhI",
      clientIds: ["client-1"]
    }),
    boundToClient: true
  },
  keycloak: { profile: Profiles.keycloak({ url: selfHosted.issuer, realm: "todos" }) },
  logto: { profile: Profiles.logto({ endpoint: "https://todos.logto.app" }) },
  workos: { profile: Profiles.authkit({ domain: "todos.authkit.app" }) },
  stytch: { profile: Profiles.stytch({ domain: "todos.customers.stytch.com", projectId: "p" }), audience: "p" },
  descope: {
    profile: Profiles.descope({ projectId: "P2abcdefghijklmnopqrstuvwxyz" }),
    audience: "P2abcdefghijklmnopqrstuvwxyz",
    namesClient: false
  },
  scalekit: {
    profile: Profiles.scalekit({ environment: "https://todos.scalekit.com", resourceId: "res_1234567890" }),
    audience: "res_1234567890"
  },
  clerk: { profile: Profiles.clerk({ frontendApi: "clerk.todos.test", clientIds: ["client-1"] }), boundToClient: true },
  supabase: {
    profile: Profiles.supabase({ url: "https://abcdefghijklmnopqrst.supabase.co", clientIds: ["client-1"] }),
    boundToClient: true,
    scopes: []
  },
  zitadel: { profile: Profiles.zitadel({ url: "https://todos.zitadel.cloud", projectId: "27" }), audience: "27" },
  authentik: {
    profile: Profiles.authentik({ url: selfHosted.issuer, slug: "todos", clientId: "client-1" }),
    boundToClient: true
  },
  hydra: { profile: Profiles.hydra({ url: selfHosted.issuer }) },
  pingone: {
    profile: Profiles.pingone({
      environmentId: "2f8d3b1c-7a64-4d0e-9c55-8e1f6a2b3c4d",
      region: "eu",
      machineClients: ["client-1"]
    })
  },
  "spring-authorization-server": {
    profile: Profiles.springAuthorizationServer({ ...selfHosted, clientIds: ["client-1"] }),
    boundToClient: true
  },
  duende: { profile: Profiles.duende({ ...selfHosted, machineClients: ["client-1"] }) },
  "oidc-provider": { profile: Profiles.oidcProvider(selfHosted) },
  "better-auth": { profile: Profiles.betterAuth({ issuer: "https://todos.test/api/auth" }) },
  glewlwyd: { profile: Profiles.glewlwyd({ issuer: "https://id.todos.test/api/oidc" }) },
  lemonldap: { profile: Profiles.lemonldap(selfHosted) },
  openauth: { profile: Profiles.openauth({ ...selfHosted, clientIds: ["client-1"] }), boundToClient: true }
}

const scopes = ["todos:read", "todos:write"]

describe("the shapes of the testing kit", () => {
  it("each have a profile, except opaque tokens and the assertion of Cloudflare Access", () => {
    const without = TokenShape.providers.filter((name) =>
      pairs[name] === undefined && TokenShape.shapes[name].opaque === undefined
    )
    assert.deepStrictEqual(without, ["cloudflare-access"])
  })

  it.each(
    Facts.all.flatMap(({ evidence, id }) => evidence.flatMap(({ shape }) => shape === undefined ? [] : [{ id, shape }]))
  )(
    "include $shape, which is evidence for the profile of $id",
    ({ id, shape }) => {
      assert.strictEqual(pairs[shape as TokenShape.Provider]?.profile.id, id)
    }
  )

  it.effect.each(Object.entries(pairs) as ReadonlyArray<[TokenShape.Provider, Pair]>)(
    "%s: the profile admits tokens of users and of machines, and rejects ID tokens and tokens for another server",
    ([name, pair]) =>
      Effect.gen(function*() {
        const { algorithm, issuer: written } = TokenShape.shapes[name]
        assert.strictEqual(pair.profile.issuer, written)
        const { gate, issuer } = yield* provider(pair.profile, { algorithm })
        const options = { subject: "alice", clientId: "client-1", scopes, audience: pair.audience ?? resource }
        const outcome = (token: string) => authenticateToken(gate, token)

        const user = yield* outcome(yield* issuer.mintLike(name, options))
        assert.deepStrictEqual(typeof user === "string" ? user : user.scopes, pair.scopes ?? scopes)
        assert.strictEqual(
          typeof user === "string" ? user : user.clientId,
          pair.namesClient === false ? undefined : "client-1"
        )

        const machine = yield* outcome(yield* issuer.mintLike(name, { ...options, machine: true }))
        assert.isObject(machine, JSON.stringify(machine))

        // T-CLAIM-05
        const idToken = yield* outcome(yield* issuer.mintIdTokenLike(name, options))
        // The ID tokens of ADFS have another issuer than its access tokens, and the issuer is checked first.
        assert.include(name === "adfs" ? ["unknown-issuer"] : ["id-token", "token-type"], idToken)
        // T-CLAIM-07
        const foreign = pair.boundToClient === true
          ? { clientId: "client-2" }
          : { audience: "https://other.example.com" }
        assert.strictEqual(yield* outcome(yield* issuer.mintLike(name, { ...options, ...foreign })), "audience")
      })
  )
})
