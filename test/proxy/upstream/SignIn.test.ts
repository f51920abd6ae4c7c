import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { SigningKey, TestUpstream } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Admit from "../../../src/proxy/Admit.ts"
import * as Upstream from "../../../src/proxy/upstream/Upstream.ts"
import { browser, type Form, presetFor, proxyAt, reasonOf, redirectUri, startTime, until, world } from "./world.ts"

const forms: ReadonlyArray<Form> = ["github", "rotating", "google", "entra"]

describe("a sign-in", () => {
  it.effect.each(forms)(
    "identifies the person at the form %s, and stores the tokens once",
    (form) =>
      Effect.gen(function*() {
        const { leg, signIn, upstream, writes } = yield* world({ form })
        const { person, scopes, upstreamKey } = yield* signIn(["todos:read"])
        assert.deepStrictEqual(scopes, ["todos:read"])
        assert.isTrue(writes.every((key) => key === upstreamKey))
        const token = Redacted.value(yield* leg.token(upstreamKey))
        assert.deepStrictEqual(yield* upstream.liveTokens("alice"), [token])
        assert.notInclude(`${person.subject} ${person.display}`, token)
      })
  )

  it.effect("attack 18: the subject is the name of the upstream, a hash of its issuer and an immutable id, never a login or an e-mail address", () =>
    Effect.gen(function*() {
      const subjects: Record<string, string> = {}
      for (const form of forms) {
        const { signIn, upstream } = yield* world({ form })
        const before = (yield* signIn()).person.subject
        yield* upstream.setAccount({ id: 1001, login: "alice", email: "mallory@elsewhere.test", acct: 0 })
        assert.strictEqual((yield* signIn()).person.subject, before)
        subjects[form] = before
      }
      assert.deepStrictEqual(subjects, {
        github: "github|-QB-EYwE|1001",
        rotating: "github|-QB-EYwE|1001",
        google: "google|-QB-EYwE|sub-1001",
        entra: "entra|PrLbeWNZ|11111111-2222-3333-4444-555555555555.00000000-0000-4000-8000-000000001001"
      })
    }))

  it.effect("attack 18: the subject at github.com is the one of the test vectors", () =>
    Effect.gen(function*() {
      const { authority, id, name, subject } = JSON.parse(
        readFileSync(join(import.meta.dirname, "../../../docs/proxy-formats.json"), "utf8")
      ).subject
      const upstream = Upstream.github({ clientId: "c", clientSecret: Redacted.make("s") })
      const { fetcher, leg, store } = yield* world({ form: "github" })
      assert.strictEqual((yield* upstream.place).apiUrl, authority)
      const proxy = yield* proxyAt(upstream as never, fetcher, store)
      assert.strictEqual(proxy.name, name)
      assert.strictEqual(proxy.subjectOf(id), subject)
      assert.notStrictEqual(leg.subjectOf(id), subject)
    }))

  it.effect("attack 18: an upstream of the same name at another issuer shares no person and no tokens", () =>
    Effect.gen(function*() {
      const first = yield* world({ form: "google" })
      const before = yield* first.signIn()
      const { fetcher, upstream } = yield* TestUpstream.make({ form: "google", origin: "https://other.test" })
      const moved = browser(yield* proxyAt(presetFor(upstream), fetcher, first.store), upstream)
      const after = yield* moved.signIn()
      assert.notStrictEqual(after.person.subject, before.person.subject)
      assert.notStrictEqual(after.upstreamKey, before.upstreamKey)
      assert.strictEqual(after.person.subject.split("|").at(-1), before.person.subject.split("|").at(-1))
    }))

  it.effect("attack 18: another path of the user endpoint, or an issuer that is stated later, keeps the subject", () =>
    Effect.gen(function*() {
      const subjectWith = (more: Partial<Parameters<typeof Upstream.oauth2>[0]>) =>
        Effect.gen(function*() {
          const { leg } = yield* world({
            form: "github",
            preset: () =>
              Upstream.oauth2({
                name: "custom",
                authorizationEndpoint: "https://upstream.test/authorize",
                tokenEndpoint: "https://upstream.test/token",
                userEndpoint: "https://upstream.test/v1/user",
                identity: () => undefined,
                clientId: "proxy-client",
                clientSecret: Redacted.make("proxy-client-secret"),
                ...more
              }) as never
          })
          return leg.subjectOf("1")
        })
      const plain = yield* subjectWith({})
      assert.strictEqual(yield* subjectWith({ userEndpoint: "https://upstream.test/v2/user" }), plain)
      assert.strictEqual(yield* subjectWith({ issuer: "https://upstream.test" }), plain)
      assert.notStrictEqual(yield* subjectWith({ userEndpoint: "https://other.test/v1/user" }), plain)
    }))

  it("attack 18: the separator and an empty text are rejected as names of an upstream", () => {
    for (const name of ["a|b", "", "A", "a/b", "a".repeat(33)]) {
      assert.throws(
        () =>
          Upstream.github({
            name,
            clientId: "c",
            clientSecret: Redacted.make("s"),
            scopes: { "todos:read": [] }
          }),
        /Upstream\.github\.name/
      )
    }
  })

  it.effect("attack 18: an identity function that returns an e-mail address identifies no person", () =>
    Effect.gen(function*() {
      const preset = (origin: string, key: "email" | "id") =>
        Upstream.oauth2({
          name: "custom",
          authorizationEndpoint: `${origin}/authorize`,
          tokenEndpoint: `${origin}/token`,
          userEndpoint: `${origin}/userinfo`,
          identity: (user) => ({ id: String(key === "email" ? user["email"] : user["sub"]) }),
          clientId: "proxy-client",
          clientSecret: Redacted.make("proxy-client-secret"),
          method: "client_secret_post",
          scopes: { "todos:read": [], "todos:write": ["repo"] }
        })
      const byEmail = yield* world({ form: "google", preset: () => preset("https://upstream.test", "email") })
      assert.strictEqual(yield* reasonOf(byEmail.signIn()), "identity")
      const byId = yield* world({ form: "google", preset: () => preset("https://upstream.test", "id") })
      assert.strictEqual((yield* byId.signIn()).person.subject, "custom|-QB-EYwE|sub-1001")
    }))

  it.effect("attack 17: a person outside the rule of admission gets no tokens stored", () =>
    Effect.gen(function*() {
      const { signIn, values } = yield* world({ form: "github", admit: Admit.githubOrganization("acme") })
      assert.strictEqual(yield* reasonOf(signIn(["todos:read"], "mallory")), "AdmissionRejected")
      assert.strictEqual(values.size, 0)
      assert.strictEqual(yield* reasonOf(signIn(["todos:read"], "alice")), "success")
    }))

  it.effect("attack 37: the request has a PKCE challenge, and the code of another sign-in is rejected", () =>
    Effect.gen(function*() {
      for (const form of forms) {
        const { approve, complete } = yield* world({ form })
        const mine = yield* approve()
        const other = yield* approve(["todos:read"], "mallory")
        const query = new URL(mine.url).searchParams
        assert.strictEqual(query.get("code_challenge_method"), "S256")
        assert.strictEqual(
          query.get("code_challenge"),
          createHash("sha256").update(mine.flow.verifier!).digest("base64url")
        )
        // The code of another sign-in, injected into the callback of this browser.
        mine.parameters.set("code", other.parameters.get("code")!)
        assert.strictEqual(yield* reasonOf(complete(mine)), "code")
      }
    }))

  it.effect("attack 37: the nonce binds the ID token to the browser also without PKCE", () =>
    Effect.gen(function*() {
      const { approve, complete } = yield* world({
        form: "google",
        preset: (upstream) => ({ ...upstream, quirks: { ...upstream.quirks, pkce: false } })
      })
      const mine = yield* approve()
      const other = yield* approve(["todos:read"], "mallory")
      assert.isNull(new URL(mine.url).searchParams.get("code_challenge"))
      mine.parameters.set("code", other.parameters.get("code")!)
      assert.strictEqual(yield* reasonOf(complete(mine)), "id-token")
    }))

  it.effect("attack 37: a callback with the state of another browser is rejected before its code is sent", () =>
    Effect.gen(function*() {
      const { approve, complete, upstream } = yield* world({ form: "github" })
      const mine = yield* approve()
      const other = yield* approve(["todos:read"], "mallory")
      assert.strictEqual(
        yield* reasonOf(complete({ flow: mine.flow, parameters: other.parameters })),
        "state"
      )
      assert.strictEqual((yield* upstream.counts).redeem, 0)
      assert.match(mine.state, /^[A-Za-z0-9_-]{43}$/)
      assert.notStrictEqual(mine.state, other.state)
    }))

  it.effect("attack 38: a replayed callback stores nothing", () =>
    Effect.gen(function*() {
      const { approve, complete, writes } = yield* world({ form: "github" })
      const approved = yield* approve()
      yield* complete(approved)
      const before = writes.length
      assert.strictEqual(yield* reasonOf(complete(approved)), "code")
      assert.strictEqual(writes.length, before)
    }))

  it.effect("attack 38: nothing is stored before the sign-in is spent, and nothing after it fails to be spent", () =>
    Effect.gen(function*() {
      const { approve, leg, writes } = yield* world({ form: "google" })
      const { flow, parameters } = yield* approve()
      const exit = yield* reasonOf(leg.complete({
        flow,
        parameters,
        redirectUri,
        spend: Effect.suspend(() => {
          assert.strictEqual(writes.length, 0)
          return Effect.fail({ _tag: "Spent" } as const)
        })
      }))
      assert.strictEqual(exit, "Spent")
      assert.strictEqual(writes.length, 0)
    }))

  it.effect("attack 39: a callback with another issuer, or without the issuer that the upstream advertises, is rejected", () =>
    Effect.gen(function*() {
      const { approve, complete, upstream } = yield* world({ form: "google" })
      const other = yield* approve()
      other.parameters.set("iss", "https://attacker.example")
      assert.strictEqual(yield* reasonOf(complete(other)), "issuer")
      const missing = yield* approve()
      missing.parameters.delete("iss")
      assert.strictEqual(yield* reasonOf(complete(missing)), "issuer")
      // The issuer is checked before the error.
      const denied = yield* approve()
      const error = new URLSearchParams({
        state: denied.state,
        error: "access_denied",
        iss: "https://attacker.example"
      })
      assert.strictEqual(yield* reasonOf(complete({ flow: denied.flow, parameters: error })), "issuer")
      assert.strictEqual((yield* upstream.counts).redeem, 0)
    }))

  it.effect("attack 39: github.com must name itself, and an Enterprise server must not name another", () =>
    Effect.gen(function*() {
      const options = { clientId: "c", clientSecret: Redacted.make("s"), scopes: { "todos:read": [] } } as const
      const { server } = yield* Upstream.github(options).place
      assert.isTrue(
        server.type === "oauth2" && server.sendsIssuer && server.issuer === "https://github.com/login/oauth"
      )
      const { approve, complete } = yield* world({ form: "github" })
      const without = yield* approve()
      without.parameters.delete("iss")
      assert.strictEqual(yield* reasonOf(complete(without)), "success")
      const other = yield* approve()
      other.parameters.set("iss", "https://github.com/login/oauth")
      assert.strictEqual(yield* reasonOf(complete(other)), "issuer")
    }))

  it.effect("attack 40: a callback that another upstream sent cannot complete a sign-in", () =>
    Effect.gen(function*() {
      const google = yield* world({ form: "google" })
      const entra = yield* world({ form: "entra" })
      assert.notStrictEqual(google.leg.name, entra.leg.name)
      const flow = (yield* google.begin()).flow
      const { parameters } = yield* entra.approve()
      parameters.set("state", flow.state)
      assert.strictEqual(yield* reasonOf(google.complete({ flow, parameters })), "issuer")
      assert.strictEqual((yield* google.upstream.counts).redeem, 0)
    }))

  it.effect("attack 40: the redirect URI of the code is that of the request", () =>
    Effect.gen(function*() {
      const { approve, complete } = yield* world({ form: "google" })
      assert.strictEqual(
        yield* reasonOf(complete(yield* approve(), "https://todos.example.com/callback/other")),
        "code"
      )
    }))

  it.effect("attack A12: a code of 4 KB is accepted, and a repeated parameter is rejected", () =>
    Effect.gen(function*() {
      const { approve, complete, upstream } = yield* world({ form: "github" })
      const long = yield* approve()
      const code = long.parameters.get("code")!
      yield* upstream.respondWith("/access_token", ({ body }) => {
        const sent = new URLSearchParams(body).get("code")!
        return Response.json(
          sent.length === 4_096 ? { access_token: "long", token_type: "bearer", scope: "" } : { error: "too_short" }
        )
      })
      yield* upstream.respondWith("/api/v3/user", () => Response.json({ id: 1, login: "one" }))
      long.parameters.set("code", code.padEnd(4_096, "x"))
      assert.strictEqual(yield* reasonOf(complete(long)), "success")
      for (const name of ["code", "state", "iss", "error"]) {
        const doubled = yield* approve()
        doubled.parameters.append(name, "other")
        doubled.parameters.append(name, "other")
        assert.strictEqual(yield* reasonOf(complete(doubled)), "malformed")
      }
    }))

  it.effect("attack A10: junk codes are bounded in number, and leave room for refreshes", () =>
    Effect.gen(function*() {
      const { approve, complete, leg, signIn, upstream } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      const junk = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        Effect.map(approve(), (approved) => {
          approved.parameters.set("code", "junk")
          return approved
        }))
      let inFlight = 0
      yield* upstream.respondWith("/access_token", ({ body }) => {
        if (body.includes("refresh_token=")) {
          return Response.json({ access_token: "fresh", token_type: "bearer", scope: "", expires_in: 28_800 })
        }
        inFlight++
        return new Promise(() => {})
      })
      const fibers = yield* Effect.forEach(junk, (approved) =>
        Effect.forkChild(Effect.result(complete(approved)), { startImmediately: true }))
      yield* TestClock.adjust("1 second")
      assert.isAtMost(inFlight, 48)
      yield* TestClock.adjust("28800 seconds")
      assert.strictEqual(Redacted.value(yield* leg.token(upstreamKey)), "fresh")
      yield* Effect.forEach(fibers, Fiber.interrupt)
    }))

  it.effect("attack A10: junk codes that the upstream calls invalid requests do not delay other sign-ins", () =>
    Effect.gen(function*() {
      const { approve, complete, signIn, upstream } = yield* world({ form: "entra" })
      yield* upstream.respondWith("/token", () => Response.json({ error: "invalid_request" }, { status: 400 }))
      for (let time = 0; time < 10; time++) assert.strictEqual(yield* reasonOf(complete(yield* approve())), "code")
      yield* upstream.respondWith("/token", undefined)
      assert.strictEqual(yield* reasonOf(signIn()), "success")
    }))

  it.effect("attack A10: junk codes that a firewall answers with 403 do not delay other sign-ins", () =>
    Effect.gen(function*() {
      const { approve, complete, signIn, upstream } = yield* world({ form: "entra" })
      yield* upstream.respondWith("/token", () => new Response("<html>", { status: 403 }))
      for (let time = 0; time < 4; time++) assert.strictEqual(yield* reasonOf(complete(yield* approve())), "code")
      yield* upstream.respondWith("/token", undefined)
      assert.strictEqual(yield* reasonOf(signIn()), "success")
    }))

  it.effect("attack 49: a scope that a refresh no longer grants does not count any more", () =>
    Effect.gen(function*() {
      for (const form of ["google", "entra"] as const) {
        const { leg, signIn, upstream } = yield* world({ form })
        const { upstreamKey } = yield* signIn(["todos:read", "todos:write"])
        yield* upstream.withholdScopes("repo")
        yield* TestClock.adjust("9 hours")
        assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "alive", scopes: ["todos:read"] }, form)
      }
    }))

  it.effect("attack 49: only the scopes that the upstream granted count", () =>
    Effect.gen(function*() {
      for (const form of ["github", "google", "entra"] as const) {
        const { leg, signIn, upstream } = yield* world({ form })
        const all = yield* signIn(["todos:read", "todos:write"])
        assert.deepStrictEqual(all.scopes, ["todos:read", "todos:write"])
        yield* upstream.withholdScopes("repo")
        const fewer = yield* signIn(["todos:read", "todos:write"])
        assert.deepStrictEqual(fewer.scopes, ["todos:read"])
        const verdict = yield* leg.check(fewer.upstreamKey)
        assert.deepStrictEqual(verdict, { outcome: "alive", scopes: ["todos:read"] })
      }
    }))

  it.effect("attack 49: a scope that was granted earlier, and not requested now, does not count", () =>
    Effect.gen(function*() {
      const { begin, leg, signIn, upstream } = yield* world({ form: "github" })
      const all = yield* signIn(["todos:read", "todos:write"])
      // Without the parameter, GitHub grants what the person granted before.
      const scope = new URL((yield* begin(["todos:read"])).url).searchParams.get("scope")
      assert.strictEqual(scope, "read:user")
      const fewer = yield* signIn(["todos:read"])
      assert.deepStrictEqual(fewer.scopes, ["todos:read"])
      assert.notStrictEqual(fewer.upstreamKey, all.upstreamKey)
      assert.deepStrictEqual(yield* leg.check(fewer.upstreamKey), { outcome: "alive", scopes: ["todos:read"] })
      // An upstream that grants more than was requested.
      yield* upstream.respondWith(
        "/access_token",
        () => Response.json({ access_token: "wide", token_type: "bearer", scope: "read:user repo" })
      )
      yield* upstream.respondWith("/api/v3/user", () => Response.json({ id: 1001, login: "alice" }))
      const wide = yield* signIn(["todos:read"])
      assert.deepStrictEqual(wide.scopes, ["todos:read"])
      assert.deepStrictEqual(yield* leg.check(wide.upstreamKey), { outcome: "alive", scopes: ["todos:read"] })
      assert.strictEqual(wide.upstreamKey, fewer.upstreamKey)
    }))

  it.effect("attack 49: a wider scope of GitHub counts for those that it contains", () =>
    Effect.gen(function*() {
      const { signIn } = yield* world({
        form: "github",
        preset: (upstream) => ({
          ...upstream,
          scopes: new Map([["todos:read", ["user:email"]], ["todos:write", ["user", "repo"]]])
        })
      })
      assert.deepStrictEqual((yield* signIn(["todos:read", "todos:write"])).scopes, ["todos:read", "todos:write"])
      assert.deepStrictEqual((yield* signIn(["todos:read"])).scopes, ["todos:read"])
    }))

  it.effect("sends no resource and no parameter of the client upstream", () =>
    Effect.gen(function*() {
      for (const form of forms) {
        const { signIn, begin, upstream } = yield* world({ form })
        const { url } = yield* begin(["todos:write", "unknown", "offline_access"])
        const allowed = new Set([
          "access_type",
          "client_id",
          "code_challenge",
          "code_challenge_method",
          "nonce",
          "prompt",
          "redirect_uri",
          "response_mode",
          "response_type",
          "scope",
          "state"
        ])
        const query = new URL(url).searchParams
        assert.deepStrictEqual([...query.keys()].filter((name) => !allowed.has(name)), [])
        assert.notInclude(query.get("scope") ?? "", "unknown")
        yield* signIn()
        const sent = yield* upstream.takeRequests
        assert.isTrue(sent.length > 0)
        assert.isTrue(sent.every((request) => !`${request.url} ${request.body}`.includes("resource")))
      }
    }))

  it.effect("reports the error of the upstream as a denied sign-in", () =>
    Effect.gen(function*() {
      const { signIn } = yield* world({ form: "rejecting" })
      assert.strictEqual(yield* reasonOf(signIn()), "denied")
    }))

  it.effect("follows no redirect, and rejects a response that is too large or no token response", () =>
    Effect.gen(function*() {
      const { approve, complete, upstream } = yield* world({ form: "github" })
      const answers: ReadonlyArray<readonly [string, () => Response]> = [
        ["token", () => Response.redirect("https://attacker.example/token", 307)],
        ["token", () => Response.json({ access_token: "x".repeat(200_000), token_type: "bearer" })],
        ["token", () => new Response("access_token=a&token_type=bearer")],
        ["token", () => Response.json({ access_token: "a", token_type: "mac" })],
        ["token", () => Response.json({ access_token: "a b", token_type: "bearer" })]
      ]
      for (const [reason, answer] of answers) {
        yield* upstream.respondWith("/access_token", answer)
        assert.strictEqual(yield* reasonOf(complete(yield* approve())), reason)
        // The cooldown after failures ends.
        yield* TestClock.adjust("10 minutes")
      }
    }))

  it.effect("attack 70: sends nothing to an endpoint on a private address that public metadata name", () =>
    Effect.gen(function*() {
      for (const member of ["token_endpoint", "userinfo_endpoint", "jwks_uri"]) {
        const { begin, complete, signIn, upstream } = yield* world({ form: "google" })
        const documented = yield* upstream.respond(new Request(`${upstream.origin}/.well-known/openid-configuration`))
        const metadata = yield* Effect.promise(() => documented.json() as Promise<object>)
        yield* upstream.respondWith(
          "/.well-known/",
          () => Response.json({ ...metadata, [member]: "https://10.0.0.1/endpoint" })
        )
        // The keys are needed only when an ID token is verified.
        const attempt = member === "jwks_uri" ?
          signIn() :
          Effect.flatMap(
            begin(),
            (begun) => complete({ ...begun, parameters: new URLSearchParams({ state: begun.state, code: "code" }) })
          )
        assert.strictEqual(yield* reasonOf(attempt), "unavailable")
        assert.isTrue((yield* upstream.takeRequests).every(({ url }) => !url.includes("10.0.0.1")))
      }
    }))

  it.effect("reports wrong credentials of the proxy as unavailable, and not as a rejected code", () =>
    Effect.gen(function*() {
      const { signIn } = yield* world({
        form: "github",
        preset: (upstream) => ({ ...upstream, clientSecret: Redacted.make("wrong") })
      })
      assert.strictEqual(yield* reasonOf(signIn()), "unavailable")
    }))

  it.effect("gives up on an upstream that does not answer within eight seconds", () =>
    Effect.gen(function*() {
      const { approve, complete, upstream } = yield* world({ form: "github" })
      const approved = yield* approve()
      yield* upstream.hang("/access_token")
      const fiber = yield* Effect.forkChild(reasonOf(complete(approved)), { startImmediately: true })
      yield* until(Effect.andThen(TestClock.adjust("8 seconds"), Effect.sync(() => fiber.pollUnsafe() !== undefined)))
      assert.strictEqual(yield* Fiber.join(fiber), "unavailable")
    }))

  it.effect("signs people in at the slow form", () =>
    Effect.gen(function*() {
      const { begin, complete, upstream } = yield* world({ form: "slow" })
      const begun = yield* begin()
      const parameters = new URL(yield* upstream.signIn(begun.url)).searchParams
      yield* upstream.takeRequests
      const fiber = yield* Effect.forkChild(complete({ ...begun, parameters }), { startImmediately: true })
      yield* until(Effect.gen(function*() {
        // The clock moves only while the upstream delays a response, so keys that take real time do not use up the time limit.
        if ((yield* upstream.takeRequests).length > 0) yield* TestClock.adjust("3 seconds")
        return fiber.pollUnsafe() !== undefined
      }))
      assert.strictEqual((yield* Fiber.join(fiber)).person.subject, "github|-QB-EYwE|1001")
    }))

  it.effect("rejects a rule of admission that does not fit the upstream", () =>
    Effect.gen(function*() {
      const { description, fetcher, store } = yield* world({ form: "entra" })
      const error = yield* Effect.flip(
        proxyAt(description, fetcher, store, Admit.emailDomain("acme.test"))
      )
      assert.include(error.message, "admit")
    }))
})

