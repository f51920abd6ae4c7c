/** Processes share the tokens of an account. The number in the title is that of a fault that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Connections } from "effect-mcp-auth/sign-in"
import { RecordStore } from "effect-mcp-auth/store"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as AuthorizationServer from "../../../examples/authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"
import { scopes } from "../../../examples/todo-manager/Scopes.ts"
import { keyOf } from "../../../src/client/sign-in/SignInRecords.ts"
import { runs } from "../../program.ts"
import * as TodoManager from "../../providers/todoManager.ts"
import { server as redisServer } from "../../redis.ts"
import { stores } from "../../store/records/ProcessStores.ts"

const account = "alice"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-processes-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const inFolder = Effect.map(folder, (path) => join(path, "tokens"))

const places: ReadonlyArray<{
  readonly kind: string
  readonly place: Effect.Effect<string, unknown, Scope.Scope>
  readonly isInstalled: boolean
}> = [
  { kind: "file", place: inFolder, isInstalled: true },
  { kind: "sqlite", place: inFolder, isInstalled: true },
  { kind: "redis", place: Effect.map(redisServer, ({ url }) => url), isInstalled: runs("redis-server") }
]

/** Runs a process, and returns what it prints. */
const call = (...args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly isError: boolean; readonly refreshes: number }, Error>((resume) => {
    const program = join(import.meta.dirname, "Call.ts")
    const options = ["--no-warnings", "--conditions=effect-mcp-auth/source", program]
    execFile(
      process.execPath,
      [...options, ...args],
      (error, stdout, stderr) =>
        resume(error === null ? Effect.succeed(JSON.parse(stdout)) : Effect.fail(new Error(stderr)))
    )
  })

describe("16 processes with one rotating refresh token", () => {
  for (const { isInstalled, kind, place } of places) {
    it.live.skipIf(!isInstalled)(
      `33: refresh it once in the store ${kind}, and need no sign-in`,
      () =>
        Effect.gen(function*() {
          const { issuer } = yield* AuthorizationServer.make({ scopes, refreshTokens: "always" })
          const reserved = yield* TodoManager.reserve
          yield* TodoManager.serve(reserved, { authorizationServers: [issuer] }, TodoManager.stepwise)
          const { resource } = reserved
          const at = yield* place
          const shared = yield* Effect.promise(() => stores[kind]!(at))
          yield* Effect.gen(function*() {
            const store = yield* RecordStore.RecordStore
            const connections = yield* Connections.make({
              client: { name: "Acceptance" },
              redirectUri: "http://127.0.0.1:9/callback",
              allowIssuers: [issuer]
            })
            const required = yield* Effect.flip(Effect.tryPromise({
              try: () => connections.fetch({ account, resource })(resource, { method: "POST", body: "{}" }),
              catch: (error) => error as { readonly url: string }
            }))
            const callback = yield* Effect.promise(() => new UserAgent({ username: account }).authorize(required.url))
            yield* connections.complete({ url: callback.href }, { account })
            const key = yield* keyOf("token", account, resource)
            const { value, version } = (yield* store.get(key))!
            const expired = JSON.stringify({ ...JSON.parse(value), renewAt: 1, expiresAt: 1 })
            yield* store.put(key, expired, { lifetime: "1 hour", expected: version })
          }).pipe(Effect.provide(shared))
          const results = yield* Effect.all(
            Array.from({ length: 16 }, () => call(kind, at, issuer, resource, account)),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(results.map(({ isError }) => isError), Array.from({ length: 16 }, () => false))
          assert.strictEqual(results.reduce((sum, { refreshes }) => sum + refreshes, 0), 1)
        }),
      120_000
    )
  }
})
