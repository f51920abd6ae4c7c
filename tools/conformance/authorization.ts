/**
 * `npm run conformance:authorization`: prints the results of the OAuth proxy in the authorization server scenarios of the official
 * conformance suite. Exits with 0 if every check succeeds.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, References } from "effect"
import * as AuthorizationConformance from "../../test/conformance/authorization/AuthorizationConformance.ts"

const program = Effect.gen(function*() {
  const result = yield* AuthorizationConformance.run({ form: "github", login: "page" })
  const passed = AuthorizationConformance.passed(result)
  for (const { id, message, scenario, status } of result.checks) {
    yield* Console.log(`${status.padEnd(9)} ${scenario}/${id}${message === undefined ? "" : `: ${message}`}`)
  }
  const missing = AuthorizationConformance.required.filter((name) => !passed.includes(name))
  const isAccepted = missing.length === 0 && passed.length === result.checks.length && result.exitCode === 0
  if (!isAccepted) yield* Console.log(`\nMissing: ${missing.join(", ") || "none"}\n\n${result.output}`)
  yield* Console.log(`\n${passed.length} of ${result.checks.length} checks passed.`)
  yield* Effect.sync(() => {
    process.exitCode = isAccepted ? 0 : 1
  })
})

program.pipe(
  Effect.provide(NodeServices.layer),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
