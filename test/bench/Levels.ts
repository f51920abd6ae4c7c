/** The levels of the benchmark. */
import { build } from "esbuild"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import * as Child from "./Child.ts"
import type { Measured as Handled } from "./Handler.ts"
import * as Load from "./Load.ts"
import type { Measured as Memory } from "./Memory.ts"
import { type Goal, type Level, number, type Table, withQuartiles } from "./Report.ts"
import { ratio, shuffled, type Spread, spread } from "./Stats.ts"
import type { Measured as Verified, Work } from "./Verify.ts"

export interface Settings {
  readonly issuer: Child.Issuer
  readonly quick: boolean
  /** Whether those contenders alone take part that a goal is about. */
  readonly few: boolean
  /** Whether the level "memory" takes a million tokens, which takes minutes, or a hundred thousand. */
  readonly million: boolean
}

interface Sample {
  /** Microseconds of the server's CPU for a request. */
  readonly cpu: number
  /** Requests in a second. */
  readonly rate: number
}

type Samples = ReadonlyMap<string, ReadonlyArray<Sample>>

/** So many milliseconds at the beginning of a round count for nothing: the caches of the machine belong to others then. */
const leadIn = 150

/**
 * Rounds of load on several servers that are warm, in a new order each time. Of processes with the same name another one
 * serves in each round: what the compiler made of the same code differs by a tenth.
 */
const rounds = async (
  servers: ReadonlyArray<Child.Server>,
  requestsOf: (name: string) => ReadonlyArray<Buffer>,
  expected: (name: string) => ReadonlyArray<string>,
  { count, milliseconds, once = () => false, warm }: {
    readonly count: number
    readonly milliseconds: number
    /** Ends with either. What is young is compiled while it runs, which takes CPU time, too: the more the more code there is. */
    readonly warm: { readonly milliseconds: number; readonly requests: number }
    /** Whether this server may see no request twice: a round ends where they do. */
    readonly once?: (name: string) => boolean
  }
): Promise<Samples> => {
  const names = [...new Set(servers.map(({ name }) => name))]
  const samples = new Map<string, Array<Sample>>(names.map((name) => [name, []]))
  const next = new Map<Child.Server, number>()
  const load = async (server: Child.Server, enough: (sent: number, passed: number) => boolean) => {
    const { name, port } = server
    const requests = requestsOf(name)
    const from = next.get(server) ?? 0
    const outcome = await Load.run(port, requests, {
      from,
      until: (sent, passed) => (once(name) && from + sent >= requests.length) || enough(sent, passed)
    })
    next.set(server, from + outcome.count)
    const wrong = Object.keys(outcome.statuses).find((status) => !expected(name).includes(status))
    if (wrong !== undefined) throw new Error(`${name} answers ${wrong}: ${outcome.body}`)
    return outcome
  }
  for (const server of servers) {
    await load(server, (sent, passed) => sent >= warm.requests || passed > warm.milliseconds)
  }
  for (let round = 0; round < count; round++) {
    for (const name of shuffled(names)) {
      const processes = servers.filter((server) => server.name === name)
      const server = processes[round % processes.length]!
      await load(server, (_, passed) => passed > leadIn)
      const before = await server.cpu()
      const outcome = await load(server, (_, passed) => passed > milliseconds)
      if (outcome.count < 100) {
        // Who has no requests left is measured no more.
        if (round < 2) throw new Error(`${name} has no requests left for round ${round}`)
        continue
      }
      const used = await server.cpu() - before
      samples.get(name)!.push({ cpu: used / outcome.count, rate: outcome.count / outcome.seconds })
    }
  }
  return samples
}

/** Starts servers, of each as many processes as are asked for. */
const startServers = (
  names: ReadonlyArray<string>,
  issuer: Child.Issuer,
  processes: (name: string) => number
): Promise<ReadonlyArray<Child.Server>> =>
  Promise.all(
    names.flatMap((name) => Array.from({ length: processes(name) }, () => Child.server(name, issuer.url)))
  )

