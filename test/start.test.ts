/**
 * Tests how many modules each entry point loads, and how large its bundle is, since that determines how long a server needs to
 * start. The test does not measure the time instead, because a measured time is not exact. `test/package.test.ts` tests what Node
 * loads of the packed tarball.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { bundleSize, peers } from "../bench/speed/BundleSize.ts"

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
 * The largest allowed numbers of modules, of this package and of Effect, and the largest allowed size of the bundle: minified and
 * compressed, with all exports, without other packages and without what is loaded on demand. Lower a number when an entry point
 * loads less. Raise it only for a reason.
 */
const budgets = [
  { entry: "node", ours: 124, effect: 70, kB: 53.6 },
  { entry: "fetch", ours: 122, effect: 70, kB: 51.6 },
  { entry: "sdk-v1", ours: 157, effect: 70, kB: 72 },
  { entry: "sdk-v2", ours: 156, effect: 70, kB: 69 },
  { entry: "host", ours: 125, effect: 70, kB: 51 },
  { entry: "protocol", ours: 13, effect: 45, kB: 6.5 },
  { entry: "verification", ours: 69, effect: 73, kB: 30 },
  { entry: "introspection", ours: 69, effect: 73, kB: 26 },
  { entry: "public-url", ours: 40, effect: 70, kB: 7 },
  { entry: "policy", ours: 24, effect: 67, kB: 7.5 },
  { entry: "dpop", ours: 31, effect: 67, kB: 11 },
  { entry: "tenants", ours: 63, effect: 67, kB: 26 },
  { entry: "revocation", ours: 15, effect: 67, kB: 6 },
  { entry: "sessions", ours: 20, effect: 67, kB: 7 },
  { entry: "quotas", ours: 20, effect: 67, kB: 6 },
  { entry: "client", ours: 63, effect: 73, kB: 23.6 },
  { entry: "client-events", ours: 20, effect: 73, kB: 7.5 },
  { entry: "token-exchange", ours: 60, effect: 73, kB: 16.8 },
  { entry: "sign-in", ours: 83, effect: 73, kB: 32.7 }
]

describe.each(budgets)("the entry point $entry", ({ effect, entry, kB, ours }) => {
  it("loads no HTTP client or router of Effect, no Schema, no jose, and no more modules than its budget", () => {
    const urls = modulesOf(`effect-mcp-auth/${entry}`)
    const names = urls.flatMap((url) => nameOf(url) ?? [])
    assert.deepStrictEqual(names.filter((name) => /^(?:http\/|ai\/|Schema|Stream$|Channel$)/.test(name)), [])
    assert.deepStrictEqual(urls.filter((url) => url.includes("/node_modules/jose/")), [])
    assert.isAtMost(names.length, effect, "modules of effect")
    assert.isAtMost(urls.filter((url) => !url.includes("/node_modules/")).length, ours, "modules of this package")
  })
  it("stays within its budget of bytes in a bundle", async () => {
    assert.isAtMost(await bundleSize(`export * from "effect-mcp-auth/${entry}"`, peers), kB, "kB of this package")
  })
})

describe("every entry point", () => {
  const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
  const entries = Object.entries<Record<string, string>>(exports).filter(([, target]) => typeof target !== "string")

  it.each(entries)("%s has a joined file for Node and separate modules for bundlers", (entry, target) => {
    // The first condition that matches counts, and bundlers for Node match both.
    assert.deepStrictEqual(Object.keys(target), ["effect-mcp-auth/source", "types", "module", "node", "default"])
    assert.strictEqual(target["module"], target["default"])
    assert.strictEqual(target["node"], `./dist/node/${entry === "." ? "index" : entry.slice(2)}.js`)
  })
})

/** The bundles that BENCHMARKS.md has goals for, with the largest allowed sizes in kB. The goals are 25 and 60 kB. */
const bundles = [
  {
    what: "the core",
    program: "export { AuthLayer, Principal, requireScopes } from \"effect-mcp-auth\"",
    external: peers,
    kB: 48
  },
  { what: "fetch and all packages", program: "export * from \"effect-mcp-auth/fetch\"", external: [], kB: 70.6 }
]

describe("the bundle", () => {
  it.each(bundles)("with $what stays within its budget of bytes", async ({ external, kB, program }) => {
    assert.isAtMost(await bundleSize(program, external), kB)
  })
  it("grows by at most 40 kB beyond the core with the proxy", async () => {
    const core = `export { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"`
    const proxy = `${core}; export { Admit, OAuthProxy, Upstream, UpstreamAccess } from "effect-mcp-auth/proxy"`
    assert.isAtMost(await bundleSize(proxy, peers) - await bundleSize(core, peers), 40)
  })
})
