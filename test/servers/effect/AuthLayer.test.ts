import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Context, Effect, Layer, Logger, Redacted, Schema } from "effect"
import { Audience, AuthError, AuthLayer, Principal, requireScopes, TokenType } from "effect-mcp-auth"
import type { Gate } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { Challenge } from "effect-mcp-auth/protocol"
import { PublicUrl } from "effect-mcp-auth/public-url"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Algorithm, AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate, type Request } from "../../authorization/steps.ts"
import * as support from "../../verification/support.ts"
import { authLayer, gateLayer } from "../gates.ts"

const { now, resource, segment } = support

const options = {
  resource,
  authorizationServers: ["https://issuer.test"],
  scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] }
} as const

/** Options that the compiler does not check, such as those of a JavaScript program or a file. */
type Unchecked = Readonly<Record<string, unknown>>

const unchecked = (changes: Unchecked): Gate.LayerOptions<typeof options.scopes> =>
  ({ ...options, ...changes }) as unknown as Gate.LayerOptions<typeof options.scopes>

/** Builds a layer, and asserts that this sends no request. */
const buildsAlone = <A, E>(layer: Layer.Layer<A, E, HttpClient.HttpClient>) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make()
    const network = Layer.succeed(HttpClient.HttpClient, client)
    const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.provide(layer, network))))
    assert.deepStrictEqual(yield* issuer.requests, [])
    return yield* exit
  })

const builds = (changes: Unchecked) => buildsAlone(gateLayer(unchecked(changes)))

/** A gate, and the issuer that it trusts. */
const gate = Effect.fnUntraced(function*(changes: Unchecked = {}) {
  yield* TestClock.setTime(now * 1000)
  const { client, issuer } = yield* TestIssuer.make()
  const services = yield* Layer.build(Layer.provide(
    gateLayer(unchecked(changes)),
    Layer.succeed(HttpClient.HttpClient, client)
  ))
  return { gate: Context.get(services, AuthLayer.AuthLayer), issuer }
})

const request = (...authorization: ReadonlyArray<string>): Request => ({
  method: "POST",
  header: () => undefined,
  authorization
})

const point = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
}

const servers = (...authorizationServers: ReadonlyArray<unknown>) => ({ authorizationServers })
const withDetails = (details: Unchecked) => servers({ issuer: "https://issuer.test", ...details })
const first = "authorizationServers[0]"

interface Wrong {
  readonly title: string
  readonly changes: Unchecked
  readonly reason: AuthError.AuthConfigError["reason"]
  readonly option: string
  /** Matches the `fix` of the error. */
  readonly fix: RegExp
}

