/** The grants of the extensions of MCP: an ID-JAG in place of a sign-in, and the JWT of a workload in place of credentials. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { decodeJwt, decodeProtectedHeader } from "jose"

type Issuer = TestIssuer.TestIssuer["Service"]

const resource = "https://todos.test/mcp"
const idJag = "urn:ietf:params:oauth:token-type:id-jag"
const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

/** An identity provider, an authorization server that trusts it, and a platform whose workloads it trusts. */
const parties = Effect.gen(function*() {
  const provider = yield* TestIssuer.make({
    issuer: "https://idp.test",
    clients: {
      "sso-client": { secret: "sso-secret", clientIds: { "https://auth.test": "todo-client" } },
      other: { secret: "o" }
    }
  })
  const platform = yield* TestIssuer.make({ issuer: "https://platform.test" })
  const server = yield* TestIssuer.make({
    issuer: "https://auth.test",
    resource,
    clients: { "todo-client": { secret: "todo-secret" }, other: { secret: "o" } },
    identityProviders: [provider.issuer],
    workloadIssuers: [platform.issuer]
  })
  return { provider: provider.issuer, platform: platform.issuer, server: server.issuer }
})

const request = (issuer: Issuer, form: Record<string, string>, credentials?: string) =>
  Effect.gen(function*() {
    const headers: HeadersInit = credentials === undefined ? {} : { authorization: `Basic ${btoa(credentials)}` }
    const body = new URLSearchParams(form)
    const response = yield* issuer.respond(new Request(issuer.tokenEndpoint, { method: "POST", headers, body }))
    return { status: response.status, body: yield* Effect.promise(() => response.json()) }
  })

const exchangeForm = (subject_token: string) => ({
  grant_type: tokenExchange,
  requested_token_type: idJag,
  subject_token,
  subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
  audience: "https://auth.test",
  resource,
  scope: "todos:read todos:write"
})

const assertionForm = (assertion: string, more: Record<string, string> = {}) => ({
  grant_type: jwtBearer,
  assertion,
  ...more
})

describe("an identity provider of the kit", () => {
  it.effect("exchanges an ID token for an ID-JAG with the claims of the draft", () =>
    Effect.gen(function*() {
      const { provider } = yield* parties
      const idToken = yield* provider.mintIdToken({ subject: "alice", clientId: "sso-client" })
      assert.strictEqual(decodeJwt(idToken).aud, "sso-client")
      const { body, status } = yield* request(provider, exchangeForm(idToken), "sso-client:sso-secret")
      assert.deepStrictEqual([status, body.issued_token_type, body.token_type, body.expires_in], [
        200,
        idJag,
        "N_A",
        300
      ])
      assert.strictEqual(decodeProtectedHeader(body.access_token).typ, "oauth-id-jag+jwt")
      const { exp, iat, jti, ...claims } = decodeJwt(body.access_token)
      assert.deepStrictEqual(claims, {
        iss: "https://idp.test",
        sub: "alice",
        aud: "https://auth.test",
        resource,
        client_id: "todo-client",
        scope: "todos:read todos:write"
      })
      assert.isString(jti)
      assert.strictEqual(exp! - iat!, 300)
    }))

  const rejected: ReadonlyArray<readonly [string, Record<string, string | undefined>, string]> = [
    ["without an audience", { audience: undefined }, "invalid_request"],
    ["with an access token as the subject token", {
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token"
    }, "invalid_request"],
    ["with an unknown subject token", { subject_token: "a.b.c" }, "invalid_grant"]
  ]
  it.effect.each(rejected)("rejects an exchange %s", ([, changes, error]) =>
    Effect.gen(function*() {
      const { provider } = yield* parties
      const idToken = yield* provider.mintIdToken({ clientId: "sso-client" })
      const form = Object.entries({ ...exchangeForm(idToken), ...changes }).filter(([, value]) => value !== undefined)
      const { body } = yield* request(provider, Object.fromEntries(form) as never, "sso-client:sso-secret")
      assert.strictEqual(body.error, error)
    }))

  it.effect("rejects an ID token of another client, an expired one, and a client without credentials", () =>
    Effect.gen(function*() {
      const { provider } = yield* parties
      const idToken = yield* provider.mintIdToken({ clientId: "sso-client" })
      const exchange = (credentials?: string) =>
        Effect.map(request(provider, exchangeForm(idToken), credentials), ({ body }) => body.error)
      assert.strictEqual(yield* exchange("other:o"), "invalid_grant")
      assert.strictEqual(yield* exchange(), "invalid_client")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* exchange("sso-client:sso-secret"), "invalid_grant")
    }))
})

