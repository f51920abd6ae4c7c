import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { TokenShape } from "effect-mcp-auth/testing"
import { judge, provider, resource } from "./harness.ts"

const tenant = "f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f"
const application = "2c3caa80-93f9-425e-8b85-0745f50c0d24"
const own = { issuer: "https://id.todos.test" }

interface Pair {
  readonly profile: Profile.Profile
  /** What the provider is asked to write. Default: the resource. */
  readonly audience?: string
  /** Who may not come in. `false`: its tokens have no audience of ours. */
  readonly elsewhere?: false
  /** `false`: its tokens do not name their client. */
  readonly client?: false
  /** Default: those that were granted. */
  readonly scopes?: ReadonlyArray<string>
}

/** The profile for each shape of the testing kit: what people test with is what the profiles admit. */
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
    elsewhere: false
  },
  keycloak: { profile: Profiles.keycloak({ url: own.issuer, realm: "todos" }) },
  logto: { profile: Profiles.logto({ endpoint: "https://todos.logto.app" }) },
  workos: { profile: Profiles.authkit({ domain: "todos.authkit.app" }) },
  stytch: { profile: Profiles.stytch({ domain: "todos.customers.stytch.com", projectId: "p" }), audience: "p" },
  descope: {
    profile: Profiles.descope({ projectId: "P2abcdefghijklmnopqrstuvwxyz" }),
    audience: "P2abcdefghijklmnopqrstuvwxyz",
    client: false
  },
  scalekit: {
    profile: Profiles.scalekit({ environment: "https://todos.scalekit.com", resourceId: "res_1234567890" }),
    audience: "res_1234567890"
  },
  clerk: { profile: Profiles.clerk({ frontendApi: "clerk.todos.test", clientIds: ["client-1"] }), elsewhere: false },
  supabase: {
    profile: Profiles.supabase({ url: "https://abcdefghijklmnopqrst.supabase.co", clientIds: ["client-1"] }),
    elsewhere: false,
    scopes: []
  },
  zitadel: { profile: Profiles.zitadel({ url: "https://todos.zitadel.cloud", projectId: "27" }), audience: "27" },
  authentik: {
    profile: Profiles.authentik({ url: own.issuer, slug: "todos", clientId: "client-1" }),
    elsewhere: false
  },
  hydra: { profile: Profiles.hydra({ url: own.issuer }) },
  pingone: {
    profile: Profiles.pingone({
      environmentId: "2f8d3b1c-7a64-4d0e-9c55-8e1f6a2b3c4d",
      region: "eu",
      machineClients: ["client-1"]
    })
  },
  "oidc-provider": { profile: Profiles.oidcProvider(own) },
  "better-auth": { profile: Profiles.betterAuth({ issuer: "https://todos.test/api/auth" }) },
  glewlwyd: { profile: Profiles.glewlwyd({ issuer: "https://id.todos.test/api/oidc" }) },
  lemonldap: { profile: Profiles.lemonldap(own) },
  openauth: { profile: Profiles.openauth({ ...own, clientIds: ["client-1"] }), elsewhere: false, scopes: [] }
}

const scopes = ["todos:read", "todos:write"]

describe("the shapes of the testing kit", () => {
  it("have a profile each, but for opaque tokens and for what is no bearer token", () => {
    const without = TokenShape.providers.filter((name) =>
      pairs[name] === undefined && TokenShape.shapes[name].opaque === undefined
    )
    assert.deepStrictEqual(without, ["cloudflare-access"])
  })

  it.effect.each(Object.entries(pairs) as ReadonlyArray<[TokenShape.Provider, Pair]>)(
    "%s",
    ([name, pair]) =>
      Effect.gen(function*() {
        const { algorithm, issuer: written } = TokenShape.shapes[name]
        assert.strictEqual(pair.profile.issuer, written)
        const { gate, issuer } = yield* provider(pair.profile, { algorithm })
        const options = { subject: "alice", clientId: "client-1", scopes, audience: pair.audience ?? resource }
        const outcome = (token: string) => judge(gate, token)

        const person = yield* outcome(yield* issuer.mintLike(name, options))
        assert.deepStrictEqual(typeof person === "string" ? person : person.scopes, pair.scopes ?? scopes)
        assert.strictEqual(
          typeof person === "string" ? person : person.clientId,
          pair.client === false ? undefined : "client-1"
        )

        const program = yield* outcome(yield* issuer.mintLike(name, { ...options, machine: true }))
        assert.isObject(program, `a program's own token: ${JSON.stringify(program)}`)

        // T-CLAIM-05
        assert.isString(yield* outcome(yield* issuer.mintIdTokenLike(name, options)))
        // T-CLAIM-07
        const foreign = pair.elsewhere === false ? { clientId: "client-2" } : { audience: "https://other.example.com" }
        assert.strictEqual(yield* outcome(yield* issuer.mintLike(name, { ...options, ...foreign })), "audience")
      })
  )
})