const wrong: ReadonlyArray<Wrong> = [
  {
    title: "[T-AUD-41] a misspelled option, which would leave its check out",
    changes: { revocaton: () => Effect.succeed(true) },
    reason: "malformed",
    option: "revocaton",
    fix: /no such option.*revocation/
  },
  {
    title: "claims with a misspelled schema",
    changes: { claims: { service: Principal, shema: Schema.Struct({}) } },
    reason: "malformed",
    option: "claims.shema",
    fix: /^there is no such option\. The closest one is schema\./
  },
  {
    title: "claims with a misspelled service",
    changes: { claims: { servce: Principal, schema: Schema.Struct({}) } },
    reason: "malformed",
    option: "claims.servce",
    fix: /^there is no such option\. The closest one is service\./
  },
  {
    title: "claims without a schema",
    changes: { claims: { service: Principal } },
    reason: "malformed",
    option: "claims.decode",
    fix: /^the value is missing; expected a function\. Give one such as .*\{ service, schema \} to AuthLayer/
  },
  {
    title: "claims without a service",
    changes: { claims: { schema: Schema.Struct({}) } },
    reason: "malformed",
    option: "claims.service",
    fix: /^the value is missing; expected a Context\.Service class\. Give \{ service, decode \}/
  },
  {
    title: "[T-AUD-41] a misspelled option of a server",
    changes: withDetails({ algoritms: ["ES256"] }),
    reason: "malformed",
    option: `${first}.algoritms`,
    fix: /no such option.*algorithms/
  },
  {
    title: "[T-AUD-41] an option of the layer at a server",
    changes: withDetails({ tokenType: TokenType.strict }),
    reason: "malformed",
    option: `${first}.tokenType`,
    fix: /no such option/
  },
  {
    title: "[T-AUD-41] a misspelled option of introspection",
    changes: withDetails({
      introspection: Introspection.make({
        clientId: "todos",
        clientSecret: Redacted.make("secret"),
        signedAnswer: true
      } as Introspection.Options)
    }),
    reason: "malformed",
    option: `${first}.introspection.signedAnswer`,
    fix: /no such option.*signedAnswers/
  },
  {
    title: "[T-AUD-41] a misspelled option of the cache, which would show revocation late",
    changes: { tokenCache: { capactiy: 0 } },
    reason: "malformed",
    option: "tokenCache.capactiy",
    fix: /no such option.*capacity/
  },
  {
    title: "the URL of a metadata document instead of an issuer",
    changes: servers("https://issuer.test/.well-known/openid-configuration"),
    reason: "malformed",
    option: "authorizationServers[0].issuer",
    fix: /is the URL of a document\. Write the value of "issuer" in that document/
  },
  {
    title: "CFG-05 neither key nor issuer: construction fails",
    changes: servers(),
    reason: "missing",
    option: "authorizationServers",
    fix: /at least one issuer\. Write one such as \["https:/
  },
  {
    title: "CFG-05 no authorization servers at all: construction fails",
    changes: { authorizationServers: undefined },
    reason: "missing",
    option: "authorizationServers",
    fix: /at least one issuer/
  },
  {
    title: "an issuer instead of a list",
    changes: { authorizationServers: "https://issuer.test" },
    reason: "missing",
    option: "authorizationServers",
    fix: /at least one issuer/
  },
  {
    title: "CFG-05 both keys and the URI of keys: construction fails",
    changes: withDetails({ jwks: { keys: [point] }, jwksUri: "https://issuer.test/jwks" }),
    reason: "conflict",
    option: `${first}.jwks`,
    fix: /jwks or jwksUri, not both/
  },
  {
    title: "both metadata and its URL",
    changes: withDetails({ metadata: { issuer: "https://issuer.test" }, metadataUrl: "https://issuer.test/m" }),
    reason: "conflict",
    option: `${first}.metadata`,
    fix: /metadata or metadataUrl, not both/
  },
  {
    title: "metadata of another issuer",
    changes: withDetails({ metadata: { issuer: "https://other.test" } }),
    reason: "conflict",
    option: `${first}.metadata`,
    fix: /"https:\/\/other\.test"; expected exactly https:\/\/issuer\.test/
  },
  {
    title: "CFG-01 HS256 together with a JWKS URI: construction fails",
    changes: withDetails({ algorithms: ["HS256"], jwksUri: "https://issuer.test/jwks" }),
    reason: "insecure",
    option: `${first}.algorithms`,
    fix: /"HS256" is not an accepted algorithm; a shared secret/
  },
  {
    title: "CFG-02 HS256 with a PEM public key: construction fails",
    changes: withDetails({ algorithms: ["HS256"], jwks: "-----BEGIN PUBLIC KEY-----" }),
    reason: "insecure",
    option: `${first}.algorithms`,
    fix: /"HS256" is not an accepted algorithm/
  },
  {
    title: "CFG-02 a PEM public key in place of a key set: construction fails",
    changes: withDetails({ jwks: "-----BEGIN PUBLIC KEY-----" }),
    reason: "malformed",
    option: `${first}.jwks`,
    fix: /\{ keys: \[/
  },
  {
    title: "CFG-04 symmetric JWK given where a public key is expected: a clear configuration error",
    changes: withDetails({ jwks: { keys: [{ kty: "oct", k: "c2VjcmV0" }] } }),
    reason: "malformed",
    option: `${first}.jwks`,
    fix: /1 of 1 keys cannot be used; expected public signing keys only.*without symmetric and private keys/
  },
  {
    title: "a private JWK given where a public key is expected",
    changes: withDetails({ jwks: { keys: [{ ...point, d: point.x }] } }),
    reason: "malformed",
    option: `${first}.jwks`,
    fix: /without symmetric and private keys/
  },
  {
    title: "CFG-07 http issuer outside localhost: construction fails",
    changes: servers("http://issuer.test"),
    reason: "insecure",
    option: `${first}.issuer`,
    fix: /must be https.*allowInsecureHttp/
  },
  {
    title: "CFG-08 issuer \"not a valid url\": construction fails",
    changes: servers("not a valid url"),
    reason: "malformed",
    option: `${first}.issuer`,
    fix: /"not a valid url" is not an absolute URL\. Write one such as/
  },
  {
    title: "CFG-08 issuer 123: construction fails",
    changes: servers("https://issuer.test", 123),
    reason: "malformed",
    option: "authorizationServers[1].issuer",
    fix: /123 is not an absolute URL/
  },
  {
    title: "issuer null",
    changes: servers(null),
    reason: "malformed",
    option: `${first}.issuer`,
    fix: /null is not an absolute URL/
  },
  {
    title: "an issuer twice",
    changes: servers("https://issuer.test", "https://other.test", "https://issuer.test"),
    reason: "duplicate",
    option: "authorizationServers[2]",
    fix: /https:\/\/issuer\.test is named twice/
  },
  {
    title: "an issuer that is a tokenIssuers value of another server",
    changes: servers("https://issuer.test", { issuer: "https://other.test", tokenIssuers: ["https://issuer.test"] }),
    reason: "duplicate",
    option: "authorizationServers[1]",
    fix: /named twice/
  },
  {
    title: "an unknown token grammar",
    changes: { tokenGrammar: "any" },
    reason: "malformed",
    option: "tokenGrammar",
    fix: /"token68" or "visible-ascii"/
  },
  {
    title: "an invalid cache time",
    changes: { tokenCache: { jwt: "2 days" } },
    reason: "malformed",
    option: "tokenCache.jwt",
    fix: /"2 days" is not a duration from 0 seconds to 1 hour/
  },
  {
    title: "signedAnswers as a string, which would accept unsigned answers",
    changes: withDetails({
      introspection: Introspection.make({
        clientId: "todos",
        clientSecret: Redacted.make("secret"),
        signedAnswers: "true" as unknown as true
      })
    }),
    reason: "malformed",
    option: `${first}.introspection.signedAnswers`,
    fix: /"true" is not true/
  },
  {
    title: "a token type that is a name",
    changes: { tokenType: "strict" },
    reason: "malformed",
    option: "tokenType",
    fix: /"strict" is not a rule of TokenType/
  },
  {
    title: "a form of subjects that is a name, which would log them in plain text",
    changes: { decisions: { subject: "omitted" } },
    reason: "malformed",
    option: "decisions.subject",
    fix: /"omitted" is not a form of subjects\. Write Decision\.plainSubject/
  },
  {
    title: "a secret of state that is not redacted",
    changes: { requestState: { secret: "a-secret-of-more-than-thirty-two-bytes" } },
    reason: "malformed",
    option: "requestState.secret",
    fix: /^the value is not a Redacted text\. Write Redacted\.make/
  },
  {
    title: "one origin instead of a list",
    changes: { allowedOrigins: "https://app.test" },
    reason: "malformed",
    option: "allowedOrigins",
    fix: /is not a list of origins/
  },
  {
    title: "options in a list",
    changes: { tokenCache: [] },
    reason: "malformed",
    option: "tokenCache",
    fix: /an empty list is not an object/
  },
  {
    title: "tokenIssuers empty",
    changes: withDetails({ tokenIssuers: [] }),
    reason: "malformed",
    option: `${first}.tokenIssuers`,
    fix: /at least one iss value/
  },
  {
    title: "JWT-25 no resource, so no audience: construction fails",
    changes: { resource: undefined },
    reason: "malformed",
    option: "resource",
    fix: /the value is missing.*Write the URL at which clients reach the server/
  },
  {
    title: "JWT-25 an empty list of audiences: construction fails",
    changes: { audience: { _tag: "OneOf", values: [] } },
    reason: "missing",
    option: "audience",
    fix: /a rule of Audience with at least one value/
  },
  {
    title: "JWT-25 an empty list of clients: construction fails",
    changes: { audience: Audience.all([Audience.resource, { _tag: "ClientIds", values: [] }]) },
    reason: "missing",
    option: "audience",
    fix: /a rule of Audience with at least one value/
  },
  {
    title: "JWT-25 no rules at all: construction fails",
    changes: { audience: { _tag: "All", rules: [] } },
    reason: "missing",
    option: "audience",
    fix: /at least one value/
  },
  {
    title: "JWT-25 audience false, which disables no check: construction fails",
    changes: { audience: false },
    reason: "missing",
    option: "audience",
    fix: /at least one value/
  },
  {
    title: "audience a string",
    changes: { audience: "api://todos" },
    reason: "missing",
    option: "audience",
    fix: /"api:\/\/todos" is not a rule of Audience.*Audience\.oneOf/
  },
  {
    title: "resource relative",
    changes: { resource: "/mcp" },
    reason: "malformed",
    option: "resource",
    fix: /"\/mcp" is not an absolute URL/
  },
  {
    title: "resource with a fragment",
    changes: { resource: `${resource}#x` },
    reason: "malformed",
    option: "resource",
    fix: /has a fragment/
  },
  {
    title: "resource not canonical",
    changes: { resource: "https://SERVER.test:443/mcp" },
    reason: "malformed",
    option: "resource",
    fix: /canonical form\. Write https:\/\/server\.test\/mcp$/
  },
  {
    title: "a URL of keys with a secret in its query, not in its normalized form",
    changes: {
      authorizationServers: [{ issuer: "https://issuer.test", jwksUri: "https://issuer.test/a/../keys?key=secret" }]
    },
    reason: "malformed",
    option: "authorizationServers[0].jwksUri",
    fix:
      /^"https:\/\/issuer\.test\/a\/\.\.\/keys\?…" is not in its normalized form, which is https:\/\/issuer\.test\/keys\?…\./
  },
  {
    title: "resource over http",
    changes: { resource: "http://server.test/mcp" },
    reason: "insecure",
    option: "resource",
    fix: /must be https/
  },
  {
    title: "an empty baseline",
    changes: { scopes: { baseline: [], stepUp: ["a"] } },
    reason: "missing",
    option: "scopes.baseline",
    fix: /at least one scope/
  },
  {
    title: "no baseline",
    changes: { scopes: { stepUp: ["a"] } },
    reason: "malformed",
    option: "scopes.baseline",
    fix: /a list of scopes/
  },
  {
    title: "a scope with a space",
    changes: { scopes: ["todos:read todos:write"] },
    reason: "malformed",
    option: "scopes",
    fix: /"todos:read todos:write" is not a scope\. Write one scope per entry/
  },
  {
    title: "a scope of step-up with a quote",
    changes: { scopes: { baseline: ["a"], stepUp: ["b\""] } },
    reason: "malformed",
    option: "scopes.stepUp",
    fix: /"b\\"" is not a scope/
  },
  {
    title: "a hierarchy with an invalid scope",
    changes: { scopeHierarchy: { a: ["b c"] } },
    reason: "malformed",
    option: "scopeHierarchy[\"a\"]",
    fix: /"b c" is not a scope/
  },
  ...["6 minutes", -1, "-1 seconds", Number.POSITIVE_INFINITY, Number.NaN, "soon", null, {}, { secs: 1 }].map((
    clockTolerance
  ) => ({
    title: `clockTolerance ${typeof clockTolerance === "number" ? clockTolerance : JSON.stringify(clockTolerance)}`,
    changes: { clockTolerance },
    reason: "insecure" as const,
    option: "clockTolerance",
    fix: /is not a duration from 0 seconds to 5 minutes\. Write one such as "10 seconds"/
  })),
  ...[0, -1, 1.5, 100_001, Number.NaN, Number.POSITIVE_INFINITY, "100", null].map((sessionsPerCaller) => ({
    title: `sessionsPerCaller ${JSON.stringify(sessionsPerCaller)} ${typeof sessionsPerCaller}`,
    changes: { sessionsPerCaller },
    reason: "malformed" as const,
    option: "sessionsPerCaller",
    fix: /is not a whole number from 1 to 100000/
  })),
  ...([
    [
      "app.test",
      /is not an origin\. Write scheme, host and port of one origin only, such as https:\/\/app\.example\.com/
    ],
    ["https://app.test,https://b.test", /of one origin only, such as https:\/\/app\.example\.com or/],
    [
      "https://app.test/",
      /is not an origin\. Write scheme, host and port of one origin only, such as https:\/\/app\.test or/
    ],
    ["https://app.test/path", /such as https:\/\/app\.test or/],
    ["https://APP.test", /such as https:\/\/app\.test or/],
    ["https://app.test:443", /such as https:\/\/app\.test or/],
    ["https://me:secret@app.test", /such as https:\/\/app\.test or/],
    ["wss://app.test", /is not an origin/],
    ["file://", /is not an origin/],
    ["file:///index.html", /is not an origin/],
    ["file://host", /is not an origin/],
    ["app://", /is not an origin/],
    ["tauri://localhost/", /is not an origin/],
    ["Tauri://localhost", /is not an origin/],
    ["data:text/html,x", /is not an origin/],
    [`https://${"a".repeat(600)}.test`, /is not an origin/],
    ["*", /contains \*, which is not a wildcard here\. List each origin, or write a function such as \(origin\) =>/],
    ["https://*.example.com", /"https:\/\/\*\.example\.com" contains \*, which is not a wildcard here\./],
    ["chrome-extension://*", /contains \*, which is not a wildcard here/],
    ["null", /allowNullOrigin: true/],
    [1, /is not an origin\. Write one such as https:\/\/app\.example\.com/],
    [undefined, /is not an origin/]
  ] as const).map(([origin, fix]) => ({
    title: `[T-AUD-02c] allowedOrigins ${JSON.stringify(origin)}`.slice(0, 80),
    changes: { allowedOrigins: ["https://good.test", origin] },
    reason: "malformed" as const,
    option: "allowedOrigins",
    fix
  })),
  ...["true", 1, null].map((allowNullOrigin) => ({
    title: `allowNullOrigin ${JSON.stringify(allowNullOrigin)}`,
    changes: { allowNullOrigin },
    reason: "malformed" as const,
    option: "allowNullOrigin",
    fix: /is not false or true/
  }))
]

describe("a wrong option fails when the layer is built", () => {
  it.effect.each(wrong)("$title", ({ changes, fix, option, reason }) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(builds(changes))
      assert.instanceOf(error, AuthError.AuthConfigError)
      assert.strictEqual(error.reason, reason)
      assert.strictEqual(error.option, option)
      assert.match(error.fix, fix)
      assert.strictEqual(error.message, `Invalid configuration at ${option}: ${error.fix}`)
    }))

  it.effect("the same error from every constructor of the layer", () =>
    Effect.gen(function*() {
      const bad = unchecked({ resource: "/mcp" })
      const faces = [AuthLayer.make(bad), authLayer(bad), gateLayer(bad)]
      for (const face of faces as unknown as ReadonlyArray<Layer.Layer<never, AuthError.AuthConfigError>>) {
        const layer = Layer.provide(face, HttpRouter.layer)
        assert.strictEqual((yield* Effect.flip(buildsAlone(layer))).option, "resource")
      }
    }))

  it.effect("no error contains a whole document", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        builds(withDetails({ jwks: { keys: [{ ...point, d: "a-private-exponent" }] } }))
      )
      assert.notInclude(JSON.stringify(error), "a-private-exponent")
    }))
})

