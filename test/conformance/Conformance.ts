/**
 * Runs the official conformance suite against a server twice, without and with the gate in front of it, and compares the
 * results of each check. Effect's server may fail checks of the suite, but the gate must not change a result.
 */
import { Effect, FileSystem, Path, Redacted, References, Schema, type Scope, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createRequire } from "node:module"
import * as EverythingServer from "./EverythingServer.ts"
import * as GatedServer from "./GatedServer.ts"
import * as Issuer from "./Issuer.ts"
import * as Loopback from "./Loopback.ts"
import type * as SdkServers from "./SdkServers.ts"

/** The revisions of MCP for which the suite has a frozen set of requirements. */
export const revisions = ["2025-11-25", "2026-07-28"] as const

/** One of {@link revisions}. */
export type Revision = typeof revisions[number]

/** The suite did not run to its end, or its output is inconsistent. */
export class SuiteFailed extends Schema.TaggedError<SuiteFailed>()("SuiteFailed", {
  revision: Schema.Literals(revisions),
  message: Schema.String
}) {}

// ---------------------------------------------------------------------------------------------------------------------
// The suite
// ---------------------------------------------------------------------------------------------------------------------

/** The results of the suite for one server. */
export interface Score {
  /** How many checks passed and failed. Notes, warnings and skipped checks count as neither, as in the suite. */
  readonly passed: number
  readonly failed: number
  /** Every check, by scenario and id. If a check runs several times, the name of each later run ends with a number. */
  readonly checks: ReadonlyMap<string, Check>
}

/** The result of one check. */
export interface Check {
  readonly status: string
  readonly message: string | undefined
  /** Whether conformance to the revision depends on the check. Checks of extensions, for example, run but are not scored. */
  readonly scored: boolean
}

/** Returns the names of the scored checks that failed. */
export const shortfall = (score: Score): ReadonlyArray<string> =>
  [...score.checks].filter(([, check]) => check.scored && check.status === "FAILURE").map(([name]) => name)

const Checks = Schema.fromJsonString(Schema.Array(Schema.Struct({
  id: Schema.String,
  status: Schema.String,
  errorMessage: Schema.optional(Schema.String)
})))
const decodeChecks = Schema.decodeEffect(Checks)

const tool = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/dist/index.js")
const preload = new URL("./authorization-preload.mjs", import.meta.url).href

/** Runs the suite against a server. If `authorization` is set, each request has it as its `Authorization` header. */
export const score = Effect.fnUntraced(function*(
  origin: string,
  revision: Revision,
  authorization?: Redacted.Redacted
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const fail = (message: string) => new SuiteFailed({ revision, message })
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "mcp-conformance-" })
  const suite = yield* ChildProcess.make(process.execPath, [
    tool,
    "server",
    "--url",
    `${origin}${EverythingServer.path}`,
    "--requirements",
    revision,
    "--output-dir",
    directory
  ], {
    stdin: "ignore",
    extendEnv: true,
    env: authorization === undefined ? { NODE_OPTIONS: "" } : {
      NODE_OPTIONS: `--import=${preload}`,
      CONFORMANCE_ORIGIN: origin,
      CONFORMANCE_AUTHORIZATION: Redacted.value(authorization)
    }
  })
  const output = yield* suite.all.pipe(Stream.decodeText(), Stream.mkString)
  const exitCode = yield* suite.exitCode
  // The suite exits with 1 if a check failed, and checks of Effect's server may fail. A crash also exits with 1, so the summary
  // must show that the suite finished.
  const announced = /\((\d+) scenarios\) against/.exec(output)
  const summary = /^Total: (\d+) passed, (\d+) failed$/m.exec(output)
  if (exitCode > 1 || announced === null || summary === null) {
    return yield* fail(`The suite ended with ${exitCode} and without a summary:\n${output}`)
  }

  const unscored = new Set(
    Array.from(output.matchAll(/^ {2}\S (\S+) \((?:extension|pending|added-after-release)\)$/gm), (line) => line[1])
  )
  const declared = Number(/^Not scored for \S+: (\d+) scenario\(s\) run/m.exec(output)?.[1] ?? 0)
  if (unscored.size !== declared) {
    return yield* fail(
      `The suite ran ${declared} scenarios without scoring them, and named ${unscored.size}:\n${output}`
    )
  }

  const checks = new Map<string, Check>()
  let passed = 0
  let failed = 0
  const results = yield* fs.readDirectory(directory)
  for (const name of results.toSorted()) {
    const scenario = /^server-(.+?)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(name)?.[1]
    if (scenario === undefined) return yield* fail(`The suite wrote something unknown: ${name}`)
    const made = new Map<string, number>()
    for (const check of yield* decodeChecks(yield* fs.readFileString(path.join(directory, name, "checks.json")))) {
      const nth = (made.get(check.id) ?? 0) + 1
      made.set(check.id, nth)
      checks.set(`${scenario}/${check.id}${nth === 1 ? "" : `#${nth}`}`, {
        status: check.status,
        message: check.errorMessage?.replaceAll(origin, "http://server"),
        scored: !unscored.has(scenario)
      })
      if (check.status === "SUCCESS") passed++
      if (check.status === "FAILURE") failed++
    }
  }
  // If a result were missing, the comparison would be incomplete, so the numbers must match those of the suite.
  if (results.length !== Number(announced[1]) || passed !== Number(summary[1]) || failed !== Number(summary[2])) {
    return yield* fail(
      `The suite says ${announced[1]} scenarios, ${summary[1]} passed, ${summary[2]} failed; ` +
        `its files say ${results.length}, ${passed}, ${failed}:\n${output}`
    )
  }
  const result: Score = { passed, failed, checks }
  return result
}, Effect.scoped)

