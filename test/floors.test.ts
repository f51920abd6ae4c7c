import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { type Floor, floors } from "../tools/floors.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

interface Case {
  readonly file: string
  readonly line: string
  readonly rule: string | undefined
}

const allows = (file: string, ...lines: ReadonlyArray<string>): ReadonlyArray<Case> =>
  lines.map((line) => ({ file, line, rule: undefined }))

const rejects = (rule: string, file: string, ...lines: ReadonlyArray<string>): ReadonlyArray<Case> =>
  lines.map((line) => ({ file, line, rule }))

const imports = (...specifiers: ReadonlyArray<string>) => specifiers.map((it) => `import * as _ from "${it}"`)
const types = (...specifiers: ReadonlyArray<string>) => specifiers.map((it) => `import type * as _ from "${it}"`)

const floor = "no-restricted-imports"

/** Imports that are forbidden in every folder of the library. Folders whose row has `ours: "everything"` are an exception. */
const foreign = [
  "effect",
  "effect/http",
  "effect/ai",
  "effect-mcp-auth",
  "node:fs",
  "fs",
  "zod",
  "@effect/platform-node/NodeRuntime",
  "express"
]

/** A module of each package that at least one floor can import. */
const packages = [
  "effect/Effect",
  "effect/crypto/Mac",
  "effect/encoding/Base64Url",
  "effect/http/Headers",
  "effect/http/HttpClient",
  "effect/http/FetchHttpClient",
  "effect/http/HttpRouter",
  "effect/http/HttpServerRequest",
  "effect/ai/McpServer",
  "effect/persistence/Persistence",
  "effect/testing/TestClock",
  "@modelcontextprotocol/sdk/server/mcp.js",
  "@modelcontextprotocol/server",
  "jose"
]

const fits = (specifier: string, patterns: ReadonlyArray<string>) =>
  patterns.some((pattern) =>
    new RegExp(`^${pattern.replaceAll("**", "…").replaceAll("*", "[^/]*").replaceAll("…", ".*")}`).test(specifier)
  )

/** The cases of a floor: exactly the imports of its row are allowed in its folder and in its `internal` folder. */
const casesOfFloor = (row: Floor): ReadonlyArray<Case> => {
  const { folder, ours, oursAsTypes = [], packagesAsTypes = [] } = row
  if (ours === "everything") return []
  const others = floors.map((it) => it.folder).filter((it) => it !== folder)
  return [`src/${folder}`, `src/${folder}/internal`].flatMap((from) => {
    const file = `${from}/A.ts`
    const its = from.endsWith("/internal") ? [...row.packages, ...(row.packagesOfInternal ?? [])] : row.packages
    const to = (path: string) => relative(from, `src/${path}`).replace(/^(?!\.)/, "./")
    return [
      ...allows(file, ...imports("./B.ts", to(`${folder}/internal/b.ts`), to(`${folder}/B.ts`))),
      ...others.flatMap((other) =>
        ours.includes(other)
          ? [
            ...allows(file, ...imports(to(`${other}/B.ts`))),
            ...rejects(floor, file, ...imports(to(`${other}/internal/b.ts`)))
          ]
          : oursAsTypes.includes(other)
          ? [
            ...allows(file, ...types(to(`${other}/B.ts`))),
            ...rejects(floor, file, ...imports(to(`${other}/B.ts`)), ...types(to(`${other}/internal/b.ts`)))
          ]
          : rejects(floor, file, ...imports(to(`${other}/B.ts`)), ...types(to(`${other}/B.ts`)))
      ),
      ...packages.flatMap((specifier) =>
        fits(specifier, its)
          ? allows(file, ...imports(specifier))
          : fits(specifier, packagesAsTypes)
          ? [...allows(file, ...types(specifier)), ...rejects(floor, file, ...imports(specifier))]
          : rejects(floor, file, ...imports(specifier), ...types(specifier))
      ),
      ...rejects(floor, file, ...imports(...foreign), ...imports(to("index.ts"), to("cli/B.ts")))
    ]
  })
}

