import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Redacted, Schema } from "effect"
import { Audience, AuthLayer, type Profile, TokenType } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpClient, HttpRouter } from "effect/http"
import { authenticate, authorize } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"
import { authenticateToken, now, type Provider, provider, resource } from "../harness.ts"

const tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
const otherTenant = "82229342-1101-4ab6-817b-70c0747630f3"
const applicationId = "2c3caa80-93f9-425e-8b85-0745f50c0d24"

const getConfigError = (profile: Profile.Profile) =>
  Layer.build(gateLayer({ authorizationServers: [profile], resource, scopes: ["todos:read"] })).pipe(
    Effect.provide(TestIssuer.layer()),
    Effect.scoped,
    Effect.flip
  )

const getChallenge = (gate: Provider["gate"], request: { readonly token?: string; readonly needs?: string }) =>
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

describe("the scopes of a provider", () => {
  it.effect("have the form api://…/scope for Entra ID, in the metadata and in every challenge", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(Profiles.entra({ tenant, applicationId }))
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, [`api://${applicationId}/todos:read`])
      assert.include(yield* getChallenge(gate, {}), `scope="api://${applicationId}/todos:read"`)
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
        yield* getChallenge(gate, { token }),
        `scope="api://${applicationId}/todos:read api://${applicationId}/todos:write"`
      )
    }))

  it.effect("have the prefix of the resource server for Cognito", () =>
    Effect.gen(function*() {
      const { gate } = yield* provider(Profiles.cognito({
        region: "eu-west-1",
        userPoolId: "eu-west-1_A",
        clientIds: ["client-1"],
        resourceServer: "todos"
      }))
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, ["todos/todos:read"])
      assert.include(yield* getChallenge(gate, {}), `scope="todos/todos:read"`)
    }))

  it.effect("are roles for Zitadel, with the scope that adds the project to aud", () =>
    Effect.gen(function*() {
      const { gate } = yield* provider(Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "27" }))
      const requested = ["urn:zitadel:iam:org:project:role:todos:read", "urn:zitadel:iam:org:project:id:27:aud"]
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, requested)
      assert.include(yield* getChallenge(gate, {}), `scope="${requested.join(" ")}"`)
    }))

  it.effect("have the scope openid in addition for LemonLDAP::NG, which rejects authorization requests without it", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(Profiles.lemonldap({ issuer: "https://auth.example.com" }))
      assert.deepStrictEqual(gate.resource.metadata.scopes_supported, ["todos:read", "openid"])
      assert.include(yield* getChallenge(gate, {}), `scope="todos:read openid"`)
      const token = yield* sign({ typ: "JWT" }, {
        iss: "https://auth.example.com",
        aud: ["client-1", resource],
        sub: "alice",
        client_id: "client-1",
        scope: "openid todos:read",
        exp: now + 60
      })
      assert.include(yield* getChallenge(gate, { token }), `scope="todos:read todos:write openid"`)
    }))

  it.effect("are not requested if they are roles of Keycloak, which clients cannot request", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(
        Profiles.keycloak({ url: "https://sso.example.com", realm: "r", scopesFrom: { clientRoles: "todos" } })
      )
      assert.isFalse("scopes_supported" in gate.resource.metadata)
      assert.notInclude(yield* getChallenge(gate, {}), "scope=")
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
        Effect.flatMap(sign({}, { ...claims, resource_access }), (token) => authenticateToken(gate, token))
      assert.deepStrictEqual(yield* caller({ todos: { roles: ["todos:read"] }, other: { roles: ["todos:write"] } }), {
        subject: "alice",
        clientId: "client-1",
        scopes: ["todos:read"]
      })
      assert.deepStrictEqual(yield* caller(undefined), { subject: "alice", clientId: "client-1", scopes: [] })
      assert.strictEqual(yield* caller({ todos: { roles: { "todos:read": true } } }), "scope")
    }))

  it.effect("are only the permissions of Auth0 if scopesFrom is permissions", () =>
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
      assert.deepStrictEqual(yield* authenticateToken(gate, token), {
        subject: "alice",
        clientId: "client-1",
        scopes: ["todos:read"]
      })
    }))
})

