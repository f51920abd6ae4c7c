import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const floors = ["protocol", "verification", "authorization", "servers", "provider", "testing", "cli"]

interface Case {
  readonly file: string
  readonly line: string
  readonly rule: string | undefined
}

const allows = (file: string, ...lines: ReadonlyArray<string>): ReadonlyArray<Case> =>
  lines.map((line) => ({ file, line, rule: undefined }))

const refuses = (rule: string, file: string, ...lines: ReadonlyArray<string>): ReadonlyArray<Case> =>
  lines.map((line) => ({ file, line, rule }))

const imports = (...specifiers: ReadonlyArray<string>) => specifiers.map((it) => `import * as _ from "${it}"`)
const types = (...specifiers: ReadonlyArray<string>) => specifiers.map((it) => `import type * as _ from "${it}"`)

const floor = "no-restricted-imports"

/** What every folder of the library does without. */
const foreign = [
  "effect",
  "effect/http",
  "effect/ai",
  "effect-mcp-auth",
  "node:fs",
  "fs",
  "zod",
  "@effect/platform-node/NodeRuntime",
  "effect/testing/TestClock"
]

const sdk = ["@modelcontextprotocol/sdk/server/mcp.js", "@modelcontextprotocol/server"]
const composition = ["../AuthLayer.ts", "../index.ts", "../mcp.ts"]

