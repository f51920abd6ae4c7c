/**
 * Runs all steps of MCP authorization with real parts: the todo manager, an authorization server (`oidc-provider`), the official
 * client of `@modelcontextprotocol/sdk`, and the `Connections` of this library, which sign it in. In the second act, an OAuth proxy
 * replaces the authorization server. Prints the requests and responses, and checks each step.
 */
import { NodeRuntime } from "@effect/platform-node"
import {
  discoverAuthorizationServerMetadata,
  exchangeAuthorization,
  startAuthorization
} from "@modelcontextprotocol/sdk/client/auth.js"
import { Console, Effect, Layer, References } from "effect"
import { ClientError } from "effect-mcp-auth/client"
import { decodeJwt, decodeProtectedHeader } from "jose"
import assert from "node:assert/strict"
import * as AuthorizationServer from "../authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../authorization-server/UserAgent.ts"
import * as Serving from "../shared/Serving.ts"
import * as ProxyAct from "./demo/ProxyAct.ts"
import * as Session from "./demo/Session.ts"
import { account, assertScopes, callTool, Decisions, redirectUri, tellRejection, tellToken } from "./demo/Session.ts"
import * as Story from "./demo/Story.ts"
import { challengeOf, describe, documentOf, formOf, memberLines, Wire } from "./demo/Wire.ts"
import * as TodoManager from "./TodoManager.ts"

const baseline = "create:todos read:todos"
const everything = "create:todos read:todos delete:todos"

