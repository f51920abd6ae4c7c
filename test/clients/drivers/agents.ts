/** The package `agents` of Cloudflare, in workerd. */
import { TestBrowser } from "effect-mcp-auth/testing"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { join } from "node:path"
import type { Connect } from "./Session.ts"

export const agents: Connect = async ({ folder, url }) => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "agentsWorker.mjs")],
    nodePaths: [join(folder, "node_modules")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    // As wrangler does.
    mainFields: ["browser", "module", "main"],
    conditions: ["workerd", "worker", "browser", "import", "default"],
    external: ["cloudflare:*", "node:*", "path"],
    // A dependency that writes mails contains `require("path")`.
    banner: { js: `import { createRequire } from "node:module"; const require = createRequire("file:///worker.js")` },
    logLevel: "error"
  })
  const miniflare = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate: "2026-07-01",
    compatibilityFlags: ["nodejs_compat"],
    durableObjects: { Todos: { className: "Todos", useSQLite: true } },
    host: "127.0.0.1",
    port: 0
  })
  const agent = new URL("/agents/todos/alice", await miniflare.ready)
  const post = async (body: object): Promise<any> => {
    const response = await fetch(agent, { method: "POST", body: JSON.stringify(body) })
    return response.json()
  }
  const { authUrl } = await post({ url })
  if (authUrl !== undefined) {
    await fetch(await TestBrowser.start().signIn(authUrl), { redirect: "manual" })
  }
  return {
    callTool: async (name, args) => {
      const { error, isError, structuredContent } = await post({ name, args })
      if (error !== undefined || isError === true) throw new Error(error)
      return structuredContent
    },
    close: () => miniflare.dispose()
  }
}