/** How many times as many requests the first serves for the same CPU time, and in the same time. */
const compare = (samples: Samples, of: string, to: string): { readonly cpu: Spread; readonly rate: Spread } => {
  const [a, b] = [samples.get(of)!, samples.get(to)!]
  return {
    cpu: ratio(b.map((_) => _.cpu), a.map((_) => _.cpu)),
    rate: ratio(a.map((_) => _.rate), b.map((_) => _.rate))
  }
}

const goal = (
  id: string,
  what: string,
  atLeast: number,
  samples: Samples,
  of: string,
  to: string
): ReadonlyArray<Goal> => {
  if (!samples.has(of) || !samples.has(to)) return []
  const { cpu, rate } = compare(samples, of, to)
  return [{ id, what, reach: { atLeast }, found: cpu, note: `by requests per second ${withQuartiles(rate)}` }]
}

const own = "effect + effect-mcp-auth"
const onNodeCrypto = `${own}, node:crypto`

const contenders = [
  "effect",
  own,
  onNodeCrypto,
  "effect + jose",
  "node:http",
  "node:http + effect-mcp-auth",
  "express",
  "express + effect-mcp-auth",
  "express + mcp-auth",
  "express + SDK + jose",
  "express + express-oauth2-jwt-bearer",
  "fastify + @fastify/jwt",
  "fastify + @fastify/jwt, cache on",
  "hono + hono/jwk",
  "hono + hono/jwk, keys at hand"
]

const few = ["effect", own, onNodeCrypto, "effect + jose", "express + effect-mcp-auth", "express + mcp-auth"]

const unprotected = ["effect", "express", "node:http"]

const json = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

