/**
 * `npm run bench`: measures the cost of protection, and compares it with other libraries. Writes `BENCHMARKS.md`.
 *
 * - `--quick`: runs fewer contenders, scenarios and rounds, in less than a minute. Writes nothing.
 * - `--check`: measures the contenders and levels that have a goal, and compares them with `ratios.json`. Fails if a ratio is
 *   worse by more than a tenth, beyond its usual variation, in three measurements (`Regression.ts`). Writes nothing.
 * - `--only request,tools,verify,memory,start,size,types,tenants,forged,instances,client`: runs only these levels. Writes nothing.
 * - `--million`: uses a million tokens instead of 100,000 in the level "memory", which takes some
 *   minutes longer.
 * - `--profile <server>`: writes a CPU profile of one server with cached tokens, for example of `effect + effect-mcp-auth`.
 *   DevTools can open the profile.
 *
 * Each level has a time limit, and a run without options ends after 35 minutes. A level that fails or does not end in time is
 * reported, its processes are stopped, and the next one starts.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { attempts, type Committed, isLost } from "./Regression.ts"
import type { Measured } from "./Report.ts"

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    million: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    only: { type: "string" },
    profile: { type: "string" }
  }
})

const here = (path: string) => join(import.meta.dirname, path)

if (!existsSync(here("peers/node_modules/mcp-auth"))) {
  console.log("installing the peers into bench/speed/peers …")
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here("peers"), stdio: "inherit" })
}

const Child = await import("./Child.ts")
const Levels = await import("./Levels.ts")
const Load = await import("./Load.ts")
const Report = await import("./Report.ts")

const began = performance.now()
// Read at the start, because the benchmark itself adds load.
const load = loadavg()[0]! / cpus().length
let issuer = await Child.issuer()

if (options.profile !== undefined) {
  const requests = (await issuer.mint("RS256", 1000)).map(Load.get)
  const server = await Child.server(options.profile, issuer.url)
  const load = (milliseconds: number) =>
    Load.run(server.port, requests, { until: (_, passed) => passed > milliseconds })
  await load(3000)
  const profile = await server.profile(() => load(5000))
  writeFileSync("bench.cpuprofile", JSON.stringify(profile))
  console.log("bench.cpuprofile")
  await server.stop()
  await Child.stopAll()
  process.exit()
  process.exit()
}

const all = [
  "request",
  "tools",
  "verify",
  "memory",
  "start",
  "size",
  "types",
  "tenants",
  "forged",
  "instances",
  "client"
] as const
const quickly = ["request", "tools", "verify", "size"] as const
const checked = [...quickly, "start"] as const
const only = options.only?.split(",")
const unknown = only?.find((name) => !all.includes(name as never))
if (unknown !== undefined) throw new Error(`--only: unknown level ${unknown}; known are ${all.join(", ")}`)
const few = options.quick || options.check
const chosen = only === undefined
  ? options.check ? checked : options.quick ? quickly : all
  : all.filter((name) => only.includes(name))

type Name = typeof all[number]

/** The longest time of each level, in minutes. A level usually needs half of it. */
const longest: Readonly<Record<Name, number>> = {
  request: 14,
  tools: 9,
  verify: 3,
  memory: options.million ? 20 : 3,
  start: 4,
  size: 2,
  types: 3,
  tenants: 12,
  forged: 6,
  instances: 4,
  client: 3
}

/** The longest time of a run without options, in minutes. */
const total = 35

const isWritten = !few && only === undefined

