/** Tokens that are bound to a key of the client (RFC 9449). Numbers in titles are those of the faults that clients had. */
import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { McpServer } from "@modelcontextprotocol/server"
import { Effect, Redacted } from "effect"
import { type ClientError, DpopKeys, Grant, McpAuthClient } from "effect-mcp-auth/client"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { Connections, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore, SealedStore } from "effect-mcp-auth/store"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { decodeJwt, decodeProtectedHeader } from "jose"
import { createHash } from "node:crypto"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"
import { keyOf } from "../../src/client/sign-in/SignInRecords.ts"
import { application, people, whileTimePasses } from "./people.ts"
import { clientOf, resource, servers } from "./world.ts"

const dpop = DpopKeys.make()

/** Returns the thumbprint of the key of a proof (RFC 7638 §3). */
const thumbprintOf = (proof: string): string => {
  const { crv, kty, x, y } = decodeProtectedHeader(proof).jwk!
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url")
}

/** Requests a nonce, as a server does that requires one. */
const nonceRequired = (nonce: string | undefined) =>
  new Response(null, {
    status: 401,
    headers: {
      "www-authenticate": "DPoP error=\"use_dpop_nonce\"",
      ...(nonce === undefined ? {} : { "dpop-nonce": nonce })
    }
  })

/** Starts an MCP server with the gate of this library, which requires DPoP and a nonce. */
const protect = async (url: string, issuer: string, toIssuer: typeof globalThis.fetch) => {
  const auth = await McpAuthSdk.make({
    resource: url,
    authorizationServers: [issuer],
    scopes: { baseline: ["notes:read"], stepUp: ["notes:write"] },
    dpop: Dpop.required({ nonce: "required" }),
    fetch: toIssuer
  })
  const { fetch: mcp } = auth.createMcpHandler(() => {
    const server = new McpServer({ name: "notes", version: "1.0.0" })
    for (const [name, scope] of [["list_notes", "notes:read"], ["add_note", "notes:write"]] as const) {
      auth.registerTool(server, name, { scopes: [scope] }, async ({ principal }) => ({
        content: [{ type: "text", text: `${name} of ${principal.subject}` }]
      }))
    }
    return server
  })
  const proofs: Array<string> = []
  const statuses: Array<number> = []
  const { origin } = new URL(url)
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const proof = request.headers.get("dpop")
    if (proof !== null) proofs.push(proof)
    if (new URL(request.url).origin !== origin) return toIssuer(request)
    const response = await auth.metadata(request) ?? await mcp(request)
    statuses.push(response.status)
    return response
  }
  return { dispose: auth.dispose, fetch, proofs, statuses, url }
}

/** Starts a protected MCP server, and an authorization server in memory that requires a nonce as well. */
const start = async (options: TestIssuer.Options = {}) => {
  const url = "https://notes.test/mcp"
  const { issuer } = await Effect.runPromise(TestIssuer.make({ resource: url, ...options }))
  await Effect.runPromise(issuer.requireDpopNonce("nonce-of-the-issuer"))
  return { issuer, ...await protect(url, issuer.issuer, await Effect.runPromise(issuer.fetch)) }
}

