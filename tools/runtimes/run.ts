/**
 * `npm run runtimes`: installs the packed tarball as users do, and runs one program with it on every runtime that
 * package.json names in `engines` or that the README lists as supported. Bun and Deno also serve the recipe of
 * `examples/hosts`. The runtimes come from npm.
 *
 * `npm run runtimes -- node@20.19 bun` runs only these runtimes.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

interface Runtime {
  /** The npm package of the runtime, with its version. */
  readonly packageName: string
  /** The programs that the runtime runs. Default: `program.mjs`. */
  readonly programs?: ReadonlyArray<string>
  readonly command: (folder: string) => readonly [string, ...ReadonlyArray<string>]
}

const node = (version: string): Runtime => ({
  packageName: `node@${version}`,
  command: (folder) => [join(folder, "node_modules/node/bin/node")]
})

const runtimes: Readonly<Record<string, Runtime>> = {
  "node@20.19": node("20.19"),
  "node@22": node("22"),
  "node@24": node("24"),
  bun: {
    packageName: "bun@1",
    programs: ["program.mjs", "recipe.mjs"],
    command: (folder) => [join(folder, "node_modules/.bin/bun")]
  },
  deno: {
    packageName: "deno@2",
    programs: ["program.mjs", "recipe.mjs"],
    command: (folder) => [join(folder, "node_modules/.bin/deno"), "run", "--allow-all", "--no-prompt"]
  }
}

const root = join(import.meta.dirname, "../..")
const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !Object.hasOwn(runtimes, name))
if (unknown.length > 0) {
  console.error(`unknown runtime: ${unknown.join(", ")}; known are ${Object.keys(runtimes).join(", ")}`)
  process.exit(2)
}

// `npm run` sets this variable to this repository. The `npm install` below would then install into this repository.
const { npm_config_local_prefix: _, ...env } = process.env
const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
  execFileSync("npm", ["--loglevel=error", ...args], { cwd, env, stdio: ["ignore", "ignore", "inherit"] })

const home = mkdtempSync(join(tmpdir(), "effect-mcp-auth-runtimes-"))
const failed: Array<string> = []
try {
  npm(root, "pack", "--pack-destination", home)
  const tarball = join(home, readdirSync(home).find((name) => name.endsWith(".tgz"))!)
  const consumer = join(home, "consumer")
  mkdirSync(consumer)
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ private: true, type: "module" }))
  for (const file of ["program.mjs", "recipe.mjs"]) copyFileSync(join(import.meta.dirname, file), join(consumer, file))
  mkdirSync(join(consumer, "hosts"))
  for (const file of ["serve.ts", "fetch.ts", "NotesV2.ts"]) {
    copyFileSync(join(root, "examples/hosts", file), join(consumer, "hosts", file))
  }
  const packages = ["effect", "@modelcontextprotocol/server"].map((name) => `${name}@${devDependencies[name]}`)
  npm(consumer, "install", "--prefer-offline", "--no-audit", "--no-fund", tarball, ...packages)
  for (const [name, { command, packageName, programs = ["program.mjs"] }] of Object.entries(runtimes)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    const folder = join(home, name)
    mkdirSync(folder)
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }))
    npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", packageName)
    const [program, ...args] = command(folder)
    const version = spawnSync(program, ["--version"], { encoding: "utf8" }).stdout?.trim().split("\n")[0]
    for (const file of programs) {
      const { error, status, stderr, stdout } = spawnSync(program, [...args, file], {
        cwd: consumer,
        encoding: "utf8",
        timeout: 120_000
      })
      const lastLine = stdout?.trim().split("\n").at(-1) ?? ""
      console.log(`${name} (${version}): ${status === 0 ? lastLine : `${file} failed`}`)
      if (status !== 0) {
        failed.push(name)
        // Standard output also contains the log of rejected requests, so only its end is useful.
        console.error(error?.message ?? `ended with ${status}`, stdout.slice(-500), stderr)
      }
    }
  }
} finally {
  rmSync(home, { recursive: true, force: true })
  // `npm pack` writes `dist`, which the linter would check.
  rmSync(join(root, "dist"), { recursive: true, force: true })
}
if (failed.length > 0) {
  console.error(`failed on ${failed.join(", ")}`)
  process.exit(1)
}
