/** Signs people in with the upstreams that the pages of providers show, at upstreams that respond as these providers do. */
import { assert, describe, it } from "@effect/vitest"
import { Config, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Fetcher, Request } from "../../../src/outbound/Fetcher.ts"
import * as Admit from "../../../src/proxy/Admit.ts"
import * as Upstream from "../../../src/proxy/upstream/Upstream.ts"
import { findCall } from "../../provider/pageProfile.ts"
import { type Form, type presetFor, reasonOf, type Service, world } from "./world.ts"

const root = join(import.meta.dirname, "../../..")

/** Returns the section of a page. */
const readSection = (page: string, heading: string): string => {
  const section = readFileSync(join(root, page), "utf8").split(/^## /m).find((text) => text.startsWith(`${heading}\n`))
  assert.isDefined(section, `${page} has no section ${heading}`)
  return section!
}

const evaluate = <A>(text: string, name: string): A =>
  new Function("Upstream", "Admit", "Config", "Effect", `return ${findCall(text, name).call}`)(
    Upstream,
    Admit,
    Config,
    Effect
  ) as A

type Preset = ReturnType<typeof presetFor>

/** Returns the upstream of a section, with the client that `TestUpstream` knows. */
const readUpstream = (section: string, name: string) => (fallback: Preset): Preset => ({
  ...fallback,
  ...evaluate<Preset>(section, name),
  clientId: "proxy-client",
  clientSecret: Redacted.make("proxy-client-secret")
})

type Json = Record<string, unknown>

/** Changes requests, and the JSON of their responses with the status. */
const rewrite = (
  fetcher: Fetcher["Service"],
  toRequest: (request: Request) => Request,
  toResponse: (
    json: Json,
    request: Request,
    status: number
  ) => Effect.Effect<{ readonly json: Json; readonly status: number }>
): Fetcher["Service"] => ({
  ...fetcher,
  send: (request) =>
    Effect.gen(function*() {
      // Every body is read, because the responses of these providers have other statuses.
      const response = yield* fetcher.send({ ...toRequest(request), readsBody: () => true })
      if (response.body.length === 0) return response
      const { json, status } = yield* toResponse(
        JSON.parse(new TextDecoder().decode(response.body)) as Json,
        request,
        response.status
      )
      const body = new TextEncoder().encode(JSON.stringify(json))
      return {
        ...response,
        status,
        body: request.readsBody({ status, headers: response.headers }) ? body : new Uint8Array()
      }
    })
})

/** Lets `TestUpstream` have another issuer, which does not name itself in callbacks. It signs ID tokens again for it. */
const withIssuer = (issuer: string) => (fetcher: Fetcher["Service"], upstream: Service): Fetcher["Service"] =>
  rewrite(
    fetcher,
    (request) => ({
      ...request,
      url: request.url.replace(`${issuer.replace(/\/$/, "")}/.well-known/`, `${upstream.origin}/.well-known/`)
    }),
    (json, _, status) =>
      Effect.gen(function*() {
        const { authorization_response_iss_parameter_supported: _iss, ...rest } = json
        const changed = rest["issuer"] === undefined ? rest : { ...rest, issuer }
        if (typeof changed["id_token"] !== "string") return { json: changed, status }
        const claims = JSON.parse(Buffer.from(changed["id_token"].split(".")[1]!, "base64url").toString()) as Json
        return { json: { ...changed, id_token: yield* upstream.signIdToken({ ...claims, iss: issuer }) }, status }
      })
  )

const scopeOf = (url: string, name = "scope") => new URL(url).searchParams.get(name)

describe("an OpenID provider, configured as on its page", () => {
  it.effect.each([
    { page: "okta", issuer: "https://acme.okta.com", scope: "openid email offline_access" },
    { page: "auth0", issuer: "https://acme.eu.auth0.com/", scope: "openid email offline_access" },
    {
      page: "cognito",
      issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
      scope: "openid email"
    }
  ])("$page signs a person in with the scopes $scope, checks the person at a refresh, and notices the end", (
    { issuer, page, scope }
  ) =>
    Effect.gen(function*() {
      const section = readSection(`examples/providers/${page}.md`, "With the proxy")
      const { approve, complete, leg, upstream } = yield* world({
        form: "google",
        origin: new URL(issuer).origin,
        preset: readUpstream(section, "Upstream.oidc"),
        through: withIssuer(issuer)
      })
      const begun = yield* approve(["todos:read"], "alice")
      assert.strictEqual(scopeOf(begun.url), scope)
      begun.parameters.delete("iss")
      const { person, scopes, upstreamKey } = yield* complete(begun)
      assert.match(person.subject, new RegExp(`^${page}\\|[\\w-]{8}\\|sub-1001$`))
      assert.deepStrictEqual(scopes, ["todos:read"])
      yield* TestClock.adjust("1 hour")
      assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "alive" })
      assert.strictEqual((yield* upstream.counts).refresh, 1)
      yield* upstream.removeAccount("alice")
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }))

  it.effect.each([
    { page: "auth0", issuer: "https://acme.eu.auth0.com/" },
    { page: "cognito", issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123" }
  ])(
    "the rule of admission on the page of $page rejects an address of another domain",
    ({ issuer, page }) =>
      Effect.gen(function*() {
        const section = readSection(`examples/providers/${page}.md`, "With the proxy")
        const { approve, complete } = yield* world({
          form: "google",
          origin: new URL(issuer).origin,
          accounts: [
            { id: 1, login: "member", email: "member@acme.com" },
            { id: 2, login: "stranger", email: "stranger@elsewhere.test" }
          ],
          admit: evaluate<Admit.Admit>(section, "Admit.emailDomain"),
          preset: readUpstream(section, "Upstream.oidc"),
          through: withIssuer(issuer)
        })
        const attempt = (login: string) =>
          Effect.gen(function*() {
            const begun = yield* approve(["todos:read"], login)
            begun.parameters.delete("iss")
            return yield* complete(begun)
          })
        assert.strictEqual(yield* reasonOf(attempt("member")), "success")
        assert.strictEqual(yield* reasonOf(attempt("stranger")), "AdmissionRejected")
      })
  )
})

