import { assert, describe, it, layer } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Redacted, Schema } from "effect"
import { Audience, AuthLayer, type Profile } from "effect-mcp-auth"
import { AddressGuard } from "effect-mcp-auth/host"
import { Profiles, type Report, TokenReport } from "effect-mcp-auth/provider"
import { Forgery, TestIssuer, TokenShape } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { serverEntryFor } from "../../../src/provider/token/ServerEntry.ts"
import { gateLayer } from "../../servers/gates.ts"
import { authenticateToken, provider } from "../harness.ts"
import { rows } from "../rows.ts"
import { now, variants } from "./variants.ts"

const resource = "https://server.test/mcp"

type ServerOptions = Pick<AuthLayer.Options<readonly ["any"]>, "authorizationServers" | "audience">

/** Returns `"accepted"`, or the reason for which the gate of a server rejects a token. */
const decideByGate = (token: string, options: ServerOptions) =>
  Effect.gen(function*() {
    const gate = yield* AuthLayer.AuthLayer
    const decision = yield* authenticateToken(gate, token)
    return typeof decision === "string" ? decision : "accepted"
  }).pipe(Effect.provide(gateLayer({ ...options, resource, scopes: ["any"] })), Effect.scoped)

/** Returns the decision of the gate that a report contains. */
const readDecision = (report: Report.Report): string => {
  const finding = report.findings.find(({ rule }) => rule === "token-accepted")!
  return finding.why.replace(/^(?:rejected(?: without introspection)?|not decided): /, "")
}

/** Evaluates the options that a report shows, as a program that contains them would. */
const evaluate = (code: string): ServerOptions & { readonly resource: string; readonly scopes: readonly ["any"] } =>
  new Function("AuthLayer", "Audience", "Profiles", `return ${code}`)({ make: (_: unknown) => _ }, Audience, Profiles)

/** Checks that the report about a token agrees with the gate, and that the gate accepts the token with the shown options. */
const assertAgrees = (
  token: string,
  server: ServerOptions,
  options: Partial<TokenReport.Options>
) =>
  Effect.gen(function*() {
    const expected = yield* decideByGate(token, server)
    const report = yield* TokenReport.run(Redacted.make(token), { resource, ...options })
    assert.strictEqual(readDecision(report), expected)
    assert.strictEqual(report.outcome === "pass", expected === "accepted", JSON.stringify(report.findings))
    if (expected !== "accepted") assert.strictEqual(report.options, undefined)
    if (report.options === undefined) return report
    assert.notMatch(report.options, /scopes: \[\]|tokenIssuers/)
    const shown = evaluate(report.options)
    const decision = yield* Effect.gen(function*() {
      return yield* authenticateToken(yield* AuthLayer.AuthLayer, token)
    }).pipe(Effect.provide(gateLayer(shown)), Effect.scoped)
    assert.isObject(decision, String(decision))
    return report
  })

describe("the report on a token and the gate agree", () => {
  it.effect.each(Object.entries(variants))("on a signed token with %s", ([, variant]) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { issuer, mint } = yield* TestIssuer.TestIssuer
      const token = yield* mint({ scopes: ["todos:read"], ...variant })
      yield* assertAgrees(token, { authorizationServers: [issuer] }, { issuer })
    }).pipe(Effect.provide(TestIssuer.layer())))

  it.effect.each(Forgery.kinds)("on the forgery %s", (kind) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { issuer, mintBroken } = yield* TestIssuer.TestIssuer
      const token = yield* mintBroken(kind, { scopes: ["todos:read"] })
      const report = yield* assertAgrees(token, { authorizationServers: [issuer] }, { issuer })
      assert.strictEqual(readDecision(report), Forgery.forgeries[kind].reason)
    }).pipe(Effect.provide(TestIssuer.layer())))
})

