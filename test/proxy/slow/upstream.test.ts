/** Two processes share one store, and refresh one token at an upstream whose refresh tokens work once. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { RecordStore } from "effect-mcp-auth/store"
import { TestUpstream } from "effect-mcp-auth/testing"
import { Fetcher } from "effect-mcp-auth/verification"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, runs, start } from "../../program.ts"
import { stores } from "../../store/records/ProcessStores.ts"
import { browser, proxyAt, refreshingApp } from "../upstream/world.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "upstream-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

const redis = Effect.gen(function*() {
  const port = yield* freePort
  yield* start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port)
  return `redis://127.0.0.1:${port}`
})

const places: Record<string, { readonly exists: boolean; readonly place: Effect.Effect<string, never, Scope.Scope> }> =
  {
    sqlite: { exists: true, place: Effect.map(folder, (made) => join(made, "records.db")) },
    redis: { exists: runs("redis-server"), place: redis }
  }

/** Serves an upstream on a free port. */
const serve = Effect.gen(function*() {
  const server = createServer()
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () => Effect.sync(() => void server.close().closeAllConnections())
  )
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const upstream = yield* Effect.promise(() => TestUpstream.start({ form: "rotating", origin }))
  server.on("request", upstream.listener)
  return upstream.effect
})

const run = (...args: ReadonlyArray<string>) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const file = join(import.meta.dirname, "../upstream/RefreshingProcess.ts")
    execFile(
      process.execPath,
      ["--no-warnings", "--conditions=effect-mcp-auth/source", file, ...args],
      (error, stdout, stderr) =>
        resume(error === null ? Effect.succeed(JSON.parse(stdout)) : Effect.die(new Error(stderr)))
    )
  })

const rounds = 15

for (const [kind, { exists, place }] of Object.entries(places)) {
  describe.skipIf(!exists)(`two processes with one store (${kind})`, () => {
    it.live("attack 58: never send a refresh token of the upstream twice, and end no grant", () =>
      Effect.gen(function*() {
        const where = yield* place
        const upstream = yield* serve
        const context = yield* Layer.build(yield* Effect.promise(() => stores[kind]!(where)))
        const store = Context.get(context, RecordStore.RecordStore)
        const leg = yield* proxyAt(refreshingApp(upstream.origin), Fetcher.make(fetch), store)
        const { upstreamKey } = yield* browser(leg, upstream).signIn()
        const both = yield* Effect.all([1, 2].map(() => run(kind, where, upstream.origin, upstreamKey, `${rounds}`)), {
          concurrency: "unbounded"
        })
        for (const outcomes of both) assert.deepStrictEqual(outcomes, Array(rounds * 6).fill("alive"))
        assert.strictEqual(yield* upstream.reuses, 0)
        const { refresh } = yield* upstream.counts
        assert.isAtLeast(refresh, rounds)
        assert.isAtMost(refresh, rounds * 2)
        assert.deepStrictEqual(yield* upstream.liveTokens("alice"), [Redacted.value(yield* leg.token(upstreamKey))])
      }))
  })
}
