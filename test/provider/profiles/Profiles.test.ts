import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Redacted, Schema } from "effect"
import { Audience, AuthLayer, type Profile, TokenType } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpClient, HttpRouter } from "effect/http"
import { authenticate, authorize } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"
import { judge, now, type Provider, provider, resource } from "../harness.ts"

const tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
const stranger = "82229342-1101-4ab6-817b-70c0747630f3"
const applicationId = "2c3caa80-93f9-425e-8b85-0745f50c0d24"

const rejected = (profile: Profile.Profile) =>
  Layer.build(gateLayer({ authorizationServers: [profile], resource, scopes: ["todos:read"] })).pipe(
    Effect.provide(TestIssuer.layer()),
    Effect.scoped,
    Effect.flip
  )

const challengeOf = (gate: Provider["gate"], request: { readonly token?: string; readonly needs?: string }) =>
  Effect.gen(function*() {
    const authorization = request.token === undefined ? [] : [`Bearer ${request.token}`]
    const caller = yield* authenticate(gate, { method: "POST", header: () => undefined, authorization })
    if (typeof caller === "string") return yield* Effect.die(caller)
    const operation = { method: "tools/call", kind: "tool", name: "add" } as const
    return yield* authorize(gate, {
      caller,
      protocolVersion: "2026-07-28",
      operations: Effect.succeed([operation as never]),
      policy: () => ({ scopes: ["todos:read", "todos:write"], unauthorized: "challenge" })
    })
  }).pipe(Effect.flip, Effect.map((rejection) => rejection.headers["www-authenticate"]))

describe("scopes under another name", () => {
  it.effect("Entra ID: asked for as api://…/scope, in the metadata and in every challenge", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(Profiles.entra({ tenant, applicationId }))
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, [`api://${applicationId}/todos:read`])
      assert.include(yield* challengeOf(gate, {}), `scope="api://${applicationId}/todos:read"`)
      const token = yield* sign({}, {
        iss: `https://login.microsoftonline.com/${tenant}/v2.0`,
        aud: applicationId,
        tid: tenant,
        sub: "alice",
        azpacr: "0",
        scp: "todos:read",
        exp: now + 60
      })
      assert.include(
        yield* challengeOf(gate, { token }),
        `scope="api://${applicationId}/todos:read api://${applicationId}/todos:write"`
      )
    }))

  it.effect("Cognito: asked for with the resource server's identifier", () =>
    Effect.gen(function*() {
      const { gate } = yield* provider(Profiles.cognito({
        region: "eu-west-1",
        userPoolId: "eu-west-1_A",
        clientIds: ["client-1"],
        resourceServer: "todos"
      }))
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, ["todos/todos:read"])
      assert.include(yield* challengeOf(gate, {}), `scope="todos/todos:read"`)
    }))

  it.effect("Zitadel: asked for as roles, besides the scope that puts the project into aud", () =>
    Effect.gen(function*() {
      const { gate } = yield* provider(Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "27" }))
      const asked = ["urn:zitadel:iam:org:project:role:todos:read", "urn:zitadel:iam:org:project:id:27:aud"]
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, asked)
      assert.include(yield* challengeOf(gate, {}), `scope="${asked.join(" ")}"`)
    }))

  it.effect("roles of Keycloak: nobody can ask for them, so no scope is asked for", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(
        Profiles.keycloak({ url: "https://sso.example.com", realm: "r", scopesFrom: { clientRoles: "todos" } })
      )
      assert.isFalse("scopes_supported" in gate.resource.metadata)
      assert.notInclude(yield* challengeOf(gate, {}), "scope=")
      const claims = {
        iss: "https://sso.example.com/realms/r",
        aud: resource,
        sub: "alice",
        azp: "client-1",
        typ: "Bearer",
        scope: "todos:write",
        exp: now + 60
      }
      const caller = (resource_access: unknown) =>
        Effect.flatMap(sign({}, { ...claims, resource_access }), (token) => judge(gate, token))
      assert.deepStrictEqual(yield* caller({ todos: { roles: ["todos:read"] }, other: { roles: ["todos:write"] } }), {
        subject: "alice",
        clientId: "client-1",
        scopes: ["todos:read"]
      })
      assert.deepStrictEqual(yield* caller(undefined), { subject: "alice", clientId: "client-1", scopes: [] })
      assert.strictEqual(yield* caller({ todos: { roles: { "todos:read": true } } }), "scope")
    }))

  it.effect("permissions of Auth0 replace scope instead of adding to it", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(
        Profiles.auth0({ domain: "acme.eu.auth0.com", scopesFrom: "permissions" })
      )
      const token = yield* sign({}, {
        iss: "https://acme.eu.auth0.com/",
        aud: resource,
        sub: "alice",
        azp: "client-1",
        scope: "todos:write",
        permissions: ["todos:read"],
        exp: now + 60
      })
      assert.deepStrictEqual(yield* judge(gate, token), {
        subject: "alice",
        clientId: "client-1",
        scopes: ["todos:read"]
      })
    }))
})