/** Measures a level. If that fails, returns a level without results, and stops the processes of the level. */
const measure = async (name: Name): Promise<Measured & { readonly name: Name }> => {
  const minutes = (performance.now() - began) / 60_000
  console.log(`\n== ${name}, after ${(minutes * 60).toFixed(0)} s`)
  const limit = isWritten && !options.million ? Math.min(longest[name], total - minutes) : longest[name]
  const end = new AbortController()
  const late = delay(Math.max(0, limit) * 60_000, undefined, { signal: end.signal }).then(() => {
    throw new Error(`it did not finish within ${limit.toFixed(1)} minutes`)
  })
  try {
    const settings = { issuer, quick: options.quick, few, million: options.million }
    const level = await Promise.race([Levels[name](settings), late])
    for (const table of level.tables) Report.console_(table)
    return { name, ...level }
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error)
    console.log(`  FAILED ${name}: ${failure}`)
    process.exitCode = 1
    // A new authorization server as well, because the failure can be that of the old one.
    await Child.stopAll()
    issuer = await Child.issuer()
    return { name, tables: [], goals: [], failure }
  } finally {
    end.abort()
    await late.catch(() => {})
  }
}

const levels: Array<Awaited<ReturnType<typeof measure>>> = []
for (const name of chosen) levels.push(await measure(name))

const goals = levels.flatMap((level) => level.goals)
Report.console_(Report.goalsTable(goals))
console.log(`\n${((performance.now() - began) / 1000).toFixed(0)} seconds`)

type Ratios = Record<string, Committed>
const committed: Ratios = existsSync(here("ratios.json")) ? JSON.parse(readFileSync(here("ratios.json"), "utf8")) : {}

if (options.check) {
  let lost = 0
  for (const { goals: first, name } of levels) {
    let below = first.filter((goal) => isLost(goal, committed[goal.id]))
    // Measures again before it reports a loss, because a disturbance by other programs or by V8's compiler rarely comes three times.
    for (let attempt = 1; attempt < attempts && below.length > 0; attempt++) {
      console.log(
        `\n${below.map(({ id }) => id).join(", ")}: below the committed ratio, so ${name} is measured again.`
      )
      const { goals } = await measure(name)
      below = below.filter(({ id }) => goals.some((goal) => goal.id === id && isLost(goal, committed[id])))
    }
    for (const { found, id } of below) {
      lost++
      console.log(
        `LOST ${id}: ${Report.withQuartiles({ ...committed[id]!, median: committed[id]!.ratio })} is committed, ` +
          `found ${Report.withQuartiles(found)}`
      )
    }
  }
  console.log(lost === 0 ? "No ratio has lost more than a tenth." : `${lost} lost more than a tenth.`)
  if (lost > 0) process.exitCode = 1
} else if (isWritten) {
  const versions: Record<string, string> = {}
  for (const [folder, names] of Object.entries({ "../..": ["effect", "jose"], peers: undefined })) {
    const manifest = JSON.parse(readFileSync(here(`${folder}/package.json`), "utf8"))
    for (const name of names ?? Object.keys(manifest.dependencies)) {
      versions[name] ??= JSON.parse(readFileSync(here(`${folder}/node_modules/${name}/package.json`), "utf8")).version
    }
  }
  const notes = readFileSync(here("notes.md"), "utf8")
  writeFileSync(here("../../BENCHMARKS.md"), Report.markdown(levels, versions, notes, load))
  const bars = levels.flatMap(({ bars }) => bars ?? [])
  if (bars.length > 0) writeFileSync(here("benchmarks.svg"), Report.picture(bars))
  const rounded = (value: number) => Math.round(value * 1000) / 1000
  const ratios: Ratios = Object.fromEntries(goals.map(({ found, id, reach }) => [id, {
    reach: "atLeast" in reach ? `at least ${reach.atLeast}` : `at most ${reach.atMost}`,
    ratio: rounded(found.median),
    low: rounded(found.low),
    high: rounded(found.high)
  }]))
  // The goals of a level that failed keep their committed ratios.
  const kept = levels.some(({ failure }) => failure !== undefined) ? committed : {}
  writeFileSync(here("ratios.json"), `${JSON.stringify({ ...kept, ...ratios }, null, 2)}\n`)
  execFileSync("npx", ["dprint", "fmt", "BENCHMARKS.md", "bench/speed/ratios.json"], {
    cwd: here("../.."),
    stdio: "ignore"
  })
  console.log("BENCHMARKS.md, bench/speed/benchmarks.svg, bench/speed/ratios.json")
}

await Child.stopAll()
process.exit()
