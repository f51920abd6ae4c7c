/**
 * `npm run signatures`: verifies a million mutated tokens with jose and with the default implementation of the platform. Fails
 * if the results differ. `--count` sets the number of tokens, and `--seed` selects other mutations.
 */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import * as Differential from "./Differential.ts"

const { values } = parseArgs({
  options: { count: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } }
})
const began = performance.now()
const outcome = await Effect.runPromise(Differential.run({
  count: Number(values.count),
  seed: Number(values.seed),
  progress: (done) => {
    if (done % 100_000 === 0) console.log(`${done} tokens, ${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
}))
const { admitted, bySignature, count, differences } = outcome
console.log(
  `${count} tokens: ${admitted} admitted, ${bySignature} rejected for their signature, ${differences.length} differences`
)
for (const difference of differences.slice(0, 20)) console.log(difference)
process.exitCode = differences.length === 0 ? 0 : 1
