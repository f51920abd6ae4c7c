/**
 * Runs the authorization server scenarios of the official conformance suite against the OAuth proxy. A person with a browser completes
 * the interactive one.
 */
import { Effect, FileSystem, Path, Schema, Stream } from "effect"
import { TestBrowser } from "effect-mcp-auth/testing"
import { ChildProcess } from "effect/process"
import { createRequire } from "node:module"
import { freePort } from "../../program.ts"
import { type ServerOptions, start } from "../../proxy/server.ts"

const tool = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/dist/index.js")

/** The result of one check. */
export interface Check {
  readonly scenario: string
  readonly id: string
  readonly status: string
  readonly message: string | undefined
}

/** The results of the suite. */
export interface Result {
  readonly exitCode: number
  readonly checks: ReadonlyArray<Check>
  readonly output: string
}

const Checks = Schema.fromJsonString(Schema.Array(Schema.Struct({
  id: Schema.String,
  status: Schema.String,
  errorMessage: Schema.optional(Schema.String)
})))

/** The line with which the suite asks the person to open the authorization request. */
const authorizationUrl = /^http:\/\/127\.0\.0\.1:\d+\/authorize\?\S+$/

/** Signs a person in at the URL, and opens the callback at the suite. */
const signIn = (url: string) =>
  Effect.gen(function*() {
    const browser = TestBrowser.make()
    const callback = yield* browser.signIn(url)
    yield* Effect.promise((signal) => fetch(callback, { signal }).then((response) => response.text()))
  })

/** Registers a client, as clients of MCP do. Returns its id. */
const register = (origin: string, redirectUri: string) =>
  Effect.promise(async (signal) => {
    const response = await fetch(`${origin}/register`, {
      method: "POST",
      signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: [redirectUri], client_name: "conformance" })
    })
    const { client_id } = await response.json() as { readonly client_id: string }
    return client_id
  })

/** Starts a proxy and its upstream, and runs all scenarios against the proxy. */
export const run = Effect.fnUntraced(function*(options: ServerOptions) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const world = yield* Effect.acquireRelease(
    Effect.promise(() => start(options)),
    ({ stop }) => Effect.promise(stop)
  )
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "mcp-conformance-" })
  const port = yield* freePort
  const suite = yield* ChildProcess.make(process.execPath, [
    tool,
    "authorization",
    "--url",
    world.origin,
    "--client-id",
    yield* register(world.origin, `http://127.0.0.1:${port}/callback`),
    "--resource",
    world.resource,
    "--port",
    `${port}`,
    "--output-dir",
    directory
  ], { stdin: "ignore" })
  const lines: Array<string> = []
  yield* suite.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => {
      lines.push(line)
      return authorizationUrl.test(line) ? signIn(line) : Effect.void
    })
  )
  const exitCode = yield* suite.exitCode
  const checks: Array<Check> = []
  for (const name of (yield* fs.readDirectory(directory)).toSorted()) {
    const [, scenario = name] = /^authorization-server-(.+?)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(name) ?? []
    const text = yield* fs.readFileString(path.join(directory, name, "checks.json"))
    for (const { errorMessage, id, status } of yield* Schema.decodeEffect(Checks)(text)) {
      checks.push({ scenario, id, status, message: errorMessage })
    }
  }
  return { exitCode, checks, output: lines.join("\n") } satisfies Result
}, Effect.scoped)

/** The checks of the suite. Each of them must succeed: a warning counts as a failure, and so does a check that was not made. */
export const required: ReadonlyArray<string> = [
  "authorization-code-grant/authorization-code-grant",
  "authorization-server-metadata-endpoint/authorization-server-metadata",
  "authorization-server-metadata-endpoint/authorization-server-metadata-cimd"
]

/** Returns the names of the checks that succeeded. */
export const passed = ({ checks }: Result): ReadonlyArray<string> =>
  checks.filter(({ status }) => status === "SUCCESS").map(({ id, scenario }) => `${scenario}/${id}`)

/** Returns the names of the scenarios that the suite has. */
export const listScenarios = Effect.gen(function*() {
  const suite = yield* ChildProcess.make(process.execPath, [tool, "list", "--authorization"], { stdin: "ignore" })
  const output = yield* suite.all.pipe(Stream.decodeText(), Stream.mkString)
  return [...output.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name!)
}).pipe(Effect.scoped)
