import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { TestUpstream } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { createHash, randomBytes } from "node:crypto"
import { createServer } from "node:http"

const redirect = "https://app.test/callback"

/** A client of an upstream, written with its documents and not with the code of the proxy. */
const clientOf = (upstream: TestUpstream.TestUpstream["Service"], paths: { authorize: string; token: string }) => {
  const verifier = randomBytes(32).toString("base64url")
  const post = (form: Record<string, string>) =>
    Effect.flatMap(
      upstream.respond(
        new Request(`${upstream.origin}${paths.token}`, {
          method: "POST",
          body: new URLSearchParams({
            client_id: upstream.clientId,
            client_secret: upstream.clientSecret,
            ...form
          })
        })
      ),
      (response) => Effect.promise(async () => ({ status: response.status, body: await response.json() }))
    )
  return {
    post,
    authorizeUrl: (scope = "") =>
      `${upstream.origin}${paths.authorize}?${new URLSearchParams({
        response_type: "code",
        client_id: upstream.clientId,
        redirect_uri: redirect,
        state: "state",
        scope,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256"
      })}`,
    redeem: (callback: string) =>
      post({
        grant_type: "authorization_code",
        code: new URL(callback).searchParams.get("code")!,
        redirect_uri: redirect,
        code_verifier: verifier
      })
  }
}

const gitHub = { authorize: "/login/oauth/authorize", token: "/login/oauth/access_token" }
const openId = { authorize: "/authorize", token: "/token" }

describe("TestUpstream", () => {
  it.effect("shows a page without a session, and returns at once with one", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "github", login: "page" })
      const { authorizeUrl, redeem } = clientOf(upstream, gitHub)
      const url = authorizeUrl("repo")
      const page = yield* upstream.respond(new Request(url))
      const html = yield* Effect.promise(() => page.text())
      assert.strictEqual(page.status, 200)
      assert.include(html, "Sign in as alice")
      const target = /name="to" value="([^"]*)"/.exec(html)![1]!.replaceAll("&#38;", "&")
      const signedIn = yield* upstream.respond(
        new Request(`${upstream.origin}/test-login`, {
          method: "POST",
          body: new URLSearchParams({ to: target, login: "mallory" })
        })
      )
      assert.strictEqual(signedIn.status, 303)
      assert.strictEqual(signedIn.headers.get("location"), url)
      const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!
      const back = yield* upstream.respond(new Request(url, { headers: { cookie } }))
      const callback = back.headers.get("location")!
      assert.isTrue(callback.startsWith(`${redirect}?`))
      assert.strictEqual((yield* redeem(callback)).body.scope, "repo")
      assert.strictEqual((yield* upstream.liveTokens("mallory")).length, 1)
    }))

  it.effect("redeems a code once, and only with its verifier and redirect URI", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "google" })
      const { authorizeUrl, post, redeem } = clientOf(upstream, openId)
      const callback = yield* upstream.signIn(authorizeUrl())
      const { body } = yield* redeem(callback)
      assert.containsAllKeys(body, ["access_token", "refresh_token", "id_token", "expires_in"])
      assert.deepStrictEqual((yield* redeem(callback)).body, { error: "invalid_grant" })
      const other = clientOf(upstream, openId)
      assert.strictEqual((yield* other.redeem(yield* upstream.signIn(authorizeUrl()))).status, 400)
      const wrong = yield* post({
        grant_type: "refresh_token",
        refresh_token: body.refresh_token,
        client_secret: "wrong"
      })
      assert.deepStrictEqual(wrong, { status: 401, body: { error: "invalid_client" } })
    }))

  it.effect("reports errors like GitHub with status 200, and keeps ten tokens of a person and a scope set", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "github" })
      const { authorizeUrl, post, redeem } = clientOf(upstream, gitHub)
      assert.deepStrictEqual(yield* post({ code: "junk" }), { status: 200, body: { error: "bad_verification_code" } })
      for (let time = 0; time < 12; time++) yield* redeem(yield* upstream.signIn(authorizeUrl("repo")))
      yield* redeem(yield* upstream.signIn(authorizeUrl("user user:email")))
      assert.strictEqual((yield* upstream.liveTokens("alice")).length, 11)
      assert.strictEqual((yield* redeem(yield* upstream.signIn(authorizeUrl("user user:email")))).body.scope, "user")
    }))

  it.effect("rotates refresh tokens of the form rotating, and counts those that come again", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "rotating" })
      const { authorizeUrl, post, redeem } = clientOf(upstream, gitHub)
      const first = (yield* redeem(yield* upstream.signIn(authorizeUrl()))).body
      const refresh = (token: string) => post({ grant_type: "refresh_token", refresh_token: token })
      const second = (yield* refresh(first.refresh_token)).body
      assert.deepStrictEqual(yield* upstream.liveTokens("alice"), [second.access_token])
      assert.deepStrictEqual((yield* refresh(first.refresh_token)).body, { error: "bad_refresh_token" })
      assert.strictEqual(yield* upstream.reuses, 1)
      assert.deepStrictEqual(yield* upstream.counts, { authorize: 1, redeem: 1, refresh: 2, user: 0 })
      const user = (token: string) =>
        Effect.map(
          upstream.respond(
            new Request(`${upstream.origin}/api/v3/user`, { headers: { authorization: `Bearer ${token}` } })
          ),
          ({ status }) => status
        )
      assert.strictEqual(yield* user(second.access_token), 200)
      yield* TestClock.adjust("8 hours")
      assert.strictEqual(yield* user(second.access_token), 401)
    }))

  it.effect("rejects resource like Entra ID", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "entra" })
      const { authorizeUrl } = clientOf(upstream, {
        authorize: `/${upstream.tenant}/oauth2/v2.0/authorize`,
        token: `/${upstream.tenant}/oauth2/v2.0/token`
      })
      const status = (url: string) => Effect.map(upstream.respond(new Request(url)), (response) => response.status)
      assert.strictEqual(yield* status(authorizeUrl()), 302)
      assert.strictEqual(yield* status(`${authorizeUrl()}&resource=https://server.test/mcp`), 400)
    }))

  it.effect("denies each sign-in and each refresh in the form rejecting, and delays the form slow", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "rejecting" })
      const { authorizeUrl } = clientOf(upstream, openId)
      const callback = new URL(yield* upstream.signIn(authorizeUrl()))
      assert.strictEqual(callback.searchParams.get("error"), "access_denied")
      const slow = (yield* TestUpstream.make({ form: "slow" })).upstream
      const fiber = yield* Effect.forkChild(slow.respond(new Request(`${slow.origin}/none`)), {
        startImmediately: true
      })
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.isDefined(fiber.pollUnsafe())
    }))

  it.effect("fails on demand, and recovers", () =>
    Effect.gen(function*() {
      const { upstream } = yield* TestUpstream.make({ form: "google" })
      const keys = Effect.result(upstream.respond(new Request(`${upstream.origin}/jwks`)))
      yield* upstream.goDown("/jwks")
      assert.isTrue(Result.isFailure(yield* keys))
      yield* upstream.recover
      assert.isTrue(Result.isSuccess(yield* keys))
    }))

  it.live("serves its endpoints on a real port", () =>
    Effect.gen(function*() {
      const { origin } = yield* TestUpstream.TestUpstream
      const metadata = yield* Effect.promise(async () =>
        (await fetch(`${origin}/.well-known/openid-configuration`)).json() as Promise<{ issuer: string }>
      )
      assert.strictEqual(metadata.issuer, origin)
    }).pipe(
      Effect.provide(
        TestUpstream.serve({ form: "google" }).pipe(
          Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
        )
      )
    ))
})
