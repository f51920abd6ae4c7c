/**
 * `npm run soak`: measures the maximum rate for 20 seconds, then sends half of it for 30 minutes.
 *
 * Options: `--minutes 3 --calibration 5` for a shorter run, `--share 0.25` for a quarter of the maximum rate, `--most 100` for
 * at most 100 requests per second, `--interval 10` to rotate and refresh keys every ten seconds, and `--host sdk-v1` for another host
 * than Effect: `sdk-v1`, `sdk-v2` or `fetch`.
 */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import * as Soak from "./Soak.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    calibration: { type: "string", default: "20" },
    share: { type: "string", default: "0.5" },
    most: { type: "string" },
    interval: { type: "string", default: "60" },
    host: { type: "string", default: "effect" }
  }
})

const hosts = ["effect", "sdk-v1", "sdk-v2", "fetch"] as const
const host = hosts.find((name) => name === values.host)
if (host === undefined) throw new Error(`--host: unknown host ${values.host}; known are ${hosts.join(", ")}`)

const outcome = await Effect.runPromise(
  Soak.run(
    {
      host,
      duration: Number(values.minutes) * 60,
      calibration: Number(values.calibration),
      share: Number(values.share),
      ...(values.most === undefined ? {} : { most: Number(values.most) }),
      rotation: Number(values.interval),
      refresh: Number(values.interval),
      // Each of the 1,400 people gets a new token with each new signing key, so eight keys fill the cache of 10,000 tokens.
      people: 1_400
    },
    (line) => console.log(line)
  )
)
const { badAdmitted, goodRejected, heap, unexpected, ...numbers } = outcome
console.log({
  ...numbers,
  goodRejected: goodRejected.length,
  badAdmitted: badAdmitted.length,
  unexpected: unexpected.length,
  heap
})
for (const list of [goodRejected, badAdmitted, unexpected]) for (const line of list.slice(0, 10)) console.log(line)

const checks: Readonly<Record<string, boolean>> = {
  "no good token rejected": goodRejected.length === 0,
  "no bad token admitted": badAdmitted.length === 0,
  "each bad token rejected": unexpected.length === 0,
  // In a run of half an hour, the cache of verified tokens is full after a third of the run. Growth after that is a leak.
  "memory flat": heap.growth < 4,
  "nothing left after dispose": numbers.endsByItself,
  "the rate kept": outcome.achieved > 0.95 * outcome.rate
}
const failed = Object.keys(checks).filter((check) => !checks[check])
console.log(failed.length === 0 ? "passed" : `failed: ${failed.join(", ")}`)
process.exit(failed.length === 0 ? 0 : 1)
