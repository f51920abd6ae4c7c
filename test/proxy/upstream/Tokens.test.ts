import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Logger, Redacted, Scope } from "effect"
import { MemoryStore, RecordStore, SealedStore } from "effect-mcp-auth/store"
import type { TestUpstream } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import type { Fetcher } from "../../../src/outbound/Fetcher.ts"
import * as Admit from "../../../src/proxy/Admit.ts"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"
import * as RecordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import * as RecordSeal from "../../../src/proxy/keys/RecordSeal.ts"
import * as Upstream from "../../../src/proxy/upstream/Upstream.ts"
import * as UpstreamAccess from "../../../src/proxy/upstream/UpstreamAccess.ts"
import { make as makeRecords } from "../../../src/proxy/upstream/UpstreamRecord.ts"
import * as times from "../../../src/proxy/upstream/UpstreamTimes.ts"
import {
  browser,
  type Form,
  issuer,
  proxyAt,
  reasonOf,
  secret,
  startTime,
  uncheckableLifetime,
  until,
  world
} from "./world.ts"

type Account = TestUpstream.Account
const alice: Account = { id: 1001, login: "alice", email: "alice@acme.test", hostedDomain: "acme.test", acct: 0 }

const isAlive = { outcome: "alive" } as const

/** Lets a second pass, and the work that takes real time. */
const step = Effect.andThen(
  Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5))),
  TestClock.adjust("1 second")
)

/** Makes an OpenID provider return neither a refresh token nor `expires_in`, and have no userinfo endpoint. */
const withoutAnswers = (fetcher: Fetcher["Service"]): Fetcher["Service"] => ({
  send: (request) =>
    Effect.map(fetcher.send(request), (response) => {
      const missing = request.url.includes("/.well-known/")
        ? ["userinfo_endpoint"]
        : request.url.endsWith("/token")
        ? ["refresh_token", "expires_in"]
        : []
      if (missing.length === 0) return response
      const members = Object.entries(JSON.parse(new TextDecoder().decode(response.body)))
      const kept = Object.fromEntries(members.filter(([name]) => !missing.includes(name)))
      return { ...response, body: new TextEncoder().encode(JSON.stringify(kept)) }
    })
})