const cases: ReadonlyArray<Case> = [
  ...floors.flatMap(casesOfFloor),

  // All forms of an import are checked
  ...rejects(
    floor,
    "src/protocol/A.ts",
    `export * from "../verification/B.ts"`,
    `export { b } from "../verification/B.ts"`,
    `export const b = import("../verification/B.ts")`
  ),
  ...rejects("consistent-type-imports", "src/protocol/A.ts", `export type B = import("../verification/B.ts").B`),
  ...rejects(
    "no-import-type-side-effects",
    "src/authorization/A.ts",
    `import { type Toolkit } from "effect/ai/Toolkit"`
  ),

  // The main entry point exports no optional feature, and no adapter that needs more than effect
  ...allows(
    "src/index.ts",
    `export * as A from "./protocol/A.ts"`,
    `export * as C from "./verification/claims/C.ts"`,
    `export * as B from "./servers/effect/B.ts"`
  ),
  ...rejects(
    floor,
    "src/index.ts",
    `export * as McpAuth from "./servers/mcp/McpAuth.ts"`,
    `export * as V1 from "./servers/sdk-v1/McpAuthSdk.ts"`,
    `export * as I from "./verification/tokens/internal/i.ts"`,
    `export * as T from "./verification/dpop/T.ts"`,
    `export * as O from "./outbound/O.ts"`,
    `export * as C from "./testing/C.ts"`,
    `export * as D from "./cli/D.ts"`,
    `export * from "effect/Schema"`,
    `export * from "jose"`
  ),

  // Only the command can import modules of Node and use the console
  ...allows(
    "src/cli/main.ts",
    ...imports("node:fs", "@effect/platform-node/NodeRuntime", "effect", "../provider/B.ts", "../index.ts"),
    `console.log("hello")`
  ),

  // A folder without a row can import nothing
  ...rejects(floor, "src/elsewhere/A.ts", ...imports("effect/Effect", "./B.ts")),

  // The library uses Effect for logs, time and network
  ...rejects("no-console", "src/protocol/A.ts", `console.log("hello")`),
  ...rejects("no-restricted-properties", "src/verification/A.ts", "export const now = Date.now()"),
  ...rejects("no-restricted-globals", "src/verification/A.ts", `export const answer = fetch("https://example.com")`),

  // Examples import only packages, as their readers do
  ...allows("examples/whoami/main.ts", ...imports("effect", "effect-mcp-auth", "../authorization-server/B.ts")),
  ...rejects(floor, "examples/whoami/main.ts", ...imports("../../src/index.ts")),

  // Tests and examples take keys, tokens and authorization servers from the testing kit
  ...["test/A.test.ts", "test/verification/A.ts", "examples/whoami/test/A.test.ts"].flatMap((file) => [
    ...allows(
      file,
      `import { decodeJwt, jwtVerify, type JWTPayload } from "jose"`,
      `import type { JWK } from "jose"`,
      `import { createHash, randomUUID } from "node:crypto"`,
      `import { FetchHttpClient, HttpClient } from "effect/http"`,
      `export const client = HttpClient.mapRequest(own, (_) => _)`
    ),
    ...rejects(
      floor,
      file,
      ...imports("jose", "node:crypto", "effect/http/HttpClient"),
      `import { SignJWT } from "jose"`,
      `import { exportJWK, generateKeyPair } from "jose"`,
      `import { generateKeyPairSync } from "node:crypto"`,
      `import { sign } from "node:crypto"`
    ),
    ...rejects(
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

/**
 * Files that create keys, tokens or clients without the testing kit. Each states its reason in the comment that disables the
 * lint rule.
 */
const besideTheKit = [
  "bench/speed/Memory.ts",
  "bench/speed/TenantDay.ts",
  "examples/authorization-server/AuthorizationServer.ts",
  "examples/machine-client/keys.ts",
  "examples/policies/test/policies.test.ts",
  "examples/testing/notes.node.ts",
  "test/client/events.test.ts",
  "test/client/extensions.test.ts",
  "test/client/officialClients.test.ts",
  "test/conformance/client/program.ts",
  "test/outbound/Discovery.test.ts",
  "test/provider/probe/certificate.ts",
  "test/providers/debian/pemKeys.ts",
  "test/providers/sdkDemo.ts",
  "test/providers/sdkDemoWorker.ts",
  "test/servers/policyServers.ts",
  "test/threats/keys.test.ts"
]

/**
 * Files that start HTTP servers. The linter cannot check the purpose of a server, so this list records that none of these
 * servers is an authorization server.
 */
const serversByHand = [
  "bench/speed/SharedRedis.ts", // a proxy in front of Redis, which delays what it forwards
  "bench/speed/servers.ts", // servers without authorization, as the baseline of measurements
  "bench/speed/toolServers.ts", // MCP servers that are measured
  "test/cli/Network.test.ts", // a server that records its requests
  "test/cli/call.test.ts", // servers that do not answer, and that answer with commands to the terminal
  "test/cli/page/Page.test.ts", // an MCP server
  "test/cli/page/browser.test.ts", // an MCP server with faults
  "test/client/rebinding.test.ts", // an MCP server whose metadata name a host that changes its address
  "test/clients/drivers/useMcp.ts", // a page for the browser
  "test/outbound/AddressGuard.test.ts", // a server at a private address, which counts its connections
  "test/outbound/Fetcher.test.ts", // responses that no issuer gives: broken, endless, too large
  "test/provider/probe/ConnectionFailure.test.ts", // servers that reject or break the connection
  "test/reverseProxies.test.ts", // a server behind a reverse proxy
  "test/servers/extensions.test.ts", // the transport of SDK v1 behind the gate
  "test/servers/host/BodyMethods.test.ts", // handlers that use the result of a body parser
  "test/servers/host/HeldResponse.test.ts", // handlers that send their response in different ways
  "test/servers/host/NodeHeaders.test.ts", // middleware that changes headers, in front of each server adapter
  "test/servers/hosts/hosts.ts", // a server adapter under test
  "test/servers/optionLayer.test.ts", // a gate under test, in front of a handler
  "test/servers/routeStreams.test.ts", // a route under test
  "test/servers/standardSchema.test.ts", // a server adapter under test
  "test/servers/tenants/hosts.ts", // a server adapter under test, with a route for each tenant
  "test/site/builtSite.ts" // the files of the documentation site
]

interface Diagnostic {
  readonly code?: string
  readonly message: string
  readonly filename: string
  readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
}

/** Two files that import types of each other. */
const cycle: ReadonlyArray<readonly [file: string, line: string]> = [
  ["src/protocol/Cycle1.ts", `import type { B } from "./Cycle2.ts"`],
  ["src/protocol/Cycle2.ts", `import type { A } from "./Cycle1.ts"`]
]

const files = [...new Set(cases.map((it) => it.file))]
const casesOf = (file: string) => cases.filter((it) => it.file === file)

/** The rules that enforce the floors. Findings of other rules in these invented files are ignored. */
const held = new Set(cases.flatMap((it) => it.rule ?? []))

/** Runs the linter once, over a tree of files that has a line for each case. */
const lint = (): ReadonlyArray<Diagnostic> => {
  const tree = mkdtempSync(join(tmpdir(), "effect-mcp-auth-floors-"))
  try {
    for (const file of ["oxlint.config.ts", "tools/floors.ts"]) {
      mkdirSync(dirname(join(tree, file)), { recursive: true })
      copyFileSync(join(root, file), join(tree, file))
    }
    symlinkSync(join(root, "node_modules"), join(tree, "node_modules"))
    for (const file of files) {
      mkdirSync(dirname(join(tree, file)), { recursive: true })
      const lines = casesOf(file).map((it, index) => it.line.replace("* as _ ", `* as _${index} `))
      writeFileSync(join(tree, file), lines.join("\n") + "\n")
    }
    for (const [file, line] of cycle) writeFileSync(join(tree, file), `${line}\n`)
    const run = spawnSync(
      process.execPath,
      [join(root, "node_modules/oxlint/bin/oxlint"), "--format=json", "src", "test", "examples"],
      { cwd: tree, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }
    )
    return JSON.parse(run.stdout).diagnostics
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

describe("the floors", () => {
  const diagnostics = lint()

  const rules = new Map<string, Array<string>>()
  for (const { code, filename, labels, message } of diagnostics) {
    const line = `${filename.replaceAll("\\", "/")}:${labels[0]?.span.line}`
    rules.set(line, [...rules.get(line) ?? [], code?.replace(/^.*\((.*)\)$/, "$1") ?? message])
  }
  const rulesAt = (file: string, line: number): ReadonlyArray<string> => rules.get(`${file}:${line}`) ?? []

  it("have a row for every folder of src with files", () => {
    const folders = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && name.includes("/"))
      .map((name) => dirname(name).replace(/\/internal$/, ""))
    const rows = floors.map((it) => it.folder)
    for (const folder of new Set(folders)) {
      assert.isTrue(rows.includes(folder) || folder.startsWith("cli/"), `${folder} has a row in tools/floors.ts`)
    }
  })

  // The linter does not check a file that it cannot parse, so its lines would count as allowed.
  it("checks files that parse", () => {
    assert.deepStrictEqual(diagnostics.filter((it) => it.code === undefined), [])
  })

  it.each(files)("accept and reject the right imports in %s", (file) => {
    const verdict = (rule: string | undefined, line: string) => `${rule ?? "fine"}: ${line}`
    assert.deepStrictEqual(
      casesOf(file).map((it, index) => verdict(rulesAt(file, index + 1).find((rule) => held.has(rule)), it.line)),
      casesOf(file).map((it) => verdict(it.rule, it.line))
    )
  })

  const filesWith = (pattern: RegExp): ReadonlyArray<string> =>
    ["test", "bench", "examples"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
        .filter((file) => file.endsWith(".ts") && !file.includes("/node_modules/") && file !== "test/floors.test.ts")
        .filter((file) => pattern.test(readFileSync(join(root, file), "utf8")))
    ).toSorted()

  it("have only the exceptions for tests that are listed here", () => {
    assert.deepStrictEqual(filesWith(/(?:ox|es)lint-disable/), besideTheKit)
  })

  it("find only protected servers and the kit's listener in tests", () => {
    assert.deepStrictEqual(
      filesWith(/createServer\((?!\(req, res\) => issuer\.listener)(?:async )?\(\w/),
      serversByHand
    )
  })

  it("have no cycles, including type imports", () => {
    for (const [file] of cycle) assert.include(rulesAt(file, 1), "no-cycle")
  })
})
