/**
 * Tests the page in a real browser: Debian's Chromium, or the executable that CHROMIUM names. Without a browser, the tests are
 * skipped unless REQUIRE_CHROMIUM is 1. WRITE_PICTURES=FOLDER writes screenshots. `examples/providers/pictures` has a copy of
 * the screenshot `page.png`.
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

// Root is the usual user of a container. Chromium does not start with its sandbox as root.
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

/** Opens the page in a tab. Records the errors of the browser and the URLs of its requests. */
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
  const errors: Array<string> = []
  tab.on("console", (message) => {
    // The browser logs each response of `/report` with an error status. Tests cause such responses on purpose.
    if (
      message.type() === "error" &&
      !/Failed to load resource.*\/report/.test(`${message.text()} ${message.location().url}`)
    ) {
      errors.push(message.text())
    }
  })
  tab.on("pageerror", (error) => errors.push(String(error)))
  const urls: Array<string> = []
  tab.on("request", (request) => urls.push(request.url()))
  yield* Effect.promise(() => tab.goto(url))
  return { tab, url, errors, urls }
})

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)

const takePicture = (tab: Tab, name: string, clip?: { x: number; y: number; width: number; height: number }) =>
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

const getFocused = (tab: Tab) =>
  promise(() => tab.evaluate(() => document.activeElement?.id || document.activeElement?.tagName))

const fitsWidth = (tab: Tab) =>
  promise(() => tab.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth))

const checkTarget = (tab: Tab, target: string) =>
  promise(async () => {
    await tab.getByLabel("Issuer, or URL of an MCP server").fill(target)
    await tab.getByRole("button", { name: "Check", exact: true }).click()
    await tab.locator("#result").waitFor()
  })

