/** MCP clients sign in through the proxy, over loopback sockets. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { McpAuthClient } from "effect-mcp-auth/client"
import { Check, Doctor } from "effect-mcp-auth/provider"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { FetchHttpClient } from "effect/http"
import { decodeJwt, decodeProtectedHeader } from "jose"
import * as oauth from "oauth4webapi"
import { clients, redirectUri } from "../providers/officialClients.ts"
import { register } from "./oauth4webapi.ts"
import { makePerson, start } from "./server.ts"

const textOf = (result: Readonly<Record<string, unknown>>) => (result["content"] as [{ readonly text: string }])[0].text

/** The upstreams, the id of alice at each, and the upstream scope of `notes:write`. */
const upstreams = [
  { form: "github", id: "1001", writing: "repo" },
  { form: "google", id: "sub-1001", writing: "https://www.googleapis.com/auth/drive.file" },
  {
    form: "entra",
    id: "11111111-2222-3333-4444-555555555555.00000000-0000-4000-8000-000000001001",
    writing: "Notes.ReadWrite"
  }
] as const

describe.each(upstreams)("with an upstream like $form", ({ form, id, writing }) => {
  let world: Awaited<ReturnType<typeof start>>
  let subject: string
  beforeAll(async () => {
    world = await start({ form })
    subject = world.proxy.grants.subjectOf(id)
  })
  afterAll(async () => {
    await world.stop()
  })

  it.each(clients)(
    "the client of $name registers, signs in with consent, calls tools, and refreshes",
    async ({ signIn }) => {
      const signedIn = await signIn({ url: world.resource, browse: makePerson() })
      assert.match(signedIn.clientId, /^c1\./)
      const claims = decodeJwt(signedIn.tokens.access_token)
      assert.strictEqual(decodeProtectedHeader(signedIn.tokens.access_token).typ, "at+jwt")
      assert.strictEqual(claims.iss, world.origin)
      assert.strictEqual(claims.aud, world.resource)
      assert.strictEqual(claims.sub, subject)
      assert.strictEqual(claims["client_id"], signedIn.clientId)
      assert.strictEqual(textOf(await signedIn.callTool("list_notes", {})), `The notes of ${subject}`)
      // Attack 46: the tool receives the token of the upstream, and the client never does.
      const upstreamToken = textOf(await signedIn.callTool("upstream_token", {}))
      assert.include(await world.upstream.liveTokens("alice"), upstreamToken)
      assert.notInclude(JSON.stringify(signedIn.tokens), upstreamToken)
      await signedIn.close()

      const refreshed = await fetch(`${world.origin}/token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: signedIn.tokens.refresh_token!,
          client_id: signedIn.clientId
        })
      })
      assert.strictEqual(refreshed.status, 200)
      const { access_token } = await refreshed.json() as { access_token: string }
      assert.strictEqual(decodeJwt(access_token)["sid"], claims["sid"])
    }
  )

  it("oauth4webapi gets the scopes that the upstream grants, and attack 49: no scope that a person withholds", async () => {
    const { signIn } = await register(world)
    assert.strictEqual((await signIn("notes:read notes:write")).scope, "notes:read notes:write")
    await world.upstream.withholdScopes(writing)
    const { access_token, scope } = await signIn("notes:read notes:write")
    await world.upstream.withholdScopes()
    assert.strictEqual(scope, "notes:read")
    assert.strictEqual(decodeJwt(access_token)["scope"], "notes:read")
  })

  it("attack 56: a person that the rule of admission no longer admits loses the grant at the next refresh", async () => {
    const { refresh, signIn } = await register(world)
    const { access_token, refresh_token } = await signIn("notes:read")
    assert.strictEqual(await ping(access_token, world.resource), 200)
    // The account leaves the organization and the Workspace, and is a guest of the tenant.
    await world.upstream.setAccount({ id: 1001, login: "alice", email: "alice@acme.test", acct: 1 })
    const rejected = await refresh(refresh_token!)
    assert.strictEqual(rejected.status, 400)
    assert.strictEqual((await rejected.json())["error"], "invalid_grant")
    assert.strictEqual(await ping(access_token, world.resource), 401)
    // The next sign-in is rejected as well, and the client learns no more than that.
    const error = await signIn("notes:read").then(() => undefined, (thrown: unknown) => thrown)
    assert.strictEqual((error as oauth.AuthorizationResponseError).error, "access_denied")
  })
})

let world: Awaited<ReturnType<typeof start>>
beforeAll(async () => {
  world = await start()
})
afterAll(async () => {
  await world.stop()
})

const ping = (token: string, resource = world.resource) =>
  fetch(resource, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream"
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
  }).then(({ status }) => status)

describe("the client of this library", () => {
  it("registers and signs in with a browser", async () => {
    const visit = makePerson()
    const auth = await McpAuthClient.make({
      resource: world.resource,
      grant: AuthorizationCode.grant({
        client: { name: "Test" },
        redirect: {
          redirectUris: [redirectUri],
          listen: Effect.succeed({
            redirectUri,
            open: (url, complete) => Effect.flatMap(Effect.promise(() => visit(url)), ({ href }) => complete(href))
          })
        },
        store: MemoryStore.make()
      })
    })
    const response = await auth.fetch(world.resource, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
    })
    assert.strictEqual(response.status, 200)
    await response.body?.cancel()
    await auth.dispose()
  })
})

describe("the command on a running proxy", () => {
  let world: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    world = await start()
  })
  afterAll(() => world.stop())

  /** Returns the outcome, and the rules with the levels MUST and SHOULD that fail. Extensions are MAY. */
  const problemsOf = async (report: ReturnType<typeof Check.run>) => {
    const { findings, outcome } = await Effect.runPromise(report.pipe(Effect.provide(FetchHttpClient.layer)))
    const failed = findings.filter(({ level, verdict }) => level !== "MAY" && verdict === "fail")
    return { outcome, problems: failed.map(({ rule, why }) => `${rule}: ${why}`) }
  }

  it("check reports no problem", async () => {
    assert.deepStrictEqual(await problemsOf(Check.run(world.origin)), { outcome: "pass", problems: [] })
  })

  it("doctor reports no problem, and cannot tell about tokens for other servers", async () => {
    assert.deepStrictEqual(await problemsOf(Doctor.run(world.resource)), { outcome: "inconclusive", problems: [] })
  })
})

describe("oauth4webapi", () => {
  it("accepts the metadata, the callback with its issuer, and the tokens, and revokes them", async () => {
    const { client, insecure, refresh, server, signIn } = await register(world)
    const tokens = await signIn()
    assert.strictEqual(await ping(tokens.access_token), 200)
    const refreshed = await oauth.processRefreshTokenResponse(server, client, await refresh(tokens.refresh_token!))
    assert.strictEqual(await ping(refreshed.access_token), 200)
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, oauth.None(), refreshed.refresh_token!, insecure)
    )
    // The gate of the same process knows at once that the grant has ended.
    assert.strictEqual(await ping(refreshed.access_token), 401)
  })

  it("attack 45: a refresh token is not an access token, and the reverse", async () => {
    const [{ signIn }] = clients as [(typeof clients)[number]]
    const { clientId, close, tokens } = await signIn({ url: world.resource, browse: makePerson() })
    await close()
    assert.strictEqual(await ping(tokens.refresh_token!), 401)
    const response = await fetch(`${world.origin}/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: tokens.access_token,
        client_id: clientId
      })
    })
    assert.strictEqual(response.status, 400)
    // Attack 46: the token of the upstream is not valid here.
    const [upstreamToken] = await world.upstream.liveTokens("alice")
    assert.strictEqual(await ping(upstreamToken!), 401)
  })

  it("a person whose grants are revoked is rejected at the gate", async () => {
    const [{ signIn }] = clients as [(typeof clients)[number]]
    const { close, tokens } = await signIn({ url: world.resource, browse: makePerson() })
    await close()
    assert.strictEqual(await ping(tokens.access_token), 200)
    const subject = world.proxy.grants.subjectOf("1001")
    assert.isAbove((await world.proxy.grants.list(subject)).length, 0)
    assert.isAbove((await world.upstream.liveTokens("alice")).length, 0)
    assert.isAbove(await world.proxy.grants.revokeAll(subject), 0)
    assert.strictEqual(await ping(tokens.access_token), 401)
    // GitHub deletes one token, and people sign in here several times. The last one, which the proxy kept, does not work any more.
    assert.isAbove((await world.upstream.takeRequests()).filter(({ method }) => method === "DELETE").length, 0)
  })

  it("a person who denies returns to the client with access_denied and the issuer", async () => {
    const registered = await fetch(`${world.origin}/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: [redirectUri] })
    })
    const { client_id } = await registered.json() as { client_id: string }
    const url = `${world.origin}/authorize?${new URLSearchParams({
      response_type: "code",
      client_id,
      redirect_uri: redirectUri,
      code_challenge: "A".repeat(43),
      code_challenge_method: "S256"
    })}`
    const callback = await makePerson()(url, "deny")
    assert.deepStrictEqual(Object.fromEntries(callback.searchParams), { error: "access_denied", iss: world.origin })
  })
})
