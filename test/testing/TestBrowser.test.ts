import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestBrowser } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"

const page = (body: string, headers: Record<string, string> = {}, status = 200) =>
  new Response(body, { status, headers: { "content-type": "text/html", ...headers } })

const redirect = (location: string, status = 303, headers: Record<string, string> = {}) =>
  new Response(null, { status, headers: { location, ...headers } })

interface Received {
  readonly method: string
  readonly url: URL
  readonly cookie: string | null
  readonly origin: string | null
  readonly body: URLSearchParams
}

/** Creates a browser on web sites that respond as the function does, and the list of requests that the sites received. */
const browse = (answer: (request: Received) => Response, options: TestBrowser.Options = {}) => {
  const received: Array<Received> = []
  const browser = TestBrowser.make({
    ...options,
    fetch: async (input, init) => {
      const request = new Request(input, init)
      const seen = {
        method: request.method,
        url: new URL(request.url),
        cookie: request.headers.get("cookie"),
        origin: request.headers.get("origin"),
        body: new URLSearchParams(await request.text())
      }
      received.push(seen)
      return answer(seen)
    }
  })
  return { ...browser, received }
}

const authorization = "https://as.test/authorize?redirect_uri=https%3A%2F%2Fapp.test%2Fcallback&state=s"

describe("the browser", () => {
  it.effect("signs in through a log-in page, a refresh and a consent page, and returns the URL of the callback", () =>
    Effect.gen(function*() {
      const { received, signIn, visits } = browse(({ method, url }) => {
        if (url.pathname === "/authorize") return redirect("/login", 302, { "set-cookie": "session=1; HttpOnly" })
        if (url.pathname === "/login" && method === "GET") {
          return page(`<h1>Sign&nbsp;in</h1><!-- <form><button>old</button></form> -->
            <form method=post action='/login?a=1&amp;b=2'><input type="hidden" name="csrf" value="&quot;x&#39;">
            <input name=login><input type=password name=secret><input type=checkbox name=stay>
            <button type=button>Show</button><button>Continue</button></form>`)
        }
        if (url.pathname === "/login") return page(`<meta http-equiv="refresh" content="0; url=/consent">`)
        if (method === "GET") {
          return page(`<title>Consent</title><form method="post"><button name="decision" value="deny">Deny</button>
            <button name="decision" value="approve">Allow <b>access</b></button></form>`)
        }
        return redirect("https://app.test/callback?code=c&state=s")
      })
      assert.strictEqual(yield* signIn(authorization), "https://app.test/callback?code=c&state=s")
      const login = received.find(({ method }) => method === "POST")!
      assert.strictEqual(login.url.href, "https://as.test/login?a=1&b=2")
      assert.deepStrictEqual(Object.fromEntries(login.body), {
        csrf: "\"x'",
        login: "alice",
        secret: "any password"
      })
      assert.deepStrictEqual([login.cookie, login.origin], ["session=1", "https://as.test"])
      assert.strictEqual(received.at(-1)!.body.get("decision"), "approve")
      assert.deepStrictEqual((yield* visits).map(({ heading, status }) => [status, heading]), [
        [302, undefined],
        [200, "Sign in"],
        [200, undefined],
        [200, "Consent"],
        [303, undefined]
      ])
    }))

  it.effect("presses the button that the test names by its text, and fills in other fields", () =>
    Effect.gen(function*() {
      const { open, press, received } = browse(({ method }) =>
        method === "POST"
          ? redirect("https://app.test/callback?error=access_denied")
          : page(`<form method=post><select name=role><option>reader<option selected value=w>writer</select>
              <textarea name=note>a</textarea><input type=submit value=Deny><button>Allow</button></form>`)
      )
      const consent = yield* open(authorization)
      assert.deepStrictEqual(consent._tag === "Page" ? consent.forms[0]!.buttons.map(({ text }) => text) : [], [
        "Deny",
        "Allow"
      ])
      const arrival = yield* press("Deny", { note: "b" })
      assert.deepStrictEqual(arrival, { _tag: "Callback", url: "https://app.test/callback?error=access_denied" })
      assert.deepStrictEqual(Object.fromEntries(received.at(-1)!.body), { role: "w", note: "b" })
      const error = yield* Effect.flip(press("Later"))
      assert.strictEqual(
        error.message,
        "https://as.test/authorize?redirect_uri=https%3A%2F%2Fapp.test%2Fcallback&state=s: has no button Later"
      )
    }))

  it.effect("continues through the callback of a proxy, and stops at the redirect URI of the client", () =>
    Effect.gen(function*() {
      const { signIn } = browse(({ url }) =>
        url.href.startsWith("https://as.test/authorize")
          ? redirect("https://idp.test/authorize?redirect_uri=https%3A%2F%2Fas.test%2Fupstream")
          : url.hostname === "idp.test"
          ? redirect("https://as.test/upstream?code=1")
          : redirect("https://app.test/callback?code=2")
      )
      assert.strictEqual(yield* signIn(authorization), "https://app.test/callback?code=2")
    }))

  it.effect("sends cookies to their host, their path and secure origins, until they expire", () =>
    Effect.gen(function*() {
      const { open, received } = browse(({ url }) =>
        url.pathname === "/set"
          ? new Response(null, {
            headers: [
              ["set-cookie", "all=1; Path=/"],
              ["set-cookie", "secure=1; Path=/; Secure"],
              ["set-cookie", "short=1; Path=/; Max-Age=60"],
              ["set-cookie", "deep=1; Path=/a"],
              ["set-cookie", "__Host-bad=1; Path=/"]
            ]
          })
          : new Response("")
      )
      const cookiesAt = (url: string) => Effect.map(open(url), () => received.at(-1)!.cookie)
      yield* open("https://as.test/set")
      assert.strictEqual(yield* cookiesAt("https://as.test/a/b"), "all=1; secure=1; short=1; deep=1")
      assert.strictEqual(yield* cookiesAt("https://as.test/ab"), "all=1; secure=1; short=1")
      assert.strictEqual(yield* cookiesAt("http://as.test/a"), "all=1; short=1; deep=1")
      assert.isNull(yield* cookiesAt("https://other.test/a"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* cookiesAt("https://as.test/"), "all=1; secure=1")
    }))

  it.effect("sends no strict cookie after a redirect of another site, and no lax one with its form", () =>
    Effect.gen(function*() {
      const { open, press, received } = browse(({ url }) =>
        url.pathname === "/set"
          ? new Response(null, { headers: [["set-cookie", "s=1; SameSite=Strict"], ["set-cookie", "l=1"]] })
          : url.hostname === "evil.test" && url.pathname === "/redirect"
          ? redirect("https://as.test/")
          : page("<form method=post action=https://as.test/><button>Win</button></form>")
      )
      yield* open("https://as.test/set")
      yield* open("https://evil.test/redirect")
      assert.strictEqual(received.at(-1)!.cookie, "l=1")
      yield* open("https://evil.test/form")
      yield* press("Win")
      assert.deepStrictEqual([received.at(-1)!.cookie, received.at(-1)!.origin], [null, "https://evil.test"])
    }))

  it.effect("repeats a form after a status 307, and sends none after a status 303", () =>
    Effect.gen(function*() {
      const { open, press, received } = browse(({ url }) =>
        url.pathname === "/form"
          ? page("<form method=post action=/send><input type=hidden name=a value=1><button>Send</button></form>")
          : url.pathname === "/send"
          ? redirect("/again", 307)
          : url.pathname === "/again"
          ? redirect("/done", 303)
          : page("done")
      )
      yield* open("https://as.test/form")
      yield* press()
      assert.deepStrictEqual(received.slice(1).map(({ body, method, url }) => [method, url.pathname, String(body)]), [
        ["POST", "/send", "a=1"],
        ["POST", "/again", "a=1"],
        ["GET", "/done", ""]
      ])
    }))

  it.effect.each(
    [
      ["a redirect loop", () => redirect("/"), "does not end after 20 redirects"],
      ["a page without a form", () => page("<p>Sorry"), "responds 200, and has no form to go on with: <p>Sorry"],
      ["an error page", () => page("<form><button>Go</button></form>", {}, 400), "responds 400"],
      ["a script", () => redirect("javascript:alert(1)"), "leads to javascript:, which is not a web page"],
      ["a page that only denies", () => page("<form><button>Cancel</button></form>"), "has no form to go on with"]
    ] as const
  )("reports %s", ([, answer, message]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(browse(answer).signIn(authorization))
      assert.include(error.message, message)
    }))

  it("works without Effect, and reports the option that is misspelled", async () => {
    const browser = TestBrowser.start({ fetch: async () => page("<h2>Hello</h2>") })
    const shown = await browser.open("https://as.test/")
    assert.strictEqual(shown._tag === "Page" ? shown.heading : undefined, "Hello")
    assert.throws(() => TestBrowser.make({ usernam: "bob" } as never), /username/)
  })
})