describe("a machine client with keys", () => {
  it("52: sends each proof once, with the nonce of its server, and obtains another scope for another tool", async () => {
    const key = await Effect.runPromise(SigningKey.make())
    const world = await start({ clients: { report: { jwks: { keys: [key.publicJwk] } } } })
    const auth = await McpAuthClient.make({
      resource: world.url,
      // An assertion is valid once, so the request with the nonce needs another one.
      grant: Grant.clientCredentials({
        issuer: world.issuer.issuer,
        clientId: "report",
        privateKey: Redacted.make({ ...key.privateJwk })
      }),
      dpop,
      fetch: world.fetch
    })
    const client = new Client({ name: "report", version: "1.0.0" })
    await client.connect(new StreamableHTTPClientTransport(new URL(world.url), { fetch: auth.fetch }))
    for (const name of ["list_notes", "add_note", "list_notes"]) {
      const { content } = await client.callTool({ name, arguments: {} })
      assert.deepStrictEqual(content, [{ type: "text", text: `${name} of report` }])
    }
    await client.close()
    await auth.dispose()
    await world.dispose()
    const claims = world.proofs.map((proof) => decodeJwt(proof))
    assert.strictEqual(new Set(claims.map(({ jti }) => jti)).size, claims.length)
    assert.strictEqual(new Set(world.proofs.map(thumbprintOf)).size, 1)
    // Each server asks once, and the client keeps its nonce for later requests.
    for (const htu of [world.issuer.tokenEndpoint, world.url]) {
      const nonces = claims.filter((claim) => claim["htu"] === htu).map(({ nonce }) => nonce)
      assert.isUndefined(nonces[0])
      assert.isAbove(nonces.length, 2)
      assert.notInclude(nonces.slice(1), undefined)
    }
    assert.isTrue(
      claims.every((claim) => (claim["ath"] === undefined) === (claim["htu"] === world.issuer.tokenEndpoint))
    )
    assert.deepStrictEqual(world.statuses.filter((status) => status === 403), [403])
  })

  it.effect("52: gives up if the MCP server asks for another nonce each time, and repeats nothing without a nonce", () =>
    Effect.gen(function*() {
      const world = yield* servers
      let count = 0
      world.state.answer = ({ authorization }) => authorization === null ? undefined : nonceRequired(`nonce-${++count}`)
      const { send } = yield* clientOf(world, { dpop })
      assert.deepInclude(yield* Effect.flip(send()), { _tag: "AuthorizationDenied", reason: "nonce" })
      const nonces = world.received.slice(1).map(({ headers }) => decodeJwt(headers.get("dpop")!)["nonce"])
      assert.deepStrictEqual(nonces, [undefined, "nonce-1"])
      world.state.answer = ({ authorization }) => authorization === null ? undefined : nonceRequired(undefined)
      assert.deepInclude(yield* Effect.flip(send()), { _tag: "AuthorizationDenied", reason: "fresh-token" })
    }))

  it.effect("52: returns the response to a stream, and sends the next request with the nonce", () =>
    Effect.gen(function*() {
      const world = yield* servers
      const { send } = yield* clientOf(world, { dpop })
      yield* send()
      world.state.answer = ({ headers }) =>
        decodeJwt(headers.get("dpop")!)["nonce"] === "nonce-1" ? undefined : nonceRequired("nonce-1")
      assert.strictEqual((yield* send(resource, false)).status, 401)
      assert.strictEqual((yield* send(resource, false)).status, 200)
    }))

  it.effect("52: sends the nonce of one server to no other", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.requireDpopNonce("nonce-of-the-issuer")
      const { send } = yield* clientOf(world, { dpop })
      yield* send()
      const proof = decodeJwt(world.received.at(-1)!.headers.get("dpop")!)
      assert.isUndefined(proof["nonce"])
      assert.strictEqual(proof["htu"], resource)
      assert.strictEqual(proof["htm"], "POST")
    }))

  it.effect("52: requests a token twice at most if the authorization server asks for another nonce each time", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.respondWith(
        "/token",
        () =>
          Response.json({ error: "use_dpop_nonce" }, { status: 400, headers: { "dpop-nonce": crypto.randomUUID() } })
      )
      const { send } = yield* clientOf(world, { dpop })
      assert.deepInclude(yield* Effect.flip(send()), { _tag: "AuthorizationDenied", code: "use_dpop_nonce" })
      assert.lengthOf(yield* world.tokenRequests, 2)
    }))

  it.effect("39: rejects a token of the type Bearer, and sends it nowhere", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.respondWith("/token", () => Response.json({ access_token: "token", token_type: "Bearer" }))
      const { send } = yield* clientOf(world, { dpop })
      assert.deepInclude(yield* Effect.flip(send()), { _tag: "Mismatch", what: "token-type", expected: "DPoP" })
      assert.deepStrictEqual(world.received.map(({ authorization }) => authorization), [null])
    }))

  it.effect("names the algorithms of an authorization server that accepts only others", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.publishMetadata({ dpop_signing_alg_values_supported: ["ES512", "PS256"] })
      const failure = yield* Effect.flip((yield* clientOf(world, { dpop })).send())
      assert.deepInclude(failure, { _tag: "Mismatch", what: "dpop-algorithm", found: "ES512, PS256" })
      const { send } = yield* clientOf(world, { dpop: DpopKeys.make({ algorithm: "PS256" }) })
      assert.strictEqual((yield* send()).status, 200)
      assert.strictEqual(decodeProtectedHeader(world.received.at(-1)!.headers.get("dpop")!).alg, "PS256")
    }))

  it.each([{ algorithm: "HS256" }, { algorithm: "none" }, { algorithms: ["ES256"] }])(
    "rejects the options %j",
    (options) => assert.throws(() => DpopKeys.make(options as never), /DpopKeys\.make/)
  )
})