const cases: ReadonlyArray<Case> = [
  // protocol: pure
  ...allows("src/protocol/A.ts", ...imports("./B.ts", "./internal/b.ts", "effect/Schema", "effect/http/Headers")),
  ...allows("src/protocol/internal/a.ts", ...imports("./b.ts", "../B.ts", "effect/Schema")),
  ...refuses(
    floor,
    "src/protocol/A.ts",
    ...imports(...foreign, ...sdk, ...composition, "jose", "effect/http/HttpClient", "effect/http/FetchHttpClient"),
    ...imports(...floors.slice(1).map((it) => `../${it}/B.ts`)),
    ...types("../verification/B.ts", "effect/ai/Tool", "jose"),
    `export * from "../verification/B.ts"`,
    `export { b } from "../verification/B.ts"`,
    `export const b = import("../verification/B.ts")`
  ),
  ...refuses(
    floor,
    "src/protocol/internal/a.ts",
    ...imports("../../verification/B.ts", "../../AuthLayer.ts", "../../index.ts", "jose")
  ),
  ...refuses("consistent-type-imports", "src/protocol/A.ts", `export type B = import("../verification/B.ts").B`),

  // verification: jose lives here
  ...allows(
    "src/verification/A.ts",
    ...imports("jose", "./B.ts", "./internal/b.ts", "../protocol/B.ts", "effect/http/HttpClient", "effect/Clock"),
    ...types("effect/persistence/Persistence")
  ),
  ...allows("src/verification/internal/a.ts", ...imports("jose", "./b.ts", "../B.ts", "../../protocol/B.ts")),
  ...refuses(
    floor,
    "src/verification/A.ts",
    ...imports(...foreign, ...sdk, ...composition, "effect/ai/Tool", "effect/http/HttpRouter"),
    ...imports("effect/http/HttpServerRequest", "../protocol/internal/b.ts", "effect/persistence/Persistence"),
    ...imports(...floors.slice(2).map((it) => `../${it}/B.ts`))
  ),
  ...refuses(
    floor,
    "src/verification/internal/a.ts",
    ...imports("../../authorization/B.ts", "../../AuthLayer.ts", "../../protocol/internal/b.ts")
  ),

  // authorization: effect/ai by its types only
  ...allows(
    "src/authorization/A.ts",
    ...imports("./B.ts", "./internal/b.ts", "../protocol/B.ts", "../verification/B.ts"),
    ...types("effect/ai/Tool"),
    `import type { Tool } from "effect/ai/Tool"`
  ),
  ...refuses(
    floor,
    "src/authorization/A.ts",
    ...imports(...foreign, ...sdk, ...composition, "jose", "effect/ai/Tool", "effect/http/HttpRouter"),
    ...imports("../verification/internal/b.ts"),
    ...imports(...floors.slice(3).map((it) => `../${it}/B.ts`)),
    `export * from "effect/ai/Tool"`
  ),
  ...refuses(
    "no-import-type-side-effects",
    "src/authorization/A.ts",
    `import { type Toolkit } from "effect/ai/Toolkit"`
  ),

  // servers: each adapter by itself
  ...allows(
    "src/servers/A.ts",
    ...imports("./internal/b.ts", "../protocol/B.ts", "../verification/B.ts", "../authorization/B.ts"),
    ...imports("effect/http/HttpRouter")
  ),
  ...refuses(
    floor,
    "src/servers/A.ts",
    ...imports(...foreign, ...sdk, ...composition, "jose", "effect/ai/McpServer", "./B.ts", "./McpAuth.ts"),
    ...imports(...floors.slice(4).map((it) => `../${it}/B.ts`))
  ),
  ...allows(
    "src/servers/McpAuth.ts",
    ...imports("effect/ai/McpServer", "effect/http/HttpRouter", "./internal/b.ts", "./McpAuthSession.ts"),
    ...imports("../authorization/B.ts")
  ),
  ...refuses(floor, "src/servers/McpAuth.ts", ...imports(...foreign, ...sdk, ...composition, "jose", "./B.ts")),
  ...allows("src/servers/sdk-v1.ts", ...imports(...sdk, "./internal/b.ts", "../authorization/B.ts")),
  ...refuses(
    floor,
    "src/servers/sdk-v1.ts",
    ...imports(...foreign, ...composition, "jose", "effect/ai/McpServer", "./sdk-v2.ts", "./McpAuth.ts")
  ),
  ...allows("src/servers/internal/a.ts", ...imports("./b.ts", "../../authorization/B.ts")),
  ...refuses(
    floor,
    "src/servers/internal/a.ts",
    ...imports(...foreign, ...sdk, "../A.ts", "../McpAuth.ts", "effect/ai/McpServer", "../../AuthLayer.ts")
  ),
  ...allows("src/servers/internal/mcpSession.ts", ...imports("./b.ts", "effect/ai/McpServer")),
  ...refuses(floor, "src/servers/internal/mcpSession.ts", ...imports(...foreign, ...sdk, "../McpAuth.ts")),

  // provider: no servers
  ...allows(
    "src/provider/A.ts",
    ...imports("./B.ts", "./internal/b.ts", "./profiles/B.ts", "./facts/B.ts"),
    ...imports("../protocol/B.ts", "../verification/B.ts", "../authorization/B.ts")
  ),
  ...allows("src/provider/profiles/A.ts", ...imports("../internal/b.ts", "../../verification/B.ts")),
  ...refuses(
    floor,
    "src/provider/profiles/A.ts",
    ...imports("../../verification/internal/b.ts", "../../servers/B.ts", "../../AuthLayer.ts", "../../index.ts")
  ),
  ...refuses(
    floor,
    "src/provider/A.ts",
    ...imports(...foreign, ...sdk, ...composition, "jose", "effect/ai/Tool", "../servers/B.ts", "../testing/B.ts")
  ),

  // testing: every floor above, and the composition
  ...allows(
    "src/testing/A.ts",
    ...imports("jose", "effect/testing/TestClock", "../AuthLayer.ts"),
    ...imports(...floors.slice(0, 5).map((it) => `../${it}/B.ts`))
  ),
  ...refuses(
    floor,
    "src/testing/A.ts",
    ...imports(...sdk, "effect", "node:fs", "@effect/platform-node/NodeRuntime", "../index.ts", "../cli/B.ts")
  ),

  // the top: the core loads no adapter that needs more than effect
  ...allows(
    "src/AuthLayer.ts",
    ...imports("./protocol/B.ts", "./verification/B.ts", "./authorization/B.ts", "./servers/B.ts", "effect/Layer")
  ),
  ...refuses(
    floor,
    "src/AuthLayer.ts",
    ...imports(...foreign, ...sdk, "jose", "effect/ai/McpServer", "./index.ts", "./mcp.ts"),
    ...imports("./servers/McpAuth.ts", "./servers/sdk-v1.ts", "./provider/B.ts", "./testing/B.ts", "./cli/B.ts")
  ),
  ...allows("src/index.ts", `export * as A from "./protocol/A.ts"`, `export { B } from "./AuthLayer.ts"`),
  ...refuses(
    floor,
    "src/index.ts",
    `export * as McpAuth from "./servers/McpAuth.ts"`,
    `export * as V1 from "./servers/sdk-v1.ts"`,
    `export * as C from "./testing/C.ts"`,
    `export * as D from "./cli/D.ts"`,
    `export * from "effect/Schema"`,
    `export * from "jose"`
  ),
  ...allows("src/mcp.ts", `export * as McpAuth from "./servers/McpAuth.ts"`),
  ...refuses(floor, "src/mcp.ts", `export * as V1 from "./servers/sdk-v1.ts"`, `export * from "effect/ai/McpServer"`),
  ...allows("src/testing.ts", `export * as A from "./testing/A.ts"`),
  ...refuses(floor, "src/testing.ts", `export * as C from "./cli/A.ts"`, `export * from "node:fs"`),

  // the command: the only place with Node and a console
  ...allows(
    "src/cli/main.ts",
    ...imports("node:fs", "@effect/platform-node/NodeRuntime", "effect", "../provider/B.ts", "../index.ts"),
    `console.log("hello")`
  ),

  // a folder nobody has thought of
  ...refuses(floor, "src/elsewhere/A.ts", ...imports("effect/Effect", "./B.ts")),

  // the library says nothing by itself, and takes time and network from Effect
  ...refuses("no-console", "src/protocol/A.ts", `console.log("hello")`),
  ...refuses("no-restricted-properties", "src/verification/A.ts", "export const now = Date.now()"),
  ...refuses("no-restricted-globals", "src/verification/A.ts", `export const answer = fetch("https://example.com")`),

  // examples: only what their readers have
  ...allows("examples/whoami/main.ts", ...imports("effect", "effect-mcp-auth", "../authorization-server/B.ts")),
  ...refuses(floor, "examples/whoami/main.ts", ...imports("../../src/index.ts")),

  // tests and examples: keys, tokens and providers are those of the kit
  ...["test/A.test.ts", "test/verification/A.ts", "examples/whoami/test/A.test.ts"].flatMap((file) => [
    ...allows(
      file,
      `import { decodeJwt, jwtVerify, type JWTPayload } from "jose"`,
      `import type { JWK } from "jose"`,
      `import { createHash, randomUUID } from "node:crypto"`,
      `import { FetchHttpClient, HttpClient } from "effect/http"`,
      `export const client = HttpClient.mapRequest(own, (_) => _)`
    ),
    ...refuses(
      floor,
      file,
      ...imports("jose", "node:crypto", "effect/http/HttpClient"),
      `import { SignJWT } from "jose"`,
      `import { exportJWK, generateKeyPair } from "jose"`,
      `import { generateKeyPairSync } from "node:crypto"`,
      `import { sign } from "node:crypto"`
    ),
    ...refuses(
      "no-restricted-properties",
      file,
      `export const answering = HttpClient.make(() => answer)`,
      `export const { make } = HttpClient`,
      `export const stubbed = Layer.succeed(FetchHttpClient.Fetch, stub)`,
      `export const pair = crypto.subtle.generateKey("Ed25519", true, ["sign"])`,
      `export const pairs = (await import("jose")).generateKeyPair("ES256")`
    )
  ]),
  ...allows(
    "test/testing/A.test.ts",
    ...imports("jose", "node:crypto"),
    `export const a = HttpClient.make(() => answer)`
  )
]