describe("a valid option builds the layer without a request", () => {
  it.effect.each<{ readonly title: string; readonly changes: Unchecked }>([
    { title: "the few lines", changes: {} },
    {
      title: "CFG-07 http issuer on localhost: allowed",
      changes: servers("http://localhost:9000", "http://127.0.0.1:1")
    },
    {
      title: "CFG-07 http issuer outside localhost with the explicit switch: allowed",
      changes: servers({ issuer: "http://keycloak:8080", [AuthorizationServer.allowInsecureHttp]: true })
    },
    { title: "a resource on localhost", changes: { resource: "http://localhost:3000/mcp" } },
    { title: "several issuers", changes: servers("https://one.test", "https://two.test") },
    { title: "configured keys", changes: withDetails({ jwks: { keys: [point] } }) },
    { title: "one algorithm", changes: withDetails({ algorithms: ["RS256"] }) },
    { title: "all algorithms", changes: withDetails({ algorithms: Algorithm.all }) },
    { title: "a plain list of scopes", changes: { scopes: ["a", "b"] } },
    { title: "an origin", changes: { allowedOrigins: ["https://app.test", "http://localhost:5173"] } },
    { title: "an extension", changes: { allowedOrigins: ["chrome-extension://abc", "tauri://localhost", "app://."] } },
    { title: "a function for origins", changes: { allowedOrigins: () => true } },
    { title: "the origin null", changes: { allowNullOrigin: true } },
    { title: "JWT-25 configured audiences", changes: { audience: Audience.oneOf(["api://todos"]) } },
    { title: "the strict token type", changes: { tokenType: TokenType.strict } },
    { title: "no tolerance", changes: { clockTolerance: 0 } },
    { title: "many sessions for a caller", changes: { sessionsPerCaller: 100_000 } },
    { title: "the largest tolerance", changes: { clockTolerance: "5 minutes" } }
  ])("$title", ({ changes }) => Effect.asVoid(builds(changes)))
})