describe("attack 41: an ID token", () => {
  const now = startTime / 1000
  const claims = (nonce: string, accessToken: string) => ({
    iss: "https://upstream.test",
    aud: "proxy-client" as unknown,
    sub: "sub-1001",
    iat: now,
    exp: now + 600,
    nonce: nonce as unknown,
    at_hash: createHash("sha256").update(accessToken).digest().subarray(0, 16).toString("base64url")
  })
  type Claims = ReturnType<typeof claims>

  const rows: ReadonlyArray<readonly [title: string, change: (claims: Claims) => object, outcome: string]> = [
    ["is accepted if it fits", (claims) => claims, "success"],
    ["is accepted with several audiences and the client as azp", (claims) => ({
      ...claims,
      aud: ["proxy-client", "other"],
      azp: "proxy-client"
    }), "success"],
    ["is accepted with a claim that names it an ID token", (claims) => ({ ...claims, token_use: "id" }), "success"],
    ["is rejected with another audience", (claims) => ({ ...claims, aud: "other" }), "aud"],
    [
      "is rejected with several audiences and no azp",
      (claims) => ({ ...claims, aud: ["proxy-client", "other"] }),
      "aud"
    ],
    ["is rejected with another azp", (claims) => ({ ...claims, azp: "other" }), "azp"],
    ["is rejected with another nonce", (claims) => ({ ...claims, nonce: "n".repeat(43) }), "nonce"],
    ["is rejected without nonce", ({ nonce: _, ...claims }) => claims, "nonce"],
    ["is rejected with another at_hash", (claims) => ({ ...claims, at_hash: "AAAAAAAAAAAAAAAAAAAAAA" }), "at_hash"],
    ["is rejected with another issuer", (claims) => ({ ...claims, iss: "https://attacker.example" }), "iss"],
    ["is rejected after its expiry", (claims) => ({ ...claims, exp: now - 1 }), "expired"],
    ["is rejected without expiry", ({ exp: _, ...claims }) => claims, "expiry"],
    ["is rejected without iat", ({ iat: _, ...claims }) => claims, "iat"],
    ["is rejected without subject", ({ sub: _, ...claims }) => claims, "sub"],
    ["is rejected if it is an access token", (claims) => ({ ...claims, token_use: "access" }), "typ"],
    ["is rejected if it is a logout token", (claims) => ({ ...claims, events: {} }), "typ"]
  ]

  const complete = (
    makeToken: (upstream: TestUpstream.TestUpstream["Service"], claims: Claims) => Effect.Effect<string>
  ) =>
    Effect.gen(function*() {
      const { approve, complete, upstream } = yield* world({ form: "google" })
      const approved = yield* approve()
      const idToken = yield* makeToken(upstream, claims(approved.flow.nonce!, "access"))
      yield* upstream.respondWith("/token", () =>
        Response.json({ access_token: "access", token_type: "Bearer", id_token: idToken }))
      return yield* Effect.result(complete(approved))
    })

  const outcomeOf = (result: Effect.Success<ReturnType<typeof complete>>): string =>
    result._tag === "Success"
      ? "success"
      : "detail" in result.failure
      ? result.failure.detail ?? result.failure.reason
      : result.failure._tag

  it.effect.each(rows)("attack 41: an ID token %s", ([, change, expected]) =>
    Effect.gen(function*() {
      const result = yield* complete((upstream, claims) => upstream.signIdToken(change(claims) as never))
      assert.strictEqual(outcomeOf(result), expected)
    }))

  it.effect("attack 41: an ID token of another key, of an HMAC with the client secret, or without signature is rejected", () =>
    Effect.gen(function*() {
      const { sign } = yield* SigningKey.make()
      const forged = yield* complete((_, claims) => sign({}, claims))
      assert.include(["unknown-key", "signature"], outcomeOf(forged))
      const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
      for (const alg of ["none", "HS256"]) {
        const result = yield* complete((_, claims) => Effect.succeed(`${segment({ alg })}.${segment(claims)}.`))
        assert.strictEqual(outcomeOf(result), "alg")
      }
      const missing = yield* complete(() => Effect.succeed("text"))
      assert.strictEqual(outcomeOf(missing), "form")
    }))

  it.effect("attack 41: a sign-in without ID token is rejected", () =>
    Effect.gen(function*() {
      const { signIn, upstream } = yield* world({ form: "google" })
      yield* upstream.omitIdTokens
      assert.strictEqual(yield* reasonOf(signIn()), "identity")
    }))
})