describe("entraMultiTenant with anyTenant", () => {
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

  it.effect("admits tokens of every tenant", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(any)
      assert.deepStrictEqual(yield* authenticateToken(gate, yield* sign({}, claims(tenant))), alice)
      assert.deepStrictEqual(yield* authenticateToken(gate, yield* sign({}, claims(otherTenant))), alice)
    }))

  it.effect.each([
    { title: "another tid than in iss", claims: { tid: otherTenant }, reason: "tenant" },
    { title: "a tid in capitals", claims: { tid: tenant.toUpperCase() }, reason: "tenant" },
    { title: "no tid", claims: { tid: undefined }, reason: "tenant" },
    { title: "the template as issuer", claims: claims("{tenantid}"), reason: "unknown-issuer" },
    { title: "the name of a tenant in iss", claims: claims("contoso.onmicrosoft.com"), reason: "unknown-issuer" },
    { title: "no tenant in iss", claims: claims(""), reason: "unknown-issuer" },
    {
      title: "another host in iss",
      claims: { iss: `https://login.microsoftonline.com.evil.example/${tenant}/v2.0` },
      reason: "unknown-issuer"
    },
    {
      title: "a path before the tenant in iss",
      claims: { iss: `https://login.microsoftonline.com/x/${tenant}/v2.0` },
      reason: "unknown-issuer"
    }
  ])("rejects a token with $title", ({ claims: different, reason }) =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(any)
      assert.strictEqual(yield* authenticateToken(gate, yield* sign({}, { ...claims(tenant), ...different })), reason)
    }))

  it.effect.each([
    { issuer: undefined, admitted: true },
    { issuer: "https://login.microsoftonline.com/{tenantid}/v2.0", admitted: true },
    { issuer: `https://login.microsoftonline.com/${tenant}/v2.0`, admitted: true },
    { issuer: `https://sts.windows.net/${tenant}/`, admitted: true },
    { issuer: `https://login.microsoftonline.com/${otherTenant}/v2.0`, admitted: false },
    { issuer: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", admitted: false },
    { issuer: 1, admitted: false }
  ])("uses a key that names the issuer $issuer: $admitted", ({ admitted, issuer }) =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(any, { keys: (jwk) => [{ ...jwk, issuer }] })
      assert.deepStrictEqual(
        yield* authenticateToken(gate, yield* sign({}, claims(tenant))),
        admitted ? alice : "unknown-key"
      )
    }))
})

describe("a profile and environment variables", () => {
  const makeGate = (env: Readonly<Record<string, string>>, profile: Profile.Profile | undefined) =>
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
        const { metadata } = (yield* makeGate(it, okta)).resource
        assert.deepStrictEqual(metadata.authorization_servers, [okta.issuer])
        assert.strictEqual(metadata.resource, resource)
      }
      const { metadata } = (yield* makeGate(env, undefined)).resource
      assert.deepStrictEqual(metadata.authorization_servers, ["https://other.example.com"])
    }))
})

describe("a gate with several providers", () => {
  it.effect("applies to each token the rules of its issuer", () =>
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
      const oktaClaims = { iss: okta.issuer, aud: "api://todos", cid: "client-1", scp: ["todos:read"] }
      const entraClaims = { iss: entra.issuer, aud: applicationId, tid: tenant, azp: "client-2", scp: "todos:read" }
      const admitted = (clientId: string) => ({ subject: "alice", clientId, scopes: ["todos:read"] })
      assert.deepStrictEqual(yield* authenticateToken(gate, yield* token(one.issuer, oktaClaims)), admitted("client-1"))
      assert.deepStrictEqual(
        yield* authenticateToken(gate, yield* token(other.issuer, entraClaims)),
        admitted("client-2")
      )
      // Each of the next two tokens has the audience that only the profile of the other provider accepts.
      assert.strictEqual(
        yield* authenticateToken(gate, yield* token(one.issuer, { ...oktaClaims, aud: applicationId })),
        "audience"
      )
      assert.strictEqual(
        yield* authenticateToken(gate, yield* token(other.issuer, { ...entraClaims, aud: "api://todos" })),
        "audience"
      )
      assert.strictEqual(
        yield* authenticateToken(gate, yield* token(other.issuer, oktaClaims)),
        "signature",
        "a key of one provider verified a token of the other"
      )
    }))
})