describe("options take effect", () => {
  it.effect.each([
    { seconds: 9, status: 200 },
    { seconds: 10, status: 401 }
  ])(
    "clockTolerance of 10 seconds, a token expired $seconds seconds ago: $status",
    ({ seconds, status }) =>
      Effect.gen(function*() {
        const { gate: made, issuer } = yield* gate({ clockTolerance: "10 seconds" })
        const token = yield* issuer.mint({ claims: { exp: now - seconds } })
        assert.strictEqual(yield* statusOf(made, token), status)
      })
  )

  it.effect("audience, tokenType and scopeHierarchy", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate({
        audience: Audience.oneOf(["api://todos"]),
        tokenType: TokenType.strict,
        scopeHierarchy: { "todos:write": ["todos:read"] }
      })
      assert.strictEqual(yield* statusOf(made, yield* issuer.mint()), 401)
      const token = { audience: "api://todos", scopes: ["todos:write"] }
      assert.strictEqual(yield* statusOf(made, yield* issuer.mint({ ...token, header: { typ: "JWT" } })), 401)
      const caller = yield* authenticate(made, request(`Bearer ${yield* issuer.mint(token)}`))
      if (typeof caller === "string") return assert.fail(caller)
      assert.deepStrictEqual([...caller.scopes], ["todos:write", "todos:read"])
    }))

  it.effect("sends no request before the first token, and then the needed ones", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      assert.deepStrictEqual(yield* issuer.requests, [])
      assert.strictEqual(yield* statusOf(made, "not-a-token"), 401)
      assert.deepStrictEqual(yield* issuer.requests, [])
      assert.strictEqual(yield* statusOf(made, yield* issuer.mint()), 200)
      assert.lengthOf(yield* issuer.requests, 2)
    }))

  it.effect("a cached token is rejected within the refresh interval after its key is withdrawn, and at its end", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const short = yield* issuer.mint({ expiresIn: "2 minutes" })
      const long = yield* issuer.mint({ expiresIn: "1 hour" })
      assert.deepStrictEqual([yield* statusOf(made, short), yield* statusOf(made, long)], [200, 200])
      yield* issuer.rotateKeys
      yield* issuer.withdrawOldKeys
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual([yield* statusOf(made, short), yield* statusOf(made, long)], [401, 200])
      for (let minute = 2; minute < 10; minute++) {
        yield* statusOf(made, long)
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(yield* statusOf(made, long), 401)
    }))

  class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("test/Tenant") {}

  it.effect("claims of the author's schema are a service, and a token without them is rejected", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate({
        claims: { service: Tenant, decode: Schema.decodeUnknownResult(Schema.Struct({ tenant: Schema.String })) }
      })
      const caller = yield* authenticate(made, request(`Bearer ${yield* issuer.mint({ claims: { tenant: "t1" } })}`))
      if (typeof caller === "string") return assert.fail(caller)
      const services = made.provideCaller(Context.empty(), caller) as Context.Context<unknown> as Context.Context<
        Tenant
      >
      assert.deepStrictEqual(Context.get(services, Tenant), { tenant: "t1" })
      for (const claims of [{}, { tenant: 1 }]) {
        const rejection = yield* Effect.flip(authenticate(made, request(`Bearer ${yield* issuer.mint({ claims })}`)))
        assert.deepStrictEqual([rejection.status, rejection.reason], [401, "claims"])
      }
    }))
})