describe("a check at a refresh", () => {
  it.effect.each(["github", "rotating", "google", "entra"] as const)(
    "attack 56: asks the form %s each time",
    (form) =>
      Effect.gen(function*() {
        const { leg, signIn, upstream } = yield* world({ form })
        const { upstreamKey } = yield* signIn()
        const requestCount = Effect.map(upstream.counts, ({ refresh, user }) => refresh + user)
        for (let time = 0; time < 3; time++) {
          const before = yield* requestCount
          assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
          assert.strictEqual(yield* requestCount, before + 1)
          yield* TestClock.adjust("1 hour")
        }
      })
  )

  it.effect.each(["github", "rotating", "google", "entra"] as const)(
    "attack 56: an off-boarded person of the form %s loses the grant and the stored tokens",
    (form) =>
      Effect.gen(function*() {
        const { leg, signIn, store, upstream } = yield* world({ form })
        const { upstreamKey } = yield* signIn()
        yield* upstream.removeAccount("alice")
        assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
        assert.isUndefined(yield* store.get(upstreamKey))
        assert.strictEqual(yield* reasonOf(leg.token(upstreamKey)), "ended")
      })
  )

  const rows: ReadonlyArray<readonly [rule: string, form: Form, admit: Admit.Admit, changed: Account]> = [
    ["the organization", "github", Admit.githubOrganization("acme"), { ...alice, organizations: [] }],
    ["the id of the organization", "github", Admit.githubOrganization("acme", { id: 9919 }), {
      ...alice,
      organizations: [{ login: "acme", id: 1 }]
    }],
    ["the Workspace", "google", Admit.hostedDomain("acme.test"), { ...alice, hostedDomain: undefined }],
    ["the tenant, as a guest", "entra", Admit.tenantMembers, { ...alice, acct: 1 }],
    ["the tenant, without acct", "entra", Admit.tenantMembers, { ...alice, acct: undefined }],
    ["the domain, with an address that is not verified", "google", Admit.emailDomain("acme.test"), {
      ...alice,
      isEmailVerified: false
    }],
    ["the domain, at GitHub", "github", Admit.emailDomain("acme.test"), { ...alice, email: "alice@evil-acme.test" }]
  ]

  it.effect.each(rows)(
    "attack 56: a person who has left %s is no longer admitted",
    ([, form, admit, changed]) =>
      Effect.gen(function*() {
        const { leg, signIn, store, upstream } = yield* world({ form, admit })
        const { upstreamKey } = yield* signIn()
        assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
        yield* upstream.setAccount(changed)
        assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
        assert.isUndefined(yield* store.get(upstreamKey))
        // Such a person cannot sign in again either.
        assert.strictEqual(yield* reasonOf(signIn()), "AdmissionRejected")
      })
  )

  it.effect("attack A9: a guest of the tenant, and a person without the claim acct, cannot sign in", () =>
    Effect.gen(function*() {
      for (const acct of [1, undefined, "0"] as const) {
        const { signIn } = yield* world({
          form: "entra",
          admit: Admit.tenantMembers,
          accounts: [{ ...alice, acct: acct as number }]
        })
        assert.strictEqual(yield* reasonOf(signIn()), "AdmissionRejected")
      }
    }))

  it.effect("uses the userinfo endpoint if a refresh returns no ID token, and rejects another sub", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "google", admit: Admit.hostedDomain("acme.test") })
      const { upstreamKey } = yield* signIn()
      yield* upstream.omitIdTokens
      assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
      assert.strictEqual((yield* upstream.counts).user, 1)
      yield* upstream.respondWith("/userinfo", () => Response.json({ sub: "other", hd: "acme.test" }))
      assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "unavailable" })
      yield* upstream.respondWith("/userinfo", () => Response.json({ sub: "sub-1001" }))
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }))

  it.effect("attack 56: a person that the upstream offers no way to check loses the grant after a stated time", () =>
    Effect.gen(function*() {
      const { leg, signIn, store } = yield* world({ form: "google", through: withoutAnswers })
      const first = yield* signIn()
      const end = startTime + uncheckableLifetime
      assert.deepStrictEqual(yield* leg.check(first.upstreamKey), {
        outcome: "alive",
        scopes: ["todos:read"],
        endsAt: end
      })
      yield* TestClock.adjust(uncheckableLifetime - 1)
      assert.deepInclude(yield* leg.check(first.upstreamKey), { outcome: "alive", endsAt: end })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* leg.check(first.upstreamKey), { outcome: "rejected" })
      assert.isUndefined(yield* store.get(first.upstreamKey))
    }))

  it.effect("attack 56: a person that the upstream offers no way to check must still be admitted", () =>
    Effect.gen(function*() {
      let isMember = true
      const { leg, signIn } = yield* world({
        form: "google",
        admit: Admit.custom(() => Effect.sync(() => isMember)),
        through: withoutAnswers
      })
      const { upstreamKey } = yield* signIn()
      isMember = false
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }))

  it.effect("warns once if the upstream offers no way to check people", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      yield* Effect.gen(function*() {
        const { signIn } = yield* world({ form: "google", through: withoutAnswers })
        yield* signIn()
        yield* signIn(["todos:read"], "mallory")
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.strictEqual(logged.filter((message) => message.includes("grants.uncheckableLifetime")).length, 1)
    }))

  it.effect("never keeps tokens that belong to another person", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream } = yield* world({ form: "github" })
      const { upstreamKey } = yield* signIn()
      yield* upstream.respondWith("/api/v3/user", () => Response.json({ id: 1002, login: "mallory" }))
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
      assert.isUndefined(yield* store.get(upstreamKey))
    }))
})