/** Starts an MCP server whose metadata is at the root only, and not at the path-specific URL that clients request first. */
const startMcpServer = (issuer: string) =>
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
  it.live("shows the report on an issuer after a click", () =>
    Effect.gen(function*() {
      const { issuer, publishMetadata } = yield* TestIssuer.TestIssuer
      yield* publishMetadata({ code_challenge_methods_supported: undefined })
      const { errors, tab, url, urls } = yield* open({ width: 800, deviceScaleFactor: 1.5 })
      yield* takePicture(tab, "form")
      yield* checkTarget(tab, issuer)
      yield* takePicture(tab, "page", { x: 0, y: 0, width: 800, height: 900 })
      assert.match(
        yield* promise(() => tab.locator("#result .outcome").first().innerText()),
        /✗\s*Fail: \d+ MUST/
      )
      const pkce = tab.getByRole("listitem").filter({ hasText: "PKCE with S256 is advertised" })
      const text = yield* promise(() => pkce.innerText())
      assert.match(text, /✗\s*fail/)
      assert.match(text, /Change: Add "code_challenge_methods_supported"/)
      assert.match(yield* promise(() => tab.title()), /^✗ http:\/\/127/)
      // For a rule that passes, the quoted sentence of the standard appears only after a click.
      const passing = tab.locator("li.pass").first()
      assert.isFalse(yield* promise(() => passing.locator(".cite").isVisible()))
      yield* promise(() => passing.locator("summary").click())
      assert.isTrue(yield* promise(() => passing.locator(".cite").isVisible()))
      yield* takePicture(tab, "issuer-light")
      assert.isTrue(urls.every((_) => _.startsWith(url) || _.startsWith("data:")), urls.join("\n"))
      assert.deepStrictEqual(errors, [])
    }).pipe(Effect.provide(Issuer)))

  it.live("shows the report on oidc-provider in dark colors", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["a"] })
      const { errors, tab } = yield* open({ colorScheme: "dark" })
      yield* checkTarget(tab, issuer)
      assert.match(
        yield* promise(() => tab.locator("#result > .aside").first().innerText()),
        /^Authorization server.* · checked against MCP 2026-07-28/
      )
      assert.isAbove(yield* promise(() => tab.locator("li.pass").count()), 5)
      const lightness = yield* promise(() =>
        tab.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)![0]))
      )
      assert.isBelow(lightness, 60)
      yield* takePicture(tab, "oidc-provider-dark")
      assert.deepStrictEqual(errors, [])
    }))

  it.live("fits the width of a phone, and escapes the text of an MCP server", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.TestIssuer
      const server = yield* startMcpServer(issuer)
      const { errors, tab } = yield* open({ width: 360 })
      assert.isTrue(yield* fitsWidth(tab))
      yield* takePicture(tab, "form-phone")
      yield* checkTarget(tab, server.url)
      assert.isTrue(yield* fitsWidth(tab))
      const headings = yield* promise(() => tab.getByRole("heading", { level: 2 }).allInnerTexts())
      assert.deepStrictEqual(headings, [server.url])
      const part = tab.getByRole("region", { name: issuer })
      assert.match(yield* promise(() => part.innerText()), /Authorization server/)
      assert.strictEqual(yield* promise(() => tab.locator("#injected").count()), 0)
      yield* takePicture(tab, "mcp-phone")
      yield* promise(() =>
        tab.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true
        })
      )
      assert.isTrue(yield* fitsWidth(tab))
      assert.deepStrictEqual(errors, [])
    }).pipe(Effect.provide(Issuer)))

  it.live("works with the keyboard only, and announces its state to screen readers", () =>
    Effect.gen(function*() {
      const { issuer, slow } = yield* TestIssuer.TestIssuer
      const { tab } = yield* open()
      const press = (key: string) => promise(() => tab.keyboard.press(key))
      yield* press("Tab")
      assert.strictEqual(yield* getFocused(tab), "target")
      // Without a URL, an alert appears and the field has the focus.
      yield* press("Enter")
      assert.match(yield* promise(() => tab.getByRole("alert").innerText()), /^The URL is missing/)
      assert.strictEqual(yield* getFocused(tab), "target")
      assert.strictEqual(yield* promise(() => tab.locator("#target").getAttribute("aria-invalid")), "true")
      yield* promise(() => tab.keyboard.type(issuer))
      yield* press("Tab")
      yield* press("ArrowRight")
      assert.isTrue(yield* promise(() => tab.getByRole("radio", { name: "Authorization server" }).isChecked()))
      yield* press("Tab")
      assert.strictEqual(yield* getFocused(tab), "spec")
      yield* press("Tab")
      assert.strictEqual(yield* getFocused(tab), "check")
      yield* slow("300 millis")
      yield* press("Enter")
      const status = tab.getByRole("status")
      yield* promise(() => status.filter({ hasText: /^Checking http/ }).waitFor())
      assert.strictEqual(yield* promise(() => tab.locator("#check").getAttribute("aria-disabled")), "true")
      yield* promise(() => tab.locator("#result").waitFor())
      assert.match(yield* promise(() => status.innerText()), /^Done\. Pass/)
      assert.strictEqual(yield* getFocused(tab), "result")
      const region = tab.getByRole("region", { name: issuer })
      assert.isTrue(yield* promise(() => region.isVisible()))
      yield* press("Tab")
      assert.strictEqual(yield* getFocused(tab), "BUTTON")
      yield* press("Enter")
      yield* promise(() => status.filter({ hasText: /^JSON copied/ }).waitFor())
      const copied = JSON.parse(yield* promise(() => tab.evaluate(() => navigator.clipboard.readText())))
      assert.deepInclude(copied, { kind: "authorization-server", subject: issuer })
    }).pipe(Effect.provide(Issuer)))

  it.live("fills the form from a link, saves the JSON, and prints folded parts", () =>
    Effect.gen(function*() {
      const { issuer, requests, takeRequests } = yield* TestIssuer.TestIssuer
      const { errors, tab } = yield* open()
      yield* promise(() => tab.locator("#spec").selectOption("2025-11-25"))
      yield* checkTarget(tab, issuer)
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
      yield* takePicture(tab, "print")
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
      // With --local, a link on another site must not start a check without a click of the user.
      assert.strictEqual(yield* getFocused(tab), "check")
      assert.deepStrictEqual(yield* requests, [])
      yield* promise(() => tab.keyboard.press("Enter"))
      yield* promise(() => tab.locator("#result").waitFor())
      assert.match(yield* promise(() => tab.locator("#result > .aside").first().innerText()), /against MCP 2025-11-25/)
      assert.deepStrictEqual(errors, [])
    }).pipe(Effect.provide(Issuer)))

  it.live("shows the reason if a target is rejected or the program has ended", () =>
    Effect.gen(function*() {
      const { tab } = yield* open({ local: false })
      const submitRejected = (target: string) =>
        promise(async () => {
          await tab.getByLabel("Issuer, or URL of an MCP server").fill(target)
          await tab.keyboard.press("Enter")
          await tab.getByRole("alert").waitFor()
          return await tab.getByRole("alert").innerText()
        })
      assert.match(
        yield* submitRejected("localhost:3000/mcp"),
        /^https:\/\/localhost:3000 is not a public https host/
      )
      assert.strictEqual(yield* getFocused(tab), "target")
      yield* takePicture(tab, "rejected")
      assert.isFalse(yield* promise(() => tab.locator("#result").isVisible()))

      const other = yield* open()
      yield* promise(() => other.tab.route("**/report?*", (route) => route.abort()))
      yield* promise(async () => {
        await other.tab.getByLabel("Issuer, or URL of an MCP server").fill("https://auth.example.com")
        await other.tab.keyboard.press("Enter")
        await other.tab.getByRole("alert").filter({ hasText: "does not respond" }).waitFor()
      })
    }))

  it.live("shows the JSON without scripts", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.TestIssuer
      const { tab } = yield* open({ javaScriptEnabled: false })
      yield* promise(() => tab.locator("#target").fill(issuer))
      yield* promise(() => Promise.all([tab.waitForURL(/\/report\?target=/), tab.locator("#check").click()]))
      assert.strictEqual(JSON.parse(yield* promise(() => tab.locator("body").innerText())).subject, issuer)
    }).pipe(Effect.provide(Issuer)))
})
