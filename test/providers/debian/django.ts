/** Starts Django OAuth Toolkit from Debian's packages, in a Django project on a free port with an empty database. */
import { Effect, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, start } from "../../program.ts"
import { makeServer, makeSettings, type OpaqueServer } from "./opaqueServer.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

export const make: Effect.Effect<OpaqueServer, never, Scope.Scope> = Effect.gen(function*() {
  const port = yield* freePort
  const issuer = `http://127.0.0.1:${port}/o`
  const folder = yield* temporaryFolder("django")
  const configuration = join(folder, "configuration.json")
  const settings = yield* makeSettings
  writeFileSync(configuration, JSON.stringify({ ...settings, issuer, port, database: join(folder, "database") }))
  yield* start("/usr/bin/python3", [join(import.meta.dirname, "django_server.py"), configuration], port)
  return makeServer(issuer, {
    authorize: `${issuer}/authorize/`,
    token: `${issuer}/token/`,
    revoke: `${issuer}/revoke_token/`
  })
})
