/**
 * `npm run conformance:client`: prints the results of the client scenarios of the official conformance suite. Exits
 * with 0 if the suite accepts every one of them.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as ClientConformance from "../../test/conformance/client/ClientConformance.ts"
import { scenarios } from "../../test/conformance/client/scenarios.ts"

const program = Effect.gen(function*() {
  const results = yield* Effect.forEach(
    scenarios,
    (scenario) =>
      Effect.tap(ClientConformance.run(scenario), ({ failed, isAccepted, output, passed }) =>
        Console.log(
          `${isAccepted ? "passed" : "FAILED"}  ${scenario.name.padEnd(40)} ${passed} checks passed, ${failed} failed` +
            (isAccepted ? "" : `\n${output}`)
        )),
    { concurrency: 2 }
  )
  const accepted = results.filter(({ isAccepted }) => isAccepted).length
  yield* Console.log(`\n${accepted} of ${results.length} scenarios passed.`)
  yield* Effect.sync(() => {
    process.exitCode = accepted === results.length ? 0 : 1
  })
})

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