/** The paths at which the form of a GitHub App serves what is at these paths of the provider. */
const withPaths = (origin: string, token: string, user: string) => (request: Request): Request => ({
  ...request,
  url: request.url === `${origin}${token}`
    ? `${origin}/login/oauth/access_token`
    : request.url === `${origin}${user}`
    ? `${origin}/api/v3/user`
    : request.url
})

const page = "docs/slack-and-discord.md"
const form: Form = "rotating"

describe("an OAuth 2.0 provider, configured as on its page", () => {
  it.effect("Slack: reads authed_user, keeps rotated tokens, and ends a grant at ok: false with status 200", () =>
    Effect.gen(function*() {
      const section = readSection(page, "Slack")
      const { approve, complete, leg, upstream } = yield* world({
        form,
        origin: "https://slack.com",
        admit: evaluate<Admit.Admit>(section, "Admit.custom"),
        preset: readUpstream(section, "Upstream.oauth2"),
        through: (fetcher) =>
          rewrite(
            fetcher,
            withPaths("https://slack.com", "/api/oauth.v2.access", "/api/auth.test"),
            (json, request, status) => {
              const succeed = (json: Json) => Effect.succeed({ json, status: 200 })
              if (request.url.endsWith("/auth.test")) {
                const team = json["login"] === "alice" ? "T0123ABCD" : "T9999ZZZZ"
                return status === 200
                  ? succeed({ ok: true, team_id: team, user_id: `U${String(json["id"])}` })
                  : succeed({ ok: false, error: "token_revoked" })
              }
              if (json["error"] !== undefined) return succeed({ ok: false, error: "invalid_refresh_token" })
              const tokens = { ...json, token_type: "user", scope: "users:read" }
              return succeed(
                new URLSearchParams(request.body).get("grant_type") === "refresh_token"
                  ? { ok: true, ...tokens }
                  : { ok: true, token_type: "bot", authed_user: tokens }
              )
            }
          )
      })
      const begun = yield* approve(["todos:read", "todos:write"], "alice")
      assert.strictEqual(scopeOf(begun.url, "user_scope"), "users:read,chat:write")
      assert.isNull(scopeOf(begun.url, "code_challenge"))
      begun.parameters.delete("iss")
      const { person, scopes, upstreamKey } = yield* complete(begun)
      assert.match(person.subject, /^slack\|[\w-]{8}\|T0123ABCD-U1001$/)
      // Slack granted no chat:write.
      assert.deepStrictEqual(scopes, ["todos:read"])
      for (const refreshes of [1, 2]) {
        yield* TestClock.adjust("8 hours")
        assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "alive" })
        assert.strictEqual((yield* upstream.counts).refresh, refreshes)
      }
      assert.strictEqual(yield* upstream.reuses, 0)
      yield* upstream.revokeTokens("alice")
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })

      const other = yield* approve(["todos:read"], "mallory")
      other.parameters.delete("iss")
      assert.strictEqual(yield* reasonOf(complete(other)), "AdmissionRejected")
    }))

  it.effect("Discord: identifies by id, keeps rotated tokens, and ends a grant at invalid_grant", () =>
    Effect.gen(function*() {
      const section = readSection(page, "Discord")
      const { approve, complete, leg, upstream } = yield* world({
        form,
        origin: "https://discord.com",
        admit: evaluate<Admit.Admit>(section, "Admit.custom"),
        preset: readUpstream(section, "Upstream.oauth2"),
        through: (fetcher) =>
          rewrite(
            fetcher,
            withPaths("https://discord.com", "/api/oauth2/token", "/api/users/@me"),
            (json, request, status) =>
              Effect.succeed(
                request.url.endsWith("/users/@me")
                  ? {
                    json: status === 200
                      ? { id: json["login"] === "alice" ? "80351110224678912" : "1", username: json["login"] }
                      : { message: "401: Unauthorized", code: 0 },
                    status
                  }
                  : json["error"] === undefined
                  ? { json: { ...json, token_type: "Bearer", scope: "identify" }, status }
                  : { json: { error: "invalid_grant" }, status: 400 }
              )
          )
      })
      const begun = yield* approve(["todos:read"], "alice")
      assert.strictEqual(scopeOf(begun.url), "identify")
      begun.parameters.delete("iss")
      const { person, upstreamKey } = yield* complete(begun)
      assert.match(person.subject, /^discord\|[\w-]{8}\|80351110224678912$/)
      assert.strictEqual(person.display, "alice")
      for (const refreshes of [1, 2]) {
        yield* TestClock.adjust("8 hours")
        assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "alive" })
        assert.strictEqual((yield* upstream.counts).refresh, refreshes)
      }
      assert.strictEqual(yield* upstream.reuses, 0)
      yield* upstream.removeAccount("alice")
      yield* TestClock.adjust("8 hours")
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })

      const other = yield* approve(["todos:read"], "mallory")
      other.parameters.delete("iss")
      assert.strictEqual(yield* reasonOf(complete(other)), "AdmissionRejected")
    }))
})
