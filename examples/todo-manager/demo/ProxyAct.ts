/**
 * The second act of the demo: the todo manager behind an OAuth proxy, in front of an identity provider that registers no clients. The
 * testing kit imitates GitHub.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted } from "effect"
import { ClientError } from "effect-mcp-auth/client"
import { Admit, GrantAdministration, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
import { MemoryStore } from "effect-mcp-auth/store"
import { TestBrowser, TestUpstream } from "effect-mcp-auth/testing"
import { HttpRouter, HttpServer } from "effect/http"
import { decodeJwt, decodeProtectedHeader } from "jose"
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import * as TodoManager from "../TodoManager.ts"
import * as Session from "./Session.ts"
import { account, assertScopes, callTool, Decisions, redirectUri, tellRejection, tellToken } from "./Session.ts"
import type * as Story from "./Story.ts"
import { challengeOf, describe, documentOf, memberLines, Wire } from "./Wire.ts"

const baseline = "create:todos read:todos"
const everything = "create:todos read:todos delete:todos"

export const story = Effect.fnUntraced(function*(step: Story.Step) {
  const { authorizationServers: [issuer], resource, url } = yield* Serving.Endpoint
  const upstream = yield* TestUpstream.TestUpstream
  const grants = yield* GrantAdministration
  const decisions = yield* Decisions
  const wire = new Wire()
  const browser = TestBrowser.make()
  const { connect, connections } = yield* Session.make({ issuer, url, wire })
  const token = `${issuer}/token`

  yield* Console.log(
    `Act 2. The todo manager is ${resource}, with an OAuth proxy at ${issuer}, in front of ${upstream.origin}, which imitates GitHub.\n`
  )

  yield* step("The identity provider has no metadata, and registers no clients", async (tell) => {
    for (const [method, path] of [["GET", "/.well-known/oauth-authorization-server"], ["POST", "/register"]] as const) {
      await wire.fetch(`${upstream.origin}${path}`, { method })
      const exchange = wire.take(method, `${upstream.origin}${path}`)
      tell(...describe(exchange))
      assert.equal(exchange.response.status, 404)
    }
    tell(`  it knows one client, that of the proxy: ${upstream.clientId}`)
  })

  // This call performs all requests up to the sign-in of the person. The next step checks the recorded requests.
  const outcome = yield* Effect.promise(() => connect().then(() => undefined, (error: unknown) => error))

  const clientId = yield* step(
    "The todo manager names the proxy, and the client registers itself there",
    async (tell) => {
      const rejected = wire.take("POST", url, "initialize")
      assert.equal(rejected.response.status, 401)
      const metadata = wire.take("GET", challengeOf(rejected, "resource_metadata")!)
      tell(...describe(metadata, ["resource", "authorization_servers"]))
      assert.deepEqual(documentOf(metadata)["authorization_servers"], [issuer])
      const server = wire.take("GET", `${issuer}/.well-known/oauth-authorization-server`)
      tell(...describe(server, ["issuer", "registration_endpoint", "authorization_endpoint", "token_endpoint"]))
      assert.equal(documentOf(server)["token_endpoint"], token)
      const registration = wire.take("POST", `${issuer}/register`)
      tell(...describe(registration, ["client_id", "redirect_uris", "token_endpoint_auth_method"]))
      assert.equal(registration.response.status, 201)
      // The id contains the registration and a signature, so the proxy stores nothing before a person signs in.
      assert.match(String(documentOf(registration)["client_id"]), /^c1\./)
      return String(documentOf(registration)["client_id"])
    }
  )

  /** The person consents at the proxy and signs in at the identity provider. Describes the pages and redirects. */
  const signIn = async (required: unknown, scope: string) => {
    if (!(required instanceof ClientError.SignInRequired)) throw required
    const before = (await Effect.runPromise(browser.visits)).length
    const consent = await Effect.runPromise(browser.open(required.url))
    assert(consent._tag === "Page")
    const permissions = [...consent.html.matchAll(/<li><code>([^<]*)<\/code><\/li>/g)].map(([, name]) => name)
    assertScopes(permissions.join(" "), scope)
    let arrival = await Effect.runPromise(browser.press("Allow"))
    // The identity provider keeps the person signed in, so its page appears only once.
    if (arrival._tag === "Page") arrival = await Effect.runPromise(browser.press("Sign in as alice"))
    assert(arrival._tag === "Callback")
    const callback = new URL(arrival.url)
    assert.equal(callback.searchParams.get("iss"), issuer)

    const visits = (await Effect.runPromise(browser.visits)).slice(before)
    const request = visits.findLast((visit) => visit.url.startsWith(`${upstream.origin}/login/oauth/authorize`))
    assert(request !== undefined, "the browser did not reach the identity provider")
    const sent = Object.fromEntries(new URL(request.url).searchParams)
    assert.equal(sent["client_id"], upstream.clientId)
    // The identity provider is asked for its scope only if the client requests the scope of the proxy that needs it.
    assert.equal(sent["scope"]?.split(" ").includes("gist"), scope.includes("delete:todos"))
    const lines = [
      `> GET ${issuer}/authorize   (in the browser)`,
      ...memberLines(Object.fromEntries(new URL(required.url).searchParams), ["client_id", "scope", "redirect_uri"]),
      `< 200   ${consent.heading}`,
      `  the page lists ${permissions.join(" ")}; alice presses Allow`,
      `> GET ${upstream.origin}/login/oauth/authorize   (in the browser)`,
      ...memberLines(sent, ["client_id", "scope", "redirect_uri", "code_challenge"]),
      ...visits.flatMap(({ form }) => form?.["login"] === undefined ? [] : [`  signs in as ${form["login"]}`]),
      `< ${request.status} ${issuer}/callback/github`,
      `< ${visits.at(-1)?.status} ${redirectUri}`,
      ...memberLines(Object.fromEntries(callback.searchParams), ["code", "iss"])
    ]
    return { callback, lines }
  }

  /** Passes the callback to the client, which exchanges the code for tokens. Returns them. */
  const redeem = async (callback: URL, scope: string) => {
    await Effect.runPromise(connections.complete({ url: callback.href }, { account }))
    const exchange = wire.take("POST", token)
    assert.equal(exchange.response.status, 200)
    const { access_token, refresh_token } = documentOf(exchange) as Readonly<Record<string, string>>
    const claims = decodeJwt(access_token!)
    assert.equal(decodeProtectedHeader(access_token!).typ, "at+jwt")
    assert.equal(claims.iss, issuer)
    assert.equal(claims.aud, resource)
    assertScopes(claims["scope"], scope)
    return {
      refreshToken: refresh_token!,
      subject: claims.sub!,
      lines: [
        ...describe(exchange, ["access_token", "token_type", "expires_in", "refresh_token"]),
        ...tellToken(access_token!)
      ]
    }
  }

  yield* step("The person consents at the proxy, and signs in at the identity provider", async (tell) => {
    const { callback, lines } = await signIn(outcome, baseline)
    tell(...lines)
    const { lines: redeemed, subject } = await redeem(callback, baseline)
    tell(...redeemed)
    assert.match(subject, /^github\|/)
    const [upstreamToken] = await Effect.runPromise(upstream.liveTokens("alice"))
    assert(upstreamToken !== undefined)
    assert(wire.rest.every(({ response }) => !response.body.includes(upstreamToken)))
    tell("  the client gets no token of the identity provider")
  })

  const { client, listTodos, todo } = yield* step(
    "With the token the client connects and calls a tool",
    async (tell) => {
      const connected = await connect()
      assert.equal(wire.take("POST", url, "initialize").response.status, 200)
      const todo = await callTool(connected.client, "create_todo", { title: "Read RFC 7591" })
      const exchange = wire.take("POST", url, "tools/call create_todo")
      tell(...describe(exchange), ...memberLines(todo))
      assert.equal(exchange.response.status, 200)
      return { ...connected, todo }
    }
  )
  yield* Effect.addFinalizer(() => Effect.promise(() => client.close()))

  const { refreshToken, subject } = yield* step(
    "Step-up: a scope more at the proxy, and at the identity provider",
    async (tell) => {
      const required = await callTool(client, "delete_todo", { id: todo["id"] }).catch((error: unknown) => error)
      const exchange = wire.take("POST", url, "tools/call delete_todo")
      tell(...describe(exchange))
      assert.equal(exchange.response.status, 403)
      assert.equal(challengeOf(exchange, "error"), "insufficient_scope")
      const { callback, lines } = await signIn(required, everything)
      tell(...lines)
      const redeemed = await redeem(callback, everything)
      tell(...redeemed.lines)
      assert.deepEqual(await callTool(client, "delete_todo", { id: todo["id"] }), todo)
      assert.equal(wire.take("POST", url, "tools/call delete_todo").response.status, 200)
      tell("  the todo is gone")
      return redeemed
    }
  )

  yield* step("Two processes of the client refresh at once: both continue", async (tell) => {
    const refresh = () =>
      wire.fetch(token, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: String(
          new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken, client_id: clientId })
        )
      })
    await Promise.all([refresh(), refresh()])
    const exchanges = [wire.take("POST", token), wire.take("POST", token)]
    for (const exchange of exchanges) {
      tell(...describe(exchange, ["access_token", "refresh_token"]))
      assert.equal(exchange.response.status, 200)
      const listed = await listTodos(String(documentOf(exchange)["access_token"]))
      assert.equal(listed.response.status, 200)
    }
    const [one, other] = exchanges.map((exchange) => documentOf(exchange)["refresh_token"])
    assert.equal(one, other)
    assert.notEqual(one, refreshToken)
    tell("  both have the same new refresh token, and the todo manager accepts both access tokens")
  })

  yield* step("The operator ends all grants of the person: the client needs a sign-in", async (tell) => {
    const living = await Effect.runPromise(grants.list(subject))
    assert.equal(living.length, 2)
    const ended = await Effect.runPromise(grants.revokeAll(subject))
    assert.equal(ended, living.length)
    tell(`  the operator ends ${ended} grants of alice, one for each sign-in`)
    await assert.rejects(callTool(client, "list_todos", {}), ClientError.SignInRequired)
    const rejected = wire.take("POST", url, "tools/call list_todos")
    tell(...describe(rejected))
    assert.equal(rejected.response.status, 401)
    tell(...tellRejection(decisions, "revoked"))
    const refresh = wire.take("POST", token)
    tell(...describe(refresh, ["error"]))
    assert.equal(documentOf(refresh)["error"], "invalid_grant")
  })

  yield* Console.log(
    "Shown: a client that the identity provider does not know signed in through the proxy, stepped up, refreshed twice at once " +
      "and kept its session, and was rejected when the operator ended its grants."
  )
})