/** Issuers that look like those of known providers, and are none. */
const hostileIssuers = [
  "https://a b.okta.com/oauth2/x",
  "https://x.okta.com/oauth2/",
  "https://x.okta.com/oauth2/a/b",
  "https://login.microsoftonline.com/",
  "https://login.microsoftonline.com/{tenantid}/v2.0",
  "https://sts.windows.net/f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f",
  "https://cognito-idp.eu-west-1.amazonaws.com/",
  "https://cognito-idp.eu-west-1.amazonaws.com/a?b",
  "https://[.auth0.com/",
  "https://%.auth0.com",
  "https://user:secret@x.auth0.com/",
  "https://id.test/realms/%2e%2e/",
  "https://id.test/realms/../",
  "https://id.test/application/o/a b/",
  "http://fs.test/adfs/services/trust",
  "http://fs.test/adfs/services/trust?x",
  "//adfs/services/trust",
  "https://auth.pingone.eu/",
  "https://api.descope.com/",
  "https://x.zitadel.cloud/",
  "__proto__",
  "\u0000"
]

describe("the entry for the issuer in access tokens of AD FS", () => {
  it.each([
    "http://fs.test/adfs/services/trust",
    "http://fs.test/adfs/services/trust/",
    "http://FS.test/ADFS/services/trust"
  ])("has the profile and the exact issuer %s", (iss) => {
    assert.deepStrictEqual(serverEntryFor(undefined, iss, { audiences: [], clientIds: [] }).profile, {
      name: "adfs",
      options: { issuer: "https://fs.test/adfs", accessTokenIssuer: iss }
    })
  })
})

describe("the report on a token of a hostile issuer", () => {
  it.effect.each(hostileIssuers)("has a result for the issuer %j", (iss) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const { issuer, mint } = yield* TestIssuer.TestIssuer
      for (const names of [{}, { audiences: ["a"], clientIds: ["client-1"] }, { audiences: [application] }]) {
        const token = yield* mint({ scopes: ["todos:read"], audience: names.audiences ?? resource, claims: { iss } })
        const alone = yield* TokenReport.run(Redacted.make(token), { resource, ...names })
        // The options are valid, even if no server can fetch the keys of this issuer.
        if (alone.options !== undefined) yield* Effect.scoped(Layer.build(gateLayer(evaluate(alone.options))))
        const named = yield* TokenReport.run(Redacted.make(token), { resource, issuer, ...names })
        assert.strictEqual(readDecision(named), "unknown-issuer")
        assert.isString(yield* TokenReport.describe(Redacted.make(token)))
      }
    }).pipe(Effect.provide(TestIssuer.layer())))
})

interface Setup {
  /** The profile that the report derives from the issuer. Default: the issuer alone. */
  readonly profile?: Profile.Profile
  /** The value of `aud` that means the server. Default: the resource. */
  readonly audience?: string
  /** Whether tokens are bound to their client. Default: `false`. */
  readonly bindsClient?: true
}

const application = "2c3caa80-93f9-425e-8b85-0745f50c0d24"
const tenant = "f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f"
const entra = { tenant, applicationId: application }

/** How each provider of the testing kit is set up for the server. */
const setups: Readonly<Record<TokenShape.Provider, Setup>> = {
  auth0: { profile: Profiles.auth0({ domain: "todos.eu.auth0.com" }) },
  "auth0-rfc9068": { profile: Profiles.auth0({ domain: "todos.eu.auth0.com" }) },
  okta: { profile: Profiles.okta({ domain: "todos.okta.com", server: "default" }) },
  "entra-v1": { profile: Profiles.entra(entra), audience: `api://${application}` },
  entra: { profile: Profiles.entra(entra), audience: application },
  google: {},
  github: {},
  cognito: {
    profile: Profiles.cognito({
      region: "eu-central-1",
      userPoolId: "eu-central-1_AbCdEfGhI",
      clientIds: ["client-1"]
    }),
    bindsClient: true
  },
  workos: { profile: Profiles.authkit({ domain: "todos.authkit.app" }) },
  stytch: { audience: "project-1" },
  descope: {
    profile: Profiles.descope({ projectId: "P2abcdefghijklmnopqrstuvwxyz", audience: "P2abcdefghijklmnopqrstuvwxyz" }),
    audience: "P2abcdefghijklmnopqrstuvwxyz"
  },
  scalekit: { audience: "res_1234567890" },
  clerk: { bindsClient: true },
  supabase: {
    profile: Profiles.supabase({ url: "https://abcdefghijklmnopqrst.supabase.co", clientIds: ["client-1"] }),
    bindsClient: true
  },
  pingone: {
    profile: Profiles.pingone({ environmentId: "2f8d3b1c-7a64-4d0e-9c55-8e1f6a2b3c4d", region: "eu" })
  },
  gitlab: {},
  "cloudflare-access": { audience: "aud-tag" },
  salesforce: {},
  adfs: {
    profile: Profiles.adfs({
      issuer: "https://fs.todos.test/adfs",
      accessTokenIssuer: "http://fs.todos.test/adfs/services/trust"
    })
  },
  keycloak: { profile: Profiles.keycloak({ url: "https://id.todos.test", realm: "todos" }) },
  logto: { profile: Profiles.logto({ endpoint: "https://todos.logto.app" }) },
  zitadel: { profile: Profiles.zitadel({ url: "https://todos.zitadel.cloud", projectId: "27" }), audience: "27" },
  "zitadel-opaque": {},
  authentik: {
    profile: Profiles.authentik({ url: "https://id.todos.test", slug: "todos", clientId: "client-1" }),
    bindsClient: true
  },
  hydra: {},
  "hydra-opaque": {},
  "spring-authorization-server": { bindsClient: true },
  duende: {},
  "oidc-provider": {},
  "better-auth": {},
  glewlwyd: {},
  lemonldap: {},
  openauth: { bindsClient: true },
  "django-oauth-toolkit": {},
  doorkeeper: {}
}

