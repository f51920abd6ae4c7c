/**
 * People give consent in real browsers: Debian's Chromium and Firefox, or the executables that CHROMIUM and FIREFOX name. Without a
 * browser, its tests are skipped unless REQUIRE_CHROMIUM or REQUIRE_FIREFOX is 1. WRITE_PICTURES=FOLDER writes screenshots of Chromium.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createRequire } from "node:module"
import { join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium, firefox, type Page } from "playwright-core"
import { challengeOf, verifier } from "./front/world.ts"
import { close, listen, start } from "./server.ts"

const pictures = process.env["WRITE_PICTURES"]

// Root is the usual user of a container. Chromium does not start with its sandbox as root.
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : []

/** A browser of this machine. */
interface Installed {
  readonly name: "Chromium" | "Firefox"
  readonly executablePath: string
  readonly launch: (executablePath: string) => Promise<Browser>
}

const installed: ReadonlyArray<Installed> = [
  {
    name: "Chromium",
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    launch: (executablePath) => chromium.launch({ executablePath, args })
  },
  {
    name: "Firefox",
    executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
    // The channel selects WebDriver BiDi, which every Firefox speaks. The other protocol needs a modified Firefox.
    launch: (executablePath) => firefox.launch({ executablePath, channel: "moz-firefox" })
  }
]

const isMissing = ({ executablePath, name }: Installed) =>
  !existsSync(executablePath) && process.env[`REQUIRE_${name.toUpperCase()}`] !== "1"

const axe = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

type World = Awaited<ReturnType<typeof start>>

