/** The level "tools": measures `tools/call` requests over sockets. */
import * as Load from "./Load.ts"
import { type Goal, type Level, type Settings, withQuartiles } from "./Report.ts"
import { compare, goal, rounds, routesOf, startServers } from "./Rounds.ts"

const contenders = [
  "tools: Effect",
  "tools: Effect + effect-mcp-auth",
  "tools: SDK v1",
  "tools: SDK v1 + effect-mcp-auth",
  "tools: SDK v1 + mcp-auth",
  "tools: SDK v1 + requireBearerAuth + jose",
  "tools: SDK v2",
  "tools: SDK v2 + effect-mcp-auth"
]

const isOurs = (name: string) => !name.includes(" + ") || name.endsWith(" + effect-mcp-auth")

const goals = [["Effect", 0.95], ["SDK v1", 0.93], ["SDK v2", 0.93]] as const

const contained = "added buy milk"

const revisionOf = (name: string) => name.includes("v1") ? "2025-11-25" : "2026-07-28"

export const tools = async (settings: Settings): Promise<Level> => {
  const tokens = await settings.issuer.mint("RS256", 1000)
  const found: Array<Goal> = []
  for (const [host, atLeast] of goals) found.push(...await through(settings, tokens, host, atLeast))
  // The goals compare two routes of one server. The table compares servers of this library with servers of other libraries.
  return { tables: settings.few ? [] : [await beside(settings, tokens)], goals: found }
}

/** Measures a server behind the gate and one without it, on one port of one process. */
const through = async (
  { issuer, quick }: Settings,
  tokens: ReadonlyArray<string>,
  host: string,
  atLeast: number
): Promise<ReadonlyArray<Goal>> => {
  console.log(`  ${host} …`)
  const requestsTo = (path: string) => tokens.map((token) => Load.callTool(token, revisionOf(host), path))
  const samples = await routesOf(
    `tools: ${host}, two routes`,
    issuer,
    new Map([["behind", requestsTo("/mcp")], ["open", requestsTo("/open")]]),
    () => ["200"],
    quick
      ? {
        contained,
        processes: 1,
        count: 8,
        leadIn: 50,
        milliseconds: 250,
        warm: { requests: 15_000, milliseconds: 2000 }
      }
      : {
        contained,
        // Several processes, because V8's compiler and garbage collector change the ratio from process to process by a few
        // hundredths.
        processes: 2,
        count: 16,
        leadIn: 50,
        milliseconds: 250,
        // With the gate, V8 has more code to compile. After 10,000 calls, the ratio is still a few hundredths too low.
        warm: { requests: 24_000, milliseconds: 11_000 }
      }
  )
  return goal(
    `tools/${host}`,
    `\`tools/call\`, ${host}: to the same server without protection`,
    atLeast,
    samples,
    "behind",
    "open"
  )
}

/** Measures separate servers, of this library and of peers. */
const beside = async ({ issuer }: Settings, tokens: ReadonlyArray<string>) => {
  const requests = new Map(
    contenders.map((name) => [name, tokens.map((token) => Load.callTool(token, revisionOf(name)))] as const)
  )
  const servers = await startServers(contenders, issuer, () => 1)
  const samples = await rounds(servers, (name) => requests.get(name)!, () => ["200"], {
    compared: isOurs,
    contained,
    count: 10,
    leadIn: 200,
    milliseconds: 500,
    warm: { requests: 24_000, milliseconds: 7000 }
  })
  await Promise.all(servers.map((server) => server.stop()))
  const baseOf = (name: string) => name.split(" + ")[0]!
  return {
    title: "`tools/call`, 1,000 tokens",
    text: "As a ratio to the same server without protection, each in a separate process.",
    columns: ["server", "by CPU", "by requests per second"],
    rows: contenders.filter((name) => name !== baseOf(name)).map((name) => {
      const { cpu, rate } = compare(samples, name, baseOf(name))
      return [name.slice("tools: ".length), withQuartiles(cpu), withQuartiles(rate)]
    })
  }
}
