/** Several processes use one store at the same time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPostgres } from "../../postgres.ts"
import { freePort, runs, start } from "../../program.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "records-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

const redis = Effect.gen(function*() {
  const port = yield* freePort
  yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
  return `redis://127.0.0.1:${port}`
})

/** The place of each kind of store, for the command line of `Increment.ts`. */
const places: Record<string, { readonly exists: boolean; readonly place: Effect.Effect<string, never, Scope.Scope> }> =
  {
    file: { exists: true, place: Effect.map(folder, (made) => join(made, "records.json")) },
    sqlite: { exists: true, place: Effect.map(folder, (made) => join(made, "records.db")) },
    redis: { exists: runs("redis-server"), place: redis },
    postgres: { exists: runs("postgres"), place: Effect.map(startPostgres, String) }
  }

/** Runs a process that increments both counters, and returns their values when it has finished. */
const increment = (...args: ReadonlyArray<string>): Effect.Effect<readonly [counter: number, leased: number]> =>
  Effect.callback((resume) => {
    const file = join(import.meta.dirname, "Increment.ts")
    const options = ["--no-warnings", "--conditions=effect-mcp-auth/source", file, ...args]
    execFile(
      process.execPath,
      options,
      (error, stdout, stderr) =>
        resume(error === null ? Effect.succeed(JSON.parse(stdout)) : Effect.die(new Error(stderr)))
    )
  })

for (const [kind, { exists, place }] of Object.entries(places)) {
  describe.skipIf(!exists)(`two processes that share a store (${kind})`, () => {
    it.live("lose no increment of a counter, by versions and under a lease", () =>
      Effect.gen(function*() {
        const where = yield* place
        const both = yield* Effect.all([increment(kind, where, "40", "5"), increment(kind, where, "40", "5")], {
          concurrency: "unbounded"
        })
        // The process that finishes last sees all increments.
        assert.strictEqual(Math.max(...both.map(([counter]) => counter)), 80)
        assert.strictEqual(Math.max(...both.map(([, leased]) => leased)), 10)
      }))
  })
}