/** Discards the log of rejections, which these tests cause. */
const silent = Logger.layer([])

/** Returns 200 if the gate authenticates a request with this token, otherwise the status of the rejection. */
const statusOf = (made: Gate.Gate, token: string): Effect.Effect<number> =>
  authenticate(made, request(`Bearer ${token}`)).pipe(
    Effect.as(200),
    Effect.catch(({ status }) => Effect.succeed<number>(status))
  )

describe("the challenge for a rejected token", () => {
  const bad: ReadonlyArray<
    { readonly title: string; readonly token: TestIssuer.TokenOptions; readonly reason: AuthError.InvalidTokenReason }
  > = [
    { title: "JWT-15 exp in the past: 401 invalid_token", token: { expiresIn: "-1 minute" }, reason: "expired" },
    {
      title: "JWT-19 nbf a boolean: 401 invalid_token and a valid challenge",
      token: { claims: { nbf: true } },
      reason: "not-yet-valid"
    },
    { title: "JWT-05 sub missing: 401 invalid_token", token: { claims: { sub: undefined } }, reason: "subject" },
    { title: "JWT-08 client_id a number: 401 invalid_token", token: { claims: { client_id: 1 } }, reason: "client-id" },
    { title: "JWT-21 aud without the resource: 401 invalid_token", token: { audience: ["x"] }, reason: "audience" },
    {
      title: "JWT-02 iss of another issuer: 401 invalid_token",
      token: { claims: { iss: "x" } },
      reason: "unknown-issuer"
    },
    {
      title: "JWT-35 crit []: 401 invalid_token",
      token: { header: { alg: "ES256", crit: [] } },
      reason: "critical-header"
    },
    { title: "KEY-02 kid unknown: 401 invalid_token", token: { header: { kid: "x" } }, reason: "unknown-key" }
  ]

  it.effect.each(bad)("$title", ({ reason, token }) =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const text = reason === "critical-header"
        ? yield* issuer.signSegments(segment({ ...support.goodHeader, ...token.header }), segment(support.goodClaims))
        : yield* issuer.mint(token)
      const rejection = yield* Effect.flip(authenticate(made, request(`Bearer ${text}`)))
      assert.strictEqual(rejection.reason, reason)
      assert.strictEqual(rejection.status, 401)
      const challenge = yield* challengeOf(rejection.headers)
      assert.strictEqual(challenge.scheme, "Bearer")
      assert.strictEqual(challenge.parameters.get("error"), "invalid_token")
      assert.strictEqual(challenge.parameters.get("scope"), "todos:read")
      assert.strictEqual(
        challenge.parameters.get("resource_metadata"),
        "https://server.test/.well-known/oauth-protected-resource/mcp"
      )
    }))

  it.effect("is identical for every reason", () =>
    Effect.gen(function*() {
      const { gate: made, issuer } = yield* gate()
      const tokens = [
        "a",
        "a.b.c",
        yield* issuer.mint({ expiresIn: "-1 minute" }),
        yield* issuer.mint({ audience: "x" }),
        yield* issuer.mint({ header: { kid: "x" } }),
        `${yield* issuer.mint()}x`
      ]
      const bodies = new Set<string>()
      for (const token of tokens) {
        const { body, headers, status } = yield* Effect.flip(authenticate(made, request(`Bearer ${token}`)))
        bodies.add(JSON.stringify([status, headers, body]))
      }
      assert.lengthOf(bodies, 1)
    }))

  // JWT-29 is listed in `differences.ts`: a bearer token cannot contain a `!`, so the answer is 400, and no segment is decoded.
  it.effect.each([
    { segment: "!!!notbase64!!!", status: 400 },
    { segment: "~~~notbase64~~~", status: 401 },
    { segment: "notbase64", status: 401 },
    { segment: "bm90IGpzb24", status: 401 }
  ])(
    "a header segment $segment: $status, without a message of a parser",
    ({ segment: header, status }) =>
      Effect.gen(function*() {
        const { gate: made } = yield* gate()
        const rejection = yield* Effect.flip(
          authenticate(made, request(`Bearer ${header}.${segment(support.goodClaims)}.AAAA`))
        )
        assert.strictEqual(rejection.status, status)
        const seen = `${rejection.body}${JSON.stringify(rejection.headers)}`
        for (const word of ["SyntaxError", "JSON", "base64", "Unexpected", "position", header]) {
          assert.notInclude(seen, word)
        }
      })
  )
})

