/**
 * `npm run conformance`: prints the results of the official conformance suite for Effect's MCP server without the gate and
 * behind it. Exits with 0 if the results are the same.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as Conformance from "../../test/conformance/Conformance.ts"

const cells = (...values: ReadonlyArray<string | number>) =>
  values.map((value, column) => String(value).padEnd([12, 10, 7, 7, 10, 10][column] ?? 0)).join("").trimEnd()

const status = (check: Conformance.Check | undefined) => check === undefined ? "not made" : check.status

const program = Effect.gen(function*() {
  const { comparisons, requests, withoutToken } = yield* Conformance.compare

  yield* Console.log(cells("revision", "server", "passed", "failed", "checks", "different"))
  for (const { behind, differences, inFront, revision } of comparisons) {
    yield* Console.log(cells(revision, "in front", inFront.passed, inFront.failed, inFront.checks.size))
    yield* Console.log(cells("", "behind", behind.passed, behind.failed, behind.checks.size, differences.length))
  }
  yield* Console.log(
    `\nBehind the gate ${requests.behind.withCredentials} requests came with a token, ` +
      `${requests.behind.withoutCredentials} without; one without got ${withoutToken.status} ${withoutToken.challenge}`
  )

  for (const { inFront, revision } of comparisons) {
    yield* Console.log(`\n${revision}: checks that Effect's server does not pass`)
    for (const [name, check] of inFront.checks) {
      if (check.status !== "FAILURE") continue
      yield* Console.log(`  ${name}${check.scored ? "" : " (not scored)"}: ${check.message?.split("\n")[0]}`)
    }
  }

  const different = comparisons.flatMap(({ differences, revision }) =>
    differences.map((difference) => ({ revision, ...difference }))
  )
  for (const { behind, check, inFront, revision } of different) {
    yield* Console.log(`\n${revision} ${check}: ${status(inFront)} in front, ${status(behind)} behind`)
    yield* Console.log(`  in front: ${inFront?.message ?? "no message"}\n  behind: ${behind?.message ?? "no message"}`)
  }
  yield* Console.log(`\n${different.length === 0 ? "The scores are equal." : "THE SCORES DIFFER."}`)
  yield* Effect.sync(() => {
    process.exitCode = different.length === 0 ? 0 : 1
  })
})

program.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