describe("tenants of Entra ID", () => {
  const claims = (tid: string) => ({
    iss: `https://login.microsoftonline.com/${tid}/v2.0`,
    tid,
    aud: applicationId,
    sub: "alice",
    azp: "client-1",
    azpacr: "0",
    scp: "todos:read",
    exp: now + 60
  })
  const alice = { subject: "alice", clientId: "client-1", scopes: ["todos:read"] }
  const any = Profiles.entraMultiTenant({ tenants: Profiles.anyTenant, applicationId })

  it.effect("any of them, where that is written", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(any)
      assert.deepStrictEqual(yield* judge(gate, yield* sign({}, claims(tenant))), alice)
      assert.deepStrictEqual(yield* judge(gate, yield* sign({}, claims(stranger))), alice)
    }))

  it.effect.each([
    { title: "another tid", claims: { tid: stranger }, reason: "tenant" },
    { title: "a tid in capitals", claims: { tid: tenant.toUpperCase() }, reason: "tenant" },
    { title: "no tid", claims: { tid: undefined }, reason: "tenant" },
    { title: "the template", claims: claims("{tenantid}"), reason: "unknown-issuer" },
    { title: "a tenant's name", claims: claims("contoso.onmicrosoft.com"), reason: "unknown-issuer" },
    { title: "no tenant", claims: claims(""), reason: "unknown-issuer" },
    {
      title: "another host",
      claims: { iss: `https://login.microsoftonline.com.evil.example/${tenant}/v2.0` },
      reason: "unknown-issuer"
    },
    {
      title: "a path before the tenant",
      claims: { iss: `https://login.microsoftonline.com/x/${tenant}/v2.0` },
      reason: "unknown-issuer"
    }
  ])("even then not $title", ({ claims: different, reason }) =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(any)
      assert.strictEqual(yield* judge(gate, yield* sign({}, { ...claims(tenant), ...different })), reason)
    }))

  it.effect.each([
    { issuer: undefined, admitted: true },
    { issuer: "https://login.microsoftonline.com/{tenantid}/v2.0", admitted: true },
    { issuer: `https://login.microsoftonline.com/${tenant}/v2.0`, admitted: true },
    { issuer: `https://sts.windows.net/${tenant}/`, admitted: true },
    { issuer: `https://login.microsoftonline.com/${stranger}/v2.0`, admitted: false },
    { issuer: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", admitted: false },
    { issuer: 1, admitted: false }
  ])("a key that names the issuer $issuer", ({ admitted, issuer }) =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(any, { keys: (jwk) => [{ ...jwk, issuer }] })
      assert.deepStrictEqual(yield* judge(gate, yield* sign({}, claims(tenant))), admitted ? alice : "unknown-key")
    }))
})