const story = Effect.fnUntraced(function*(step: Story.Step) {
  const { issuer } = yield* AuthorizationServer.AuthorizationServer
  const { resource, url } = yield* Serving.Endpoint
  const decisions = yield* Decisions
  const wire = new Wire()
  const person = new UserAgent({ username: "alice" })
  const { connect, connections } = yield* Session.make({ issuer, url, wire })

  yield* Console.log(`Act 1. The todo manager is ${resource}, the authorization server ${issuer}, the person alice.\n`)

  // This call performs all requests up to the sign-in of the person. The next steps check the recorded requests.
  const outcome = yield* Effect.promise(() => connect().then(() => undefined, (error: unknown) => error))

  const metadataUrl = yield* step("The client calls without a token and learns where to look", async (tell) => {
    const exchange = wire.take("POST", url, "initialize")
    tell(...describe(exchange))
    assert.equal(exchange.response.status, 401)
    assert.equal(challengeOf(exchange, "error"), undefined, "a request without credentials gets an error")
    assertScopes(challengeOf(exchange, "scope"), baseline)
    const metadataUrl = challengeOf(exchange, "resource_metadata")
    assert(metadataUrl !== undefined, "the challenge has no resource_metadata")
    return metadataUrl
  })

  yield* step("The metadata of the todo manager names its authorization server", async (tell) => {
    const exchange = wire.take("GET", metadataUrl)
    tell(...describe(exchange, ["resource", "authorization_servers", "scopes_supported"]))
    assert.equal(exchange.response.status, 200)
    const document = documentOf(exchange)
    assert.equal(document["resource"], resource)
    assert.deepEqual(document["authorization_servers"], [issuer])
    assert.deepEqual(document["scopes_supported"], baseline.split(" "))
  })

  const server = yield* step(
    "Discovery: the metadata of the authorization server names its endpoints",
    async (tell) => {
      const exchange = wire.take("GET", `${issuer}/.well-known/oauth-authorization-server`)
      const endpoints = [
        "registration_endpoint",
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint"
      ]
      tell(...describe(exchange, ["issuer", ...endpoints, "code_challenge_methods_supported"]))
      assert.equal(exchange.response.status, 200)
      const document = documentOf(exchange)
      assert.equal(document["issuer"], issuer)
      assert.deepEqual(document["code_challenge_methods_supported"], ["S256"])
      const endpoint = (name: string) => {
        const value = document[name]
        assert(typeof value === "string", `the authorization server has no ${name}`)
        return value
      }
      const [registration, authorization, token, revocation] = endpoints.map(endpoint)
      return { registration: registration!, authorization: authorization!, token: token!, revocation: revocation! }
    }
  )

  const registered = yield* step("The client registers itself", async (tell) => {
    const exchange = wire.take("POST", server.registration)
    tell(...describe(exchange, ["client_id", "redirect_uris", "token_endpoint_auth_method"]))
    assert.equal(exchange.response.status, 201)
    const clientId = documentOf(exchange)["client_id"]
    assert(typeof clientId === "string")
    return { client_id: clientId }
  })

  /** The person signs in and consents. Checks and describes the request, the pages and the redirect, which it returns. */
  const signIn = async (required: unknown, scope: string, consent: ReadonlyArray<string>) => {
    if (!(required instanceof ClientError.SignInRequired)) throw required
    const callback = await person.authorize(required.url)
    const exchanges = person.log.splice(0)
    const authorization = exchanges[0]!.url
    assert.equal(`${authorization.origin}${authorization.pathname}`, server.authorization)
    const parameters = Object.fromEntries(authorization.searchParams)
    assert.equal(parameters["response_type"], "code")
    assert.equal(parameters["client_id"], registered.client_id)
    assert.equal(parameters["code_challenge_method"], "S256")
    assert.equal(parameters["resource"], resource)
    // The client adds offline_access, which the authorization server offers, to get a refresh token.
    assertScopes(parameters["scope"], `${scope} offline_access`)
    const page = exchanges.find((_) => _.page === "Authorize")
    assert.deepEqual(
      page?.requested?.filter((line) => line.endsWith(":todos")),
      consent,
      "the consent page names other scopes"
    )
    const lines = [
      `> GET ${server.authorization}   (in the browser)`,
      ...memberLines(parameters, ["scope", "resource", "code_challenge", "code_challenge_method", "redirect_uri"]),
      ...exchanges.flatMap(({ form }) => form?.["login"] === undefined ? [] : [`  signs in as ${form["login"]}`]),
      `  consents to ${consent.join(" ")}`,
      `< ${exchanges.at(-1)?.status} ${redirectUri}`,
      ...memberLines(Object.fromEntries(callback.searchParams), ["code", "iss"])
    ]
    return { callback, lines }
  }

  /** Passes the redirect to the client, which exchanges the code for a token. Returns the token. */
  const redeem = async (callback: URL, scope: string) => {
    await Effect.runPromise(connections.complete({ url: callback.href }, { account }))
    const exchange = wire.take("POST", server.token)
    assert.equal(exchange.response.status, 200)
    const form = formOf(exchange)
    assert.equal(form["grant_type"], "authorization_code")
    assert.equal(form["resource"], resource)
    assert(form["code_verifier"] !== undefined, "the code is redeemed without PKCE")
    const token = String(documentOf(exchange)["access_token"])
    const claims = decodeJwt(token)
    assert.equal(decodeProtectedHeader(token).typ, "at+jwt")
    assert.equal(claims.aud, resource)
    assertScopes(claims["scope"], scope)
    const members = ["access_token", "token_type", "expires_in", "refresh_token"]
    return { token, lines: [...describe(exchange, members), ...tellToken(token)] }
  }

  yield* step("Authorization code with PKCE, for this resource: the person signs in and consents", async (tell) => {
    const { callback, lines } = await signIn(outcome, baseline, ["create:todos", "read:todos"])
    tell(...lines)
    tell(...(await redeem(callback, baseline)).lines)
  })

  const { client, listTodos, todo } = yield* step(
    "With the token the client connects and calls a tool",
    async (tell) => {
      const connected = await connect()
      const opened = wire.take("POST", url, "initialize")
      tell(...describe(opened))
      assert.equal(opened.response.status, 200)
      const todo = await callTool(connected.client, "create_todo", { title: "Read RFC 9728" })
      const exchange = wire.take("POST", url, "tools/call create_todo")
      tell(...describe(exchange), ...memberLines(todo))
      assert.equal(exchange.response.status, 200)
      assert.equal(todo["title"], "Read RFC 9728")
      return { ...connected, todo }
    }
  )
  yield* Effect.addFinalizer(() => Effect.promise(() => client.close()))

  const required = yield* step("A tool that needs one scope more: rejected before it runs", async (tell) => {
    const required = await callTool(client, "delete_todo", { id: todo["id"] }).catch((error: unknown) => error)
    const exchange = wire.take("POST", url, "tools/call delete_todo")
    tell(...describe(exchange))
    assert.equal(exchange.response.status, 403)
    assert.equal(challengeOf(exchange, "error"), "insufficient_scope")
    // Clients of MCP 2025-11-25 replace their scopes with those of the challenge, so the challenge repeats the granted scopes.
    assertScopes(challengeOf(exchange, "scope"), everything)
    assert.equal(challengeOf(exchange, "resource_metadata"), metadataUrl)
    tell(...tellRejection(decisions, "missing-scope"))
    const { todos } = await callTool(client, "list_todos", {})
    wire.take("POST", url, "tools/call list_todos")
    assert.deepEqual(todos, [todo], "the tool has run")
    tell("  the todo is still there")
    return required
  })

  const { token } = yield* step("Step-up: the consent page names only that scope", async (tell) => {
    const { callback, lines } = await signIn(required, everything, ["delete:todos"])
    tell(...lines)
    const redeemed = await redeem(callback, everything)
    tell(...redeemed.lines)
    return redeemed
  })

  yield* step("The same call again, with the new token", async (tell) => {
    const deleted = await callTool(client, "delete_todo", { id: todo["id"] })
    const exchange = wire.take("POST", url, "tools/call delete_todo")
    tell(...describe(exchange), ...memberLines(deleted))
    assert.equal(exchange.response.status, 200)
    assert.deepEqual(deleted, todo)
    const { todos } = await callTool(client, "list_todos", {})
    wire.take("POST", url, "tools/call list_todos")
    assert.deepEqual(todos, [], "the todo is still there")
    tell("  the todo is gone")
  })

  yield* step("A token for another resource, same issuer, person, client and scopes: rejected", async (tell) => {
    const elsewhere = new URL("/elsewhere", url).href
    const common = {
      clientInformation: registered,
      resource: new URL(elsewhere),
      metadata: (await discoverAuthorizationServerMetadata(issuer))!
    }
    const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, {
      ...common,
      redirectUrl: redirectUri,
      scope: everything
    })
    const { searchParams } = await person.authorize(authorizationUrl)
    const { access_token } = await exchangeAuthorization(issuer, {
      ...common,
      authorizationCode: searchParams.get("code")!,
      codeVerifier,
      redirectUri
    })
    assert.equal(decodeJwt(access_token).aud, elsewhere)

    // The same request with different tokens.
    const control = await listTodos(token)
    tell(...describe(control))
    assert.equal(control.response.status, 200)
    const exchange = await listTodos(access_token)
    tell(...describe(exchange), ...tellToken(access_token))
    assert.equal(exchange.response.status, 401)
    assert.equal(challengeOf(exchange, "error"), "invalid_token")
    tell(...tellRejection(decisions, "audience"))
    assert.equal(challengeOf(exchange, "resource_metadata"), metadataUrl)
  })

  yield* step(
    "The person disconnects: the client revokes its tokens, and the next call needs a sign-in",
    async (tell) => {
      const ended = await Effect.runPromise(connections.disconnect({ account }))
      assert.deepEqual(ended, [{ account, resource: url, isRevoked: true }])
      const exchange = wire.take("POST", server.revocation)
      tell(...describe(exchange))
      assert.equal(exchange.response.status, 200)
      await assert.rejects(callTool(client, "list_todos", {}), ClientError.SignInRequired)
      const rejected = wire.take("POST", url, "tools/call list_todos")
      tell(...describe(rejected))
      assert.equal(rejected.response.status, 401)
      // The other requests: a client of MCP 2025-11-25 also sends `notifications/initialized` and tries to open an event stream.
      const others = wire.rest.map((_) => `${_.method} ${_.url.href} ${_.response.status}`)
      assert.deepEqual([...new Set(others)].sort(), [`GET ${url} 405`, `POST ${url} 202`])
    }
  )

  yield* Console.log(
    "Shown: a client that knew one URL found out where to sign in, signed in, called a tool, stepped up for one scope " +
      "more, could do nothing with a token made for another resource, and revoked its tokens at the end."
  )
})

const Server = Layer.unwrap(
  Effect.map(AuthorizationServer.AuthorizationServer, ({ issuer }) =>
    Serving.layer(
      { port: 0, authorizationServers: [issuer] },
      { scopes: TodoManager.scopes, app: TodoManager.layer }
    ))
).pipe(
  Layer.provideMerge(AuthorizationServer.layer({ scopes: TodoManager.scopes })),
  Layer.provideMerge(Session.layerDecisions)
)

const step = Story.make()

Effect.scoped(Effect.provide(story(step), Server)).pipe(
  Effect.andThen(Effect.scoped(Effect.provide(ProxyAct.story(step), ProxyAct.layer))),
  Effect.tapErrorTag("StepFailed", (failure) => Console.error(failure.message)),
  // Hides the log entries of rejections, because the demo prints the reasons itself.
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
