/** Runs the client scenarios of the official conformance suite against the client of this library. */
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import type { Scenario } from "./scenarios.ts"

const tool = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/dist/index.js")
const program = fileURLToPath(new URL("./program.ts", import.meta.url))

/** The result of one scenario. */
export interface Result {
  readonly scenario: Scenario
  readonly passed: number
  readonly failed: number
  /** Whether the suite accepts the scenario: no check failed, none gave a warning, and the client ended as expected. */
  readonly isAccepted: boolean
  /** The output of the suite, for a scenario that it does not accept. */
  readonly output: string
}

/** Runs one scenario. The suite starts its servers and then the client. */
export const run = Effect.fnUntraced(function*(scenario: Scenario) {
  const suite = yield* ChildProcess.make(process.execPath, [
    tool,
    "client",
    "--command",
    `${process.execPath} --conditions=effect-mcp-auth/source ${program}`,
    "--scenario",
    scenario.name,
    ...(scenario.revision === undefined ? [] : ["--spec-version", scenario.revision])
  ], { stdin: "ignore" })
  const output = yield* suite.all.pipe(Stream.decodeText(), Stream.mkString)
  const exitCode = yield* suite.exitCode
  // A scenario that is skipped exits with 0 and has no summary, so it must not count as accepted.
  const [, passed = "0", , failed = "0"] = /^Passed: (\d+)\/(\d+), (\d+) failed/m.exec(output) ?? []
  const isAccepted = exitCode === 0 && Number(passed) > 0 && output.includes("OVERALL: PASSED")
  return { scenario, passed: Number(passed), failed: Number(failed), isAccepted, output } satisfies Result
}, Effect.scoped)

/** Returns the names of the client scenarios that the suite has. */
export const listScenarios = Effect.gen(function*() {
  const suite = yield* ChildProcess.make(process.execPath, [tool, "list", "--client"], { stdin: "ignore" })
  const output = yield* suite.all.pipe(Stream.decodeText(), Stream.mkString)
  return [...output.matchAll(/^ {2}- (\S+) \[([^\]]*)\]$/gm)].map(([, name, revisions]) => ({
    name: name!,
    revisions: revisions!.split(",")
  }))
}).pipe(Effect.scoped)