const challengeOf = (headers: Readonly<Record<string, string>>) =>
  Effect.map(Effect.fromResult(Challenge.parse(headers["www-authenticate"] ?? "")), (challenges) => {
    assert.lengthOf(challenges, 1)
    return challenges[0]!
  })

describe("two resources on one server", () => {
  /** Routes /a and /b, each behind a separate layer. */
  const serve = (
    a: readonly [string, ...ReadonlyArray<string>],
    b: readonly [string, ...ReadonlyArray<string>],
    client: HttpClient.HttpClient
  ) => {
    const protectedRoute = (name: "a" | "b", authorizationServers: typeof a) =>
      HttpRouter.add(
        "GET",
        `/${name}`,
        Effect.map(Principal, (caller) => HttpServerResponse.text(`${name} ${caller.owner}`))
      ).pipe(
        Layer.provide(authLayer({ resource: `https://server.test/${name}`, authorizationServers, scopes: ["s"] }))
      )
    const app = Layer.mergeAll(protectedRoute("a", a), protectedRoute("b", b)).pipe(
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
      Layer.provideMerge(silent)
    )
    return Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => HttpRouter.toWebHandler(app, { disableLogger: true })),
        ({ dispose }) => Effect.promise(dispose)
      ),
      ({ handler }) => (path: string, token: string) =>
        Effect.promise(() =>
          handler(new Request(`https://server.test${path}`, { headers: { authorization: `Bearer ${token}` } }))
        )
    )
  }

  // The handler uses the real clock, and `mint` uses the test clock, so the token must be valid at the time of both clocks.
  const forEver = { iat: undefined, exp: 4_000_000_000 }

  it.effect("CFG-10 the same authorization server for two different resources: allowed", () =>
    Effect.gen(function*() {
      const { client, issuers: [one] } = yield* support.severalIssuers("https://one.test")
      const get = yield* serve([one!.issuer], [one!.issuer], client)
      const forA = yield* one!.mint({ audience: "https://server.test/a", claims: forEver })
      const forB = yield* one!.mint({ audience: "https://server.test/b", claims: forEver })
      const good = yield* get("/a", forA)
      assert.strictEqual(good.status, 200)
      assert.strictEqual(yield* Effect.promise(() => good.text()), `a ["https://one.test","alice"]`)
      assert.strictEqual((yield* get("/b", forB)).status, 200)
      assert.strictEqual((yield* get("/a", forB)).status, 401)
      assert.strictEqual((yield* get("/b", forA)).status, 401)
    }))

  it.effect("JWT-04 iss trusted only for another resource on the same server: 401, its JWKS is not requested", () =>
    Effect.gen(function*() {
      const { client, issuers: [one, two] } = yield* support.severalIssuers("https://one.test", "https://two.test")
      const get = yield* serve([one!.issuer], [two!.issuer], client)
      const foreign = yield* two!.mint({ audience: "https://server.test/a", claims: forEver })
      assert.strictEqual((yield* get("/a", foreign)).status, 401)
      assert.deepStrictEqual(yield* two!.requests, [])
      const own = yield* two!.mint({ audience: "https://server.test/b", claims: forEver })
      assert.strictEqual((yield* get("/b", own)).status, 200)
      // The server has now fetched the keys of `two`. They still verify no token for resource `a`, which trusts only `one`.
      assert.strictEqual((yield* get("/a", foreign)).status, 401)
      assert.deepStrictEqual(yield* one!.requests, [])
    }))
})