export const request = async (settings: Settings): Promise<Level> => {
  const { issuer, quick } = settings
  const known = await issuer.mint("RS256", 1000)
  // Hono's middleware refuses the `typ` of RFC 9068, so its tokens have another. It remembers none.
  const plain = (await issuer.mint("RS256", 1000, "JWT")).map(Load.get)
  // More than the cache holds before anything is measured, and none of them twice.
  const many = await issuer.mint("RS256", quick ? 18_000 : 60_000)
  const unknown = known.map((token, index) => {
    const [, claims, signature] = token.split(".")
    // The `typ` that all of them take; it is judged after the key has been looked for, or not at all.
    return `${json({ alg: "RS256", typ: "JWT", kid: `unknown-${index}` })}.${claims}.${signature}`
  })
  const garbage = known.map((_, index) => `garbage${index}${"x".repeat(700)}`)
  const all: Readonly<Record<string, { readonly tokens: ReadonlyArray<string>; readonly statuses: Array<string> }>> = {
    "one token": { tokens: known.slice(0, 1), statuses: ["200"] },
    "1,000 tokens": { tokens: known, statuses: ["200"] },
    "every token new": { tokens: many, statuses: ["200"] },
    "garbage": { tokens: garbage, statuses: ["400", "401", "500"] },
    "unknown kid": { tokens: unknown, statuses: ["400", "401", "500"] }
  }
  const names = settings.few ? few : contenders
  const handled = await Child.work<Handled>("Handler.ts", {
    issuer: issuer.url,
    names: few,
    tokens: known,
    rounds: quick ? 5 : 7,
    milliseconds: quick ? 100 : 150
  })
  const servers = await startServers(names, issuer, (name) => !quick && few.includes(name) ? 3 : 1)
  // No goal is about these.
  const besides = ["one token", "unknown kid"]
  const scenarios = Object.entries(all).filter(([name]) => !(quick || settings.few) || !besides.includes(name))
  const found: Record<string, Samples> = {}
  for (const [scenario, { statuses, tokens }] of scenarios) {
    console.log(`  ${scenario} …`)
    const requests = tokens.map(Load.get)
    const remembers = (name: string) => !unprotected.includes(name) && !name.startsWith("hono")
    const fresh = scenario === "every token new"
    const first = servers.filter(({ name }, index) => servers.findIndex((_) => _.name === name) === index)
    found[scenario] = await rounds(
      besides.includes(scenario) ? first : servers,
      (name) => name.startsWith("hono") && statuses[0] === "200" ? plain : requests,
      (name) => unprotected.includes(name) ? ["200"] : statuses,
      {
        ...(quick
          ? fresh ? { count: 2, milliseconds: 150 } : { count: 3, milliseconds: 250 }
          : { count: 6, milliseconds: fresh ? 250 : 400 }),
        // The memories of those who have one are full after ten thousand, and code is compiled for a good while longer.
        warm: quick
          ? { requests: 10_500, milliseconds: fresh ? 5000 : 1000 }
          : fresh
          ? { requests: 28_000, milliseconds: 10_000 }
          : { requests: 50_000, milliseconds: 2500 },
        once: (name) => fresh && remembers(name)
      }
    )
  }
  await Promise.all(servers.map((server) => server.stop()))

  const tableOf = (title: string, text: string, pick: "cpu" | "rate"): Table => ({
    title,
    text,
    columns: ["server", ...scenarios.map(([name]) => name)],
    rows: names.map((name) => [
      name,
      ...scenarios.map(([scenario]) => withQuartiles(compare(found[scenario]!, name, "effect")[pick]))
    ])
  })
  const seen = found["1,000 tokens"]!
  return {
    bars: names.filter((name) => !["express", "node:http", onNodeCrypto].includes(name)).map((name) => ({
      name: name === "effect" ? "effect, no protection" : name,
      share: compare(seen, name, "effect").cpu.median,
      own: name.includes("effect-mcp-auth")
    })),
    tables: [
      tableOf(
        "A whole request, by CPU",
        "How many requests a server answers for the CPU time in which the unprotected Effect server answers one.",
        "cpu"
      ),
      tableOf(
        "A whole request, by requests per second",
        "The same by the clock on the wall, on a machine that is shared.",
        "rate"
      ),
      {
        title: "The handler alone",
        text:
          "CPU time that the listener of the server takes for a token seen before, without the sockets; to the one of the " +
          "unprotected Effect server, less is better. No goal: it tells where the rest comes from.",
        columns: ["server", "CPU"],
        rows: few.map((name) => [name, withQuartiles(ratio(handled[name]!, handled["effect"]!))])
      },
      ...(settings.few ? [] : [await unknownKids(issuer, unknown)])
    ],
    goals: [
      ...goal(
        "seen/unprotected",
        "Effect route, tokens seen before, to the unprotected route",
        0.9,
        seen,
        own,
        "effect"
      ),
      ...goal("seen/mcp-auth", "the same, to Express + mcp-auth", 4, seen, own, "express + mcp-auth"),
      ...goal(
        "express/mcp-auth",
        "Express with our adapter, to Express + mcp-auth",
        1.8,
        seen,
        "express + effect-mcp-auth",
        "express + mcp-auth"
      ),
      ...goal(
        "new/jose",
        "every token new, to plain jose on the same server",
        1,
        found["every token new"]!,
        own,
        "effect + jose"
      ),
      ...goal(
        "new/jose, node:crypto",
        "the same with `Signature.layerNode`",
        1.4,
        found["every token new"]!,
        onNodeCrypto,
        "effect + jose"
      ),
      ...goal(
        "garbage/unprotected",
        "garbage refused, to the unprotected route",
        0.7,
        found["garbage"]!,
        own,
        "effect"
      ),
      ...(quick ? [] : [await askedByUnknownKids(issuer, own, unknown)])
    ]
  }
}