describe("the keys of accounts", () => {
  /** An authorization server that issues DPoP tokens, connections, and the thumbprints of the keys in proofs. */
  const withKeys = Effect.gen(function*() {
    const world = yield* people
    world.people.members = { token_type: "DPoP" }
    const app = yield* application(world, { dpop })
    const thumbprints = (path: string) =>
      Effect.map(
        world.issuer.requests,
        (all) => all.filter(({ url }) => url.endsWith(path)).map(({ headers }) => thumbprintOf(headers["dpop"]!))
      )
    const latest = Effect.sync(() => thumbprintOf(world.received.at(-1)!.headers.get("dpop")!))
    const key = yield* keyOf("token", "alice", resource)
    const record = Effect.map(world.store.get(key), (found) => ({ key, found }))
    const change = (members: Record<string, unknown>) =>
      Effect.gen(function*() {
        const { value, version } = (yield* world.store.get(key))!
        const changed = JSON.stringify({ ...JSON.parse(value), ...members })
        yield* world.store.put(key, changed, { lifetime: "1 hour", expected: version })
      })
    return { ...world, app, change, latest, record, thumbprints }
  })

  it.effect("belong to one sign-in, and stay the same in a refresh and after a restart", () =>
    Effect.gen(function*() {
      const { app, latest, thumbprints, ...world } = yield* withKeys
      const url = yield* app.signInUrl()
      yield* app.complete(world.approve(url), { account: "alice" })
      assert.strictEqual((yield* app.call()).status, 200)
      const bound = yield* latest
      assert.strictEqual(new URL(url).searchParams.get("dpop_jkt"), bound)
      assert.match(world.received.at(-1)!.authorization!, /^DPoP access-/)
      yield* TestClock.adjust("2 hours")
      const restarted = yield* application(world, { dpop })
      assert.strictEqual((yield* restarted.call()).status, 200)
      assert.lengthOf(yield* world.forms("refresh_token"), 1)
      assert.strictEqual(yield* latest, bound)
      assert.deepStrictEqual(yield* thumbprints("/token"), [bound, bound])
      yield* app.signIn("bob")
      yield* app.call("bob")
      assert.notStrictEqual(yield* latest, bound)
    }))

  it.effect.each(
    [
      ["is missing", { proofKey: undefined }],
      ["is damaged", { proofKey: "{" }],
      ["is another one", { thumbprint: "another" }],
      ["has no private part", { proofKey: JSON.stringify({ kty: "EC", crv: "P-256", x: "a", y: "b", alg: "ES256" }) }],
      ["has another algorithm", { proofKey: JSON.stringify({ kty: "oct", k: "AAAA", alg: "HS256" }) }]
    ] as const
  )("53: removes a token whose key %s, and asks the person to sign in", ([, members]) =>
    Effect.gen(function*() {
      const { app, change, record, ...world } = yield* withKeys
      yield* app.signIn()
      yield* change(members)
      const restarted = yield* application(world, { dpop })
      const error = yield* Effect.flip(restarted.call())
      assert.strictEqual(error._tag, "SignInRequired")
      assert.isUndefined((yield* record).found)
      assert.isNull(world.received.at(-1)!.authorization)
      yield* restarted.complete(world.approve(error.url), { account: "alice" })
      assert.strictEqual((yield* restarted.call()).status, 200)
    }))

  it.effect("53: asks the person to sign in if the option is added or removed", () =>
    Effect.gen(function*() {
      const { app, ...world } = yield* withKeys
      yield* app.signIn()
      const without = yield* application(world)
      const error = yield* Effect.flip(without.call())
      assert.strictEqual(error._tag, "SignInRequired")
      world.people.members = {}
      yield* without.complete(world.approve(error.url), { account: "alice" })
      assert.strictEqual((yield* without.call()).status, 200)
      const again = yield* application(world, { dpop })
      assert.strictEqual((yield* Effect.flip(again.call()))._tag, "SignInRequired")
    }))

  it.effect("39: stores no token of the type Bearer", () =>
    Effect.gen(function*() {
      const { app, record, ...world } = yield* withKeys
      world.people.members = {}
      const url = yield* app.signInUrl()
      const failure = yield* Effect.flip(app.complete(world.approve(url), { account: "alice" }))
      assert.deepInclude(failure, { _tag: "Mismatch", what: "token-type" })
      assert.isUndefined((yield* record).found)
    }))

  it.effect("bind the token of a sign-in on another device", () =>
    Effect.gen(function*() {
      const world = yield* people
      yield* world.issuer.publishMetadata({ device_authorization_endpoint: `${world.issuer.issuer}/device` })
      yield* world.issuer.respondWith("/device", () =>
        Response.json({
          device_code: "device-code",
          user_code: "WDJB-MJHT",
          verification_uri: `${world.issuer.issuer}/activate`,
          expires_in: 600
        }))
      world.people.token = () => Response.json({ access_token: "device-token", token_type: "DPoP", expires_in: 3600 })
      const grant = DeviceAuthorization.grant({
        client: { name: "Test" },
        prompt: () => {},
        store: Effect.succeed(world.store)
      })
      const { send } = yield* clientOf({ ...world, grant }, { dpop })
      assert.strictEqual((yield* whileTimePasses(send())).status, 200)
      const { authorization, headers } = world.received.at(-1)!
      assert.strictEqual(authorization, "DPoP device-token")
      const request = (yield* world.issuer.requests).find(({ url }) => url.endsWith("/token"))!
      assert.strictEqual(thumbprintOf(headers.get("dpop")!), thumbprintOf(request.headers["dpop"]!))
    }))

  it.effect("59: are in no error, and in a sealed store only in sealed form", () =>
    Effect.gen(function*() {
      const plain = yield* MemoryStore.make()
      const secret = Redacted.make("a secret of at least thirty-two bytes, for this test")
      const world = yield* people
      world.people.members = { token_type: "DPoP" }
      const sealed = { ...world, store: SealedStore.make(plain, SealedStore.withSecrets(secret)) }
      const app = yield* application(sealed, { dpop })
      const url = yield* app.signInUrl()
      yield* app.complete(world.approve(url), { account: "alice" })
      assert.strictEqual((yield* app.call()).status, 200)
      const value = (yield* plain.get(yield* keyOf("token", "alice", resource)))!.value
      assert.notInclude(value, "proofKey")
      const opened = (yield* sealed.store.get(yield* keyOf("token", "alice", resource)))!.value
      const { d } = JSON.parse(JSON.parse(opened)["proofKey"])
      assert.isAbove(d.length, 40)
      world.state.answer = () => nonceRequired(undefined)
      const error = yield* Effect.flip(app.call())
      assert.notInclude(JSON.stringify([error, error.message, error.stack]), d)
    }))
})