describe("options from a Config", () => {
  const list = (name: string) => Config.Array(Schema.String, name)
  const build = (env: Record<string, string>) =>
    Layer.build(AuthLayer.make({
      resource: Config.String("RESOURCE_URL"),
      authorizationServers: list("AUTHORIZATION_SERVERS"),
      allowedOrigins: Config.withDefault(list("ALLOWED_ORIGINS"), []),
      scopes: ["todos:read"]
    })).pipe(
      Effect.map((services) => Context.get(services as Context.Context<AuthLayer.AuthLayer>, AuthLayer.AuthLayer)),
      Effect.scoped,
      Effect.provide(Layer.mergeAll(HttpRouter.layer, ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))
    )

  const good = { RESOURCE_URL: resource, AUTHORIZATION_SERVERS: "https://one.test" }

  it.effect("are read from environment variables", () =>
    Effect.gen(function*() {
      const made = yield* build({
        RESOURCE_URL: resource,
        AUTHORIZATION_SERVERS: "https://one.test, https://two.test/tenant",
        ALLOWED_ORIGINS: "https://app.test,http://localhost:5173"
      })
      assert.strictEqual(made.resource.resource, resource)
      assert.deepStrictEqual(made.resource.metadata.authorization_servers, [
        "https://one.test",
        "https://two.test/tenant"
      ])
      const all = ["https://server.test", "https://app.test", "http://localhost:5173", "https://evil.test"]
      assert.deepStrictEqual(all.map(made.published.allowsOrigin), [true, true, true, false])
      assert.deepStrictEqual(all.map((yield* build(good)).published.allowsOrigin), [true, false, false, false])
    }))

  it.effect("can describe an authorization server that has another name inside the network", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ issuer: "https://auth.test" })
      const urls: Array<string> = []
      const inside = HttpClient.mapRequest(client, (request) => {
        urls.push(request.url)
        return HttpClientRequest.setUrl(request, request.url.replace("https://auth.internal", "https://auth.test"))
      })
      const server = Config.all({
        issuer: Config.String("ISSUER"),
        metadataUrl: Config.String("METADATA_URL"),
        jwksUri: Config.withDefault(Config.String("JWKS_URI"), undefined)
      })
      const env = {
        ISSUER: "https://auth.test",
        METADATA_URL: "https://auth.internal/.well-known/oauth-authorization-server",
        JWKS_URI: "https://auth.internal/jwks"
      }
      const build = (env: Record<string, string>) =>
        Layer.build(AuthLayer.make({
          resource,
          authorizationServers: Config.map(server, (server) => [server]),
          scopes: ["todos:read"],
          httpClient: Layer.succeed(HttpClient.HttpClient, inside)
        })).pipe(
          Effect.map((services) => Context.get(services as Context.Context<AuthLayer.AuthLayer>, AuthLayer.AuthLayer)),
          Effect.provide(Layer.mergeAll(HttpRouter.layer, ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))
        )
      yield* (yield* build(env)).ready
      assert.deepStrictEqual(urls, ["https://auth.internal/jwks"])
      const { JWKS_URI: _, ...withoutKeys } = env
      yield* issuer.publishMetadata({ jwks_uri: "https://auth.internal/jwks" })
      yield* (yield* build(withoutKeys)).ready
      assert.deepStrictEqual(urls.slice(1), [env.METADATA_URL, "https://auth.internal/jwks"])
    }))

  it.effect.each([
    { title: "no issuer", env: { ...good, AUTHORIZATION_SERVERS: " , " }, option: "authorizationServers" },
    {
      title: "an issuer twice",
      env: { ...good, AUTHORIZATION_SERVERS: "https://a.test,https://a.test" },
      option: "authorizationServers[1]"
    },
    {
      title: "an http issuer",
      env: { ...good, AUTHORIZATION_SERVERS: "http://a.test" },
      option: "authorizationServers[0].issuer"
    },
    { title: "a relative resource", env: { ...good, RESOURCE_URL: "/mcp" }, option: "resource" },
    { title: "no origin", env: { ...good, ALLOWED_ORIGINS: "app.test" }, option: "allowedOrigins" }
  ])("$title: the error names $option", ({ env, option }) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(build(env))
      if (error._tag !== "AuthConfigError") return assert.fail(error._tag)
      assert.strictEqual(error.option, option)
    }))

  it.effect.each(["RESOURCE_URL", "AUTHORIZATION_SERVERS"] as const)(
    "%s missing: the error names it",
    (name) =>
      Effect.gen(function*() {
        const { [name]: _, ...env } = good
        const error = yield* Effect.flip(build(env))
        const option = name === "RESOURCE_URL" ? "resource" : "authorizationServers"
        assert.deepInclude(error, { _tag: "AuthConfigError", option, reason: "missing" })
        assert.include(String(error.message), `${name} (${option}) is not set`)
      })
  )

  it.effect("all missing variables are in one error, each with its option", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(build({}))
      assert.include(
        error.message,
        "at resource, authorizationServers: RESOURCE_URL (resource) is not set; " +
          "AUTHORIZATION_SERVERS (authorizationServers) is not set. Set them"
      )
    }))

  it.effect("the error names every missing variable of a Config that reads several, and none that has a default", () =>
    Effect.gen(function*() {
      const server = Config.all({
        issuer: Config.nested(Config.String("ISSUER"), "AUTH"),
        metadataUrl: Config.String("METADATA_URL"),
        jwksUri: Config.withDefault(Config.String("JWKS_URI"), undefined),
        tokenIssuers: Config.map(
          Config.all([Config.Int("TENANT"), Config.String("REGION")]),
          ([tenant, region]) => [`https://${region}.test/${tenant}`] as const
        )
      })
      const missing = (env: Record<string, string>) =>
        Effect.map(
          Effect.flip(
            Effect.scoped(Layer.build(AuthLayer.make({
              resource,
              authorizationServers: Config.map(server, (server) => [server]),
              scopes: ["todos:read"]
            }))).pipe(
              Effect.provide(Layer.mergeAll(HttpRouter.layer, ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))
            )
          ),
          (error) => [...String(error.message).matchAll(/(\w+) \(\w+\) is not set/g)].map(([, name]) => name)
        )
      assert.deepStrictEqual(yield* missing({}), ["AUTH_ISSUER", "METADATA_URL", "TENANT", "REGION"])
      assert.deepStrictEqual(yield* missing({ AUTH_ISSUER: "https://auth.test", TENANT: "5" }), [
        "METADATA_URL",
        "REGION"
      ])
      // The value is wrong, and nothing is missing.
      assert.deepStrictEqual(
        yield* missing({ AUTH_ISSUER: "https://auth.test", METADATA_URL: "x", TENANT: "x", REGION: "eu" }),
        []
      )
    }))
})

