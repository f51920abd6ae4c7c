/** Builds the documentation site for a sub-path, and serves it as a host of static files does. */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { extname, join, relative } from "node:path"

const root = join(import.meta.dirname, "../..")

/** The path at which the tests publish the site. Two segments, so that a link that leaves out the base leads nowhere. */
export const base = "/project/docs/"

export interface BuiltSite {
  /** The folder of the files. */
  readonly folder: string
  /** The paths of all HTML files, relative to the folder. */
  readonly pages: ReadonlyArray<string>
  readonly remove: () => void
}

/** Builds the site into a temporary folder. With SITE_DIST, takes that folder, which `npm run site` has built for the same base. */
export const build = async (): Promise<BuiltSite> => {
  const given = process.env["SITE_DIST"]
  const folder = given ?? mkdtempSync(join(tmpdir(), "site-"))
  if (given === undefined) {
    const args = [
      "--conditions=effect-mcp-auth/source",
      join(root, "tools/site/run.ts"),
      "build",
      "--base",
      base,
      "--out",
      folder
    ]
    const output: Array<string> = []
    const code = await new Promise((resolve) => {
      const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, NODE_ENV: "production" } })
      child.stdout.on("data", (data) => output.push(String(data)))
      child.stderr.on("data", (data) => output.push(String(data)))
      child.on("close", resolve)
    })
    if (code !== 0) {
      rmSync(folder, { recursive: true, force: true })
      throw new Error(output.join("").slice(-4000))
    }
  }
  const pages = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".html"))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .toSorted()
  return { folder, pages, remove: () => given === undefined && rmSync(folder, { recursive: true, force: true }) }
}

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml"
}

/** Serves the files of a site at `base`, and nothing outside of it. */
export const serve = async (
  { folder }: BuiltSite
): Promise<{ readonly origin: string; readonly close: () => void }> => {
  const server = createServer((request, response) => {
    const path = decodeURI(new URL(request.url!, "http://localhost").pathname)
    const inside = path.startsWith(base) ? path.slice(base.length).replace(/(^|\/)$/, "$1index.html") : undefined
    const file = inside === undefined ? undefined : join(folder, inside)
    if (file === undefined || !existsSync(file)) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(
      readFileSync(file)
    )
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