for (const each of installed) {
  const missing = isMissing(each)
  describe.skipIf(missing)(
    `the pages in ${each.name}${missing ? `: skipped, there is no ${each.executablePath}` : ""}`,
    () => {
      let browser: Browser
      let silent: World
      let withLogin: World
      let client: { readonly server: Server; readonly origin: string }
      const callbacks: Array<string> = []

      beforeAll(async () => {
        browser = await each.launch(each.executablePath)
        silent = await start({ pages: { name: "Notes & more", scopes: { "notes:read": "Read your notes" } } })
        withLogin = await start({ login: "page" })
        client = await listen((req: IncomingMessage, res: ServerResponse) => {
          if (req.url?.startsWith("/callback") === true) {
            callbacks.push(`${req.url} ${req.headers.referer ?? "no referrer"}`)
          }
          const framed = new URL(req.url!, "http://x").searchParams.get("frame")
          res.setHeader("content-type", "text/html")
          res.end(framed === null ? "<title>The client</title>" : `<iframe src="${framed}"></iframe>`)
        })
      })
      afterAll(async () => {
        await browser?.close()
        await Promise.all([silent?.stop(), withLogin?.stop(), client && close(client.server)])
      })

      const register = async (world: World, more: object = {}) => {
        const response = await fetch(`${world.origin}/register`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ redirect_uris: [`${client.origin}/callback`], client_name: "A client", ...more })
        })
        return (await response.json() as { client_id: string }).client_id
      }

      const authorizeUrl = async (world: World, more: Record<string, string> = {}, metadata: object = {}) =>
        `${world.origin}/authorize?${new URLSearchParams({
          response_type: "code",
          client_id: await register(world, metadata),
          redirect_uri: `${client.origin}/callback`,
          state: "the-state",
          code_challenge: challengeOf(verifier),
          code_challenge_method: "S256",
          scope: "notes:read notes:write",
          ...more
        })}`

      /** Opens a URL in a new context. Records violations of the policy and of the browser's rules. */
      const open = async (url: string, look: BrowserContextOptions = {}) => {
        const context = await browser.newContext({ viewport: { width: 700, height: 800 }, ...look })
        const tab = await context.newPage()
        tab.setDefaultTimeout(15_000)
        const errors: Array<string> = []
        // Browsers request an icon by themselves, which the policy forbids. Firefox reports that as an error of the page.
        const add = (error: string) => /\/favicon\.ico/.test(error) ? undefined : errors.push(error)
        tab.on("console", (message) => {
          if (message.type() === "error") add(`${message.text()} ${message.location().url}`)
        })
        tab.on("pageerror", (error) => add(String(error)))
        await tab.goto(url)
        return { context, tab, errors }
      }

      const take = (tab: Page, name: string) =>
        pictures === undefined || each.name !== "Chromium"
          ? Promise.resolve()
          : tab.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, animations: "disabled" })

      it.each(["silent", "page"] as const)(
        "attack A1 and attack A2: consent with the policy on returns to the client, with an upstream that is %s",
        async (login) => {
          const world = login === "silent" ? silent : withLogin
          callbacks.length = 0
          const { context, errors, tab } = await open(await authorizeUrl(world))
          await tab.getByRole("button", { name: "Allow" }).click()
          if (login === "page") {
            await tab.waitForURL(`${world.upstream.origin}/**`)
            await take(tab, "upstream")
            await tab.getByRole("button").first().click()
          }
          await tab.waitForURL(`${client.origin}/callback**`)
          const url = new URL(tab.url())
          assert.strictEqual(url.searchParams.get("state"), "the-state")
          assert.strictEqual(url.searchParams.get("iss"), world.origin)
          assert.isNotNull(url.searchParams.get("code"))
          // Attack 34: the client learns nothing of the pages before.
          assert.lengthOf(callbacks, 1)
          assert.match(callbacks[0]!, / no referrer$/)
          assert.deepStrictEqual(errors, [])

          // Attack 14: the back button does not send the form again, and approving again works.
          await (login === "silent" ? tab.goBack() : tab.goto(await authorizeUrl(world)))
          await tab.waitForURL(`${world.origin}/authorize**`)
          await tab.getByRole("button", { name: "Allow" }).click()
          // The upstream knows the person now, and returns at once.
          await tab.waitForURL(`${client.origin}/callback**`)
          assert.lengthOf(callbacks, 2)
          await context.close()
        }
      )

      it("attack A2: a person who denies returns to the client", async () => {
        const { context, errors, tab } = await open(await authorizeUrl(silent))
        await tab.getByRole("button", { name: "Cancel" }).click()
        await tab.waitForURL(`${client.origin}/callback**`)
        assert.strictEqual(new URL(tab.url()).searchParams.get("error"), "access_denied")
        assert.deepStrictEqual(errors, [])
        await context.close()
      })

      it("attack 5: the consent page cannot be framed", async () => {
        const { context, tab } = await open(`${client.origin}/?frame=${encodeURIComponent(await authorizeUrl(silent))}`)
        await tab.waitForLoadState("networkidle")
        const frame = tab.frames()[1]!
        assert.strictEqual(await frame.locator("button").count(), 0)
        await context.close()
      })

      it("attack 11: the name of a client runs no script and adds no element", async () => {
        const attack = `<img src=x onerror="document.title='attacked'"><script>document.title='attacked'</script>`
        const { context, errors, tab } = await open(
          await authorizeUrl(silent, { state: attack }, { client_name: attack })
        )
        assert.strictEqual(await tab.locator("img, script").count(), 0)
        assert.notInclude(await tab.title(), "attacked")
        assert.include(await tab.locator("dl").innerText(), "<img src=x")
        assert.deepStrictEqual(errors, [])
        await context.close()
      })

      it("attack 84: two tabs sign in at the same time", async () => {
        const { context, tab } = await open(await authorizeUrl(silent))
        const other = await context.newPage()
        await other.goto(await authorizeUrl(silent, { state: "other" }))
        await tab.getByRole("button", { name: "Allow" }).click()
        await other.getByRole("button", { name: "Allow" }).click()
        await Promise.all([
          tab.waitForURL(`${client.origin}/callback**`),
          other.waitForURL(`${client.origin}/callback**`)
        ])
        assert.strictEqual(new URL(other.url()).searchParams.get("state"), "other")
        await context.close()
      })

      it("attack 16: a private-use scheme gets a page that names the person and stays open", async () => {
        const uri = "cursor://anysphere.cursor-mcp/oauth/callback"
        const { context, tab } = await open(
          await authorizeUrl(silent, { redirect_uri: uri }, { redirect_uris: [uri], client_name: "Cursor" })
        )
        await take(tab, "consent-scheme")
        await tab.getByRole("button", { name: "Allow" }).click()
        await tab.getByRole("heading", { name: "Back to the application" }).waitFor()
        assert.include(await tab.locator("main").innerText(), "Signed in as alice.")
        assert.match(
          (await tab.getByRole("link").getAttribute("href"))!,
          /^cursor:\/\/anysphere\.cursor-mcp\/oauth\/callback\?code=/
        )
        await take(tab, "return")
        await context.close()
      })

      // They use the protocol of Chromium, and run a script in pages whose policy forbids scripts.
      if (each.name === "Chromium") {
        it("attack A4: the button of approval cannot be pressed at once, by the mouse or the keyboard", async () => {
          const { context, tab } = await open("about:blank")
          // The clock of the page's animations stands still, so the test does not depend on the speed of the machine.
          const session = await context.newCDPSession(tab)
          await session.send("Animation.enable")
          await session.send("Animation.setPlaybackRate", { playbackRate: 0 })
          let posts = 0
          tab.on("request", (request) => {
            if (request.method() === "POST") posts++
          })
          await tab.goto(await authorizeUrl(silent))
          const button = tab.locator("button[value=approve]")
          assert.isFalse(await button.isVisible())
          const box = (await button.boundingBox())!
          await tab.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
          await tab.mouse.dblclick(box.x + box.width / 2, box.y + box.height / 2)
          await tab.keyboard.press("Enter")
          for (let press = 0; press < 4; press++) {
            await tab.keyboard.press("Tab")
            assert.notStrictEqual(
              await tab.evaluate(() => (document.activeElement as HTMLButtonElement | null)?.value),
              "approve"
            )
          }
          assert.strictEqual(posts, 0)
          await session.send("Animation.setPlaybackRate", { playbackRate: 1 })
          await button.waitFor({ state: "visible" })
          await context.close()
        })

        it.each(["light", "dark"] as const)(
          "pages fit 320 pixels in %s colors, and axe finds no problem",
          async (colorScheme) => {
            const look = { colorScheme, viewport: { width: 320, height: 640 }, bypassCSP: true } as const
            const pages: ReadonlyArray<readonly [string, string]> = [
              ["consent", await authorizeUrl(silent)],
              ["consent-long", await authorizeUrl(silent, {}, { client_name: "W".repeat(64) })],
              ["error-client", `${silent.origin}/authorize?client_id=unknown`],
              ["error-callback", `${silent.origin}/callback/github?state=unknown&code=x`]
            ]
            for (const [name, url] of pages) {
              const { context, tab } = await open(url, look)
              if (name.startsWith("consent")) await tab.getByRole("button", { name: "Allow" }).waitFor()
              await take(tab, `${name}-${colorScheme}`)
              assert.isTrue(
                await tab.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth),
                name
              )
              await tab.evaluate(await axe)
              const violations = await tab.evaluate(async () => {
                const { axe } = globalThis as unknown as {
                  axe: { run: () => Promise<{ violations: Array<{ id: string; nodes: Array<{ html: string }> }> }> }
                }
                return (await axe.run()).violations.map(({ id, nodes }) =>
                  `${id}: ${nodes.map(({ html }) => html).join(" ")}`
                )
              })
              assert.deepStrictEqual(violations, [], name)
              await context.close()
            }
          }
        )
      }
    }
  )
}
