/** People sign in at a `TestIssuer`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { DpopClient, TestBrowser, TestIssuer } from "effect-mcp-auth/testing"
import { decodeJwt } from "jose"
import * as oauth from "oauth4webapi"

const resource = "https://server.test/mcp"
const redirectUri = "https://app.test/callback"

/** A client of `oauth4webapi`, which checks the responses by the standards, and its issuer. */
const start = (options: TestIssuer.Options = {}) =>
  Effect.gen(function*() {
    const { issuer } = yield* TestIssuer.make({ signIn: "immediate", resource, ...options })
    const fetch = yield* issuer.fetch
    const custom = { [oauth.customFetch]: (url: string, init: object) => fetch(url, init) }
    const run = <A>(body: () => Promise<A>) => Effect.promise(body)
    const server = yield* run(async () =>
      oauth.processDiscoveryResponse(
        new URL(issuer.issuer),
        await oauth.discoveryRequest(new URL(issuer.issuer), { algorithm: "oauth2", ...custom })
      )
    )
    const client: oauth.Client = yield* run(async () =>
      oauth.processDynamicClientRegistrationResponse(
        await oauth.dynamicClientRegistrationRequest(
          server,
          { redirect_uris: [redirectUri], token_endpoint_auth_method: "none" },
          custom
        )
      )
    )
    const verifier = oauth.generateRandomCodeVerifier()
    const challenge = yield* run(() => oauth.calculatePKCECodeChallenge(verifier))
    const url = (more: Record<string, string> = {}) => {
      const target = new URL(server.authorization_endpoint!)
      const members = {
        client_id: client.client_id,
        redirect_uri: redirectUri,
        response_type: "code",
        code_challenge: challenge,
        code_challenge_method: "S256",
        scope: "todos:read todos:write",
        state: "state-1",
        resource,
        ...more
      }
      for (const [name, value] of Object.entries(members)) {
        if (value !== "") target.searchParams.set(name, value)
      }
      return target.href
    }
    const browser = TestBrowser.make({ fetch })
    const redeem = (callback: string, headers: Record<string, string> = {}) =>
      run(async () => {
        const response = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          oauth.None(),
          oauth.validateAuthResponse(server, client, new URL(callback), "state-1"),
          redirectUri,
          verifier,
          { ...custom, headers }
        )
        return response.ok
          ? oauth.processAuthorizationCodeResponse(server, client, response)
          : { error: (await response.json()).error as string }
      })
    const refresh = (token: string, more: Record<string, string> = {}) =>
      run(async () => {
        const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, {
          ...custom,
          additionalParameters: more
        })
        return response.ok
          ? oauth.processRefreshTokenResponse(server, client, response)
          : { error: (await response.json()).error as string }
      })
    return { browser, client, issuer, redeem, refresh, server, url }
  })