describe("an outage of the upstream", () => {
  const json = (body: object, status = 200, headers: Record<string, string> = {}) => () =>
    Response.json(body, { status, headers })

  const rows: ReadonlyArray<readonly [title: string, form: Form, where: string, answer: () => Response]> = [
    ["status 500 of the token endpoint", "google", "/token", json({}, 500)],
    ["status 429 of the token endpoint", "google", "/token", json({}, 429, { "retry-after": "7" })],
    ["status 400 with a web page", "google", "/token", () => new Response("<html>", { status: 400 })],
    ["the error temporarily_unavailable", "google", "/token", json({ error: "temporarily_unavailable" }, 400)],
    ["the error invalid_client", "google", "/token", json({ error: "invalid_client" }, 401)],
    [
      "an ID token that is not valid",
      "google",
      "/token",
      json({
        access_token: "a",
        token_type: "Bearer",
        id_token: "x.y.z"
      })
    ],
    ["status 500 of the user endpoint", "github", "/user", json({}, 500)],
    ["status 403 of the user endpoint", "github", "/user", json({}, 403)],
    ["the rate limit of GitHub", "github", "/user", json({}, 403, { "x-ratelimit-remaining": "0" })],
    ["status 404 of the user endpoint", "github", "/user", json({}, 404)],
    ["a redirect of the user endpoint", "github", "/user", () => Response.redirect("https://attacker.example/")],
    ["a web page of a captive portal", "github", "/user", () => new Response("<html>")],
    [
      "an error inside status 200 that says nothing about the person",
      "github",
      "/user",
      json({
        ok: false,
        error: "internal_error"
      })
    ]
  ]

  it.effect.each(rows)(
    "attack 57: %s keeps the grant and its tokens",
    ([, form, where, answer]) =>
      Effect.gen(function*() {
        const { leg, signIn, store, upstream } = yield* world({ form })
        const { upstreamKey } = yield* signIn()
        yield* upstream.respondWith(where, answer)
        const verdict = yield* leg.check(upstreamKey)
        assert.strictEqual(verdict.outcome, "unavailable")
        assert.isTrue(verdict.outcome === "unavailable" && verdict.retryAfter >= 1)
        assert.isDefined(yield* store.get(upstreamKey))
        yield* upstream.respondWith(where, undefined)
        // The cooldown after failures ends.
        yield* TestClock.adjust("30 minutes")
        assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
      })
  )

  it.effect("attack 57: an hour without connections keeps the grant", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      yield* upstream.goDown()
      for (let minute = 0; minute < 60; minute += 10) {
        assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "unavailable" })
        yield* TestClock.adjust("10 minutes")
      }
      yield* upstream.recover
      assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
    }))

  it.effect("attack 57: an upstream that never answers keeps the grant, and the check ends after eight seconds", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "google" })
      const { upstreamKey } = yield* signIn()
      yield* upstream.hang("/token")
      const fiber = yield* Effect.forkChild(leg.check(upstreamKey), { startImmediately: true })
      yield* until(Effect.map(upstream.takeRequests, (all) => all.some(({ body }) => body.includes("refresh_token"))))
      yield* TestClock.adjust("8 seconds")
      assert.deepInclude(yield* Fiber.join(fiber), { outcome: "unavailable" })
      yield* upstream.recover
      assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
    }))

  it.effect("attack 57: a rule of admission that fails or throws keeps the grant, and admits no one", () =>
    Effect.gen(function*() {
      let result: Effect.Effect<boolean, string> = Effect.succeed(true)
      const { leg, signIn } = yield* world({ form: "github", admit: Admit.custom(() => result) })
      const { upstreamKey } = yield* signIn()
      for (const broken of [Effect.fail("database"), Effect.die("bug")]) {
        result = broken
        assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "unavailable" })
        assert.strictEqual(yield* reasonOf(signIn()), "unavailable")
      }
      result = Effect.succeed("yes" as never)
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }))

  it.effect("attack 57: only rejections inside status 200 end the grant at Slack", () =>
    Effect.gen(function*() {
      const slack = Upstream.oauth2({
        name: "slack",
        authorizationEndpoint: "https://upstream.test/login/oauth/authorize",
        tokenEndpoint: "https://upstream.test/oauth.v2.access",
        userEndpoint: "https://upstream.test/auth.test",
        identity: (user) => ({ id: String(user["user_id"]) }),
        clientId: "proxy-client",
        clientSecret: Redacted.make("proxy-client-secret"),
        pkce: false,
        scopeParameter: "user_scope",
        scopeSeparator: ",",
        tokenMember: "authed_user",
        tokenTypes: ["user"],
        rejections: ["token_revoked", "invalid_refresh_token"],
        scopes: { "todos:read": ["channels:read", "users:read"], "todos:write": ["chat:write"] }
      })
      const { begin, leg, signIn, upstream } = yield* world({ form: "github", preset: () => slack as never })
      yield* upstream.respondWith("/oauth.v2.access", () =>
        Response.json({
          ok: true,
          access_token: undefined,
          authed_user: { access_token: "xoxp-1", token_type: "user", scope: "channels:read,users:read" }
        }))
      let user: object = { ok: true, user_id: "U1" }
      yield* upstream.respondWith("/auth.test", () => Response.json(user))
      assert.strictEqual(
        new URL((yield* begin(["todos:read"])).url).searchParams.get("user_scope"),
        "channels:read,users:read"
      )
      const { person, scopes, upstreamKey } = yield* signIn(["todos:read", "todos:write"])
      assert.strictEqual(person.subject, "slack|-QB-EYwE|U1")
      assert.deepStrictEqual(scopes, ["todos:read"])
      user = { ok: false, error: "ratelimited" }
      assert.deepInclude(yield* leg.check(upstreamKey), { outcome: "unavailable" })
      user = { ok: false, error: "token_revoked" }
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }))
})