const listener = () =>
  NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" })

const Endpoint = Layer.effect(
  Serving.Endpoint,
  Effect.map(HttpServer.HttpServer, ({ address }) => {
    const issuer = HttpServer.formatAddress(address)
    const url = `${issuer}${Serving.path}`
    return { url, resource: url, authorizationServers: [issuer] as const }
  })
)

const Proxy = Layer.unwrap(Effect.gen(function*() {
  const { resource } = yield* Serving.Endpoint
  const { clientId, clientSecret, origin } = yield* TestUpstream.TestUpstream
  return OAuthProxy.layer({
    resource,
    scopes,
    upstream: Upstream.github({
      clientId,
      clientSecret: Redacted.make(clientSecret),
      server: origin,
      scopes: { "create:todos": [], "read:todos": [], "delete:todos": ["gist"] }
    }),
    admit: Admit.githubOrganization("acme"),
    secret: Redacted.make(randomBytes(32).toString("base64")),
    pages: { name: "Todos" }
  })
}))

export const layer = HttpRouter.serve(TodoManager.server.pipe(Layer.provideMerge(Proxy)), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provideMerge(Endpoint),
  Layer.provide(listener()),
  Layer.provideMerge(TestUpstream.serve({ form: "github", login: "page" }).pipe(Layer.provide(listener()))),
  Layer.provide(MemoryStore.layer()),
  Layer.provideMerge(Session.layerDecisions)
)
