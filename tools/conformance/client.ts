/**
 * `npm run conformance:client`: prints the results of the client scenarios of the official conformance suite, and the scenarios that
 * the client does not run yet. Exits with 0 if the suite accepts every required scenario.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as ClientConformance from "../../test/conformance/client/ClientConformance.ts"
import { reasons, scenarios } from "../../test/conformance/client/scenarios.ts"

const program = Effect.gen(function*() {
  const results = yield* Effect.forEach(
    ClientConformance.required,
    (scenario) =>
      Effect.tap(ClientConformance.run(scenario), ({ failed, isAccepted, output, passed }) =>
        Console.log(
          `${isAccepted ? "passed" : "FAILED"}  ${scenario.name.padEnd(40)} ${passed} checks passed, ${failed} failed` +
            (isAccepted ? "" : `\n${output}`)
        )),
    { concurrency: 2 }
  )
  for (const { missing, name } of scenarios) {
    if (missing !== undefined) yield* Console.log(`not run ${name.padEnd(40)} ${reasons[missing]}`)
  }
  const accepted = results.filter(({ isAccepted }) => isAccepted).length
  yield* Console.log(
    `\n${accepted} of ${results.length} required scenarios passed, of ${scenarios.length} scenarios in all.`
  )
  yield* Effect.sync(() => {
    process.exitCode = accepted === results.length ? 0 : 1
  })
})

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