/** What 10,000 unknown key ids make a server ask of the provider. */
const asks = async (issuer: Child.Issuer, name: string, unknown: ReadonlyArray<string>, count: number) => {
  const server = await Child.server(name, issuer.url)
  const [good] = await issuer.mint("RS256", 1)
  await Load.run(server.port, [Load.get(good!)], { connections: 1, until: (sent) => sent === 1 })
  const before = await issuer.requests()
  await Load.run(server.port, unknown.map(Load.get), { until: (sent) => sent >= count })
  const after = await issuer.requests()
  await server.stop()
  return after - before
}

const askedByUnknownKids = async (
  issuer: Child.Issuer,
  name: string,
  unknown: ReadonlyArray<string>
): Promise<Goal> => ({
  id: "unknown-kid/requests",
  what: "provider requests caused by 10,000 unknown `kid`s in a minute",
  reach: { atMost: 2 },
  found: spread([await asks(issuer, name, unknown, 10_000)])
})

const unknownKids = async (issuer: Child.Issuer, unknown: ReadonlyArray<string>): Promise<Table> => {
  const rows: Array<ReadonlyArray<string>> = []
  for (const name of contenders.filter((_) => !unprotected.includes(_))) {
    // One by one, that is: those who ask each time would ask ten thousand times.
    rows.push([name, String(await asks(issuer, name, unknown, 1000))])
  }
  return {
    title: "1,000 tokens with an unknown `kid`",
    text: "Requests that the provider gets because of them.",
    columns: ["server", "requests"],
    rows
  }
}

const toolServers = [
  "tools: Effect",
  "tools: Effect + effect-mcp-auth",
  "tools: SDK v1",
  "tools: SDK v1 + effect-mcp-auth",
  "tools: SDK v1 + mcp-auth",
  "tools: SDK v1 + requireBearerAuth + jose",
  "tools: SDK v2",
  "tools: SDK v2 + effect-mcp-auth"
]

const isInGoal = (name: string) => !name.includes(" + ") || name.endsWith(" + effect-mcp-auth")

export const tools = async (settings: Settings): Promise<Level> => {
  const { issuer, quick } = settings
  const tokens = await issuer.mint("RS256", 1000)
  const modern = tokens.map((token) => Load.callTool(token, "2026-07-28"))
  const legacy = tokens.map((token) => Load.callTool(token, "2025-11-25"))
  const names = settings.few ? toolServers.filter(isInGoal) : toolServers
  const servers = await startServers(names, issuer, (name) => !quick && isInGoal(name) ? 2 : 1)
  for (const { name, port } of servers) {
    const { body } = await Load.run(port, name.includes("v1") ? legacy : modern, {
      connections: 1,
      until: (sent) => sent === 1
    })
    if (!body.includes("added buy milk")) throw new Error(`${name} does not run the tool: ${body}`)
  }
  const samples = await rounds(
    servers,
    (name) => name.includes("v1") ? legacy : modern,
    () => ["200"],
    quick
      ? { count: 3, milliseconds: 300, warm: { requests: 15_000, milliseconds: 1500 } }
      : { count: 8, milliseconds: 800, warm: { requests: 40_000, milliseconds: 10_000 } }
  )
  await Promise.all(servers.map((server) => server.stop()))
  const baseOf = (name: string) => name.split(" + ")[0]!
  return {
    tables: [{
      title: "`tools/call`, 1,000 tokens",
      text: "To the same server without protection.",
      columns: ["server", "by CPU", "by requests per second"],
      rows: names.filter((name) => name !== baseOf(name)).map((name) => {
        const { cpu, rate } = compare(samples, name, baseOf(name))
        return [name.slice("tools: ".length), withQuartiles(cpu), withQuartiles(rate)]
      })
    }],
    goals: ([["Effect", 0.95], ["SDK v1", 0.93], ["SDK v2", 0.93]] as const).flatMap(([host, atLeast]) =>
      goal(
        `tools/${host}`,
        `\`tools/call\` through the gate, to the same server without it: ${host}`,
        atLeast,
        samples,
        `tools: ${host} + effect-mcp-auth`,
        `tools: ${host}`
      )
    )
  }
}

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
    goals: [{
      id: "verify/mcp-auth",
      what: "verify a seen token in process, to mcp-auth's verify (RS256)",
      reach: { atLeast: 30 },
      found: ratio(rs256["mcp-auth"]!, rs256[seen]!)
    }]
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

