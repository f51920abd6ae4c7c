/**
 * The documentation site, built for a sub-path and opened in a browser: Debian's Chromium, or the executable that CHROMIUM names. Without
 * a browser, its tests are skipped unless REQUIRE_CHROMIUM is 1. WRITE_PICTURES=FOLDER writes screenshots.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join, posix } from "node:path"
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { pageOf } from "../../tools/site/Pages.ts"
import { base, build, type BuiltSite, serve } from "./builtSite.ts"

const root = join(import.meta.dirname, "../..")
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"
const missing = !existsSync(executablePath) && process.env["REQUIRE_CHROMIUM"] !== "1"
const pictures = process.env["WRITE_PICTURES"]

// Root is the usual user of a container. Chromium does not start with its sandbox as root.
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : []

let site: BuiltSite

beforeAll(async () => {
  site = await build()
}, 600_000)
afterAll(() => site?.remove())

const read = (page: string): string => readFileSync(join(site.folder, page), "utf8")

/** Replaces the entities that VitePress writes in attributes. */
const decode = (text: string): string =>
  text.replaceAll("&amp;", "&").replaceAll("&quot;", "\"").replaceAll("&#39;", "'").replaceAll("&lt;", "<")

describe("the files of the site", () => {
  it("contain a page for each document of the repository", () => {
    const markdown = ["docs", "examples", "reference"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
        .map((name) => `${folder}/${name}`)
    )
    const top = readdirSync(root).filter((name) => name.endsWith(".md"))
    const absent = [...markdown, ...top].map((file) => pageOf(file).replace(/\.md$/, ".html"))
      .filter((page) => !site.pages.includes(page))
    assert.deepStrictEqual(absent, [])
  })

  it("contain no link that leads to a file or an anchor that does not exist", () => {
    const files = new Set(
      readdirSync(site.folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"))
    )
    const anchors = new Map(
      site.pages.map((
        page
      ) => [page, new Set([...read(page).matchAll(/\sid="([^"]+)"/g)].map(([, id]) => decode(id!)))])
    )
    let seen = 0
    const broken = site.pages.filter((page) => page !== "404.html").flatMap((page) =>
      [...read(page).matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)].flatMap(([, raw]) => {
        const link = decode(raw!)
        if (/^(?:https?:|data:|mailto:)/.test(link)) return []
        seen++
        const [path = "", anchor] = link.split("#")
        if (path !== "" && path.startsWith("/") && !path.startsWith(base)) {
          return [`${page}: ${link} is outside of the base`]
        }
        const target = path === ""
          ? page
          : path.startsWith("/")
          ? path.slice(base.length)
          : posix.join(posix.dirname(page), path)
        const file = decodeURI(target).replace(/(^|\/)$/, "$1index.html")
        if (!files.has(file)) return [`${page}: ${link} leads nowhere`]
        if (anchor === undefined || anchor === "" || anchors.get(file)?.has(decodeURIComponent(anchor)) === true) {
          return []
        }
        return [`${page}: ${link} names an anchor that does not exist`]
      })
    )
    assert.isAbove(seen, site.pages.length * 5)
    assert.deepStrictEqual(broken, [])
  })

  it("have a title and a description on each page", () => {
    const titles = new Map<string, string>()
    for (const page of site.pages.filter((it) => it !== "404.html" && !it.startsWith("source/"))) {
      const html = read(page)
      const title = /<title>([^<]+)<\/title>/.exec(html)?.[1] ?? ""
      assert.match(title, /\S/, page)
      assert.match(html, /<meta name="description" content="[^"]{10,}/, page)
      titles.set(page, title)
    }
    assert.isAbove(titles.size, 100)
  })

  it("draw each diagram when the site is built", () => {
    const diagrams = site.pages.flatMap((page) =>
      read(page).match(/<div class="diagram"[^>]*><div role="img"[^>]*><svg/g) ?? []
    )
    const sources = ["README.md", "docs/concepts.md"].flatMap((file) =>
      readFileSync(join(root, file), "utf8").match(/^```mermaid$/gm) ?? []
    )
    assert.isAbove(sources.length, 3)
    assert.strictEqual(diagrams.length, sources.length)
    assert.deepStrictEqual(site.pages.filter((page) => read(page).includes("language-mermaid")), [])
  })
})

describe.skipIf(missing)(`the pages in a browser${missing ? `: skipped, there is no ${executablePath}` : ""}`, () => {
  let browser: Browser
  let server: Awaited<ReturnType<typeof serve>>

  beforeAll(async () => {
    server = await serve(site)
    browser = await chromium.launch({ executablePath, args })
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  const sources = ["source/src/authorization/Rejection.ts.html", "source/examples/todo-manager/instances.html"]

  const urlOf = (page: string) => server.origin + base + page

  /** Opens a context that records what a page must not do: errors, requests that fail, and requests to other hosts. */
  const openContext = async (options: BrowserContextOptions = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const faults: Array<string> = []
    await context.route((url) => url.origin !== server.origin && url.protocol.startsWith("http"), (route) => {
      faults.push(`requests ${route.request().url()}`)
      return route.abort()
    })
    context.on("response", (response) => {
      if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`)
    })
    context.on("weberror", (error) => faults.push(String(error.error())))
    context.on("console", (message) => {
      if (message.type() === "error") faults.push(message.text())
    })
    return { context, faults }
  }

  const take = async (tab: Page, name: string) => {
    if (pictures === undefined) return
    await tab.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" })
  }

  /** Runs a function for each page, in a few tabs of a context. */
  const forEachPage = async (
    context: BrowserContext,
    pages: ReadonlyArray<string>,
    use: (tab: Page, page: string) => Promise<void>
  ) => {
    const queue = [...pages]
    await Promise.all(Array.from({ length: 3 }, async () => {
      const tab = await context.newPage()
      for (let page = queue.shift(); page !== undefined; page = queue.shift()) await use(tab, page)
      await tab.close()
    }))
  }

  it("render without errors, requests to other hosts and horizontal scroll, at 375 and at 1280 pixels", async () => {
    const { context, faults } = await openContext()
    const wide: Array<string> = []
    let seen = 0
    // Pages of source files differ only in their text, which scrolls inside. One of each kind is enough.
    const pages = site.pages.filter((page) => page !== "404.html" && !page.startsWith("source/")).concat(sources)
    await forEachPage(context, pages, async (tab, page) => {
      await tab.goto(urlOf(page))
      assert.strictEqual(await tab.locator("h1").count(), 1, page)
      for (const width of [375, 1280]) {
        await tab.setViewportSize({ width, height: 800 })
        const excess = await tab.evaluate(() =>
          document.documentElement.scrollWidth - document.documentElement.clientWidth
        )
        if (excess > 0) wide.push(`${page} at ${width}: ${excess} pixels`)
        seen++
      }
    })
    await context.close()
    assert.isAbove(seen, 2 * 150)
    assert.deepStrictEqual([...wide, ...faults], [])
  }, 600_000)

  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

  /** Returns the faults of a page that axe calls serious or critical. */
  const accessibilityFaults = async (tab: Page, page: string): Promise<ReadonlyArray<string>> => {
    await tab.evaluate(axe)
    return tab.evaluate(async (name) => {
      const { violations } = await (globalThis as any).axe.run({ resultTypes: ["violations"] })
      return violations
        .filter(({ impact }: any) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }: any) =>
          `${name}: ${id}: ${nodes.slice(0, 3).map((it: any) => it.html.slice(0, 160)).join(" | ")}`
        )
    }, page)
  }

  /** All pages except those that the same template writes: of the reference, of providers and of sources, a few each. */
  const different = () => {
    const repeated = [
      /^reference\/.*\/(?!AuthLayer|requireScopes|McpAuthSdk)/,
      /^examples\/providers\/(?!index|auth0|stytch)/,
      /^source\//
    ]
    return site.pages.filter((page) => page !== "404.html" && !repeated.some((it) => it.test(page)))
      .concat(sources)
  }

  it.each(["light", "dark"] as const)("have no serious accessibility fault in %s mode", async (colorScheme) => {
    const { context } = await openContext({ colorScheme, reducedMotion: "reduce" })
    const all = different()
    // The colors of code and text are the same on all pages, so the second mode needs fewer pages.
    const pages = colorScheme === "light" ? all : all.filter((page, index) => index % 3 === 0 || page === "index.html")
    assert.isAbove(pages.length, 10)
    const found: Array<string> = []
    await forEachPage(context, pages, async (tab, page) => {
      await tab.goto(urlOf(page))
      found.push(...await accessibilityFaults(tab, page))
    })
    await context.close()
    assert.deepStrictEqual(found, [])
  }, 600_000)

  it("find requireScopes with the search, also on a phone", async () => {
    for (const width of [1280, 375]) {
      const { context, faults } = await openContext({ viewport: { width, height: 800 } })
      const tab = await context.newPage()
      await tab.goto(urlOf("docs/introduction.html"))
      await tab.locator(".VPNavBarSearch button").first().click()
      await tab.locator(".search-input").fill("requireScopes")
      const result = tab.locator(`.results a[href*="reference/core/requireScopes.html"]`).first()
      await result.waitFor()
      await take(tab, `search-${width}`)
      await result.click()
      await tab.waitForURL("**/reference/core/requireScopes.html**")
      await tab.locator("h1", { hasText: "requireScopes" }).waitFor()
      assert.deepStrictEqual(faults, [])
      await context.close()
    }
  })

  it("switch to dark mode, keep it on the next page and on pages of source files", async () => {
    const { context, faults } = await openContext({ colorScheme: "light" })
    const tab = await context.newPage()
    const background = () => tab.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await tab.goto(urlOf("docs/concepts.html"))
    const light = await background()
    await tab.locator(".VPNavBar .VPSwitchAppearance").first().click()
    await tab.waitForFunction(() => document.documentElement.classList.contains("dark"))
    assert.notStrictEqual(await background(), light)
    for (const page of ["docs/policies.html", "source/src/authorization/Rejection.ts.html"]) {
      await tab.goto(urlOf(page))
      assert.isTrue(await tab.evaluate(() => document.documentElement.classList.contains("dark")), page)
    }
    assert.deepStrictEqual(faults, [])
    await context.close()
  })

  it("copy a program with the button beside it", async () => {
    const { context } = await openContext({ permissions: ["clipboard-read", "clipboard-write"] })
    const tab = await context.newPage()
    await tab.goto(urlOf("docs/introduction.html"))
    const program = tab.locator(".language-ts").first()
    await program.hover()
    await program.locator("button.copy").click()
    await tab.locator("button.copy.copied").waitFor()
    const copied = await tab.evaluate(() => navigator.clipboard.readText())
    assert.include(readFileSync(join(root, "docs/introduction.md"), "utf8"), copied.trim())
    await context.close()
  })

  it("filter the providers by name, result and kind", async () => {
    const { context, faults } = await openContext()
    const tab = await context.newPage()
    await tab.goto(urlOf("PROVIDERS.html"))
    const names = () => tab.locator(".provider-list li .name a").allInnerTexts()
    const all = await names()
    assert.isAbove(all.length, 40)
    await tab.getByLabel("Search").last().fill("auth0")
    await tab.waitForFunction(() => document.querySelectorAll(".provider-list li").length === 1)
    assert.deepStrictEqual(await names(), ["Auth0"])
    await tab.getByLabel("Search").last().fill("")
    await tab.getByLabel("Supported").selectOption("no")
    await tab.waitForFunction((count) => document.querySelectorAll(".provider-list li").length < count, all.length)
    assert.include(await names(), "Microsoft Entra ID")
    assert.notInclude(await names(), "Auth0")
    await tab.locator(".provider-list li .name a").first().click()
    await tab.waitForURL("**/examples/providers/*.html")
    assert.deepStrictEqual(faults, [])
    await context.close()
  })

  it.runIf(pictures !== undefined)("are shown in pictures, light and dark, on a phone and on a desktop", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { context } = await openContext({ colorScheme })
      const tab = await context.newPage()
      for (const [device, width] of [["phone", 375], ["desktop", 1280]] as const) {
        await tab.setViewportSize({ width, height: width === 375 ? 1400 : 1000 })
        for (const page of (process.env["PAGES"] ?? "index,docs/introduction,docs/concepts,PROVIDERS").split(",")) {
          await tab.goto(urlOf(`${page}.html`))
          await take(tab, `${page.replaceAll("/", "-")}-${device}-${colorScheme}`)
        }
      }
      await context.close()
    }
  }, 600_000)
})
