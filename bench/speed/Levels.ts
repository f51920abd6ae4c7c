/** The levels of the benchmark. Those that need more than a function are in a file of the same name. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bundleSize, peers } from "./BundleSize.ts"
import * as Child from "./Child.ts"
import type { Measured as Memory } from "./Memory.ts"
import { type Level, number, type Settings, withQuartiles } from "./Report.ts"
import { ratio, shuffled, spread } from "./Stats.ts"
import type { Measured as Verified, Work } from "./Verify.ts"

export { client } from "./Clients.ts"
export { forged } from "./Forged.ts"
export { instances } from "./Instances.ts"
export { request } from "./Requests.ts"
export { start } from "./Start.ts"
export { tenants } from "./Tenants.ts"
export { tools } from "./Tools.ts"

export const verify = async ({ issuer, quick }: Settings): Promise<Level> => {
  const algorithms = quick ? ["RS256"] as const : ["RS256", "ES256", "EdDSA"] as const
  const floor = "crypto.verify, nothing else"
  const found = new Map<string, Verified>()
  for (const algorithm of algorithms) {
    const given: Work = {
      issuer: issuer.url,
      algorithm,
      tokens: await issuer.mint(algorithm, 200),
      plain: await issuer.mint(algorithm, 200, "JWT"),
      rounds: quick ? 3 : 5,
      milliseconds: quick ? 60 : 120
    }
    found.set(algorithm, await Child.work<Verified>("Verify.ts", given))
  }
  const names = Object.keys(found.get("RS256")!)
  const rs256 = found.get("RS256")!
  const seen = "effect-mcp-auth, seen before"
  return {
    tables: [{
      title: "Verifying a token in process",
      text: "CPU time, as a multiple of the bare signature check of the same algorithm.",
      columns: ["verifier", ...algorithms],
      rows: names.map((name) => [
        name,
        ...algorithms.map((algorithm) => {
          const measured = found.get(algorithm)!
          return measured[name] === undefined ? "–" : withQuartiles(ratio(measured[name], measured[floor]!))
        })
      ])
    }],
    goals: [
      {
        id: "verify/mcp-auth",
        what: "verifying a cached token in process (RS256): how many times faster than mcp-auth",
        reach: { atLeast: 30 },
        found: ratio(rs256["mcp-auth"]!, rs256[seen]!)
      },
      {
        id: "verify/new",
        what: "CPU to verify a new token in process (RS256): to the bare signature",
        reach: { atMost: 1.5 },
        found: ratio(rs256["effect-mcp-auth, every token new"]!, rs256[floor]!)
      }
    ]
  }
}

export const memory = async ({ million, quick }: Settings): Promise<Level> => {
  const { count, empty, end, full } = await Child.work<Memory>(
    "Memory.ts",
    million ? 1_000_000 : quick ? 40_000 : 100_000,
    ["--expose-gc"]
  )
  return {
    tables: [{
      title: "Memory",
      text: `The heap after ${
        count.toLocaleString("en")
      } distinct tokens, all valid, through a gate with the cache of 10,000.`,
      columns: ["", "MiB of heap"],
      rows: [["before the first token", number(empty)], ["cache full", number(full)], ["at the end", number(end)]]
    }],
    goals: [{
      id: "memory",
      what: `heap after ${count.toLocaleString("en")} distinct tokens, above that of the full cache`,
      reach: { atMost: 32 },
      found: spread([Math.max(0, end - full)]),
      unit: "MiB"
    }]
  }
}

const root = join(import.meta.dirname, "../..")

const tsc = join(root, "node_modules/typescript/bin/tsc")

const { exports: entryPoints } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

export const size = async (): Promise<Level> => {
  const rows: Array<ReadonlyArray<string>> = []
  for (const path of Object.keys(entryPoints).filter((path) => path !== "./package.json")) {
    const name = `effect-mcp-auth${path.slice(1)}`
    rows.push([`\`${name}\``, `${number(await bundleSize(`export * from "${name}"`, peers))} kB`])
  }
  const core = await bundleSize("export { AuthLayer, Principal, requireScopes } from \"effect-mcp-auth\"", peers)
  const fetch = await bundleSize("export * from \"effect-mcp-auth/fetch\"", [])
  rows.push(["`AuthLayer`, `Principal` and `requireScopes` alone", `${number(core)} kB`])
  rows.push(["`effect-mcp-auth/fetch` with effect and jose", `${number(fetch)} kB`])
  return {
    tables: [{
      title: "Size",
      text:
        "Bundled by esbuild with all exports, minified and compressed by gzip, without effect, jose and the SDKs. Chunks that are " +
        "imported on demand do not count.",
      columns: ["entry point", "size"],
      rows
    }],
    goals: [
      {
        id: "size/core",
        what: "bundle of `AuthLayer`, `Principal` and `requireScopes`, without effect and jose",
        reach: { atMost: 25 },
        found: spread([core]),
        unit: "kB"
      },
      {
        id: "size/fetch",
        what: "bundle of `effect-mcp-auth/fetch`, with effect and jose",
        reach: { atMost: 60 },
        found: spread([fetch]),
        unit: "kB"
      }
    ]
  }
}

/** Returns the source of a server with a hundred tools, with or without scopes that the compiler checks. */
const programWith = (scoped: boolean): string => {
  const tool = (index: number) => {
    const made =
      `Tool.make("tool_${index}", { parameters: Schema.Struct({ title: Schema.String, count: Schema.Int }), ` +
      "success: Schema.String })"
    return `const Tool${index} = ${scoped ? `requireScopes("scope:${index % 10}", "scope:all")(${made})` : made}`
  }
  const indexes = Array.from({ length: 100 }, (_, index) => index)
  const scopes = [...Array.from({ length: 10 }, (_, index) => `scope:${index}`), "scope:all"]
  return `
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { AuthLayer, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
${indexes.map(tool).join("\n")}
export const Tools = Toolkit.make(${indexes.map((index) => `Tool${index}`).join(", ")})
export const handlers = Tools.toLayer({
${indexes.map((index) => `  tool_${index}: ({ title }) => Effect.succeed(title)`).join(",\n")}
})
export const Auth = AuthLayer.make({
  resource: "https://todos.example.com/mcp",
  authorizationServers: ["https://auth.example.com"],
  scopes: ${JSON.stringify(scopes)}
})
export const Server = ${scoped ? "McpAuth" : "McpServer"}.layerHttp({
  name: "todos",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28],
  registrations: ${scoped ? "McpAuth" : "McpServer"}.toolkit(Tools).pipe(Layer.provide(handlers))
}).pipe(Layer.provide(Auth))
export const Main = HttpRouter.serve(Server).pipe(Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 })))
void requireScopes, void McpAuth, void McpServer
`
}

