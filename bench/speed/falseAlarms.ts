/**
 * `npm run bench:alarms`: runs `npm run bench -- --check` ten times on one state of the code, and counts the runs that report a loss. Each of
 * them is a false alarm. `--runs 3` runs it three times. By hand, because a run takes about ten minutes.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { parseArgs } from "node:util"

const { values } = parseArgs({ options: { runs: { type: "string", default: "10" } } })
const runs = Number(values.runs)
let alarms = 0
for (let run = 1; run <= runs; run++) {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--conditions=effect-mcp-auth/source", join(import.meta.dirname, "run.ts"), "--check"],
    { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, stdio: ["ignore", "pipe", "inherit"], timeout: 60 * 60_000 }
  )
  if (status !== 0) alarms++
  const lines = stdout.split("\n").filter((line) => /^(?:LOST|\s*FAILED)|below the committed ratio|seconds$/.test(line))
  console.log(`run ${run}: ${status === 0 ? "no alarm" : "an alarm"}`)
  for (const line of lines) console.log(`  ${line.trim()}`)
}
console.log(`${alarms} of ${runs} runs reported a loss`)
process.exit(alarms === 0 ? 0 : 1)
