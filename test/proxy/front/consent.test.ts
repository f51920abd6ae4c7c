import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { AdmissionRejected, UpstreamFailure } from "../../../src/proxy/upstream/UpstreamFailure.ts"
import { close, listen } from "../server.ts"
import {
  challengeOf,
  fieldsOf,
  issuer,
  makeBrowser,
  refreshOf,
  resource,
  textOf,
  upstreamUrl,
  verifier,
  world
} from "./world.ts"

const webUri = "https://app.example.com/callback"
const loopbackUri = "http://localhost:6274/oauth/callback"
const cursorUri = "cursor://anysphere.cursor-mcp/oauth/callback"

const transactionsOf = ({ jar }: ReturnType<typeof makeBrowser>) =>
  [...jar.keys()].filter((name) => name.includes(".t."))

describe("GET /authorize", () => {
  it.effect("attack 1: always shows a consent page before the upstream, also after an earlier approval", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const first = yield* proxy.signIn(browser, { client_id, redirect_uri: webUri })
      assert.strictEqual(first.status, 303)
      const again = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      assert.strictEqual(again.status, 200)
      assert.notProperty(again.headers, "location")
      assert.isUndefined(refreshOf(again))
      assert.notInclude(again.body, upstreamUrl)
      assert.property(fieldsOf(again), "transaction")
    }))

  it.effect("attack 3: the page sets no cookie of a transaction, and creates no upstream state", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      assert.deepStrictEqual(transactionsOf(browser), [])
    }))

  it.effect("attack 5, attack 34, attack A1 and attack A11: the consent page cannot be framed or stored, and keeps its origin", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const { "content-security-policy": policy, ...headers } = page.headers
      assert.deepStrictEqual(headers, {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin"
      })
      assert.match(
        policy!,
        /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/
      )
      assert.notMatch(page.body, /<script|style=|autofocus|<img|<link/)
    }))

  it.effect("attack 5: error pages cannot be framed and send no referrer", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const page = yield* proxy.visit(makeBrowser(), proxy.front.urls.authorize)
      assert.strictEqual(page.status, 400)
      assert.strictEqual(page.headers["x-frame-options"], "DENY")
      assert.include(page.headers["content-security-policy"], "frame-ancestors 'none'")
      assert.strictEqual(page.headers["referrer-policy"], "no-referrer")
      assert.strictEqual(page.headers["cache-control"], "no-store")
    }))

  it.effect("attack A4: the style sheet hides the button of approval for 0.8 seconds", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([webUri])
      const { body } = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      assert.match(body, /<button type="submit" name="decision" value="approve" class="main late">/)
      assert.include(body, ".late{visibility:hidden;animation:appear 0s linear .8s forwards}")
      assert.include(body, "@keyframes appear{to{visibility:visible}}")
    }))

  it.effect("attack 9: leads with the host, and marks the name as a claim without control characters", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId(["https://evil.example/callback"], {
        client_name: `Claude (claude.ai)\u202e\u0000\n${"x".repeat(500)}`
      })
      const page = yield* proxy.visit(
        makeBrowser(),
        proxy.authorizeUrl({ client_id, redirect_uri: "https://evil.example/callback" })
      )
      const text = textOf(page)
      assert.match(/<h1>(.*?)<\/h1>/s.exec(page.body)![1]!, /evil\.example/)
      assert.notMatch(/<h1>(.*?)<\/h1>/s.exec(page.body)![1]!, /Claude/)
      assert.match(text, /Calls itself “Claude \(claude\.ai\) ?x{10,60}…” \(not verified\)/)
      assert.notMatch(page.body, /[\u202e\u0000]/)
      assert.include(text, "Go on only if you have just started this yourself.")
    }))

  it.effect("attack 9: a name cannot close its quotation marks, or cover other lines with combining marks", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_name = `Cla\u0301ude” (verified) “${"\u0335".repeat(40)}\u20dd`
      const client_id = yield* proxy.registerId([webUri], { client_name })
      const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      assert.include(textOf(page), `“Cla\u0301ude (verified) ${"\u0335".repeat(4)}” (not verified)`)
    }))

  it.effect("attack 11: no value of a request becomes markup", () =>
    Effect.gen(function*() {
      const attack = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\``
      const proxy = yield* world({ name: attack, scopeDescriptions: { "todos:read": attack } })
      const client_id = yield* proxy.registerId([webUri], { client_name: attack })
      proxy.upstream.person = { subject: "github|1", display: attack }
      const pages = [
        yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id, redirect_uri: webUri, state: attack, scope: `${attack} todos:read` })
        ),
        yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: attack, redirect_uri: webUri })),
        yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri: attack })),
        yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id, redirect_uri: webUri, state: attack, response_type: attack })
        ),
        yield* Effect.gen(function*() {
          const browser = makeBrowser()
          const id = yield* proxy.registerId([cursorUri], { client_name: attack })
          return yield* proxy.signIn(browser, { client_id: id, redirect_uri: cursorUri, state: attack })
        })
      ]
      for (const page of pages) assert.notMatch(page.body, /<script|<img|onerror=alert/)
    }))

  it.effect("attack 15: shows the MCP scopes and the scopes that the upstream will be asked for", () =>
    Effect.gen(function*() {
      const proxy = yield* world({ scopeDescriptions: { "todos:write": "Change your todos" } })
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(
        browser,
        proxy.authorizeUrl({ client_id, redirect_uri: webUri, scope: "openid todos:read todos:write offline_access" })
      )
      const text = textOf(page)
      assert.match(text, /will be allowed to todos:read Change your todos \( todos:write \)/)
      assert.match(text, /GitHub will be asked for: repo/)
      assert.notInclude(text, "openid")
      // A field of the form cannot add a scope, because the scopes are sealed.
      const moved = yield* proxy.decide(browser, {
        ...page,
        body: `${page.body}<input type="hidden" name="scope" value="x">`
      }, "approve")
      yield* proxy.visit(browser, proxy.callbackUrl(moved))
      assert.deepStrictEqual([...proxy.grants.codes.values()][0]!.scopes, ["todos:read", "todos:write"])
    }))

  it.effect("uses the baseline if no requested scope is known", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([loopbackUri])
      yield* proxy.signIn(makeBrowser(), { client_id, redirect_uri: loopbackUri, scope: "openid email" })
      assert.deepStrictEqual([...proxy.grants.codes.values()][0]!.scopes, ["todos:read"])
    }))

  const invalid: ReadonlyArray<readonly [string, Record<string, string>, string]> = [
    ["attack 28: without PKCE", { code_challenge: "" }, "invalid_request"],
    ["attack 28: with plain PKCE", { code_challenge_method: "plain" }, "invalid_request"],
    ["attack 28: without a method of PKCE", { code_challenge_method: "" }, "invalid_request"],
    ["attack 28: with a malformed challenge", { code_challenge: "short" }, "invalid_request"],
    ["with another response type", { response_type: "token" }, "unsupported_response_type"],
    ["with a fragment as response mode", { response_mode: "fragment" }, "invalid_request"],
    ["with a request object", { request: "a.b.c" }, "request_not_supported"],
    ["attack 42: with another resource", { resource: "https://evil.example/mcp" }, "invalid_target"],
    ["attack A12: with a huge state", { state: "s".repeat(1_501) }, "invalid_request"],
    ["attack A13: with prompt=none", { prompt: "none" }, "consent_required"]
  ]

  it.effect.each(invalid)(
    "%s: shows a page (attack A3), and redirects on loopback only",
    ([, parameters, error]) =>
      Effect.gen(function*() {
        const proxy = yield* world()
        const client_id = yield* proxy.registerId([webUri, loopbackUri])
        const page = yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id, redirect_uri: webUri, ...parameters })
        )
        // Attack A3: a redirect to a host that anyone can register would be an open redirector.
        assert.strictEqual(page.status, 400)
        assert.notProperty(page.headers, "location")
        assert.isUndefined(refreshOf(page))
        assert.include(textOf(page), error)
        assert.match(page.body, /<a class="button" href="https:\/\/app\.example\.com\/callback\?error&#61;/)
        const redirected = yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id, redirect_uri: loopbackUri, ...parameters })
        )
        assert.strictEqual(redirected.status, 303)
        const location = new URL(redirected.headers["location"]!)
        assert.strictEqual(location.searchParams.get("error"), error)
        assert.strictEqual(location.searchParams.get("iss"), issuer)
        assert.strictEqual(
          location.searchParams.get("state"),
          parameters["state"] === undefined ? "client-state" : null
        )
      })
  )

  it.effect("attack A3: checks the redirect URI before everything else that the client sends", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([webUri])
      for (const redirect_uri of ["https://evil.example/", "http://localhost:1/callback", ""]) {
        const page = yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id, redirect_uri, response_type: "token", prompt: "none" })
        )
        assert.strictEqual(page.status, 400)
        assert.notProperty(page.headers, "location")
        assert.notInclude(page.body, "<a ")
      }
    }))

  it.effect("attack 35: rejects a repeated parameter on a page", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([loopbackUri])
      const url = proxy.authorizeUrl({ client_id, redirect_uri: loopbackUri })
      for (const repeated of ["client_id=x", `redirect_uri=${encodeURIComponent(loopbackUri)}`, "state=2", "x=1&x=1"]) {
        const page = yield* proxy.visit(makeBrowser(), `${url}&${repeated}`)
        assert.strictEqual(page.status, 400, repeated)
        assert.notProperty(page.headers, "location")
        assert.include(textOf(page), "repeats a parameter")
      }
    }))

  it.effect("attack 89: a prefetch has no effect except for the cookie of the browser", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([webUri])
      const response = yield* proxy.send(proxy.authorizeUrl({ client_id, redirect_uri: webUri }), {
        headers: { "sec-purpose": "prefetch", "sec-fetch-site": "cross-site" }
      })
      assert.strictEqual(response.status, 200)
      assert.strictEqual(proxy.count.writes, 0)
      assert.lengthOf(response.cookies, 1)
    }))
})