// ---------------------------------------------------------------------------------------------------------------------
// The comparison
// ---------------------------------------------------------------------------------------------------------------------

/** A check with another status or message behind the gate, or one that ran on one of the two servers only. */
export interface Difference {
  readonly check: string
  readonly inFront: Check | undefined
  readonly behind: Check | undefined
}

/** The results of the suite for the same server without the gate (`inFront`) and with the gate (`behind`). */
export interface Comparison {
  readonly revision: Revision
  readonly inFront: Score
  readonly behind: Score
  readonly differences: ReadonlyArray<Difference>
}

/** The whole comparison, and the proof that requests passed a gate. */
export interface Report {
  readonly comparisons: ReadonlyArray<Comparison>
  /** The numbers of requests that reached the server without the gate (`inFront`) and the server with the gate (`behind`). */
  readonly requests: { readonly inFront: Loopback.Requests; readonly behind: Loopback.Requests }
  /** The response of the gated server to a request without a token. */
  readonly withoutToken: { readonly status: number; readonly challenge: string | null }
}

const differences = (inFront: Score, behind: Score): ReadonlyArray<Difference> =>
  [...new Set([...inFront.checks.keys(), ...behind.checks.keys()])]
    .map((check) => ({ check, inFront: inFront.checks.get(check), behind: behind.checks.get(check) }))
    .filter(({ behind, inFront }) => inFront?.status !== behind?.status || inFront?.message !== behind?.message)

/** The same server without and with the gate. Both run until the scope closes. */
interface Servers<E> {
  readonly revisions: ReadonlyArray<Revision>
  readonly open: Effect.Effect<Loopback.Server, E, Scope.Scope>
  readonly gated: (issuer: string) => Effect.Effect<Loopback.Server, E, Scope.Scope>
}

/** Starts both servers and an issuer, runs the suite for each revision against each server, and stops everything. */
const compareServers = <E>({ gated: makeGated, open: makeOpen, revisions }: Servers<E>) =>
  Effect.gen(function*() {
    const issuer = yield* Issuer.start
    const open = yield* makeOpen
    const gated = yield* makeGated(issuer.origin)
    const token = yield* issuer.mint({ audience: GatedServer.resource(gated.origin), scope: GatedServer.scope })
    const authorization = Redacted.make(`Bearer ${Redacted.value(token)}`)

    const comparisons = yield* Effect.forEach(revisions, (revision) =>
      Effect.gen(function*() {
        // The servers share no state, so the runs do not affect each other.
        const [inFront, behind] = yield* Effect.all([
          score(open.origin, revision),
          score(gated.origin, revision, authorization)
        ], { concurrency: 2 })
        const comparison: Comparison = { revision, inFront, behind, differences: differences(inFront, behind) }
        return comparison
      }))
    const requests = { inFront: { ...open.requests }, behind: { ...gated.requests } }

    const rejected = yield* Effect.promise((signal) =>
      fetch(GatedServer.resource(gated.origin), { method: "POST", signal })
    )
    const report: Report = {
      comparisons,
      requests,
      withoutToken: { status: rejected.status, challenge: rejected.headers.get("www-authenticate") }
    }
    return report
  }).pipe(
    Effect.scoped,
    // The gate logs the rejections that the suite causes. They would hide warnings and errors in the output.
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )

/** Compares Effect's own MCP server without and with the gate. */
export const compare = compareServers({
  revisions,
  open: Loopback.serve(EverythingServer.layer),
  gated: (issuer) => Loopback.serve((origin) => GatedServer.layer(origin, issuer))
})

/** Compares a server on an official SDK without and with the gate. */
export const compareSdk = (pair: SdkServers.Pair, revisions: ReadonlyArray<Revision>) =>
  compareServers({
    revisions,
    open: Loopback.listen(pair.open),
    gated: (issuer) => Loopback.listen((origin) => pair.gated(origin, issuer))
  })