/** Lists the tokens of a provider: those that the server is meant to accept, and those that it has to reject. */
const mintAll = (name: TokenShape.Provider, { audience, bindsClient }: Setup) =>
  Effect.gen(function*() {
    const { mintIdTokenLike, mintLike } = yield* TestIssuer.TestIssuer
    const content = { scopes: ["todos:read", "todos:write"], audience: audience ?? resource }
    const elsewhere = bindsClient === true ? { clientId: "client-2" } : { audience: "https://other.test/mcp" }
    return yield* Effect.all({
      "a token of a user": mintLike(name, content),
      "a token of a machine": mintLike(name, { ...content, machine: true }),
      "a token without scopes": mintLike(name, { ...content, scopes: [] }),
      "a token for another server": mintLike(name, { ...content, ...elsewhere }),
      "an expired token": mintLike(name, { ...content, expiresIn: "-1 minute" }),
      "a token that is bound to a key": mintLike(name, {
        ...content,
        boundTo: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
      }),
      "an ID token": mintIdTokenLike(name, content)
    })
  })

describe("the report on a token of a provider and the gate agree", () => {
  it.effect.each(TokenShape.providers)("at %s, with and without the keys", (name) =>
    Effect.gen(function*() {
      yield* TestClock.setTime(now * 1000)
      const setup = setups[name]
      const { issuer } = TokenShape.shapes[name]
      const recipient = {
        audiences: setup.audience === undefined ? [] : [setup.audience],
        clientIds: setup.bindsClient === true ? ["client-1"] : []
      }
      const server: ServerOptions = setup.profile !== undefined ? { authorizationServers: [setup.profile] } : {
        authorizationServers: [issuer],
        audience: setup.bindsClient === true
          ? Audience.clientIds(["client-1"])
          : setup.audience === undefined
          ? undefined
          : Audience.oneOf([setup.audience])
      }
      for (const [title, token] of Object.entries(yield* mintAll(name, setup))) {
        const fetched = yield* assertAgrees(token, server, { ...recipient, issuer })
        // GitHub publishes no keys, so the gate cannot decide about a JWT.
        if (readDecision(fetched) === "missing-member") continue
        const unfetched = yield* assertAgrees(token, server, recipient)
        assert.deepStrictEqual(
          [unfetched.outcome, unfetched.options, readDecision(unfetched)],
          [fetched.outcome, fetched.options, readDecision(fetched)],
          title
        )
        if (title === "a token of a user" && setup.profile !== undefined && fetched.outcome === "pass") {
          // Supabase adds no scopes to tokens.
          if (name === "supabase") assert.match(fetched.notes.join(), /has no scope/)
          else assert.match(fetched.options!, /Profiles\./)
        }
      }
    }).pipe(
      Effect.provide(
        TestIssuer.layer({
          ...TestIssuer.optionsLike(name),
          // Keys of this algorithm are generated fast. The profiles accept all algorithms.
          algorithm: "ES256",
          jwksUri: setups[name].profile?.jwksUri,
          resource
        })
      )
    ))
})

