/**
 * Tests how many modules each entry point loads, since that determines how long a server needs to start. The test does not
 * measure the time instead, because a measured time is not exact, and a count is.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/** The source of a program that prints the URL of every module that the entry point loads, except modules of Node. */
const program = (entry: string) => `
  import { registerHooks } from "node:module"
  const urls = []
  registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
  await import(${JSON.stringify(entry)})
  console.log(JSON.stringify(urls.filter((url) => url.startsWith("file:"))))`

const modulesOf = (entry: string): ReadonlyArray<string> => {
  const options = ["--no-warnings", "--conditions=effect-mcp-auth/source", "--input-type=module", "--eval"]
  const { status, stderr, stdout } = spawnSync(process.execPath, [...options, program(entry)], {
    cwd: root,
    encoding: "utf8"
  })
  assert.strictEqual(status, 0, stderr)
  return JSON.parse(stdout)
}

/** The name of a module of Effect, such as `http/HttpClient`. */
const nameOf = (url: string): string | undefined => /\/node_modules\/effect\/dist\/(.+)\.js$/.exec(url)?.[1]

/**
 * The largest allowed numbers of modules: of this package, and of Effect. Lower a number when an entry point loads fewer
 * modules. Raise it only for a reason.
 */
const budgets = [
  { entry: "node", ours: 120, effect: 70 },
  { entry: "fetch", ours: 118, effect: 70 },
  { entry: "sdk-v1", ours: 149, effect: 70 },
  { entry: "sdk-v2", ours: 148, effect: 70 },
  { entry: "host", ours: 121, effect: 70 },
  { entry: "protocol", ours: 13, effect: 45 },
  { entry: "verification", ours: 68, effect: 73 },
  { entry: "introspection", ours: 69, effect: 73 },
  { entry: "public-url", ours: 40, effect: 70 },
  { entry: "policy", ours: 24, effect: 67 },
  { entry: "dpop", ours: 30, effect: 67 },
  { entry: "tenants", ours: 62, effect: 67 },
  { entry: "revocation", ours: 15, effect: 67 },
  { entry: "sessions", ours: 20, effect: 67 },
  { entry: "quotas", ours: 20, effect: 67 },
  { entry: "client", ours: 63, effect: 73 }
]

describe.each(budgets)("the entry point $entry", ({ effect, entry, ours }) => {
  it("loads no HTTP client or router of Effect, no Schema, no jose, and no more modules than its budget", () => {
    const urls = modulesOf(`effect-mcp-auth/${entry}`)
    const names = urls.flatMap((url) => nameOf(url) ?? [])
    assert.deepStrictEqual(names.filter((name) => /^(?:http\/|ai\/|Schema|Stream$|Channel$)/.test(name)), [])
    assert.deepStrictEqual(urls.filter((url) => url.includes("/node_modules/jose/")), [])
    assert.isAtMost(names.length, effect, "modules of effect")
    assert.isAtMost(urls.filter((url) => !url.includes("/node_modules/")).length, ours, "modules of this package")
  })
})