describe("a person at a real authorization server", () => {
  it.live("signs in, steps up, refreshes, and uses the token after a restart, each time with the key of the token", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({
        scopes: { baseline: ["notes:read"], stepUp: ["notes:write"] },
        refreshTokens: "always",
        accessTokenLifetime: 2
      })
      const world = yield* Effect.promise(() => protect("http://127.0.0.1:9/mcp", issuer, (...args) => fetch(...args)))
      const store = yield* MemoryStore.make()
      const agent = new UserAgent({ username: "alice" })
      const connection = { account: "alice", resource: world.url }
      const connect = Effect.provideService(
        Connections.make({
          client: { name: "Test" },
          redirectUri: "http://127.0.0.1:9/callback",
          allowIssuers: [issuer],
          dpop,
          fetch: world.fetch
        }),
        RecordStore.RecordStore,
        store
      )
      /** Calls a tool, and signs the person in whenever that is necessary. */
      const call = (connections: Connections.Connections["Service"], name: string) =>
        Effect.gen(function*() {
          const client = new Client({ name: "tool", version: "1.0.0" })
          yield* Effect.tryPromise({
            try: async () => {
              const transport = new StreamableHTTPClientTransport(new URL(world.url), {
                fetch: connections.fetch(connection)
              })
              await client.connect(transport)
              const { content } = await client.callTool({ name, arguments: {} })
              assert.deepStrictEqual(content, [{ type: "text", text: `${name} of alice` }])
            },
            catch: (error) => error as ClientError.SignInRequired
          })
        }).pipe(
          Effect.tapError(({ url }) =>
            Effect.flatMap(
              Effect.promise(() => agent.authorize(url)),
              (callback) => connections.complete({ url: callback.href }, { account: "alice" })
            )
          ),
          Effect.retry({ times: 1 })
        )
      const connections = yield* connect
      yield* call(connections, "list_notes")
      yield* call(connections, "add_note")
      yield* Effect.sleep("2.1 seconds")
      world.proofs.length = 0
      const restarted = yield* connect
      yield* call(restarted, "add_note")
      const bodies = world.proofs.map((proof) => decodeJwt(proof))
      assert.isTrue(bodies.some(({ htu }) => htu === `${issuer}/token`))
      assert.isTrue(bodies.some(({ htu }) => htu === world.url))
      assert.strictEqual(new Set(world.proofs.map(thumbprintOf)).size, 1)
      yield* Effect.promise(world.dispose)
    }))
})