describe("a profile and environment variables", () => {
  const gateOf = (env: Readonly<Record<string, string>>, profile: Profile.Profile | undefined) =>
    Layer.build(
      AuthLayer.make({
        resource: Config.String("RESOURCE_URL"),
        authorizationServers: profile === undefined
          ? Config.Array(Schema.String, "AUTHORIZATION_SERVERS")
          : [profile],
        scopes: ["todos:read"]
      })
    ).pipe(
      Effect.flatMap((services) => Effect.provide(AuthLayer.AuthLayer, services)),
      Effect.provide(HttpRouter.layer),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))
    )
  const okta = Profiles.okta({ domain: "acme.okta.com", server: "todos" })

  it.effect("the profile contains the issuer, and a variable the resource", () =>
    Effect.gen(function*() {
      const env = { RESOURCE_URL: resource, AUTHORIZATION_SERVERS: "https://other.example.com" }
      for (const it of [env, { RESOURCE_URL: resource }]) {
        const { metadata } = (yield* gateOf(it, okta)).resource
        assert.deepStrictEqual(metadata.authorization_servers, [okta.issuer])
        assert.strictEqual(metadata.resource, resource)
      }
      const { metadata } = (yield* gateOf(env, undefined)).resource
      assert.deepStrictEqual(metadata.authorization_servers, ["https://other.example.com"])
    }))
})

describe("several providers", () => {
  it.effect("each token by the rules of its own issuer", () =>
    Effect.gen(function*() {
      const okta = Profiles.okta({ domain: "acme.okta.com", server: "todos", audience: "api://todos" })
      const entra = Profiles.entra({ tenant, applicationId })
      const other = yield* TestIssuer.make({ issuer: entra.issuer })
      const one = yield* TestIssuer.make({ issuer: okta.issuer, others: [other.issuer] })
      const services = yield* Layer.build(
        gateLayer({
          authorizationServers: [{ profile: okta }, { profile: entra }],
          resource,
          scopes: ["todos:read"]
        }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, one.client)))
      )
      const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
      const token = (issuer: TestIssuer.TestIssuer["Service"], claims: object) =>
        Effect.flatMap(issuer.currentKey, ({ kid }) =>
          issuer.sign({ alg: "ES256", kid }, { sub: "alice", exp: 300, ...claims }))
      const ofOkta = { iss: okta.issuer, aud: "api://todos", cid: "client-1", scp: ["todos:read"] }
      const ofEntra = { iss: entra.issuer, aud: applicationId, tid: tenant, azp: "client-2", scp: "todos:read" }
      const admitted = (clientId: string) => ({ subject: "alice", clientId, scopes: ["todos:read"] })
      assert.deepStrictEqual(yield* judge(gate, yield* token(one.issuer, ofOkta)), admitted("client-1"))
      assert.deepStrictEqual(yield* judge(gate, yield* token(other.issuer, ofEntra)), admitted("client-2"))
      // What the other one's rules would accept.
      assert.strictEqual(yield* judge(gate, yield* token(one.issuer, { ...ofOkta, aud: applicationId })), "audience")
      assert.strictEqual(yield* judge(gate, yield* token(other.issuer, { ...ofEntra, aud: "api://todos" })), "audience")
      assert.strictEqual(
        yield* judge(gate, yield* token(other.issuer, ofOkta)),
        "signature",
        "a key of one is none of the other"
      )
    }))
})

describe("options beside a profile", () => {
  const profile = Profiles.okta({ domain: "acme.okta.com", server: "todos" })
  const claims = { iss: profile.issuer, sub: "alice", cid: "client-1", scp: ["todos:read"], exp: now + 60 }

  it.effect("an audience wins", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(profile, { beside: { audience: Audience.oneOf(["api://todos"]) } })
      assert.isObject(yield* judge(gate, yield* sign({}, { ...claims, aud: "api://todos" })))
      assert.strictEqual(yield* judge(gate, yield* sign({}, { ...claims, aud: resource })), "audience")
    }))

  it.effect("a token type wins, and what the profile demands holds besides (T-CLAIM-05)", () =>
    Effect.gen(function*() {
      const strict = yield* provider(profile, { beside: { tokenType: TokenType.strict } })
      assert.strictEqual(yield* judge(strict.gate, yield* strict.sign({}, { ...claims, aud: resource })), "token-type")
      const lax = yield* provider(profile, { beside: { tokenType: TokenType.standard(["sub"]) } })
      assert.isObject(yield* judge(lax.gate, yield* lax.sign({}, { ...claims, aud: resource })))
      assert.strictEqual(
        yield* judge(lax.gate, yield* lax.sign({}, { ...claims, aud: resource, cid: undefined })),
        "token-type"
      )
    }))

  it.effect("a key set of one's own replaces the provider's", () =>
    Effect.gen(function*() {
      const { issuer } = yield* provider(profile, { algorithm: "ES256" })
      const { kid, publicJwk } = yield* issuer.currentKey
      const services = yield* Layer.build(
        gateLayer({
          authorizationServers: [{ profile, jwks: { keys: [publicJwk as Record<string, unknown>] } }],
          resource,
          scopes: ["todos:read"]
        }).pipe(Layer.provide(TestIssuer.layer()))
      )
      const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
      const token = yield* issuer.sign({ alg: "ES256", kid }, { ...claims, aud: resource })
      assert.isObject(yield* judge(gate, token))
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))
})

