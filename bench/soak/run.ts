/**
 * `npm run soak`: measures the maximum rate for 20 seconds, then sends half of it for 30 minutes.
 *
 * Options: `--minutes 3 --calibration 5` for a shorter run, `--share 0.25` for a quarter of the maximum rate, `--most 100` for
 * at most 100 requests per second, `--interval 10` to rotate and refresh keys every ten seconds, `--reload 300` to reload the
 * configuration every five minutes (default: the interval), and `--host sdk-v1` for another host than Effect: `sdk-v1`, `sdk-v2` or
 * `fetch`.
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
    reload: { type: "string" },
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
      reload: Number(values.reload ?? values.interval),
      // Each of the 1,400 people gets a new token with each new signing key, so eight keys fill the cache of 10,000 tokens. A reload
      // empties the cache: `--reload` with more than eight intervals fills it.
      people: 1_400
    },
    (line) => console.log(line)
  )
)
const { badAdmitted, goodRejected, heap, reloads, streams, unexpected, ...numbers } = outcome
console.log({
  ...numbers,
  goodRejected: goodRejected.length,
  badAdmitted: badAdmitted.length,
  unexpected: unexpected.length,
  streams: { ...streams, failed: streams.failed.length },
  reloads: { ...reloads, failed: reloads.failed.length }
})
console.log("heap after a garbage collection, in MiB:", heap)
for (const list of [goodRejected, badAdmitted, unexpected, streams.failed, reloads.failed]) {
  for (const line of list.slice(0, 10)) {
    console.log(line)
  }
}

const checks: Readonly<Record<string, boolean>> = {
  "no good token rejected": goodRejected.length === 0,
  "no bad token admitted": badAdmitted.length === 0,
  "each bad token rejected": unexpected.length === 0,
  "each stream ended only with a cause": streams.failed.length === 0,
  "each reload took effect": reloads.done > 0 && reloads.failed.length === 0,
  // The slope from a third of the run to its end, multiplied by that time: 0.2 MiB per minute in a run of half an hour. The list of
  // revocations grows by two entries for each revoked stream, which is less than a tenth of that.
  "memory flat": heap.growth < 4,
  "nothing left after dispose": numbers.endsByItself,
  "the rate kept": outcome.achieved > 0.95 * outcome.rate
}
const failed = Object.keys(checks).filter((check) => !checks[check])
console.log(failed.length === 0 ? "passed" : `failed: ${failed.join(", ")}`)
process.exit(failed.length === 0 ? 0 : 1)
