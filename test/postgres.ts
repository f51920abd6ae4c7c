/** Starts a PostgreSQL server with an empty database. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, start } from "./program.ts"

const folder = "ls -d /usr/lib/postgresql/*/bin | tail -n 1"

/** PostgreSQL does not run as root, so root runs it as the user that Debian's package creates. */
const command = (program: string, args: ReadonlyArray<string>): [string, Array<string>] => {
  const path = join(spawnSync("sh", ["-c", folder], { encoding: "utf8" }).stdout.trim(), program)
  return process.getuid?.() === 0 ? ["runuser", ["-u", "postgres", "--", path, ...args]] : [path, [...args]]
}

/** Runs a server until the scope closes, and returns the port. */
export const startPostgres = Effect.gen(function*() {
  const data = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const made = mkdtempSync(join(tmpdir(), "postgres-"))
      if (process.getuid?.() === 0) spawnSync("chown", ["postgres", made])
      const [program, args] = command("initdb", ["-D", made, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"])
      const { status, stderr } = spawnSync(program, args, { encoding: "utf8", cwd: made })
      if (status !== 0) throw new Error(`initdb: ${stderr}`)
      return made
    }),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  const port = yield* freePort
  const settings = ["-D", data, "-p", `${port}`, "-h", "127.0.0.1", "-k", data, "-c", "fsync=off"]
  yield* start(...command("postgres", settings), port)
  return port
})

/** The client of a server of `startPostgres`. */
export const clientOf = (port: number) =>
  PgClient.layer({ host: "127.0.0.1", port, database: "postgres", username: "test", password: Redacted.make("") })

/** Runs a server, and provides its client. */
export const layer = Layer.unwrap(Effect.map(startPostgres, clientOf))
