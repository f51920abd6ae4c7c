import { afterAll, assert, beforeAll, describe, inject, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { follow, steps } from "../../tools/tutorials/Tutorial.ts"

const root = join(import.meta.dirname, "../..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

// The order matters: later tutorials use the files that `whoami` creates.
const pages = [
  "whoami",
  "todo-manager",
  "express",
  "migrate-from-mcp-auth",
  "edge",
  "tenants",
  "policies",
  "upstream",
  "proxy",
  "observability",
  "testing",
  "machine-client",
  "cli-client",
  "agent",
  "docs/fast-starts.md"
]

/** Reads the README of an example, or a page of `docs`. */
const read = (page: string) =>
  readFileSync(join(root, page.endsWith(".md") ? page : join("examples", page, "README.md")), "utf8")

/** If true, as in `npm run tutorials`, each page runs its own `npm install`. Otherwise, all pages share one installation. */
const each = process.env["TUTORIALS"] === "each"

const installs = /^npm (?:install|uninstall) (.*)\n/gm

/**
 * Returns the packages that an `npm install` line names, with the tarball in place of this package. The other packages have
 * the versions of package.json, or the latest versions if each page installs its packages.
 */
const packages = (names: string): ReadonlyArray<string> =>
  names.split(" ").map((name) => {
    if (name === manifest.name) return inject("tarball")
    const version = manifest.devDependencies[name] ?? manifest.dependencies[name]
    return each || version === undefined ? name : `${name}@${version}`
  })

/** The folder of the installed packages, relative to the folder of a page. */
const modules = each ? "node_modules" : "../node_modules"

const prepare = (commands: string): string =>
  commands.replaceAll(" node_modules/", ` ${modules}/`).replace(
    installs,
    (line, names: string) =>
      !each ? "" : line.startsWith("npm install ") ? `npm install ${packages(names).join(" ")}\n` : line
  )

describe("in an empty folder with the packed tarball", () => {
  let home: string

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "effect-mcp-auth-tutorials-"))
    if (each) return
    const lines = pages.flatMap((it) => [...read(it).matchAll(installs)]).filter(([line]) => line.includes(" install "))
    const names = [...new Set(lines.flatMap(([, names]) => packages(names!)))].filter((name) => !name.startsWith("-"))
    writeFileSync(join(home, "package.json"), JSON.stringify({ private: true, type: "module" }))
    const { status, stderr } = spawnSync("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...names], {
      cwd: home,
      encoding: "utf8"
    })
    assert.strictEqual(status, 0, stderr)
  })

  afterAll(() => rmSync(home, { recursive: true, force: true }))

  it.each(pages)("%s: its commands work, and print what the page shows", async (example) => {
    const page = read(example)
    assert.isAbove(steps(page).filter((it) => it.kind === "command").length, 1)
    await follow({ page, home, prepare })
  })
})

describe("a page that is wrong", () => {
  const block = (info: string, code: string) => `\`\`\`${info}\n${code}\n\`\`\`\n`
  const outcome = (...blocks: ReadonlyArray<string>) => {
    const home = mkdtempSync(join(tmpdir(), "effect-mcp-auth-tutorials-"))
    return follow({ page: blocks.join("\n"), home, prepare }).then(() => "right", ({ message }: Error) => message)
      .finally(() => rmSync(home, { recursive: true, force: true }))
  }
  const speaks = [
    block("js file=speak.js", `console.log("one\\ntwo\\nthree 12ms")\nsetInterval(() => {}, 1000)`),
    block("sh terminal=1", "node speak.js")
  ]

  it.each([
    ["what is printed", [block("sh", "echo one; echo two"), block("text", "one\ntwo")], /^right$/],
    ["a part of it, which says so", [block("sh", "echo one; echo two"), block("text", "one\n…")], /^right$/],
    ["a part of it, which does not", [block("sh", "echo one; echo two"), block("text", "one")], /two/],
    ["something else", [block("sh", "echo one"), block("text", "two")], /prints\s+one/],
    ["nothing for a program", [block("sh", "node --version")], /not on the page/],
    ["a command that fails", [block("sh", "false")], /ended with 1/],
    ["the log, later", [...speaks, block("text", "one\n…"), "", block("text", "three 7ms")], /^right$/],
    ["a log that no program wrote", [...speaks, block("text", "one\n…"), "", block("text", "four")], /The log prints/],
    ["JSON, with its layout", [block("sh", `echo '{"a":1}'`), block("json", `{ "a": 1 }`)], /^right$/],
    ["other JSON", [block("sh", `echo '{"a":1}'`), block("json", `{ "a": 2 }`)], /deeply/],
    ["what is for a clone", [block("sh clone", "false"), block("text clone", "anything")], /^right$/]
  ])("shows %s", async (_, blocks, expected) => assert.match(await outcome(...blocks), expected))
})