/** Where tests make what the kit does not, each with its reason beside it. */
const besideTheKit = [
  "examples/authorization-server/AuthorizationServer.ts",
  "examples/testing/notes.node.ts",
  "test/bench/Memory.ts",
  "test/threats/keys.test.ts",
  "test/verification/Discovery.test.ts"
]

/** Where a test answers HTTP by itself. No linter sees what for, so here is who does, and that it is no provider. */
const serversByHand = [
  "test/bench/servers.ts", // the floor of what is measured
  "test/bench/toolServers.ts", // MCP servers, measured
  "test/cli/page/Page.test.ts", // an MCP server
  "test/cli/page/browser.test.ts", // an imperfect one
  "test/servers/BodyMethods.test.ts", // handlers that execute whatever a body parser left
  "test/servers/hosts/hosts.ts", // a host under test
  "test/servers/routeStreams.test.ts", // a route under test
  "test/servers/tenants/hosts.ts", // the same with a route for each tenant
  "test/verification/AddressGuard.test.ts" // a machine inside, to count who comes
]

interface Diagnostic {
  readonly code?: string
  readonly message: string
  readonly filename: string
  readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
}

/** Two files that know each other, though only by their types. */
const cycle: ReadonlyArray<readonly [file: string, line: string]> = [
  ["src/protocol/Cycle1.ts", `import type { B } from "./Cycle2.ts"`],
  ["src/protocol/Cycle2.ts", `import type { A } from "./Cycle1.ts"`]
]