export const types = async ({ quick }: Settings): Promise<Level> => {
  const folder = mkdtempSync(join(import.meta.dirname, ".types-"))
  const kinds = ["guarded", "stock"] as const
  const seconds = { guarded: [] as Array<number>, stock: [] as Array<number> }
  const instantiations = { guarded: 0, stock: 0 }
  try {
    for (const kind of kinds) {
      mkdirSync(join(folder, kind))
      writeFileSync(join(folder, kind, "main.ts"), programWith(kind === "guarded"))
      writeFileSync(
        join(folder, kind, "tsconfig.json"),
        JSON.stringify({
          extends: "../../../../tsconfig.json",
          include: ["main.ts"],
          compilerOptions: { rootDir: root }
        })
      )
    }
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      for (const kind of shuffled(kinds)) {
        const output = execFileSync(
          process.execPath,
          [tsc, "--project", join(folder, kind, "tsconfig.json"), "--extendedDiagnostics", "--singleThreaded"],
          { encoding: "utf8", timeout: 60_000 }
        )
        const read = (name: string) => Number(new RegExp(`^${name}:\\s*([\\d.]+)`, "m").exec(output)?.[1])
        seconds[kind].push(read("Check time"))
        instantiations[kind] = read("Instantiations")
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    tables: [{
      title: "Types",
      text:
        "Checking an MCP server of 100 tools, two scopes each, with TypeScript's own clock; to the same tools on the stock `McpServer`.",
      columns: ["", "to the stock server"],
      rows: [
        ["time to check", withQuartiles(ratio(seconds.guarded, seconds.stock))],
        ["instantiations", number(instantiations.guarded / instantiations.stock)]
      ]
    }],
    goals: []
  }
}