/** Returns the values of an audience rule that identify the server. */
const recipientOf = (
  rule: Audience.Audience
): { audiences: ReadonlyArray<string>; clientIds: ReadonlyArray<string> } => {
  switch (rule._tag) {
    case "OneOf":
      return { audiences: rule.values, clientIds: [] }
    case "ClientIds":
      return { audiences: [], clientIds: rule.values }
    case "All": {
      const all = rule.rules.map(recipientOf)
      return { audiences: all.flatMap((_) => _.audiences), clientIds: all.flatMap((_) => _.clientIds) }
    }
    default:
      return { audiences: [], clientIds: [] }
  }
}

/**
 * The rows whose access token needs an option that its issuer does not imply: a list of tenants, a claim that contains the
 * scopes, a mark of access tokens, or the rule that allows ID tokens. Add a new row here if its token needs one as well.
 */
const withoutOptions = new Set([
  "Entra ID v2, several tenants",
  "Supabase Auth",
  "Supabase Auth, with a token hook",
  "OpenAuth",
  "Dex",
  "Cloudflare Access",
  "Google Identity-Aware Proxy"
])

describe("the options in a report", () => {
  it.effect.each(rows)("admit each token of $row for which they are shown", (row) =>
    Effect.gen(function*() {
      const { client, gate, sign } = yield* provider(row.profile, { algorithm: row.algorithm, keys: row.keys })
      const tokens = [{}, ...Object.values(row.alsoAdmits ?? {}), ...Object.values(row.rejects)]
      const recipient = recipientOf(row.profile.audience)
      for (const changed of tokens) {
        const token = yield* sign({ ...row.header, ...changed.header }, { ...row.claims, ...changed.claims })
        const report = yield* TokenReport.run(Redacted.make(token), {
          resource: gate.resource.resource,
          issuer: row.profile.issuer,
          ...recipient
        }).pipe(Effect.provideService(HttpClient.HttpClient, client))
        const { options } = report
        // The first token is the access token of the row.
        if (changed === tokens[0]) assert.strictEqual(options === undefined, withoutOptions.has(row.row))
        if (options === undefined) {
          continue
        }
        const shown = gateLayer(evaluate(options)).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
        const admitted = yield* Effect.gen(function*() {
          return yield* authenticateToken(yield* AuthLayer.AuthLayer, token)
        }).pipe(Effect.provide(shown), Effect.scoped)
        assert.isObject(admitted, `${String(admitted)}\n${options}`)
        // Options without the profile are weaker: they know the standards only.
        if (options.includes("Profiles.")) assert.isObject(yield* authenticateToken(gate, token), options)
      }
    }).pipe(Effect.provideService(AddressGuard.Resolver, undefined), Effect.scoped))
})

layer(TestIssuer.layer())("properties", (it) => {
  const names =
    ("iss sub aud exp nbf iat client_id azp scope scp cnf typ nonce token_use alg kid crit b64 at_hash events use")
      .split(" ")
  const meaningful = [
    resource,
    "https://issuer.test",
    "ES256",
    "at+jwt",
    "JWT",
    "access",
    "key-1",
    now + 300,
    now,
    now - 1
  ]
  const Value = Schema.Union([Schema.Json, Schema.Literals(meaningful)])
  const members = Arbitrary.array(
    Arbitrary.schema(Schema.Struct({ name: Schema.Literals(names), value: Value })),
    { maxLength: 3 }
  )

  it.effect.prop(
    "the report and the gate agree on any signed token",
    { header: members, claims: members, text: Arbitrary.schema(Schema.String) },
    ({ claims, header, text }) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { issuer, mint } = yield* TestIssuer.TestIssuer
        const toObject = (members: ReadonlyArray<{ readonly name: string; readonly value: unknown }>) =>
          Object.fromEntries(members.map(({ name, value }) => [name, value]))
        const token = yield* mint({ scopes: ["todos:read"], header: toObject(header), claims: toObject(claims) })
        for (const presented of [token, `${token}${text}`, text]) {
          yield* assertAgrees(presented, { authorizationServers: [issuer] }, { issuer })
          yield* TokenReport.run(Redacted.make(presented), { resource })
          yield* TokenReport.describe(Redacted.make(presented))
        }
      }),
    { arbitrary: { runs: 60 } }
  )
})