export const start = async ({ issuer, quick }: Settings): Promise<Level> => {
  // What people install is built: starting from the sources would measure how Node strips types.
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" })
  const names = [
    "effect",
    own,
    "node:http + effect-mcp-auth",
    "express",
    "express + effect-mcp-auth",
    "express + mcp-auth",
    "express + SDK + jose",
    "fastify + @fastify/jwt"
  ]
  const [token] = await issuer.mint("RS256", 1)
  const cpu = new Map<string, Array<number>>(names.map((name) => [name, []]))
  const wall = new Map<string, Array<number>>(names.map((name) => [name, []]))
  for (let round = 0; round < (quick ? 2 : 3); round++) {
    for (const name of shuffled(names)) {
      const began = performance.now()
      const server = await Child.server(name, issuer.url, "built")
      await Load.run(server.port, [Load.get(token!)], { connections: 1, until: (sent) => sent === 1 })
      wall.get(name)!.push(performance.now() - began)
      cpu.get(name)!.push(await server.cpu())
      await server.stop()
    }
  }
  return {
    tables: [{
      title: "Start, to the first protected answer",
      text:
        "A new process: loading, listening, fetching the keys, one answer. As a multiple of Express + mcp-auth; less is better.",
      columns: ["server", "CPU", "time"],
      rows: names.map((name) => [
        name,
        withQuartiles(ratio(cpu.get(name)!, cpu.get("express + mcp-auth")!)),
        withQuartiles(ratio(wall.get(name)!, wall.get("express + mcp-auth")!))
      ])
    }],
    goals: []
  }
}

const entryPoints = ["", "/mcp", "/node", "/fetch", "/provider", "/sdk-v1", "/sdk-v2", "/testing"]

export const size = async (): Promise<Level> => {
  const bundle = async (contents: string): Promise<number> => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: root },
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "es2022",
      conditions: ["effect-mcp-auth/source"],
      external: ["effect", "effect/*", "jose", "@modelcontextprotocol/*", "@effect/*", "node:*"]
    })
    return gzipSync(outputFiles[0]!.contents, { level: 9 }).length / 1000
  }
  const rows: Array<ReadonlyArray<string>> = []
  for (const entry of entryPoints) {
    const name = `effect-mcp-auth${entry}`
    rows.push([`\`${name}\``, `${number(await bundle(`export * from "${name}"`))} kB`])
  }
  const core = await bundle("export * from \"effect-mcp-auth\"")
  const used = await bundle("export { AuthLayer, Principal, requireScopes } from \"effect-mcp-auth\"")
  rows.push(["`AuthLayer`, `Principal` and `requireScopes` alone", `${number(used)} kB`])
  return {
    tables: [{
      title: "Size",
      text:
        "Bundled by esbuild with all that it exports, minified and compressed by gzip, without effect, jose and the SDKs.",
      columns: ["entry point", "size"],
      rows
    }],
    goals: [{
      id: "size/core",
      what: "core entry point, min + gzip, without effect and jose",
      reach: { atMost: 15 },
      found: spread([core]),
      unit: "kB"
    }]
  }
}

/** A server with a hundred tools, whose scopes are checked by the compiler or are not. */
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
        const told = execFileSync(
          process.execPath,
          [tsc, "--project", join(folder, kind, "tsconfig.json"), "--extendedDiagnostics", "--singleThreaded"],
          { encoding: "utf8" }
        )
        const read = (name: string) => Number(new RegExp(`^${name}:\\s*([\\d.]+)`, "m").exec(told)?.[1])
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