describe("options in addition to a profile", () => {
  const profile = Profiles.okta({ domain: "acme.okta.com", server: "todos" })
  const claims = { iss: profile.issuer, sub: "alice", cid: "client-1", scp: ["todos:read"], exp: now + 60 }

  it.effect("replace the audience of the profile", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(profile, { gateOptions: { audience: Audience.oneOf(["api://todos"]) } })
      assert.isObject(yield* authenticateToken(gate, yield* sign({}, { ...claims, aud: "api://todos" })))
      assert.strictEqual(yield* authenticateToken(gate, yield* sign({}, { ...claims, aud: resource })), "audience")
    }))

  it.effect("replace the token type of the profile, but not its marks of access tokens (T-CLAIM-05)", () =>
    Effect.gen(function*() {
      const strict = yield* provider(profile, { gateOptions: { tokenType: TokenType.strict } })
      assert.strictEqual(
        yield* authenticateToken(strict.gate, yield* strict.sign({}, { ...claims, aud: resource })),
        "token-type"
      )
      const lax = yield* provider(profile, { gateOptions: { tokenType: TokenType.standard(["sub"]) } })
      assert.isObject(yield* authenticateToken(lax.gate, yield* lax.sign({}, { ...claims, aud: resource })))
      assert.strictEqual(
        yield* authenticateToken(lax.gate, yield* lax.sign({}, { ...claims, aud: resource, cid: undefined })),
        "token-type"
      )
    }))

  it.effect("replace the key set of the provider", () =>
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
      assert.isObject(yield* authenticateToken(gate, token))
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))
})

describe("the options of a profile", () => {
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
    {
      profile: Profiles.cloudflareAccess({ team: "acme.cloudflareaccess.com", audience: "0".repeat(64) }),
      option: "Profiles.cloudflareAccess.team"
    },
    {
      profile: Profiles.cloudflareAccess({ team: "acme", audience: "x" }),
      option: "Profiles.cloudflareAccess.audience"
    },
    {
      profile: Profiles.cloudflareAccess({ team: "acme", audience: "0".repeat(64), serviceTokens: [] }),
      option: "Profiles.cloudflareAccess.serviceTokens"
    },
    { profile: Profiles.googleIap({ audience: "todos" }), option: "Profiles.googleIap.audience" },
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
  ])("are checked, and the error names $option", ({ option, profile }) =>
    Effect.gen(function*() {
      const error = yield* getConfigError(profile)
      assert.strictEqual(error._tag, "AuthConfigError")
      assert.strictEqual(error.option, option)
    }))

  it.effect.each([null, "okta", {}, [], { ...Profiles.okta({ domain: "a.example", server: "s" }), issues: undefined }])(
    "are not accepted in place of a profile: %j",
    (profile) =>
      Effect.gen(function*() {
        const error = yield* getConfigError(profile as never)
        assert.strictEqual(error._tag, "AuthConfigError")
        assert.match(error.option, /^authorizationServers\[0\]/)
      })
  )

  it.effect("may name a server over plain http if the program allows insecure http", () =>
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

  it.effect("require introspection if the provider issues no JWTs", () =>
    Effect.gen(function*() {
      const { introspection: _, ...profile } = Profiles.google({ clientIds: ["c"] })
      const error = yield* getConfigError(profile)
      assert.strictEqual(error.option, "authorizationServers[0].introspection")
    }))

  it.effect("belong to authorizationServers: the removed option profile is an error that lists the options", () =>
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
