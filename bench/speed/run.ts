/**
 * `npm run bench`: measures the cost of protection, and compares it with other libraries. Writes `BENCHMARKS.md`.
 *
 * - `--quick`: runs fewer contenders, scenarios and rounds, in less than a minute. Writes nothing.
 * - `--check`: measures the contenders and levels that have a goal, and compares them with `ratios.json`. Fails if a ratio is
 *   worse by more than a tenth in two measurements. Writes nothing.
 * - `--only request,tools,verify,memory,start,size,types,tenants,forged,instances`: runs only these levels. Writes nothing.
 * - `--million`: uses a million tokens instead of 100,000 in the level "memory", which takes some minutes longer.
 * - `--profile <server>`: writes a CPU profile of one server with cached tokens, for example of `effect + effect-mcp-auth`.
 *   DevTools can open the profile.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Goal } from "./Report.ts"

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
const issuer = await Child.issuer()

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
  await issuer.stop()
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
  "instances"
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

const measure = async (name: typeof all[number]) => {
  console.log(`\n== ${name}, after ${((performance.now() - began) / 1000).toFixed(0)} s`)
  const level = await Levels[name]({ issuer, quick: options.quick, few, million: options.million })
  for (const table of level.tables) Report.console_(table)
  return { name, ...level }
}

const levels: Array<Awaited<ReturnType<typeof measure>>> = []
for (const name of chosen) levels.push(await measure(name))

const goals = levels.flatMap((level) => level.goals)
Report.console_(Report.goalsTable(goals))
console.log(`\n${((performance.now() - began) / 1000).toFixed(0)} seconds`)

type Ratios = Record<string, { readonly reach: string; readonly ratio: number }>
const committed: Ratios = existsSync(here("ratios.json")) ? JSON.parse(readFileSync(here("ratios.json"), "utf8")) : {}

if (options.check) {
  const isLost = ({ found, id, reach }: Goal) => {
    const before = committed[id]?.ratio
    if (before === undefined) return false
    // Compares the better quartile, so that a goal whose ratio varies between rounds counts as lost only if few rounds reach
    // the committed ratio. For upper limits, such as heap in MiB or requests, a quarter of the limit is always accepted.
    return "atLeast" in reach ? found.high < 0.9 * before : found.low > 1.1 * Math.max(before, reach.atMost / 4)
  }
  let lost = 0
  for (const level of levels.filter(({ goals }) => goals.some(isLost))) {
    const first = level.goals.filter(isLost)
    console.log(
      `\n${first.map(({ id }) => id).join(", ")}: below the committed ratio, so ${level.name} is measured again.`
    )
    // Measures a second time, because a disturbance by other programs or by V8's compiler rarely occurs twice.
    const { goals } = await measure(level.name)
    for (const { found, id } of goals.filter((goal) => isLost(goal) && first.some(({ id }) => id === goal.id))) {
      lost++
      console.log(
        `LOST ${id}: ${Report.number(committed[id]!.ratio)} is committed, found ${Report.withQuartiles(found)}`
      )
    }
  }
  console.log(lost === 0 ? "No ratio has lost more than a tenth." : `${lost} lost more than a tenth.`)
  process.exitCode = lost === 0 ? 0 : 1
} else if (!options.quick && only === undefined) {
  const versions: Record<string, string> = {}
  for (const [folder, names] of Object.entries({ "../..": ["effect", "jose"], peers: undefined })) {
    const manifest = JSON.parse(readFileSync(here(`${folder}/package.json`), "utf8"))
    for (const name of names ?? Object.keys(manifest.dependencies)) {
      versions[name] ??= JSON.parse(readFileSync(here(`${folder}/node_modules/${name}/package.json`), "utf8")).version
    }
  }
  const notes = readFileSync(here("notes.md"), "utf8")
  writeFileSync(here("../../BENCHMARKS.md"), Report.markdown(levels, versions, notes, load))
  writeFileSync(here("benchmarks.svg"), Report.picture(levels.flatMap(({ bars }) => bars ?? [])))
  const ratios: Ratios = Object.fromEntries(goals.map(({ found, id, reach }) => [id, {
    reach: "atLeast" in reach ? `at least ${reach.atLeast}` : `at most ${reach.atMost}`,
    ratio: Math.round(found.median * 1000) / 1000
  }]))
  writeFileSync(here("ratios.json"), `${JSON.stringify(ratios, null, 2)}\n`)
  execFileSync("npx", ["dprint", "fmt", "BENCHMARKS.md", "bench/speed/ratios.json"], {
    cwd: here("../.."),
    stdio: "ignore"
  })
  console.log("BENCHMARKS.md, bench/speed/benchmarks.svg, bench/speed/ratios.json")
}

await issuer.stop()