describe("a refresh at the upstream", () => {
  it.effect("attack 58: six checks at once in one process refresh once", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream, writes } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("8 hours")
      const checks = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 6 }, () => leg.check(upstreamKey)), { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* until(Effect.andThen(TestClock.adjust("100 millis"), Effect.sync(() => checks.pollUnsafe() !== undefined)))
      const verdicts = yield* Fiber.join(checks)
      // One of the checks took the lease for all of them.
      assert.strictEqual(writes.filter((key) => key.includes(":lease:")).length, 1)
      assert.isTrue(verdicts.every(({ outcome }) => outcome === "alive"))
      assert.strictEqual((yield* upstream.counts).refresh, 1)
      assert.strictEqual(yield* upstream.reuses, 0)
    }))

  it.effect("attack 58: two processes refresh once, and both get the same token", () =>
    Effect.gen(function*() {
      const { description, fetcher, leg, signIn, store, upstream } = yield* world({ form: "rotating" })
      const other = yield* proxyAt(description, fetcher, store)
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("8 hours")
      const both = yield* Effect.forkChild(
        Effect.all([leg.token(upstreamKey), other.token(upstreamKey)], { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      // The second process waits for the lease, and asks about it every 50 milliseconds.
      yield* until(Effect.andThen(TestClock.adjust("100 millis"), Effect.sync(() => both.pollUnsafe() !== undefined)))
      const [first, second] = yield* Fiber.join(both)
      assert.strictEqual(Redacted.value(first), Redacted.value(second))
      assert.strictEqual((yield* upstream.counts).refresh, 1)
      assert.strictEqual(yield* upstream.reuses, 0)
    }))

  it("attack 58: the lease outlives all work that can begin under it", () => {
    const { check, discovery, exchange, lease, request, write } = times
    const sum = [check, discovery, exchange, write].reduce((total, each) => total + Duration.toMillis(each), 0)
    assert.isBelow(sum, Duration.toMillis(lease))
    assert.isBelow(Duration.toMillis(request), Duration.toMillis(exchange))
  })

  it.effect("attack 58: a process whose discovery is slow does not refresh beside another one", () =>
    Effect.gen(function*() {
      const { description, fetcher, signIn, store, upstream } = yield* world({ form: "google" })
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("2 hours")
      // Both processes have just started, so they must discover the endpoints first.
      const first = yield* proxyAt(description, fetcher, store)
      const second = yield* proxyAt(description, fetcher, store)
      let used = 0
      yield* upstream.respondWith("/token", ({ body }) => {
        if (body.includes("refresh_token=")) used++
        return Response.json({ access_token: `new-${used}`, token_type: "Bearer", expires_in: 3_600 })
      })
      // Each of the look-ups of metadata is within its limit, and all together take longer than a request. The lease must not end before the refresh does.
      yield* upstream.slow("3 seconds")
      const tokens = yield* Effect.forkChild(
        Effect.all([first.token(upstreamKey), second.token(upstreamKey)].map(Effect.result), {
          concurrency: "unbounded"
        }),
        { startImmediately: true }
      )
      for (let second = 0; second < 60; second++) yield* step
      assert.isAtMost(used, 1)
      yield* Fiber.join(tokens)
      yield* upstream.recover
      const both = yield* Effect.forEach([first, second], (each) => each.token(upstreamKey))
      assert.strictEqual(used, 1)
      assert.deepStrictEqual(both.map(Redacted.value), ["new-1", "new-1"])
    }))

  it.effect("attack 58: a process that ended with the lease costs at most the time of the lease", () =>
    Effect.gen(function*() {
      const { leg, signIn, store } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("8 hours")
      const recordKeys = yield* RecordKeys.make(issuer)
      const sealed = SealedStore.make(store, RecordSeal.make(yield* ProxyKeys.make(secret), issuer))
      yield* sealed.put(yield* recordKeys("lease", upstreamKey), "", { lifetime: "15 seconds", expected: "absent" })
      const fiber = yield* Effect.forkChild(leg.check(upstreamKey), { startImmediately: true })
      yield* TestClock.adjust("14 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* until(Effect.andThen(TestClock.adjust("100 millis"), Effect.sync(() => fiber.pollUnsafe() !== undefined)))
      assert.deepInclude(yield* Fiber.join(fiber), isAlive)
    }))

  it.effect.each(
    [
      ["rejects", { error: "bad_refresh_token" }],
      ["accepts", { access_token: "refreshed", token_type: "bearer", scope: "", expires_in: 28_800 }]
    ] as const
  )(
    "attack 58: a sign-in in another process stays stored if the upstream %s the refresh token meanwhile",
    ([, answer]) =>
      Effect.gen(function*() {
        const { approve, description, fetcher, leg, signIn, store, upstream } = yield* world({ form: "rotating" })
        const { upstreamKey } = yield* signIn()
        yield* TestClock.adjust("8 hours")
        const other = browser(yield* proxyAt(description, fetcher, store), upstream)
        const approved = yield* approve()
        const run = Effect.runPromiseWith(yield* Effect.context<never>())
        yield* upstream.respondWith("/access_token", async ({ body }) => {
          if (!body.includes("refresh_token=")) {
            return Response.json({
              access_token: "second",
              refresh_token: "second-refresh",
              token_type: "bearer",
              scope: "",
              expires_in: 28_800
            })
          }
          await run(other.complete(approved))
          return Response.json(answer)
        })
        yield* upstream.respondWith("/api/v3/user", () => Response.json({ id: 1001, login: "alice" }))
        assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
        assert.strictEqual(Redacted.value(yield* leg.token(upstreamKey)), "second")
      })
  )

  it.effect("attack A5: the refresh of a client that disconnects is written, and the next one works", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("8 hours")
      yield* upstream.slow("3 seconds", "/access_token")
      yield* upstream.takeRequests
      const before = (yield* store.get(upstreamKey))!.version
      const caller = yield* Effect.forkChild(leg.check(upstreamKey), { startImmediately: true })
      yield* until(Effect.map(upstream.takeRequests, (all) => all.length > 0))
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust("3 seconds")
      yield* until(Effect.map(store.get(upstreamKey), (found) => found?.version !== before))
      yield* upstream.recover
      yield* TestClock.adjust("8 hours")
      assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
      assert.strictEqual((yield* upstream.counts).refresh, 2)
      assert.strictEqual(yield* upstream.reuses, 0)
    }))

  it.effect("attack A5: a server that stops during a refresh first writes the response", () =>
    Effect.gen(function*() {
      const { description, fetcher, leg, signIn, store, upstream } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("8 hours")
      const scope = yield* Scope.make()
      const stopping = yield* Scope.provide(proxyAt(description, fetcher, store), scope)
      yield* upstream.slow("3 seconds", "/access_token")
      yield* upstream.takeRequests
      const before = (yield* store.get(upstreamKey))!.version
      yield* Effect.forkChild(Effect.exit(stopping.token(upstreamKey)), { startImmediately: true })
      yield* until(Effect.map(upstream.takeRequests, (all) => all.length > 0))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(closing)
      assert.notStrictEqual((yield* store.get(upstreamKey))?.version, before)
      yield* upstream.recover
      yield* TestClock.adjust("8 hours")
      assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
      assert.strictEqual(yield* upstream.reuses, 0)
    }))

  it.effect("attack A5: a store that fails for a moment does not lose the response", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryStore.make()
      let failures = 0
      const store: RecordStore.Store = {
        ...memory,
        put: (key, value, options) =>
          value.length > 100 && failures-- > 0
            ? Effect.fail(new RecordStore.RecordStoreUnavailable({ reason: "down", retryAfter: 1 }))
            : memory.put(key, value, options)
      }
      const { leg, signIn, upstream } = yield* world({ form: "rotating", store })
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("8 hours")
      failures = 2
      const fiber = yield* Effect.forkChild(leg.token(upstreamKey), { startImmediately: true })
      yield* until(Effect.andThen(TestClock.adjust("200 millis"), Effect.sync(() => fiber.pollUnsafe() !== undefined)))
      assert.deepStrictEqual(yield* upstream.liveTokens("alice"), [Redacted.value(yield* Fiber.join(fiber))])
      yield* TestClock.adjust("8 hours")
      assert.strictEqual(yield* reasonOf(leg.token(upstreamKey)), "success")
      assert.strictEqual(yield* upstream.reuses, 0)
    }))

  it.effect("attack A8: eleven sign-ins of a person share one token, so the first grant lives", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "github" })
      const keys = yield* Effect.forEach(Array.from({ length: 11 }), () => signIn(["todos:read", "todos:write"]))
      assert.strictEqual(new Set(keys.map(({ upstreamKey }) => upstreamKey)).size, 1)
      assert.strictEqual((yield* upstream.liveTokens("alice")).length, 10)
      for (const { upstreamKey } of [keys[0]!, keys[10]!]) {
        assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
        assert.include(yield* upstream.liveTokens("alice"), Redacted.value(yield* leg.token(upstreamKey)))
      }
      // Another scope set is another token, as at GitHub.
      assert.notStrictEqual((yield* signIn(["todos:read"])).upstreamKey, keys[0]!.upstreamKey)
    }))

  it.effect("keeps the refresh token of a person if a later sign-in returns none", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "google" })
      yield* signIn()
      const { upstreamKey } = yield* signIn()
      yield* TestClock.adjust("2 hours")
      yield* leg.token(upstreamKey)
      assert.strictEqual((yield* upstream.counts).refresh, 1)
    }))

  it.effect("asks once after a 401 for an access token that ended early, and then the refresh token decides", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      let rejections = 1
      yield* upstream.respondWith(
        "/api/v3/user",
        () => rejections-- > 0 ? Response.json({}, { status: 401 }) : Response.json({ id: 1001, login: "alice" })
      )
      assert.deepInclude(yield* leg.check(upstreamKey), isAlive)
      assert.strictEqual((yield* upstream.counts).refresh, 1)
      rejections = 2
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }))

  it.effect("an outage leaves a token in use until it expires", () =>
    Effect.gen(function*() {
      const { leg, signIn, upstream } = yield* world({ form: "rotating" })
      const { upstreamKey } = yield* signIn()
      yield* upstream.goDown()
      yield* TestClock.adjust("7 hours")
      yield* TestClock.adjust("3570 seconds")
      assert.strictEqual(yield* reasonOf(leg.token(upstreamKey)), "success")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* reasonOf(leg.token(upstreamKey)), "unavailable")
    }))
})

