/** Clients obtain tokens with assertions of other issuers: ID-JAGs, and JWTs of workloads. Numbers in titles are those of faults. */
import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Redacted } from "effect"
import { type ClientError, Grant } from "effect-mcp-auth/client"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { decodeJwt } from "jose"
import { clientOf, resource, serversWith } from "./world.ts"

const secret = Redacted.make("marker-of-a-secret")

/** The servers of `serversWith`, and an identity provider that the authorization server trusts. */
const enterprise = Effect.gen(function*() {
  const key = yield* SigningKey.make({ kid: "sso" })
  const { issuer: provider } = yield* TestIssuer.make({
    issuer: "https://idp.test",
    clients: {
      sso: { secret: "marker-of-a-secret", clientIds: { "https://issuer.test": "todo-client" } },
      "sso-with-key": { jwks: { keys: [key.publicJwk] }, clientIds: { "https://issuer.test": "todo-client" } }
    }
  })
  const world = yield* serversWith({
    identityProviders: [provider],
    clients: { "todo-client": { secret: "marker-of-a-secret" } }
  })
  let subjectTokens = 0
  const options: Grant.IdentityAssertion = {
    issuer: world.issuer.issuer,
    clientId: "todo-client",
    clientSecret: secret,
    identityProvider: { issuer: provider.issuer, clientId: "sso", clientSecret: secret },
    subjectToken: () => {
      subjectTokens++
      return Effect.map(provider.mintIdToken({ subject: "alice", clientId: "sso" }), (token) => Redacted.make(token))
    }
  }
  const client = (changes: Partial<Grant.IdentityAssertion> = {}) =>
    clientOf({ ...world, grant: Grant.identityAssertion({ ...options, ...changes } as Grant.IdentityAssertion) })
  /** The forms that the identity provider received. */
  const exchanges = Effect.map(
    provider.requests,
    (all) => all.filter(({ url }) => url === provider.tokenEndpoint).map(({ body }) => new URLSearchParams(body))
  )
  return { world, provider, client, exchanges, key, subjectTokens: () => subjectTokens }
})