describe("an issuer at which people sign in", () => {
  it.effect("passes the checks of oauth4webapi: metadata, registration, a code with PKCE, and rotating refresh tokens", () =>
    Effect.gen(function*() {
      const { browser, redeem, refresh, url } = yield* start({ tokenLifetime: "1 hour" })
      const callback = yield* browser.signIn(url())
      const first = (yield* redeem(callback)) as oauth.TokenEndpointResponse
      assert.strictEqual(first.expires_in, 3600)
      const { aud, exp, iat, scope, sub } = decodeJwt(first.access_token)
      assert.deepStrictEqual([aud, sub, scope, exp! - iat!], [resource, "alice", "todos:read todos:write", 3600])
      const second = (yield* refresh(first.refresh_token!, { scope: "todos:read" })) as oauth.TokenEndpointResponse
      assert.strictEqual(second.scope, "todos:read")
      const third = (yield* refresh(second.refresh_token!)) as oauth.TokenEndpointResponse
      assert.strictEqual(third.scope, "todos:read todos:write")
      assert.deepStrictEqual(yield* refresh(third.refresh_token!, { scope: "admin" }), { error: "invalid_scope" })
      assert.deepStrictEqual(yield* refresh(second.refresh_token!), { error: "invalid_grant" })
      // The reuse revokes all tokens of the sign-in.
      assert.deepStrictEqual(yield* refresh(third.refresh_token!), { error: "invalid_grant" })
    }))

  it.effect("accepts a code once, from the client and with the redirect URI of its request", () =>
    Effect.gen(function*() {
      const { browser, redeem, url } = yield* start()
      const callback = yield* browser.signIn(url())
      assert.property(yield* redeem(callback), "access_token")
      assert.deepStrictEqual(yield* redeem(callback), { error: "invalid_grant" })
      const other = yield* browser.signIn(url({ code_challenge: "A".repeat(43) }))
      assert.deepStrictEqual(yield* redeem(other), { error: "invalid_grant" })
    }))

  it.effect("shows a page on which the person signs in, allows access or denies it", () =>
    Effect.gen(function*() {
      const { browser, redeem, url } = yield* start({ signIn: "page" })
      const allowed = yield* browser.signIn(url(), { fields: { username: "bob" } })
      const { access_token } = (yield* redeem(allowed)) as oauth.TokenEndpointResponse
      assert.strictEqual(decodeJwt(access_token).sub, "bob")
      const denied = new URL(yield* browser.signIn(url({ state: "\"><script>" }), { button: "Deny" })).searchParams
      assert.deepStrictEqual([denied.get("error"), denied.get("state"), denied.has("code")], [
        "access_denied",
        "\"><script>",
        false
      ])
    }))

  it.effect("redirects only to redirect URIs of registered clients, and only with PKCE", () =>
    Effect.gen(function*() {
      const { browser, issuer, url } = yield* start({ clients: { tool: { redirectUris: [redirectUri] }, open: {} } })
      for (const members of [{ client_id: "x" }, { redirect_uri: "https://evil.test/" }, { redirect_uri: "" }]) {
        const shown = yield* browser.open(url(members), { redirectUri })
        assert.deepStrictEqual(shown._tag === "Page" ? shown.status : shown, 400, JSON.stringify(members))
      }
      const codes = [{ client_id: "tool" }, { client_id: "open", redirect_uri: "https://any.test/" }]
      for (const members of codes) assert.include(yield* browser.signIn(url(members)), "code=")
      for (
        const [members, error] of [
          [{ code_challenge: "" }, "invalid_request"],
          [{ code_challenge_method: "plain" }, "invalid_request"],
          [{ response_type: "token" }, "unsupported_response_type"]
        ] as const
      ) {
        const { searchParams } = new URL(yield* browser.signIn(url(members)))
        assert.deepStrictEqual([searchParams.get("error"), searchParams.get("iss")], [error, issuer.issuer])
      }
    }))

  it.effect("binds a code and its tokens to the key of the client", () =>
    Effect.gen(function*() {
      const { browser, issuer, redeem, url } = yield* start()
      const [own, other] = [yield* DpopClient.make(), yield* DpopClient.make()]
      const proofOf = (client: DpopClient.DpopClient) =>
        Effect.map(client.proof({ method: "POST", url: issuer.tokenEndpoint }), (dpop) => ({ dpop }))
      const request = url({ dpop_jkt: own.thumbprint })
      assert.deepStrictEqual(yield* redeem(yield* browser.signIn(request), yield* proofOf(other)), {
        error: "invalid_grant"
      })
      assert.deepStrictEqual(yield* redeem(yield* browser.signIn(request)), { error: "invalid_grant" })
    }))

  it.effect("registers no client without redirect URIs, and gives a secret unless the client needs none", () =>
    Effect.gen(function*() {
      const { issuer, server } = yield* start()
      const register = (body: string) =>
        Effect.flatMap(
          issuer.respond(new Request(server.registration_endpoint!, { method: "POST", body })),
          (response) => Effect.promise(() => response.json())
        )
      for (const body of ["{", "{}", "{\"redirect_uris\":[]}", "{\"redirect_uris\":[1]}"]) {
        assert.property(yield* register(body), "error", body)
      }
      const made = yield* register(JSON.stringify({ redirect_uris: [redirectUri] }))
      assert.strictEqual(made.token_endpoint_auth_method, "client_secret_basic")
      assert.isString(made.client_secret)
    }))

  it.effect("has neither endpoint without the option signIn", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make()
      for (const path of ["/authorize", "/register"]) {
        const { status } = yield* issuer.respond(new Request(`${issuer.issuer}${path}`))
        assert.strictEqual(status, 404)
      }
    }))
})
