/**
 * The check page in a real browser: Debian's Chromium, or the one that CHROMIUM names. Where there is none the tests are
 * skipped, except where REQUIRE_CHROMIUM is 1. With WRITE_PICTURES=FOLDER pictures are left there; `page.png` is the one in
 * `examples/providers/pictures`.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { existsSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { chromium, type Page as Tab } from "playwright-core"
import * as AuthorizationServer from "../../../examples/authorization-server/AuthorizationServer.ts"
import * as Page from "../../../src/cli/page/Page.ts"

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"
const missing = !existsSync(executablePath) && process.env["REQUIRE_CHROMIUM"] !== "1"
const pictures = process.env["WRITE_PICTURES"]

// Chromium does not run its sandbox as root, as in a container.
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : []

const browser = Effect.acquireRelease(
  Effect.promise(() => chromium.launch({ executablePath, args })),
  (browser) => Effect.promise(() => browser.close())
)

const Issuer = TestIssuer.serve().pipe(
  Layer.provide(Layer.orDie(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })))
)

interface Look {
  readonly width?: number
  readonly deviceScaleFactor?: number
  readonly colorScheme?: "light" | "dark"
  readonly javaScriptEnabled?: boolean
  readonly local?: boolean
}

/** A tab at the page, and whatever the browser complains about. */
const open = Effect.fnUntraced(function*({ local = true, width = 900, ...look }: Look = {}) {
  const url = yield* Page.serve({ host: "127.0.0.1", port: 0, local, timeout: Duration.seconds(20) })
  const context = yield* Effect.flatMap(browser, (_) =>
    Effect.promise(() =>
      _.newContext({
        ...look,
        viewport: { width, height: 800 },
        permissions: ["clipboard-read", "clipboard-write"],
        acceptDownloads: true
      })
    ))
  const tab = yield* Effect.promise(() => context.newPage())
  tab.setDefaultTimeout(10_000)
  const complaints: Array<string> = []
  tab.on("console", (message) => {
    // A rejection of the API is an answer: the browser notes its status.
    if (
      message.type() === "error" &&
      !/Failed to load resource.*\/report/.test(`${message.text()} ${message.location().url}`)
    ) {
      complaints.push(message.text())
    }
  })
  tab.on("pageerror", (error) => complaints.push(String(error)))
  const asked: Array<string> = []
  tab.on("request", (request) => asked.push(request.url()))
  yield* Effect.promise(() => tab.goto(url))
  return { tab, url, complaints, asked }
})

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)

const picture = (tab: Tab, name: string, clip?: { x: number; y: number; width: number; height: number }) =>
  pictures === undefined
    ? Effect.void
    : promise(() =>
      tab.screenshot({
        path: join(pictures, `${name}.png`),
        fullPage: true,
        animations: "disabled",
        ...(clip === undefined ? {} : { clip })
      })
    )

const focused = (tab: Tab) =>
  promise(() => tab.evaluate(() => document.activeElement?.id || document.activeElement?.tagName))

const fits = (tab: Tab) =>
  promise(() => tab.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth))

const look = (tab: Tab, target: string) =>
  promise(async () => {
    await tab.getByLabel("Issuer, or URL of an MCP server").fill(target)
    await tab.getByRole("button", { name: "Check", exact: true }).click()
    await tab.locator("#result").waitFor()
  })

/** Protected, and imperfectly: no document at the place that clients ask for. */
const mcpServer = (issuer: string) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        const here = `http://${request.headers.host}`
        if (request.url === "/.well-known/oauth-protected-resource") {
          response.setHeader("content-type", "application/json")
          return response.end(JSON.stringify({ resource: `${here}/mcp`, authorization_servers: [issuer] }))
        }
        if (request.url !== "/mcp") return response.writeHead(404).end()
        response.writeHead(401, { "www-authenticate": `Bearer error="<b id=injected>unauthorized</b>"` }).end()
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
          close: () => server.close()
        })))
    }),
    ({ close }) => Effect.sync(close)
  )