describe("options of a profile", () => {
  it.effect.each([
    { profile: Profiles.okta({ domain: "", server: "default" }), option: "Profiles.okta.domain" },
    { profile: Profiles.okta({ domain: "acme.okta.com/oauth2", server: "x" }), option: "Profiles.okta.domain" },
    { profile: Profiles.okta({ domain: "http://acme.okta.com", server: "x" }), option: "Profiles.okta.domain" },
    { profile: Profiles.okta({ domain: "acme.okta.com", server: "" }), option: "Profiles.okta.server" },
    { profile: Profiles.okta({ domain: "acme.okta.com", server: "a/b" }), option: "Profiles.okta.server" },
    { profile: Profiles.auth0({ domain: undefined as never }), option: "Profiles.auth0.domain" },
    { profile: Profiles.entra({ tenant: "contoso.com", applicationId }), option: "Profiles.entra.tenant" },
    { profile: Profiles.entra({ tenant, applicationId: "todos" }), option: "Profiles.entra.applicationId" },
    {
      profile: Profiles.entraMultiTenant({ tenants: [] as never, applicationId }),
      option: "Profiles.entraMultiTenant.tenants"
    },
    {
      profile: Profiles.entraMultiTenant({ tenants: ["common"], applicationId }),
      option: "Profiles.entraMultiTenant.tenants"
    },
    {
      profile: Profiles.cognito({ region: "eu-west-1", userPoolId: "p", clientIds: [] as never }),
      option: "Profiles.cognito.clientIds"
    },
    { profile: Profiles.keycloak({ url: "sso.example.com", realm: "r" }), option: "Profiles.keycloak.url" },
    {
      profile: Profiles.keycloak({ url: "http://keycloak:8080", realm: "r" }),
      option: "authorizationServers[0].issuer"
    },
    { profile: Profiles.logto({ endpoint: "https://acme.logto.app/?" }), option: "Profiles.logto.endpoint" },
    { profile: Profiles.authkit({ domain: "acme.authkit.app/x" }), option: "Profiles.authkit.domain" },
    { profile: Profiles.stytch({ domain: "acme.example", projectId: "" }), option: "Profiles.stytch.projectId" },
    { profile: Profiles.descope({ projectId: "a/b" }), option: "Profiles.descope.projectId" },
    {
      profile: Profiles.descope({ projectId: "P", mcpServerIssuer: "MS1" }),
      option: "Profiles.descope.mcpServerIssuer"
    },
    {
      profile: Profiles.scalekit({ environment: "https://acme.scalekit.com", resourceId: resource }),
      option: "Profiles.scalekit.resourceId"
    },
    {
      profile: Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: [""] }),
      option: "Profiles.clerk.clientIds"
    },
    {
      profile: Profiles.supabase({ url: "https://a.supabase.co" } as never),
      option: "Profiles.supabase.clientIds"
    },
    {
      profile: Profiles.supabase({ url: "https://a.supabase.co", audience: "" }),
      option: "authorizationServers[0].audience"
    },
    { profile: Profiles.zitadel({ url: "https://a.example", projectId: "" }), option: "Profiles.zitadel.projectId" },
    {
      profile: Profiles.authentik({ url: "https://a.example", slug: "a", clientId: "" }),
      option: "Profiles.authentik.clientId"
    },
    { profile: Profiles.hydra({ url: "auth.example.com" }), option: "Profiles.hydra.url" },
    { profile: Profiles.pingone({ environmentId: "env" }), option: "Profiles.pingone.environmentId" },
    {
      profile: Profiles.adfs({ issuer: "https://fs.example.com/adfs", accessTokenIssuer: "" }),
      option: "Profiles.adfs.accessTokenIssuer"
    },
    { profile: Profiles.oidcProvider({ issuer: "auth.example.com" }), option: "Profiles.oidcProvider.issuer" },
    { profile: Profiles.oidcProvider({ issuer: 5 as never }), option: "Profiles.oidcProvider.issuer" },
    {
      profile: Profiles.auth0({ domain: "a.example", audiance: "x" } as never),
      option: "Profiles.auth0.audiance"
    },
    {
      profile: Profiles.auth0({ domain: "a.example", scopesFrom: "permission" as never }),
      option: "Profiles.auth0.scopesFrom"
    },
    {
      profile: Profiles.keycloak({ url: "https://a.example", realm: "r", scopesFrom: "roles" as never }),
      option: "Profiles.keycloak.scopesFrom"
    },
    {
      profile: Profiles.github({ clientId: "c", clientSecret: Redacted.make("") }),
      option: "Profiles.github.clientSecret"
    },
    {
      profile: Profiles.openauth({ issuer: "https://a.example", clientIds: [] as never }),
      option: "Profiles.openauth.clientIds"
    },
    {
      profile: { ...Profiles.okta({ domain: "acme.okta.com", server: "x" }), audience: Audience.oneOf([] as never) },
      option: "authorizationServers[0].audience"
    }
  ])("$option", ({ option, profile }) =>
    Effect.gen(function*() {
      const error = yield* rejected(profile)
      assert.strictEqual(error._tag, "AuthConfigError")
      assert.strictEqual(error.option, option)
    }))

  it.effect.each([null, "okta", {}, [], { ...Profiles.okta({ domain: "a.example", server: "s" }), issues: undefined }])(
    "a profile that is none: %j",
    (profile) =>
      Effect.gen(function*() {
        const error = yield* rejected(profile as never)
        assert.strictEqual(error._tag, "AuthConfigError")
        assert.match(error.option, /^authorizationServers\[0\]/)
      })
  )

  it.effect("a neighbouring container over plain http, where that is written", () =>
    Effect.gen(function*() {
      const profile = Profiles.keycloak({ url: "http://keycloak:8080", realm: "r" })
      const services = yield* Layer.build(
        gateLayer({
          authorizationServers: [{ profile, [AuthorizationServer.allowInsecureHttp]: true }],
          resource,
          scopes: ["todos:read"]
        }).pipe(Layer.provide(TestIssuer.layer()))
      )
      const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
      assert.deepStrictEqual(gate.resource.metadata.authorization_servers, ["http://keycloak:8080/realms/r"])
    }))

  it.effect("a provider without JWTs says how it is asked about a token", () =>
    Effect.gen(function*() {
      const { introspection: _, ...profile } = Profiles.google({ clientIds: ["c"] })
      const error = yield* rejected(profile)
      assert.strictEqual(error.option, "authorizationServers[0].introspection")
    }))

  it.effect("the option profile is gone, and the error lists the options that there are", () =>
    Effect.gen(function*() {
      const profile = Profiles.okta({ domain: "acme.okta.com", server: "x" })
      const error = yield* Layer.build(
        gateLayer({ profile, resource, scopes: ["todos:read"] } as never)
      ).pipe(Effect.provide(TestIssuer.layer()), Effect.scoped, Effect.flip)
      const { fix, option } = error as { readonly fix?: string; readonly option?: string }
      assert.strictEqual(option, "profile")
      assert.include(fix, "authorizationServers")
    }))
})