describe("the tokens of a grant that ended", () => {
  const codeTime = 70_000
  const none = { living: Effect.succeed([]), areCodesBlocked: true }

  it.effect.each(["github", "google"] as const)(
    "are removed from the store, and revoked at the form %s",
    (form) =>
      Effect.gen(function*() {
        const { leg, signIn, store, upstream } = yield* world({ form })
        const { upstreamKey } = yield* signIn()
        assert.strictEqual((yield* upstream.liveTokens("alice")).length, 1)
        yield* leg.release(upstreamKey, none)
        assert.isUndefined(yield* store.get(upstreamKey))
        assert.deepStrictEqual(yield* upstream.liveTokens("alice"), [])
      })
  )

  it.effect("stay while another grant uses them", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream } = yield* world({ form: "google" })
      const { upstreamKey } = yield* signIn()
      yield* leg.release(upstreamKey, { ...none, living: Effect.succeed([upstreamKey]) })
      assert.isDefined(yield* store.get(upstreamKey))
      assert.strictEqual((yield* upstream.liveTokens("alice")).length, 1)
    }))

  it.effect("are not revoked while the person has another grant, because some providers revoke all of them", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream } = yield* world({ form: "google" })
      const { upstreamKey } = yield* signIn()
      yield* leg.release(upstreamKey, { ...none, living: Effect.succeed(["another"]) })
      assert.isUndefined(yield* store.get(upstreamKey))
      assert.strictEqual((yield* upstream.liveTokens("alice")).length, 1)
    }))

  it.effect("stay while a code of the person can become a grant", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream } = yield* world({ form: "google" })
      const { upstreamKey } = yield* signIn()
      let living: ReadonlyArray<string> = []
      const use = { living: Effect.sync(() => living), areCodesBlocked: false }
      yield* leg.release(upstreamKey, use)
      living = [upstreamKey]
      yield* TestClock.adjust(codeTime)
      assert.isDefined(yield* store.get(upstreamKey))
      living = []
      yield* leg.release(upstreamKey, use)
      yield* until(Effect.map(store.get(upstreamKey), (found) => found === undefined))
      yield* until(Effect.map(upstream.liveTokens("alice"), (live) => live.length === 0))
    }))

  it.effect("are removed also if the upstream is down, within five seconds", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream } = yield* world({ form: "google" })
      const { upstreamKey } = yield* signIn()
      yield* upstream.hang("/revoke")
      yield* upstream.takeRequests
      const fiber = yield* Effect.forkChild(leg.release(upstreamKey, none), { startImmediately: true })
      yield* until(Effect.map(upstream.takeRequests, (all) => all.length > 0))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.isUndefined(yield* store.get(upstreamKey))
    }))
})

