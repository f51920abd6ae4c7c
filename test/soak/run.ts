/** `npm run soak`: 30 minutes, or as many as the first argument says. */
import { Effect } from "effect"
import * as Soak from "./Soak.ts"

const minutes = Number(process.argv[2] ?? 30)
const requestsPerSecond = Number(process.argv[3] ?? 300)

const outcome = await Effect.runPromise(
  Soak.run({ duration: minutes * 60, rotation: 60, refresh: 60, requestsPerSecond }, (line) => console.log(line))
)
const { badAdmitted, goodRefused, heap, ...numbers } = outcome
console.log({ ...numbers, goodRefused: goodRefused.slice(0, 10), badAdmitted: badAdmitted.slice(0, 10), heap })
// The cache of verified tokens fills during the first third; what grows afterwards is a leak.
const passed = goodRefused.length === 0 && badAdmitted.length === 0 && heap[1] < heap[0] * 1.25 + 8
console.log(passed ? "passed" : "failed")
process.exit(passed ? 0 : 1)
