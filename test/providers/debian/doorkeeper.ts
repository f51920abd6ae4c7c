/** Starts Doorkeeper from Debian's packages, in a Rails application on a free port with an empty database. */
import { Effect, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, start } from "../../program.ts"
import { makeServer, makeSettings, type OpaqueServer } from "./opaqueServer.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

export const make: Effect.Effect<OpaqueServer, never, Scope.Scope> = Effect.gen(function*() {
  const port = yield* freePort
  const issuer = `http://127.0.0.1:${port}`
  const folder = yield* temporaryFolder("doorkeeper")
  const configuration = join(folder, "configuration.json")
  const settings = yield* makeSettings
  writeFileSync(configuration, JSON.stringify({ ...settings, issuer, database: join(folder, "database") }))
  yield* start(
    "/usr/bin/puma",
    ["--bind", `tcp://127.0.0.1:${port}`, "--environment", "production", join(import.meta.dirname, "doorkeeper.ru")],
    port,
    { CONFIGURATION: configuration }
  )
  return makeServer(issuer, {
    authorize: `${issuer}/oauth/authorize`,
    token: `${issuer}/oauth/token`,
    revoke: `${issuer}/oauth/revoke`
  })
})