describe("an authorization server of the kit", () => {
  const valid = { subject: "alice", clientId: "todo-client", audience: "https://auth.test", resource } as const

  it.effect("publishes that it accepts ID-JAGs", () =>
    Effect.gen(function*() {
      const { server } = yield* parties
      const response = yield* server.respond(new Request("https://auth.test/.well-known/oauth-authorization-server"))
      const metadata = yield* Effect.promise(() => response.json())
      assert.deepStrictEqual(metadata.authorization_grant_profiles_supported, [
        "urn:ietf:params:oauth:grant-profile:id-jag"
      ])
      assert.include(metadata.grant_types_supported, jwtBearer)
    }))

  it.effect("issues an access token for the resource of an ID-JAG, with the scopes that both name, once", () =>
    Effect.gen(function*() {
      const { provider, server } = yield* parties
      const assertion = yield* provider.mintIdJag({ ...valid, scopes: ["todos:read", "todos:write"] })
      const form = assertionForm(assertion, { scope: "todos:read todos:admin" })
      const { body, status } = yield* request(server, form, "todo-client:todo-secret")
      assert.deepStrictEqual([status, body.token_type, body.scope], [200, "Bearer", "todos:read"])
      const { aud, client_id, scope, sub } = decodeJwt(body.access_token)
      assert.deepStrictEqual([aud, client_id, scope, sub], [resource, "todo-client", "todos:read", "alice"])
      assert.strictEqual(decodeProtectedHeader(body.access_token).typ, "at+jwt")
      const again = yield* request(server, form, "todo-client:todo-secret")
      assert.strictEqual(again.body.error, "invalid_grant")
    }))

  const rejected: ReadonlyArray<readonly [string, TestIssuer.IdJagOptions, string]> = [
    ["for another authorization server", { audience: "https://other.test" }, "invalid_grant"],
    ["for another client", { clientId: "other" }, "invalid_grant"],
    ["for another resource", { resource: "https://other.test/mcp" }, "invalid_grant"],
    ["that has expired", { expiresIn: "-1 second" }, "invalid_grant"],
    ["without jti", { claims: { jti: undefined } }, "invalid_grant"],
    ["with another type", { header: { typ: "JWT" } }, "invalid_grant"],
    ["with none of the requested scopes", { scopes: ["other"] }, "invalid_scope"]
  ]
  it.effect.each(rejected)("rejects an ID-JAG %s", ([, changes, error]) =>
    Effect.gen(function*() {
      const { provider, server } = yield* parties
      const assertion = yield* provider.mintIdJag({ ...valid, ...changes })
      const { body } = yield* request(server, assertionForm(assertion, { scope: "a" }), "todo-client:todo-secret")
      assert.strictEqual(body.error, error)
    }))

  it.effect("rejects an ID-JAG of an issuer other than the identity providers, and one without client credentials", () =>
    Effect.gen(function*() {
      const { platform, provider, server } = yield* parties
      const foreign = yield* request(server, assertionForm(yield* platform.mintIdJag(valid)), "todo-client:todo-secret")
      assert.strictEqual(foreign.body.error, "invalid_grant")
      const anonymous = yield* request(server, assertionForm(yield* provider.mintIdJag(valid)))
      assert.strictEqual(anonymous.body.error, "invalid_client")
    }))

  it.effect("accepts the JWT of a workload without client credentials, once", () =>
    Effect.gen(function*() {
      const { platform, server } = yield* parties
      const assertion = yield* platform.mint({
        subject: "spiffe://platform.test/report",
        audience: "https://auth.test",
        header: { typ: "JWT" }
      })
      const { body } = yield* request(server, assertionForm(assertion, { scope: "todos:read" }))
      const { aud, scope, sub } = decodeJwt(body.access_token)
      assert.deepStrictEqual([aud, scope, sub], [resource, "todos:read", "spiffe://platform.test/report"])
      assert.strictEqual((yield* request(server, assertionForm(assertion))).body.error, "invalid_grant")
    }))

  it.effect("rejects the JWT of an identity provider as that of a workload", () =>
    Effect.gen(function*() {
      const { provider, server } = yield* parties
      const assertion = yield* provider.mint({ audience: "https://auth.test", header: { typ: "JWT" } })
      assert.strictEqual((yield* request(server, assertionForm(assertion))).body.error, "invalid_grant")
    }))
})