describe("POST /consent", () => {
  it.effect("attack A2: approve and deny answer 200 with a page that moves on", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const denied = yield* proxy.decide(browser, page, "deny")
      assert.strictEqual(denied.status, 200)
      assert.deepStrictEqual(denied.cookies, [])
      const location = new URL(refreshOf(denied)!)
      assert.strictEqual(location.origin + location.pathname, webUri)
      assert.deepStrictEqual(Object.fromEntries(location.searchParams), {
        error: "access_denied",
        state: "client-state",
        iss: issuer
      })
      const approved = yield* proxy.decide(browser, page, "approve")
      assert.strictEqual(approved.status, 200)
      assert.isTrue(refreshOf(approved)!.startsWith(upstreamUrl))
      assert.strictEqual(approved.headers["referrer-policy"], "no-referrer")
      assert.lengthOf(transactionsOf(browser), 1)
      assert.match(
        approved.cookies[0]!,
        /^__Host-mcp-proxy-[\w-]{8}\.t\.[0-9a-z]{8}\.[\w-]{22}=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=600$/
      )
    }))

  const forgeries: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ["from another site", { "sec-fetch-site": "cross-site" }],
    ["from another host of the same site", { "sec-fetch-site": "same-site" }],
    ["without a page", { "sec-fetch-site": "none" }],
    ["from another origin, in an older browser", { origin: "https://evil.example" }],
    ["with a hidden origin", { origin: "null" }],
    ["from another site that sends the right origin", { "sec-fetch-site": "cross-site", origin: issuer }],
    ["without any sign of its origin", {}]
  ]

  it.effect.each(forgeries)("attack 4: a form %s shows the page again", ([, headers]) =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      for (const decision of ["approve", "deny"]) {
        const again = yield* proxy.decide(browser, page, decision, headers)
        assert.strictEqual(again.status, 200)
        assert.isUndefined(refreshOf(again))
        assert.property(fieldsOf(again), "transaction")
        assert.deepStrictEqual(transactionsOf(browser), [])
      }
    }))

  it.effect("accepts the origin of the issuer from a browser without Sec-Fetch-Site", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      assert.isDefined(refreshOf(yield* proxy.decide(browser, page, "approve", { origin: issuer })))
    }))

  it.effect("attack 4: a page of another browser shows the page again, and that page then works", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([webUri])
      const attackers = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const victim = makeBrowser()
      // The victim has the cookie of the own browser, which is another one.
      yield* proxy.visit(victim, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const again = yield* proxy.decide(victim, attackers, "approve")
      assert.isUndefined(refreshOf(again))
      assert.deepStrictEqual(transactionsOf(victim), [])
      assert.isDefined(refreshOf(yield* proxy.decide(victim, again, "approve")))
    }))

  it.effect("shows the page again after 15 minutes", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      yield* TestClock.adjust("15 minutes")
      assert.isDefined(refreshOf(yield* proxy.decide(browser, page, "approve")))
      yield* TestClock.adjust("1 millis")
      const again = yield* proxy.decide(browser, page, "approve")
      assert.isUndefined(refreshOf(again))
      assert.isDefined(refreshOf(yield* proxy.decide(browser, again, "approve")))
    }))

  it.effect("shows a page again whose time is more than a minute ahead of the clock", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      yield* TestClock.setTime(3_600_000)
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      yield* TestClock.setTime(3_540_000)
      assert.isDefined(refreshOf(yield* proxy.decide(browser, page, "approve")))
      yield* TestClock.setTime(3_539_999)
      assert.isUndefined(refreshOf(yield* proxy.decide(browser, page, "approve")))
    }))

  it.effect("rejects a changed transaction, another client, an unknown decision and a body that is not a form", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const other = yield* proxy.registerId([webUri], { client_name: "Other" })
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const fields = fieldsOf(page) as { transaction: string; client_id: string }
      const headers = { cookie: browser.cookie, "sec-fetch-site": "same-origin" }
      const forms: ReadonlyArray<Record<string, string>> = [
        { ...fields, transaction: `${fields.transaction}A`, decision: "approve" },
        { ...fields, client_id: other, decision: "approve" },
        { ...fields, client_id: "", decision: "approve" },
        { ...fields, decision: "maybe" },
        { ...fields },
        { decision: "approve" }
      ]
      for (const form of forms) {
        const response = yield* proxy.post(proxy.front.urls.consent, form, headers)
        assert.strictEqual(response.status, 400)
        assert.deepStrictEqual(response.cookies, [])
      }
      const body = String(new URLSearchParams({ ...fields, decision: "approve" }))
      const sends = [
        { headers: { ...headers, "content-type": "text/plain" }, body },
        { headers: { ...headers, "content-type": "application/x-www-form-urlencoded" }, body: `${body}&decision=deny` },
        {
          headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
          body: `${body}&x=${"x".repeat(20_000)}`
        }
      ]
      for (const sent of sends) {
        assert.strictEqual((yield* proxy.send(proxy.front.urls.consent, { method: "POST", ...sent })).status, 400)
      }
    }))

  it.effect("attack 14: approving twice makes two transactions, and both work once", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const first = yield* proxy.decide(browser, page, "approve")
      const second = yield* proxy.decide(browser, page, "approve")
      const kept = browser.cookie
      for (const moved of [first, second]) {
        assert.strictEqual((yield* proxy.visit(browser, proxy.callbackUrl(moved))).status, 303)
      }
      // Attack 38: a copy of the cookies does not use a transaction again.
      for (const moved of [first, second]) {
        const replayed = yield* proxy.send(proxy.callbackUrl(moved), { headers: { cookie: kept } })
        assert.strictEqual(replayed.status, 400)
        assert.notProperty(replayed.headers, "location")
      }
      assert.strictEqual(proxy.grants.codes.size, 2)
    }))

  it.effect("keeps four transactions of a browser, and drops the oldest ones", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      const moves = []
      for (let index = 0; index < 6; index++) {
        const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
        moves.push(yield* proxy.decide(browser, page, "approve"))
        yield* TestClock.adjust("1 second")
      }
      assert.lengthOf(transactionsOf(browser), 4)
      const statuses = []
      for (const moved of moves) statuses.push((yield* proxy.visit(browser, proxy.callbackUrl(moved))).status)
      assert.deepStrictEqual(statuses, [400, 400, 303, 303, 303, 303])
    }))

  it.live("keeps the cookies of long requests within the limits of a server, and drops the oldest ones", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const redirect_uri = `${webUri}?${"a".repeat(250)}`
      const client_id = yield* proxy.registerId([redirect_uri], { client_name: "n".repeat(60) })
      const browser = makeBrowser()
      const moves = []
      for (let index = 0; index < 4; index++) {
        const page = yield* proxy.visit(
          browser,
          proxy.authorizeUrl({ client_id, redirect_uri, state: "s".repeat(1_500) })
        )
        moves.push(yield* proxy.decide(browser, page, "approve"))
        yield* TestClock.adjust("1 second")
      }
      assert.isAtMost(browser.cookie.length, 6_300)
      // A server with the default limits of Node accepts the callback with a code of 4 KB and common headers.
      const statuses: Array<number> = []
      const { origin } = yield* Effect.acquireRelease(
        Effect.promise(() => listen((_, res) => res.end())),
        ({ server }) => Effect.promise(() => close(server))
      )
      const { pathname, search } = new URL(proxy.callbackUrl(moves[3]!, "c".repeat(4_096)))
      const headers = {
        cookie: browser.cookie,
        "user-agent": "u".repeat(500),
        accept: "a".repeat(1_000),
        connection: "close"
      }
      const response = yield* Effect.promise(() => fetch(`${origin}${pathname}${search}`, { headers }))
      yield* Effect.promise(() => response.text())
      assert.strictEqual(response.status, 200)
      for (const moved of moves) statuses.push((yield* proxy.visit(browser, proxy.callbackUrl(moved))).status)
      assert.strictEqual(statuses[0], 400)
      assert.strictEqual(statuses[3], 303)
    }).pipe(Effect.provide(TestClock.layer())))

  it.effect("keeps the cookie within 4,096 bytes for the longest accepted request", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([`${webUri}?${"a".repeat(250)}`], { client_name: "n".repeat(60) })
      const page = yield* proxy.visit(
        browser,
        proxy.authorizeUrl({
          client_id,
          redirect_uri: `${webUri}?${"a".repeat(250)}`,
          state: "s".repeat(1_500),
          scope: "todos:read todos:write"
        })
      )
      assert.strictEqual(page.status, 200, textOf(page))
      yield* proxy.decide(browser, page, "approve")
      const [name] = transactionsOf(browser)
      assert.isAtMost(name!.length + browser.jar.get(name!)!.length, 4_096)
    }))
})

