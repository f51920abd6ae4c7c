/** The React hook `use-mcp`, in a page in Chromium. */
import { build } from "esbuild"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { chromium, type Page } from "playwright-core"
import type { Connect } from "./Session.ts"

export const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

const root = (process.getuid?.() ?? 1) === 0

/** A web site that serves the page at every path. */
export interface Site {
  /** The origin, which the MCP server must allow. */
  readonly origin: string
  readonly close: () => void
}

/** Bundles and serves the page. */
export const servePage = async (folder: string): Promise<Site> => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "useMcpPage.mjs")],
    nodePaths: [join(folder, "node_modules")],
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": "\"production\"" },
    logLevel: "error"
  })
  const server = createServer((request, response) => {
    const script = request.url === "/page.js"
    response.setHeader("content-type", script ? "text/javascript" : "text/html")
    response.end(script ? outputFiles[0]!.text : `<!doctype html><body><script type="module" src="/page.js"></script>`)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

/** Signs in and consents on the pages of the authorization server, until the window that the hook has opened closes. */
const signIn = async (popup: Page): Promise<void> => {
  const login = popup.getByPlaceholder("Enter any login")
  // The button of the example's authorization server, or of the OAuth proxy.
  const consent = popup.getByRole("button", { name: /^(?:Continue|Allow)$/ })
  await login.or(consent).waitFor()
  if (await login.isVisible()) {
    await login.fill("alice")
    await popup.getByPlaceholder("and password").fill("any password")
    await popup.getByRole("button", { name: "Sign-in" }).click()
    await consent.waitFor()
  }
  const closed = popup.waitForEvent("close")
  await consent.click()
  await closed
}

export const useMcp = ({ origin }: Site): Connect => async ({ url }) => {
  // Chromium's sandbox does not work for root, which is the usual user in a container.
  const browser = await chromium.launch({ executablePath, args: root ? ["--no-sandbox"] : [] })
  const context = await browser.newContext()
  context.setDefaultTimeout(30_000)
  // Blocks requests to other hosts, so that the test needs no network.
  await context.route(({ hostname }) => hostname !== "127.0.0.1", (route) => route.abort())
  const page = await context.newPage()
  const ready = () => page.getByText("ready", { exact: true }).waitFor()
  const finishSignIn = async () => {
    const popup = context.pages().find((other) => other !== page)
    if (popup === undefined) return false
    await signIn(popup)
    await ready()
    return true
  }
  // The hook requests the sign-in twice in one window. The second request is the one that counts.
  const requested = page.waitForEvent("console", (message) => message.text().includes("Waiting for callback"))
  await page.goto(`${origin}/?url=${encodeURIComponent(url)}`)
  await Promise.any([ready(), requested])
  await finishSignIn()
  return {
    callTool: async (name, args) => {
      await ready()
      const { error, isError, structuredContent } = await page.evaluate(
        // After a request for a sign-in, the hook returns nothing.
        async ([name, args]) =>
          (await (globalThis as any).todos.callTool(name, args).catch((error: Error) => ({ error: error.message }))) ??
            { error: "no result" },
        [name, args] as const
      )
      if (error !== undefined || isError === true) throw new Error(error)
      return structuredContent
    },
    finishSignIn,
    close: () => browser.close()
  }
}
