/**
 * Tests the MCP inspector in a real browser. The inspector discovers the authorization server, a person signs in and consents
 * on its pages, and the inspector lists and calls tools. A tool that requires a further scope leads to a second consent.
 *
 * The test needs `/usr/bin/chromium` (or the path in `CHROMIUM`) and `playwright-core`. Without them it is skipped, or fails if
 * `REQUIRE_CHROMIUM` is 1. With `WRITE_PICTURES=1`, it writes the pictures of the README.
 */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Page } from "playwright-core"
import * as Serving from "../../shared/Serving.ts"
import { issuer, servers } from "./servers.ts"

const require = createRequire(import.meta.url)
const chromium = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

// The package is missing if, for example, npm omits optional packages.
const playwright = await import("playwright-core").catch(() => undefined)

const missing = [
  ...existsSync(chromium) ? [] : [chromium],
  ...playwright === undefined ? ["playwright-core"] : []
].join(" and ")

const root = (process.getuid?.() ?? 1) === 0

const browser = Effect.acquireRelease(
  Effect.promise(() =>
    // Chromium's sandbox does not work for root, which is the usual user in a container.
    playwright!.chromium.launch({ executablePath: chromium, args: root ? ["--no-sandbox"] : [] })
  ),
  (browser) => Effect.promise(() => browser.close())
)

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { readonly port: number }
    server.close(() => resume(Effect.succeed(port)))
  })
})

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "inspector-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill()
  })

/** Starts an inspector for a server URL, without any other configuration, and returns the URL of its page. */
const inspect = Effect.fnUntraced(function*(serverUrl: string) {
  const home = yield* folder
  const port = yield* freePort
  const launcher = join(
    require.resolve("@modelcontextprotocol/inspector/package.json"),
    "../clients/launcher/build/index.js"
  )
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [launcher, "--web", "--transport", "http", "--server-url", serverUrl], {
        env: {
          PATH: process.env["PATH"],
          HOME: home,
          MCP_STORAGE_DIR: join(home, "storage"),
          MCP_INSPECTOR_SECRET_STORE: "memory",
          MCP_AUTO_OPEN_ENABLED: "false",
          CLIENT_PORT: String(port),
          MCP_SANDBOX_PORT: "0"
        },
        stdio: ["ignore", "pipe", "pipe"]
      })
    ),
    stop
  )
  return yield* Effect.callback<string>((resume) => {
    let printed = ""
    const read = (chunk: Buffer) => {
      printed += String(chunk)
      const [url] = printed.match(/http:\/\/127\.0\.0\.1:\d+\/?\?MCP_INSPECTOR_API_TOKEN=\w+/) ?? []
      if (url !== undefined) resume(Effect.succeed(url))
    }
    child.stdout!.on("data", read)
    child.stderr!.on("data", read)
    child.once("exit", () => resume(Effect.die(new Error(`The inspector ended:\n${printed}`))))
  })
})

const pictures = join(import.meta.dirname, "../pictures")

const picture = async (page: Page, name: string): Promise<void> => {
  if (process.env["WRITE_PICTURES"] !== "1") return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" })
}

const small = { width: 640, height: 340 }
const large = { width: 1280, height: 600 }

const Quiet = Layer.succeed(References.MinimumLogLevel, "Warn")
const { layer: Server } = servers.find(({ name }) => name === "effect")!

describe.skipIf(missing !== "" && process.env["REQUIRE_CHROMIUM"] !== "1")(
  missing === "" ? "the inspector in a browser" : `the inspector in a browser: skipped, there is no ${missing}`,
  () => {
    layer(Server.pipe(Layer.provide([issuer, Quiet])), { excludeTestServices: true })((it) => {
      it.effect("signs in, lists the tools, calls one, and steps up for another", () =>
        Effect.gen(function*() {
          assert.strictEqual(missing, "", "Where CI is true this test is not skipped")
          const { resource, url } = yield* Serving.Endpoint
          const address = yield* inspect(url)
          const context = yield* Effect.flatMap(browser, (_) => Effect.promise(() => _.newContext()))

          yield* Effect.promise(async () => {
            context.setDefaultTimeout(15_000)
            // Blocks requests for fonts and icons, so that the test needs no network.
            await context.route(({ hostname }) => hostname !== "127.0.0.1", (route) => route.abort())
            const page = await context.newPage()

            await page.goto(address)
            await page.getByRole("switch", { name: /^Connect or disconnect/ }).click({ force: true })

            await page.setViewportSize(small)
            await page.getByPlaceholder("Enter any login").fill("alice")
            await page.getByPlaceholder("and password").fill("any password")
            await picture(page, "sign-in")
            await page.getByRole("button", { name: "Sign-in" }).click()

            await page.getByRole("heading", { name: "Authorize" }).waitFor()
            const requested = (await page.getByRole("listitem").allInnerTexts()).join("\n")
            for (const line of [resource, "create:todos", "read:todos"]) assert.include(requested, line)
            assert.notInclude(requested, "delete:todos")
            await picture(page, "consent")
            await page.getByRole("button", { name: "Continue" }).click()

            await page.getByText("Connected", { exact: true }).waitFor()
            assert.strictEqual(new URL(page.url()).origin, new URL(address).origin)
            await page.setViewportSize(large)
            await page.getByRole("button", { name: "Close monitoring sidebar" }).click()
            await page.getByText("Tools", { exact: true }).click()
            await page.getByRole("heading", { name: "Tools (3)" }).waitFor()
            await page.getByRole("button", { name: "create_todo", exact: true }).click()
            await page.getByRole("textbox", { name: "title" }).fill("Buy milk")
            await page.getByRole("button", { name: "Execute Tool" }).click()
            await page.getByRole("heading", { name: "Results" }).waitFor()
            await page.getByText("\"Buy milk\"").first().waitFor()
            await picture(page, "tool")

            await page.getByRole("button", { name: "delete_todo", exact: true }).click()
            await page.getByRole("textbox", { name: "id" }).fill("1")
            await page.getByRole("button", { name: "Execute Tool" }).click()
            const dialog = page.getByRole("dialog", { name: "Additional permissions required" })
            await dialog.waitFor()
            assert.deepStrictEqual(
              (await dialog.getByRole("listitem").allInnerTexts()).map((line) => line.split(/\s+/)[0]).sort(),
              ["create:todos", "delete:todos", "read:todos"]
            )
            await picture(page, "step-up")
            await dialog.getByRole("button", { name: "Authorize" }).click()
            await page.getByRole("heading", { name: "Authorize" }).waitFor()
            const more = (await page.getByRole("listitem").allInnerTexts()).join("\n")
            assert.include(more, "delete:todos")
            assert.notInclude(more, "create:todos")
            await page.getByRole("button", { name: "Continue" }).click()

            await page.getByText("Authorization complete").waitFor()
            await page.setViewportSize(large)
            // After the redirect, the inspector shows the tool again, with the arguments that were entered before.
            await page.getByRole("button", { name: "Execute Tool" }).click()
            await page.getByRole("heading", { name: "Results" }).waitFor()
            await page.getByText("\"Buy milk\"").first().waitFor()
            await page.getByRole("button", { name: "list_todos", exact: true }).click()
            await page.getByRole("button", { name: "Execute Tool" }).click()
            await page.getByText("\"todos\"").first().waitFor()
            assert.deepStrictEqual(await page.getByText("\"Buy milk\"").allInnerTexts(), [])
          })
        }))
    })
  }
)
