import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References, type Scope } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../../../test/program.ts"
import * as AuthorizationServer from "../../authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../authorization-server/UserAgent.ts"
import * as Serving from "../../shared/Serving.ts"
import * as TodoManager from "../../todo-manager/TodoManager.ts"

const { scopes } = TodoManager

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the tool. `answer` receives standard error when it matches `until`, and can write a line to standard input. */
type Run = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>,
  until?: RegExp,
  answer?: (shown: string, write: (line: string) => void) => Promise<void>
) => Effect.Effect<Ended>

/** Starts a todo manager and its authorization server. */
const start: (deviceAuthorization: boolean) => Effect.Effect<
  { readonly run: Run; readonly file: string },
  unknown,
  Scope.Scope
> = Effect.fnUntraced(function*(deviceAuthorization) {
  const issuer = AuthorizationServer.layer({ scopes, deviceAuthorization })
  const todos = Layer.unwrap(
    Effect.map(
      AuthorizationServer.AuthorizationServer,
      ({ issuer }) => Serving.layer({ port: 0, authorizationServers: [issuer] }, { scopes, app: TodoManager.layer })
    )
  )
  const context = yield* Layer.build(todos.pipe(Layer.provide(issuer)))
  const { url } = yield* Effect.provideContext(Serving.Endpoint, context)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "cli-client-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const file = join(folder, "tokens.json")
  const port = yield* freePort
  const run: Run = (args, environment, until, answer) =>
    Effect.callback((resume) => {
      const child = spawn(process.execPath, [
        "--no-warnings",
        "--conditions=effect-mcp-auth/source",
        join(import.meta.dirname, "../main.ts"),
        ...args
      ], { env: { ...process.env, MCP_URL: url, TODO_FILE: file, CALLBACK_PORT: String(port), ...environment } })
      let stdout = ""
      let stderr = ""
      let isAnswered = false
      child.stdout.on("data", (data) => void (stdout += data))
      child.stderr.on("data", (data) => {
        stderr += data
        if (until === undefined || isAnswered || !until.test(stderr)) return
        isAnswered = true
        answer!(stderr, (line) => child.stdin.write(`${line}\n`)).catch((error) => resume(Effect.die(error)))
      })
      child.once("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
      return Effect.sync(() => void child.kill())
    })
  return { run, file }
}, Effect.provideService(References.MinimumLogLevel, "Error"))

const ended = (stdout: string): Ended => ({ code: 0, stdout, stderr: "" })

describe("the command-line client", () => {
  it.live("signs in with a browser once, steps up, and keeps the tokens in a file of the person alone", () =>
    Effect.gen(function*() {
      const { file, run } = yield* start(false)
      const browser = { BROWSER: join(import.meta.dirname, "../alice.ts") }
      assert.deepStrictEqual(yield* run(["add", "Water", "plants"], browser), ended("1 Water plants (alice)\n"))
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      // Without a browser the tool would wait for input, and the test would not end.
      const none = { BROWSER: "/nonexistent" }
      assert.deepStrictEqual(yield* run([], none), ended("1 Water plants (alice)\n"))
      assert.deepStrictEqual(yield* run(["done", "1"], browser), ended("No todos\n"))
      assert.deepStrictEqual(yield* run(["done", "1"], none), { code: 1, stdout: "", stderr: "You have no todo 1\n" })
    }))

  it.live("signs in on another device if no browser opens and the authorization server offers it", () =>
    Effect.gen(function*() {
      const { run } = yield* start(true)
      const { code, stdout, stderr } = yield* run(
        ["add", "Water plants"],
        { BROWSER: "/nonexistent" },
        /the code \S+\./,
        async (shown) => {
          const [, page, code] = /\n(http\S+)\n[^]*the code (\S+)\./.exec(shown)!
          await new UserAgent({ username: "bob" }).approveDevice(`${page}?user_code=${code}`)
        }
      )
      assert.deepStrictEqual([code, stdout], [0, "1 Water plants (bob)\n"], stderr)
    }))

  it.live("asks for the pasted URL of the callback otherwise", () =>
    Effect.gen(function*() {
      const { run } = yield* start(false)
      const { code, stdout, stderr } = yield* run(
        ["add", "Water plants"],
        { BROWSER: "/nonexistent" },
        /Paste the URL/,
        async (shown, write) => {
          const url = /^http\S+\/auth\?\S+$/m.exec(shown)![0]
          write((await new UserAgent({ username: "carol" }).authorize(url)).href)
        }
      )
      assert.deepStrictEqual([code, stdout], [0, "1 Water plants (carol)\n"], stderr)
    }))
})