describe("GET /callback", () => {
  /** Approves a request, and returns the browser and the URL of the callback. */
  const approved = (proxy: Effect.Success<ReturnType<typeof world>>, redirectUri = webUri, state = "client-state") =>
    Effect.gen(function*() {
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([redirectUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: redirectUri, state }))
      const url = proxy.callbackUrl(yield* proxy.decide(browser, page, "approve"))
      return { browser, client_id, url }
    })

  it.effect("attack 27, attack 34 and attack 40: returns to https and loopback with 303, the issuer and no referrer", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      for (const uri of [webUri, loopbackUri]) {
        const { browser, client_id, url } = yield* approved(proxy, uri)
        const response = yield* proxy.visit(browser, url)
        assert.strictEqual(response.status, 303)
        assert.strictEqual(response.headers["referrer-policy"], "no-referrer")
        assert.strictEqual(response.headers["cache-control"], "no-store")
        const location = new URL(response.headers["location"]!)
        assert.strictEqual(location.origin + location.pathname, uri)
        assert.strictEqual(location.searchParams.get("state"), "client-state")
        assert.strictEqual(location.searchParams.get("iss"), issuer)
        assert.deepStrictEqual(proxy.grants.codes.get(location.searchParams.get("code")!), {
          clientId: client_id,
          redirectUri: uri,
          challenge: challengeOf(verifier),
          resource,
          scopes: ["todos:read"],
          person: { subject: "github|1", display: "ada" }
        })
        assert.deepStrictEqual(transactionsOf(browser), [])
      }
    }))

  it.effect("attack 16: returns to a private-use scheme with a page that names the person", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy, cursorUri)
      const page = yield* proxy.visit(browser, url)
      assert.strictEqual(page.status, 200)
      assert.isTrue(refreshOf(page)!.startsWith(`${cursorUri}?code=`))
      assert.include(textOf(page), "Signed in as ada .")
      assert.include(textOf(page), "You can close this window")
    }))

  it.effect("attack 2: rejects a callback in a browser that did not approve it, and stores nothing", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { url } = yield* approved(proxy)
      const victim = makeBrowser()
      const other = yield* approved(proxy)
      for (const browser of [victim, other.browser]) {
        const response = yield* proxy.visit(browser, url)
        assert.strictEqual(response.status, 400)
        assert.notProperty(response.headers, "location")
        assert.notInclude(response.body, "<a ")
      }
      assert.strictEqual(proxy.upstream.completions, 0)
      assert.strictEqual(proxy.count.writes, 0)
    }))

  it.effect("attack 2: a transaction of one state does not open with another state", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const one = yield* approved(proxy)
      const two = yield* approved(proxy)
      // The attacker stores the own sealed transaction under the name of the victim's one.
      const [name] = transactionsOf(one.browser)
      const [otherName] = transactionsOf(two.browser)
      const cookie = `${name}=${two.browser.jar.get(otherName!)}`
      assert.strictEqual((yield* proxy.send(one.url, { headers: { cookie } })).status, 400)
      assert.strictEqual(proxy.upstream.completions, 0)
    }))

  it.effect("attack 84 and attack A16: rejects two cookies of one name", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy)
      const [name] = transactionsOf(browser)
      const value = browser.jar.get(name!)!
      for (
        const cookie of [
          `${name}=other; ${browser.cookie}`,
          `${browser.cookie}; ${name}=other`,
          [browser.cookie, `${name}=${value}`],
          `${name!.replace(/\.t\.[0-9a-z]{8}/, ".t.00000000")}=other; ${browser.cookie}`
        ]
      ) {
        assert.strictEqual((yield* proxy.send(url, { headers: { cookie } })).status, 400)
      }
      assert.strictEqual(proxy.upstream.completions, 0)
      // The browser id as well.
      const client_id = yield* proxy.registerId([webUri])
      const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
      const browserName = [...browser.jar.keys()].find((name) => name.endsWith(".b"))!
      const response = yield* proxy.post(proxy.front.urls.consent, { ...fieldsOf(page), decision: "approve" }, {
        cookie: `${browserName}=${"A".repeat(43)}; ${browser.cookie}`,
        "sec-fetch-site": "same-origin"
      })
      assert.isUndefined(refreshOf(response))
      assert.strictEqual(response.status, 400)
    }))

  it.effect("attack 84: white space of Unicode before the name of a cookie does not make it a cookie with a prefix", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      // For a browser, such a name has no prefix, so another host of the domain can set the cookie.
      const attacker = yield* approved(proxy)
      for (const space of ["\u00a0", "\ufeff", "\u2000", "\u2028", "\u3000", "\v", "\f"]) {
        const cookie = `other=1; ${space}${attacker.browser.cookie.split("; ").join(`; ${space}`)}`
        assert.strictEqual(
          (yield* proxy.send(attacker.url, { headers: { cookie } })).status,
          400,
          JSON.stringify(space)
        )
      }
      assert.strictEqual(proxy.upstream.completions, 0)
      const cookie = `other=1;\t ${attacker.browser.cookie}`
      assert.strictEqual((yield* proxy.send(attacker.url, { headers: { cookie } })).status, 303)
    }))

  it.effect("attack 84: an http loopback issuer has cookies without a prefix, with its port in their names", () =>
    Effect.gen(function*() {
      const local = "http://localhost:4321"
      const proxy = yield* world({
        issuer: local,
        resources: [{ resource: `${local}/mcp`, baseline: [], offered: [] }]
      })
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([loopbackUri])
      const page = yield* proxy.visit(
        browser,
        proxy.authorizeUrl({ client_id, redirect_uri: loopbackUri, resource: `${local}/mcp` })
      )
      assert.match(page.cookies[0]!, /^mcp-proxy-4321-[\w-]{8}\.b=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
    }))

  it.effect("rejects a transaction after 10 minutes", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy)
      yield* TestClock.adjust("601 seconds")
      assert.strictEqual((yield* proxy.visit(browser, url)).status, 400)
      assert.strictEqual(proxy.upstream.completions, 0)
    }))

  it.effect("rejects a transaction whose time is more than a minute ahead of the clock", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      yield* TestClock.setTime(86_400_000)
      const { browser, url } = yield* approved(proxy)
      yield* TestClock.setTime(86_339_999)
      assert.strictEqual((yield* proxy.visit(browser, url)).status, 400)
      assert.strictEqual(proxy.upstream.completions, 0)
    }))

  it.effect("attack 89: HEAD does not spend a transaction", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy)
      const head = yield* proxy.send(url, { method: "HEAD", headers: { cookie: browser.cookie } })
      assert.strictEqual(head.status, 405)
      assert.strictEqual(head.headers["allow"], "GET")
      assert.strictEqual((yield* proxy.visit(browser, url)).status, 303)
    }))

  it.effect("attack 38: a transaction is spent once, also by two callbacks at once", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy)
      const sent = { headers: { cookie: browser.cookie } }
      const responses = yield* Effect.all([proxy.send(url, sent), proxy.send(url, sent)], { concurrency: "unbounded" })
      assert.deepStrictEqual(responses.map(({ status }) => status).sort(), [303, 400])
      assert.strictEqual(proxy.grants.codes.size, 1)
    }))

  it.effect("attack 49: issues a code for the scopes that the upstream granted", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const browser = makeBrowser()
      const client_id = yield* proxy.registerId([webUri])
      proxy.upstream.granted = ["todos:read", "admin"]
      yield* proxy.signIn(browser, { client_id, redirect_uri: webUri, scope: "todos:read todos:write" })
      assert.deepStrictEqual([...proxy.grants.codes.values()][0]!.scopes, ["todos:read"])
      proxy.upstream.granted = []
      const denied = yield* proxy.signIn(browser, { client_id, redirect_uri: webUri })
      assert.include(denied.headers["location"], "error=access_denied")
    }))

  it.effect("attack 39: a callback that is not the answer to this sign-in ends on a page", () =>
    Effect.gen(function*() {
      for (const reason of ["malformed", "state", "issuer", "code"] as const) {
        const proxy = yield* world()
        proxy.upstream.failure = new UpstreamFailure({ reason })
        const { browser, url } = yield* approved(proxy)
        const page = yield* proxy.visit(browser, url)
        assert.strictEqual(page.status, 400)
        assert.notProperty(page.headers, "location")
        assert.strictEqual(proxy.count.writes, 0)
      }
    }))

  it.effect("reports the other failures of the upstream to the client, with the issuer", () =>
    Effect.gen(function*() {
      for (
        const [reason, error] of [
          ["denied", "access_denied"],
          ["token", "server_error"],
          ["id-token", "server_error"],
          ["identity", "server_error"]
        ] as const
      ) {
        const proxy = yield* world()
        proxy.upstream.failure = new UpstreamFailure({ reason, detail: "secret detail" })
        const { browser, url } = yield* approved(proxy)
        const { headers, status } = yield* proxy.visit(browser, url)
        assert.strictEqual(status, 303)
        assert.deepStrictEqual(Object.fromEntries(new URL(headers["location"]!).searchParams), {
          error,
          state: "client-state",
          iss: issuer
        })
      }
      const proxy = yield* world()
      proxy.upstream.failure = new UpstreamFailure({ reason: "unavailable", retryAfter: 7 })
      const { browser, url } = yield* approved(proxy)
      const page = yield* proxy.visit(browser, url)
      assert.strictEqual(page.status, 503)
      assert.strictEqual(page.headers["retry-after"], "7")
    }))

  it.effect("attack 17: a person that admission rejects sees a page, and the client learns that access is denied", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      proxy.upstream.failure = new AdmissionRejected({ display: "mallory" })
      const { browser, url } = yield* approved(proxy)
      const page = yield* proxy.visit(browser, url)
      assert.strictEqual(page.status, 200)
      assert.include(textOf(page), "Signed in as mallory .")
      assert.include(textOf(page), "This account has no access to Todos.")
      assert.include(refreshOf(page), "error=access_denied")
      assert.strictEqual(proxy.grants.codes.size, 0)
      assert.strictEqual(proxy.count.writes, 0)
    }))

  it.effect("attack A10: junk codes of unknown browsers cause few requests to the upstream, and do not block earlier users", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const client_id = yield* proxy.registerId([webUri])
      const person = makeBrowser()
      assert.strictEqual((yield* proxy.signIn(person, { client_id, redirect_uri: webUri })).status, 303)
      const approve = (browser: ReturnType<typeof makeBrowser>) =>
        Effect.gen(function*() {
          const page = yield* proxy.visit(browser, proxy.authorizeUrl({ client_id, redirect_uri: webUri }))
          return proxy.callbackUrl(yield* proxy.decide(browser, page, "approve"))
        })
      const send = (browser: ReturnType<typeof makeBrowser>, url: string) =>
        Effect.map(proxy.send(url, { headers: { cookie: browser.cookie } }), ({ status }) => status)
      const [unknown, other] = [makeBrowser(), makeBrowser()]
      const [url, good] = [yield* approve(unknown), yield* approve(other)]
      const junk = new UpstreamFailure({ reason: "code" })
      proxy.upstream.failure = junk
      proxy.upstream.completions = 0
      const statuses = yield* Effect.forEach(Array.from({ length: 300 }), () => send(unknown, url))
      assert.strictEqual(proxy.upstream.completions, 100)
      assert.deepStrictEqual([...new Set(statuses)], [400, 503])
      // Another unknown browser waits a moment, and then uses the same page.
      proxy.upstream.failure = undefined
      assert.strictEqual((yield* proxy.visit(other, good)).status, 503)
      // A person who signed in before does not wait.
      assert.strictEqual((yield* proxy.signIn(person, { client_id, redirect_uri: webUri })).status, 303)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* proxy.visit(other, good)).status, 303)
      // Such a person has a separate budget, and the mark of a browser cannot be invented.
      proxy.upstream.failure = junk
      proxy.upstream.completions = 0
      const own = yield* approve(person)
      yield* Effect.forEach(Array.from({ length: 20 }), () => send(person, own))
      assert.strictEqual(proxy.upstream.completions, 5)
      const [name, mark] = [...person.jar].find(([each]) => each.endsWith(".s"))!
      const invented = `${"A".repeat(43)}${mark.slice(43)}`
      yield* Effect.forEach(Array.from({ length: 50 }), () => send(unknown, url))
      proxy.upstream.completions = 0
      unknown.jar.set(name, invented)
      yield* Effect.forEach(Array.from({ length: 20 }), () => send(unknown, url))
      assert.strictEqual(proxy.upstream.completions, 0)
    }))

  it.effect("attack A12: accepts a code of 4 KB from the upstream", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy, webUri, "s".repeat(1_500))
      const long = url.replace("upstream-code", "c".repeat(4_096))
      assert.strictEqual((yield* proxy.visit(browser, long)).status, 303)
    }))

  it.effect("attack 35: rejects a repeated parameter", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const { browser, url } = yield* approved(proxy)
      assert.strictEqual((yield* proxy.visit(browser, `${url}&code=other`)).status, 400)
      assert.strictEqual(proxy.upstream.completions, 0)
    }))
})
