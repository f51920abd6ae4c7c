/** Starts Doorkeeper from Debian's packages, in a Rails application on a free port with an empty database. */
import { Effect, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, start } from "../../program.ts"
import { makeServer, makeSettings, type OpaqueServer } from "./opaqueServer.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

/** A token of an admin with the same id as alice, if the server has admins. */
export const adminToken = "admin-loopback-test-token"

export interface Options {
  /** Whether tokens can belong to users and admins. Otherwise, all tokens belong to users. */
  readonly hasAdmins: boolean
}

export const make: (options: Options) => Effect.Effect<OpaqueServer, never, Scope.Scope> = Effect.fnUntraced(function*({
  hasAdmins
}) {
  const port = yield* freePort
  const issuer = `http://127.0.0.1:${port}`
  const folder = yield* temporaryFolder("doorkeeper")
  const configuration = join(folder, "configuration.json")
  const settings = yield* makeSettings
  writeFileSync(
    configuration,
    JSON.stringify({ ...settings, issuer, adminToken, hasAdmins, database: join(folder, "database") })
  )
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