describe.skipIf(missing)(`the page in a browser${missing ? `: skipped, there is no ${executablePath}` : ""}`, () => {
  it.live("an issuer of TestIssuer: fill, press, read", () =>
    Effect.gen(function*() {
      const { issuer, publishMetadata } = yield* TestIssuer.TestIssuer
      yield* publishMetadata({ code_challenge_methods_supported: undefined })
      const { asked, complaints, tab, url } = yield* open({ width: 800, deviceScaleFactor: 1.5 })
      yield* picture(tab, "form")
      yield* look(tab, issuer)
      yield* picture(tab, "page", { x: 0, y: 0, width: 800, height: 900 })
      assert.match(
        yield* promise(() => tab.locator("#result .outcome").first().innerText()),
        /✗\s*Fail: \d+ MUST/
      )
      const pkce = tab.getByRole("listitem").filter({ hasText: "PKCE with S256 is advertised" })
      const text = yield* promise(() => pkce.innerText())
      assert.match(text, /✗\s*fail/)
      assert.match(text, /Change: Add "code_challenge_methods_supported"/)
      assert.match(yield* promise(() => tab.title()), /^✗ http:\/\/127/)
      // What is kept explains itself when asked.
      const kept = tab.locator("li.pass").first()
      assert.isFalse(yield* promise(() => kept.locator(".cite").isVisible()))
      yield* promise(() => kept.locator("summary").click())
      assert.isTrue(yield* promise(() => kept.locator(".cite").isVisible()))
      yield* picture(tab, "issuer-light")
      assert.isTrue(asked.every((_) => _.startsWith(url) || _.startsWith("data:")), asked.join("\n"))
      assert.deepStrictEqual(complaints, [])
    }).pipe(Effect.provide(Issuer)))

  it.live("an oidc-provider, in the dark", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a"] })
      const { complaints, tab } = yield* open({ colorScheme: "dark" })
      yield* look(tab, issuer)
      assert.match(
        yield* promise(() => tab.locator("#result > .aside").first().innerText()),
        /^Authorization server.* · checked against MCP 2026-07-28/
      )
      assert.isAbove(yield* promise(() => tab.locator("li.pass").count()), 5)
      const lightness = yield* promise(() =>
        tab.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)![0]))
      )
      assert.isBelow(lightness, 60)
      yield* picture(tab, "oidc-provider-dark")
      assert.deepStrictEqual(complaints, [])
    }))

  it.live("an MCP server at phone width, nothing to scroll sideways, and nothing of its words becomes markup", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.TestIssuer
      const server = yield* mcpServer(issuer)
      const { complaints, tab } = yield* open({ width: 360 })
      assert.isTrue(yield* fits(tab))
      yield* picture(tab, "form-phone")
      yield* look(tab, server.url)
      assert.isTrue(yield* fits(tab))
      const headings = yield* promise(() => tab.getByRole("heading", { level: 2 }).allInnerTexts())
      assert.deepStrictEqual(headings, [server.url])
      const part = tab.getByRole("region", { name: issuer })
      assert.match(yield* promise(() => part.innerText()), /Authorization server/)
      assert.strictEqual(yield* promise(() => tab.locator("#injected").count()), 0)
      yield* picture(tab, "mcp-phone")
      yield* promise(() =>
        tab.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true
        })
      )
      assert.isTrue(yield* fits(tab))
      assert.deepStrictEqual(complaints, [])
    }).pipe(Effect.provide(Issuer)))

  it.live("with the keyboard alone, and heard", () =>
    Effect.gen(function*() {
      const { issuer, slow } = yield* TestIssuer.TestIssuer
      const { tab } = yield* open()
      const press = (key: string) => promise(() => tab.keyboard.press(key))
      yield* press("Tab")
      assert.strictEqual(yield* focused(tab), "target")
      // Nothing written: said as an alert, and the focus is where it can be written.
      yield* press("Enter")
      assert.match(yield* promise(() => tab.getByRole("alert").innerText()), /^The URL is missing/)
      assert.strictEqual(yield* focused(tab), "target")
      assert.strictEqual(yield* promise(() => tab.locator("#target").getAttribute("aria-invalid")), "true")
      yield* promise(() => tab.keyboard.type(issuer))
      yield* press("Tab")
      yield* press("ArrowRight")
      assert.isTrue(yield* promise(() => tab.getByRole("radio", { name: "Authorization server" }).isChecked()))
      yield* press("Tab")
      assert.strictEqual(yield* focused(tab), "spec")
      yield* press("Tab")
      assert.strictEqual(yield* focused(tab), "check")
      yield* slow("300 millis")
      yield* press("Enter")
      const status = tab.getByRole("status")
      yield* promise(() => status.filter({ hasText: /^Checking http/ }).waitFor())
      assert.strictEqual(yield* promise(() => tab.locator("#check").getAttribute("aria-disabled")), "true")
      yield* promise(() => tab.locator("#result").waitFor())
      assert.match(yield* promise(() => status.innerText()), /^Done\. Pass/)
      assert.strictEqual(yield* focused(tab), "result")
      const region = tab.getByRole("region", { name: issuer })
      assert.isTrue(yield* promise(() => region.isVisible()))
      yield* press("Tab")
      assert.strictEqual(yield* focused(tab), "BUTTON")
      yield* press("Enter")
      yield* promise(() => status.filter({ hasText: /^JSON copied/ }).waitFor())
      const copied = JSON.parse(yield* promise(() => tab.evaluate(() => navigator.clipboard.readText())))
      assert.deepInclude(copied, { kind: "authorization-server", subject: issuer })
    }).pipe(Effect.provide(Issuer)))

  it.live("a link fills the form in; the JSON can be saved; what is folded is printed", () =>
    Effect.gen(function*() {
      const { issuer, requests, takeRequests } = yield* TestIssuer.TestIssuer
      const { complaints, tab } = yield* open()
      yield* promise(() => tab.locator("#spec").selectOption("2025-11-25"))
      yield* look(tab, issuer)
      const download = yield* promise(async () => {
        const waiting = tab.waitForEvent("download")
        await tab.getByRole("button", { name: "Save JSON" }).click()
        return await waiting
      })
      assert.match(download.suggestedFilename(), /^127\.0\.0\.1-\d+\.json$/)

      yield* promise(() => tab.evaluate(() => window.dispatchEvent(new Event("beforeprint"))))
      assert.strictEqual(yield* promise(() => tab.locator("details:not([open])").count()), 0)
      yield* promise(() => tab.emulateMedia({ media: "print" }))
      assert.isFalse(yield* promise(() => tab.locator("#form").isVisible()))
      yield* picture(tab, "print")
      yield* promise(() => tab.emulateMedia({ media: "screen" }))
      yield* promise(() => tab.evaluate(() => window.dispatchEvent(new Event("afterprint"))))
      assert.strictEqual(yield* promise(() => tab.locator("details[open]").count()), 0)

      const link = tab.url()
      assert.include(link, "#target=http")
      yield* takeRequests
      yield* promise(async () => {
        await tab.goto("about:blank")
        await tab.goto(link)
      })
      assert.strictEqual(yield* promise(() => tab.locator("#target").inputValue()), issuer)
      assert.strictEqual(yield* promise(() => tab.locator("#spec").inputValue()), "2025-11-25")
      // With --local a link of somebody else's must not look around by itself.
      assert.strictEqual(yield* focused(tab), "check")
      assert.deepStrictEqual(yield* requests, [])
      yield* promise(() => tab.keyboard.press("Enter"))
      yield* promise(() => tab.locator("#result").waitFor())
      assert.match(yield* promise(() => tab.locator("#result > .aside").first().innerText()), /against MCP 2025-11-25/)
      assert.deepStrictEqual(complaints, [])
    }).pipe(Effect.provide(Issuer)))

  it.live("rejections are told in words: a private address without --local, a page whose program ended", () =>
    Effect.gen(function*() {
      const { tab } = yield* open({ local: false })
      const rejected = (target: string) =>
        promise(async () => {
          await tab.getByLabel("Issuer, or URL of an MCP server").fill(target)
          await tab.keyboard.press("Enter")
          await tab.getByRole("alert").waitFor()
          return await tab.getByRole("alert").innerText()
        })
      assert.match(
        yield* rejected("localhost:3000/mcp"),
        /^https:\/\/localhost:3000 is not a public https host/
      )
      assert.strictEqual(yield* focused(tab), "target")
      yield* picture(tab, "rejected")
      assert.isFalse(yield* promise(() => tab.locator("#result").isVisible()))

      const other = yield* open()
      yield* promise(() => other.tab.route("**/report?*", (route) => route.abort()))
      yield* promise(async () => {
        await other.tab.getByLabel("Issuer, or URL of an MCP server").fill("https://auth.example.com")
        await other.tab.keyboard.press("Enter")
        await other.tab.getByRole("alert").filter({ hasText: "does not respond" }).waitFor()
      })
    }))

  it.live("without scripts the form gives the JSON", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.TestIssuer
      const { tab } = yield* open({ javaScriptEnabled: false })
      yield* promise(() => tab.locator("#target").fill(issuer))
      yield* promise(() => Promise.all([tab.waitForURL(/\/report\?target=/), tab.locator("#check").click()]))
      assert.strictEqual(JSON.parse(yield* promise(() => tab.locator("body").innerText())).subject, issuer)
    }).pipe(Effect.provide(Issuer)))
})
