/** A person without a browser on this machine pastes the URL of the callback. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"
import { serve } from "../clients/server.ts"
import { freePort } from "../program.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "pasted-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** Starts the program. Its output is readable while it runs. */
const start = (
  file: string,
  resource: string,
  port: number
): Effect.Effect<
  {
    /** Waits until standard error contains a text, and returns all of it. */
    readonly shown: (text: string) => Promise<string>
    readonly write: (line: string) => void
    readonly end: () => void
    /** Standard output, after the end of the program. */
    readonly output: Promise<string>
  },
  never,
  Scope.Scope
> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [
          "--no-warnings",
          "--conditions=effect-mcp-auth/source",
          join(import.meta.dirname, "PastedSignIn.ts"),
          file,
          resource,
          String(port),
          "list_todos"
        ])
      ),
      (child) => Effect.sync(() => void child.kill())
    ),
    (child) => {
      let errors = ""
      let output = ""
      const waiting: Array<() => void> = []
      child.stderr.on("data", (data) => {
        errors += data
        for (const check of waiting) check()
      })
      child.stdout.on("data", (data) => void (output += data))
      const ended = new Promise<string>((resolve) => child.once("close", () => resolve(output)))
      return {
        shown: (text) =>
          new Promise((resolve, reject) => {
            const check = () => errors.includes(text) && resolve(errors)
            waiting.push(check)
            check()
            void ended.then(() => reject(new Error(`The program ended before it showed ${text}: ${errors}${output}`)))
          }),
        write: (line) => void child.stdin.write(`${line}\n`),
        end: () => void child.stdin.end(),
        output: ended
      }
    }
  )

const urlIn = (text: string) => /^http\S+\/auth\?\S+$/m.exec(text)?.[0] ?? assert.fail(text)

describe("a program without a browser", () => {
  it.live(
    "signs in with the pasted URL, rejects other lines first, and needs no sign-in after a restart",
    () =>
      Effect.gen(function*() {
        const resource = yield* serve({ origin: "http://127.0.0.1:9", lazy: false, refreshTokens: "always" })
        const file = join(yield* folder, "tokens.json")
        const port = yield* freePort
        const program = yield* start(file, resource, port)
        const url = urlIn(yield* Effect.promise(() => program.shown("Paste the URL of that page")))
        program.write("")
        program.write("http://127.0.0.1/callback?code=foreign&state=foreign")
        yield* Effect.promise(() => program.shown("This is not the URL"))
        // The browser is on another machine, where the loopback port leads nowhere.
        const callback = yield* Effect.promise(() => new UserAgent({ username: "alice" }).authorize(url))
        assert.strictEqual(`${callback.origin}${callback.pathname}`, `http://127.0.0.1:${port}/callback`)
        program.write(callback.href)
        assert.include(yield* Effect.promise(() => program.output), "todos")
        const restarted = yield* start(file, resource, port)
        assert.include(yield* Effect.promise(() => restarted.output), "todos")
      }),
    120_000
  )

  it.live("accepts the callback on the loopback port while it waits for the pasted URL", () =>
    Effect.gen(function*() {
      const resource = yield* serve({ origin: "http://127.0.0.1:9", lazy: false, refreshTokens: "always" })
      const program = yield* start(join(yield* folder, "tokens.json"), resource, yield* freePort)
      const url = urlIn(yield* Effect.promise(() => program.shown("Paste the URL of that page")))
      const callback = yield* Effect.promise(() => new UserAgent({ username: "alice" }).authorize(url))
      const page = yield* Effect.promise(() => fetch(callback))
      assert.strictEqual(page.status, 200)
      assert.include(yield* Effect.promise(() => program.output), "todos")
    }), 120_000)

  it.live("fails at once if standard input ends", () =>
    Effect.gen(function*() {
      const resource = yield* serve({ origin: "http://127.0.0.1:9", lazy: false, refreshTokens: "always" })
      const program = yield* start(join(yield* folder, "tokens.json"), resource, yield* freePort)
      program.end()
      assert.include(yield* Effect.promise(() => program.output), "Standard input has ended")
    }), 120_000)
})