describe("the tokens of the upstream", () => {
  it.effect("attack 46: go only to endpoints of the upstream, and tools never receive the inbound token", () =>
    Effect.gen(function*() {
      const { description, fetcher, store, upstream } = yield* world({ form: "rotating" })
      const sent: Array<{ readonly url: string; readonly secret: string }> = []
      const observed: Fetcher["Service"] = {
        send: (request) => {
          sent.push({ url: request.url, secret: `${request.headers["authorization"]} ${request.body}` })
          return fetcher.send(request)
        }
      }
      const leg = yield* proxyAt(description, observed, store, Admit.githubOrganization("acme"))
      const { upstreamKey } = yield* browser(leg, upstream).signIn()
      yield* TestClock.adjust("8 hours")
      yield* leg.check(upstreamKey)
      assert.isTrue(sent.length >= 5)
      for (const { secret, url } of sent) {
        assert.isTrue(url.startsWith("https://upstream.test/"))
        if (secret.includes("access-")) assert.match(url, /\/api\/v3\/user(?:\/|$)/)
        if (secret.includes("refresh-")) assert.match(url, /\/login\/oauth\/access_token$/)
      }
      const access = UpstreamAccess.make(leg, Effect.succeed(upstreamKey))
      assert.include(yield* upstream.liveTokens("alice"), Redacted.value(yield* access.token))
      assert.strictEqual(yield* reasonOf(UpstreamAccess.make(leg, Effect.succeed(undefined)).token), "ended")
    }))

  it.effect("attack 61: the store shows no token, and a record cannot be moved, nor opened with another secret or issuer", () =>
    Effect.gen(function*() {
      const { leg, signIn, store, upstream, values } = yield* world({ form: "google" })
      const one = yield* signIn(["todos:read"], "alice")
      const other = yield* signIn(["todos:read"], "mallory")
      yield* leg.check(one.upstreamKey)
      const dump = JSON.stringify([...values])
      const tokens = [...(yield* upstream.liveTokens("alice")), ...(yield* upstream.liveTokens("mallory"))]
      assert.isAbove(tokens.length, 2)
      for (const secretText of [...tokens, "refresh-", "sub-1001", "alice"]) assert.notInclude(dump, secretText)
      // A thief with write access copies the record of one person to the key of another.
      const stolen = (yield* store.get(one.upstreamKey))!.value
      const target = (yield* store.get(other.upstreamKey))!
      yield* store.put(other.upstreamKey, stolen, { lifetime: "1 hour", expected: target.version })
      assert.strictEqual(yield* reasonOf(leg.token(other.upstreamKey)), "ended")
      assert.deepStrictEqual(yield* leg.check(other.upstreamKey), { outcome: "rejected" })
      assert.strictEqual(yield* reasonOf(leg.token(one.upstreamKey)), "success")
      const recordKeys = yield* RecordKeys.make(issuer)
      const secretB = Redacted.make("Zt6kPw9nXc2vRb5mQs8dLf1gHj4yTe7uKo3iWa0xVzM")
      const opened = (keys: ProxyKeys.ProxyKeys, of: string) =>
        makeRecords(SealedStore.make(store, RecordSeal.make(keys, of)), recordKeys, undefined).get(one.upstreamKey)
      assert.isDefined(yield* opened(yield* ProxyKeys.make([secretB, secret]), issuer))
      assert.isUndefined(yield* opened(yield* ProxyKeys.make(secretB), issuer))
      assert.isUndefined(yield* opened(yield* ProxyKeys.make(secret), "https://other.example"))
    }))

  it.effect("attack 61: seal and open of the author encrypt the tokens as well, and a moved record is still absent", () =>
    Effect.gen(function*() {
      const { description, fetcher, store, upstream } = yield* world({ form: "google" })
      const recordKeys = yield* RecordKeys.make(issuer)
      // A seal that binds nothing, as a careless author would write it.
      const own = SealedStore.make(store, RecordSeal.make(yield* ProxyKeys.make(secret), issuer))
      const records = makeRecords(own, recordKeys, {
        seal: (value) => Effect.succeed(`kms:${Buffer.from(value).toString("base64")}`),
        open: (sealed) => Effect.succeed(Buffer.from(sealed.slice(4), "base64").toString())
      })
      const leg = yield* makeUpstreamLegWith(description, fetcher, store)
      const { upstreamKey } = yield* browser(leg, upstream).signIn()
      const sealed = (yield* own.get(upstreamKey))!.value
      assert.isTrue(sealed.startsWith("kms:"))
      assert.isDefined(yield* records.get(upstreamKey))
      yield* own.put("other", sealed, { lifetime: "1 hour", expected: "absent" })
      assert.isUndefined(yield* records.get("other"))
    }))

  const makeUpstreamLegWith = (
    description: Parameters<typeof proxyAt>[0],
    fetcher: Fetcher["Service"],
    store: RecordStore.Store
  ) =>
    proxyAt(description, fetcher, store, Admit.anyone, {
      seal: (value) => Effect.succeed(`kms:${Buffer.from(value).toString("base64")}`),
      open: (sealed) => Effect.succeed(Buffer.from(sealed.slice(4), "base64").toString())
    })
})
