/**
 * `npm run site`: builds the documentation site into `tools/site/dist`. `npm run site:dev` serves it, with changes of Markdown files as
 * they are saved.
 *
 * - `--base /path/`: the path at which the site is published. Default: `/`.
 * - `--out FOLDER`: the folder to write. Default: `tools/site/dist`.
 * - `--port NUMBER`: the port of `npm run site:dev`. Default: 5173.
 */
import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { generate } from "./Providers.ts"

const { positionals: [command = "build"], values: options } = parseArgs({
  allowPositionals: true,
  options: {
    base: { type: "string", default: "/" },
    out: { type: "string" },
    port: { type: "string" }
  }
})
if (command !== "build" && command !== "dev") throw new Error(`unknown command ${command}: write build or dev`)
if (!/^\/(?:.*\/)?$/.test(options.base)) throw new Error(`--base ${options.base} must begin and end with a slash`)

const here = import.meta.dirname
if (!existsSync(join(here, "node_modules/vitepress"))) {
  console.log("installing VitePress into tools/site …")
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" })
}

const providers = await Effect.runPromise(generate)
console.log(`${providers.length} providers`)

const vitepress = spawn(
  process.execPath,
  [
    join(here, "node_modules/vitepress/bin/vitepress.js"),
    command,
    here,
    ...(options.port === undefined ? [] : ["--port", options.port])
  ],
  {
    stdio: "inherit",
    env: { ...process.env, SITE_BASE: options.base, SITE_OUT: resolve(options.out ?? join(here, "dist")) }
  }
)
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => vitepress.kill(signal))
vitepress.on("exit", (code) => process.exit(code ?? 1))