const files = [...new Set(cases.map((it) => it.file))]
const casesOf = (file: string) => cases.filter((it) => it.file === file)

/** The rules that hold the floors; what else the linter says about these made-up lines does not matter here. */
const held = new Set(cases.flatMap((it) => it.rule ?? []))

/** One run of the linter over a tree that has a line for each case. */
const lint = (): ReadonlyArray<Diagnostic> => {
  const tree = mkdtempSync(join(tmpdir(), "effect-mcp-auth-floors-"))
  try {
    copyFileSync(join(root, ".oxlintrc.json"), join(tree, ".oxlintrc.json"))
    for (const file of files) {
      mkdirSync(dirname(join(tree, file)), { recursive: true })
      const lines = casesOf(file).map((it, index) => it.line.replace("* as _ ", `* as _${index} `))
      writeFileSync(join(tree, file), lines.join("\n") + "\n")
    }
    for (const [file, line] of cycle) writeFileSync(join(tree, file), `${line}\n`)
    const run = spawnSync(
      process.execPath,
      [join(root, "node_modules/oxlint/bin/oxlint"), "--format=json", "src", "test", "examples"],
      { cwd: tree, encoding: "utf8" }
    )
    return JSON.parse(run.stdout).diagnostics
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

describe("the floors", () => {
  const diagnostics = lint()

  const rulesAt = (file: string, line: number): ReadonlyArray<string> =>
    diagnostics
      .filter((it) => it.filename.replaceAll("\\", "/") === file && it.labels[0]?.span.line === line)
      .map((it) => it.code?.replace(/^.*\((.*)\)$/, "$1") ?? it.message)

  it("has an entry for every folder of src", () => {
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((it) => it.isDirectory())
    for (const { name } of folders) assert.include(floors, name)
  })

  // A file that does not parse is not linted, and would pass as allowed.
  it("judges files that parse", () => {
    assert.deepStrictEqual(diagnostics.filter((it) => it.code === undefined), [])
  })

  it.each(files)("holds in %s", (file) => {
    const verdict = (rule: string | undefined, line: string) => `${rule ?? "fine"}: ${line}`
    assert.deepStrictEqual(
      casesOf(file).map((it, index) => verdict(rulesAt(file, index + 1).find((rule) => held.has(rule)), it.line)),
      casesOf(file).map((it) => verdict(it.rule, it.line))
    )
  })

  const filesWith = (pattern: RegExp): ReadonlyArray<string> =>
    ["test", "examples"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
        .filter((file) => file.endsWith(".ts") && !file.includes("/node_modules/") && file !== "test/floors.test.ts")
        .filter((file) => pattern.test(readFileSync(join(root, file), "utf8")))
    ).toSorted()

  it("has the exceptions for tests that are listed here, and no other", () => {
    assert.deepStrictEqual(filesWith(/(?:ox|es)lint-disable/), besideTheKit)
  })

  it("sees no server in a test but protected ones, and the listener of the kit", () => {
    assert.deepStrictEqual(
      filesWith(/createServer\((?!\(req, res\) => issuer\.listener)(?:async )?\(\w/),
      serversByHand
    )
  })

  it("has no cycles, not even of types", () => {
    for (const [file] of cycle) assert.include(rulesAt(file, 1), "no-cycle")
  })
})