describe("the grant with an identity assertion", () => {
  it.effect("exchanges the ID token for an ID-JAG for the issuer and the resource, and the ID-JAG for a token", () =>
    Effect.gen(function*() {
      const { client, exchanges, world } = yield* enterprise
      const { keeper, send } = yield* client()
      assert.strictEqual((yield* send()).status, 200)
      const [exchange, ...others] = yield* exchanges
      assert.deepStrictEqual(others, [])
      const { subject_token, ...parameters } = Object.fromEntries(exchange!)
      assert.deepStrictEqual(parameters, {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
        subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
        audience: "https://issuer.test",
        resource,
        scope: "todos:read"
      })
      assert.strictEqual(decodeJwt(subject_token!).aud, "sso")
      const { assertion, ...form } = Object.fromEntries((yield* world.tokenRequests)[0]!)
      assert.deepStrictEqual(form, {
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        resource,
        scope: "todos:read"
      })
      assert.deepStrictEqual(
        [decodeJwt(assertion!).aud, decodeJwt(assertion!)["resource"]],
        ["https://issuer.test", resource]
      )
      const { aud, scope, sub } = decodeJwt(Redacted.value((yield* keeper.current)!.value))
      assert.deepStrictEqual([aud, scope, sub], [resource, "todos:read", "alice"])
    }))

  it.effect("keeps the token, and obtains another ID-JAG with another subject token when the token expires", () =>
    Effect.gen(function*() {
      const { client, exchanges, subjectTokens, world } = yield* enterprise
      const { send } = yield* client()
      yield* send()
      yield* send()
      assert.lengthOf(yield* exchanges, 1)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* send()).status, 200)
      assert.lengthOf(yield* exchanges, 2)
      assert.strictEqual(subjectTokens(), 2)
      const assertions = (yield* world.tokenRequests).map((form) => form.get("assertion"))
      assert.strictEqual(new Set(assertions).size, 2)
    }))

  it.effect("requests the old and the new scopes at both servers if the MCP server asks for more", () =>
    Effect.gen(function*() {
      const { client, exchanges, world } = yield* enterprise
      const { send } = yield* client()
      yield* send()
      const old = world.received.at(-1)!.authorization
      world.state.answer = ({ authorization }) =>
        authorization === old
          ? new Response(null, {
            status: 403,
            headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="todos:write"` }
          })
          : undefined
      assert.strictEqual((yield* send()).status, 200)
      assert.strictEqual((yield* exchanges)[1]!.get("scope"), "todos:read todos:write")
      assert.strictEqual((yield* world.tokenRequests)[1]!.get("scope"), "todos:read todos:write")
    }))

  it.effect("54: authenticates at the identity provider with an assertion for its issuer, and with another one each time", () =>
    Effect.gen(function*() {
      const { client, exchanges, key, provider } = yield* enterprise
      const { send } = yield* client({
        identityProvider: {
          issuer: provider.issuer,
          clientId: "sso-with-key",
          privateKey: Redacted.make({ ...key.privateJwk })
        },
        subjectToken: () =>
          Effect.map(provider.mintIdToken({ clientId: "sso-with-key" }), (token) => Redacted.make(token))
      })
      yield* send()
      yield* TestClock.adjust("10 minutes")
      yield* send()
      const assertions = (yield* exchanges).map((form) => decodeJwt(form.get("client_assertion")!))
      assert.deepStrictEqual(assertions.map(({ aud }) => aud), ["https://idp.test", "https://idp.test"])
      assert.notStrictEqual(assertions[0]!.jti, assertions[1]!.jti)
      for (const { exp, iat } of assertions) assert.isAtMost(exp! - iat!, 60)
    }))

  it.effect("reports a rejection of the identity provider with its issuer, and stops after twelve requests in a minute", () =>
    Effect.gen(function*() {
      const { client, exchanges, world } = yield* enterprise
      const { send } = yield* client({ subjectToken: async () => Redacted.make("marker.of.an-id-token") })
      const failure = (yield* Effect.flip(send())) as ClientError.AuthorizationDenied
      assert.deepStrictEqual([failure.issuer, failure.code], ["https://idp.test", "invalid_grant"])
      assert.notInclude(JSON.stringify([failure, failure.message, failure.stack]), "marker")
      for (let time = 0; time < 20; time++) yield* Effect.flip(send())
      assert.lengthOf(yield* exchanges, 12)
      assert.deepStrictEqual(yield* world.tokenRequests, [])
    }))

  it.effect("reports a rejection of the authorization server with its issuer", () =>
    Effect.gen(function*() {
      const { client, provider } = yield* enterprise
      yield* provider.publishKeys([])
      const failure = (yield* Effect.flip((yield* client()).send())) as ClientError.AuthorizationDenied
      assert.deepStrictEqual([failure.issuer, failure.code], ["https://issuer.test", "invalid_grant"])
    }))

  it.effect("36: reports an outage of the identity provider, and goes on with the token until then", () =>
    Effect.gen(function*() {
      const { client, provider } = yield* enterprise
      const { send } = yield* client()
      yield* send()
      yield* provider.answerStatus(503)
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* send()).status, 200)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* Effect.flip(send()))._tag, "Unavailable")
    }))

  it.effect("36: sends no expired token if a renewal in the background fails after the expiry", () =>
    Effect.gen(function*() {
      const { client, provider } = yield* enterprise
      const first = yield* provider.mintIdToken({ subject: "alice", clientId: "sso" })
      let reject = (_: unknown) => {}
      const answers = [
        () => Promise.resolve(Redacted.make(first)),
        () => new Promise<never>((_, fail) => reject = fail)
      ]
      const { send } = yield* client({ subjectToken: () => answers.shift()?.() ?? Promise.reject(new Error("down")) })
      yield* send()
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual((yield* send()).status, 200)
      yield* TestClock.adjust("10 minutes")
      reject(new Error("down"))
      assert.strictEqual((yield* Effect.flip(send()))._tag, "AssertionUnavailable")
    }))

  it.effect("8: rejects metadata of the identity provider with another issuer", () =>
    Effect.gen(function*() {
      const { client, exchanges, provider } = yield* enterprise
      yield* provider.publishMetadata({ issuer: "https://evil.test" })
      assert.strictEqual((yield* Effect.flip((yield* client()).send()))._tag, "DiscoveryError")
      assert.deepStrictEqual(yield* exchanges, [])
    }))

  it.effect.each([
    { access_token: "token", token_type: "Bearer", issued_token_type: "urn:ietf:params:oauth:token-type:access_token" },
    { access_token: "token", token_type: "N_A" }
  ])("39: does not send a token of another type to the authorization server: %j", (answer) =>
    Effect.gen(function*() {
      const { client, provider, world } = yield* enterprise
      yield* provider.respondWith("/token", () => Response.json(answer))
      const failure = (yield* Effect.flip((yield* client()).send())) as ClientError.Mismatch
      assert.strictEqual(failure.what, "token-type")
      assert.deepStrictEqual(yield* world.tokenRequests, [])
    }))

  class Expired extends Data.TaggedError("Expired") {}
  const failing: ReadonlyArray<readonly [string, Grant.IdentityAssertion["subjectToken"], unknown]> = [
    ["throws", () => {
      throw new Expired()
    }, Expired],
    ["rejects", () => Promise.reject(new Expired()), Expired],
    ["fails", () => Effect.fail(new Expired()), Expired],
    ["returns text", (() => "marker") as never, undefined],
    ["returns an empty text", async () => Redacted.make(""), undefined],
    ["returns a text with a line break", async () => Redacted.make("a\nmarker"), undefined],
    ["returns nothing", (async () => undefined) as never, undefined]
  ]
  it.effect.each(failing)(
    "requests nothing if the function that supplies the subject token %s",
    ([, subjectToken, cause]) =>
      Effect.gen(function*() {
        const { client, exchanges, world } = yield* enterprise
        const failure =
          (yield* Effect.flip((yield* client({ subjectToken })).send())) as ClientError.AssertionUnavailable
        assert.deepStrictEqual([failure._tag, failure.option], ["AssertionUnavailable", "grant.subjectToken"])
        if (cause === undefined) assert.isUndefined(failure.cause)
        else assert.instanceOf(failure.cause, cause as typeof Expired)
        assert.notInclude(JSON.stringify([failure, failure.message]), "marker")
        assert.deepStrictEqual(yield* exchanges, [])
        assert.deepStrictEqual(yield* world.tokenRequests, [])
      })
  )
})

describe("the grant with the identity of a workload", () => {
  const workload = Effect.gen(function*() {
    const { issuer: platform } = yield* TestIssuer.make({ issuer: "https://platform.test" })
    const world = yield* serversWith({ workloadIssuers: [platform] })
    const targets: Array<Grant.WorkloadTarget> = []
    const mint = (audience: string) =>
      Effect.map(
        platform.mint({ subject: "spiffe://platform.test/report", audience, header: { typ: "JWT" } }),
        (token) => Redacted.make(token)
      )
    const client = (changes: Partial<Grant.WorkloadIdentity> = {}) =>
      clientOf({
        ...world,
        grant: Grant.workloadIdentity({
          issuer: world.issuer.issuer,
          assertion: (target) => {
            targets.push(target)
            return mint(target.tokenEndpoint)
          },
          ...changes
        })
      })
    return { world, client, targets, mint }
  })

  it.effect("sends a JWT for the token endpoint as the grant, without other credentials", () =>
    Effect.gen(function*() {
      const { client, targets, world } = yield* workload
      const { keeper, send } = yield* client()
      assert.strictEqual((yield* send()).status, 200)
      assert.deepStrictEqual(targets, [
        { issuer: "https://issuer.test", tokenEndpoint: "https://issuer.test/token", resource }
      ])
      const request = (yield* world.issuer.requests).find(({ url }) => url.endsWith("/token"))!
      assert.isUndefined(request.headers["authorization"])
      const { assertion, ...form } = Object.fromEntries(new URLSearchParams(request.body))
      assert.isString(assertion)
      assert.deepStrictEqual(form, {
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        resource,
        scope: "todos:read"
      })
      const { sub } = decodeJwt(Redacted.value((yield* keeper.current)!.value))
      assert.strictEqual(sub, "spiffe://platform.test/report")
    }))

  it.effect("sends the client id of the options", () =>
    Effect.gen(function*() {
      const { client, world } = yield* workload
      yield* (yield* client({ clientId: "report" })).send()
      assert.strictEqual((yield* world.tokenRequests)[0]!.get("client_id"), "report")
    }))

  it.effect("reports a rejected JWT after one request", () =>
    Effect.gen(function*() {
      const { client, mint, world } = yield* workload
      const { send } = yield* client({ assertion: () => mint("https://other.test") })
      const failure = (yield* Effect.flip(send())) as ClientError.AuthorizationDenied
      assert.deepStrictEqual([failure.reason, failure.code], ["token-request", "invalid_grant"])
      assert.lengthOf(yield* world.tokenRequests, 1)
    }))

  it.effect("sends the JWT only to the issuer of the options", () =>
    Effect.gen(function*() {
      const { client, targets, world } = yield* workload
      world.state.metadata = { resource, authorization_servers: ["https://evil.test"] }
      assert.strictEqual((yield* Effect.flip((yield* client()).send()))._tag, "Mismatch")
      assert.deepStrictEqual(targets, [])
    }))
})

describe("the options", () => {
  const supply = async () => Redacted.make("token")
  const provider = { issuer: "https://idp.test", clientId: "sso", clientSecret: secret }
  const person = {
    issuer: "https://issuer.test",
    clientId: "todo-client",
    clientSecret: secret,
    identityProvider: provider,
    subjectToken: supply
  }
  const rejected: ReadonlyArray<readonly [string, () => unknown]> = [
    ["grant", () => Grant.identityAssertion(undefined as never)],
    ["grant.issuer", () => Grant.identityAssertion({ ...person, issuer: "http://issuer.test" })],
    ["grant.identityProvider", () => Grant.identityAssertion({ ...person, identityProvider: undefined as never })],
    [
      "grant.identityProvider.issuer",
      () => Grant.identityAssertion({ ...person, identityProvider: { ...provider, issuer: Grant.anyIssuer as never } })
    ],
    [
      "grant.identityProvider.clientid",
      () => Grant.identityAssertion({ ...person, identityProvider: { ...provider, clientid: "x" } as never })
    ],
    ["grant.subjectToken", () => Grant.identityAssertion({ ...person, subjectToken: undefined as never })],
    ["grant.subjectToken", () => Grant.identityAssertion({ ...person, subjectToken: "token" as never })],
    ["grant.subjectTokenType", () => Grant.identityAssertion({ ...person, subjectTokenType: "jwt" as never })],
    ["grant.issuer", () => Grant.workloadIdentity({ issuer: Grant.anyIssuer as never, assertion: supply })],
    ["grant.assertion", () => Grant.workloadIdentity({ issuer: "https://issuer.test" } as never)],
    ["grant.clientId", () => Grant.workloadIdentity({ issuer: "https://issuer.test", assertion: supply, clientId: "" })]
  ]
  it.each(rejected)("reject a wrong %s with an error that names it", (option, call) => {
    let error: unknown
    try {
      call()
    } catch (thrown) {
      error = thrown
    }
    assert.strictEqual((error as { readonly option?: string } | undefined)?.option, option)
  })

  it.effect("reject credentials at the identity provider without a secret before the first request", () =>
    Effect.gen(function*() {
      const { client } = yield* enterprise
      const identityProvider = { issuer: "https://idp.test", clientId: "sso" } as never
      const error = yield* Effect.flip(client({ identityProvider }))
      assert.strictEqual((error as { readonly option?: string }).option, "grant.identityProvider.clientSecret")
    }))
})