it.effect("a metadata URL that no route can match fails the layer, and the error names it", () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.scoped(Layer.build(
      AuthLayer.make({
        ...options,
        resource: PublicUrl.make({ url: resource, metadataUrl: "https://server.test/*" })
      }).pipe(Layer.provide(HttpRouter.layer))
    )))
    assert.deepInclude(error, { _tag: "AuthConfigError", option: "resource.metadataUrl" })
    assert.include(String(error), "https://server.test/* has a path that no route can match")
  }))

describe("mock", () => {
  const whoami = requireScopes("todos:read")(
    Effect.map(Principal, ({ clientId, issuer, subject }) => ({ clientId, issuer, subject }))
  )

  it.effect("admits the caller without a token", () =>
    Effect.gen(function*() {
      const caller = yield* Effect.provide(
        whoami,
        AuthLayer.mock({ subject: "alice", clientId: "client-1", issuer: "https://i.test", scopes: ["todos:read"] })
      )
      assert.deepStrictEqual(caller, { subject: "alice", clientId: "client-1", issuer: "https://i.test" })
    }))

  it.effect("a caller with fewer scopes than the server offers is rejected", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.provide(
        whoami,
        AuthLayer.mock({ subject: "alice", scopes: ["todos:read", "todos:write"], granted: ["todos:write"] })
      ))
      assert.strictEqual(error._tag, "InsufficientScope")
      assert.deepStrictEqual(error.required, ["todos:read"])
    }))

  it.effect("its principal is complete, and never expires", () =>
    Effect.gen(function*() {
      const caller = yield* Effect.provide(
        Principal,
        AuthLayer.mock({ subject: "alice", scopes: ["a"], claims: { tenant: "t1" } })
      )
      assert.deepInclude(caller.claims, { sub: "alice", tenant: "t1" })
      assert.deepStrictEqual([...caller.scopes], ["a"])
      assert.isAbove(caller.expiresAt, now * 100)
      assert.isTrue(Redacted.isRedacted(caller.token))
    }))

  const answer = <R>(auth: Layer.Layer<R>) => {
    const route = HttpRouter.add(
      "GET",
      "/",
      Effect.map(requireScopes("a")(Principal), (caller) => HttpServerResponse.text(caller.subject ?? ""))
    ).pipe(Layer.provide(auth as Layer.Layer<never>), Layer.provideMerge(silent)) as Layer.Layer<
      never,
      never,
      HttpRouter.HttpRouter
    >
    const { dispose, handler } = HttpRouter.toWebHandler(route, { disableLogger: true })
    return Effect.promise(async () => {
      const response = await handler(new Request("http://localhost/"))
      const text = await response.text()
      await dispose()
      return { status: response.status, text, headers: response.headers }
    })
  }

  it.effect("admits every request of a server", () =>
    Effect.gen(function*() {
      const { status, text } = yield* answer(AuthLayer.mock({ subject: "alice", scopes: ["a"] }))
      assert.deepStrictEqual([status, text], [200, "alice"])
    }))

  it.effect.each([
    { error: new AuthError.InvalidToken({ reason: "expired" }), status: 401 },
    { error: new AuthError.MissingCredentials({ reason: "no-authorization" }), status: 401 },
    { error: new AuthError.InsufficientScope({ reason: "missing-scope", required: ["a"] }), status: 403 },
    {
      error: new AuthError.AuthorizationServerUnavailable({
        reason: "timeout",
        issuer: "https://i.test",
        retryAfter: 7
      }),
      status: 503
    }
  ])("mockRejected rejects with $status", ({ error, status }) =>
    Effect.gen(function*() {
      const response = yield* answer(AuthLayer.mockRejected(error, { scopes: ["a"] }))
      assert.strictEqual(response.status, status)
      assert.strictEqual(response.headers.get("retry-after"), status === 503 ? "7" : null)
      assert.strictEqual(response.headers.has("www-authenticate"), status !== 503)
    }))
})
