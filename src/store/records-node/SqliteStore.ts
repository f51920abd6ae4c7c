/**
 * Stores records in a file of SQLite, for the processes of one machine.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { withLimits } from "../records/RecordLimits.ts"
import { RecordStore, RecordStoreUnavailable, type Store, type Version } from "../records/RecordStore.ts"
import { makeVersion } from "../records/RecordVersion.ts"
import { checkFileOptions } from "./internal/fileOption.ts"
import { checkPrivateFile, makePrivateFile } from "./internal/privateFile.ts"

/**
 * The options of a store in SQLite.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The path of the database file. It is created for its owner only, together with its folder. */
  readonly file: string
}

const busy = Symbol("busy")

const codeOf = (error: unknown): number => Number((error as { readonly errcode?: unknown } | null)?.errcode) & 0xff

/** Runs a statement. While another process writes, tries again for at most 5 seconds. */
const retryWhileBusy = <A>(statement: () => A): Effect.Effect<A, RecordStoreUnavailable> =>
  Effect.gen(function*() {
    const deadline = (yield* Clock.currentTimeMillis) + 5_000
    while (true) {
      const result = yield* Effect.try({
        try: statement,
        catch: (error) => codeOf(error) === 5 || codeOf(error) === 6 ? busy : unavailable(error)
      }).pipe(
        Effect.catch((error) => error === busy ? Effect.succeed(busy) : Effect.fail(error as RecordStoreUnavailable))
      )
      if (result !== busy) return result as A
      if ((yield* Clock.currentTimeMillis) >= deadline) {
        return yield* new RecordStoreUnavailable({ reason: "down", detail: "the database is locked", retryAfter: 1 })
      }
      // `busy_timeout` of SQLite would block the event loop instead.
      yield* Effect.sleep(Duration.millis(1 + 9 * (yield* Random.next)))
    }
  })

/** The codes of a full disk and a database that cannot grow. */
const unavailable = (error: unknown): RecordStoreUnavailable =>
  codeOf(error) === 13
    ? new RecordStoreUnavailable({ reason: "full", retryAfter: 60 })
    : new RecordStoreUnavailable({ reason: "down", detail: `SQLite error ${codeOf(error)}`, retryAfter: 5 })

/**
 * Creates a store in a file of SQLite (`node:sqlite`, Node 22.13 or newer).
 *
 * **Details**
 *
 * Several processes of one machine can use the file at the same time. Each write is on the disk when it succeeds. The file
 * belongs to its owner only (mode 0600): the store fails (`unsafe`) if other users could read or replace it. While the scope is
 * open, expired rows are deleted once a minute. Fails with `AuthConfigError` on a platform without `node:sqlite`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options
): Effect.Effect<Store, AuthConfigError | RecordStoreUnavailable, Scope.Scope> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(ConfigOption.attempt(() => checkFileOptions(options)))
    const sqlite = yield* Effect.tryPromise({
      try: () => import("node:sqlite"),
      catch: () =>
        ConfigOption.error("file", "node:sqlite is not available here. Use Node 22.13 or newer, or another store")
    })
    yield* makePrivateFile(options.file)
    const database = yield* Effect.acquireRelease(
      Effect.try({
        try: () => new sqlite.DatabaseSync(options.file),
        catch: unavailable
      }),
      (database) => Effect.sync(() => database.close())
    )
    // The write-ahead log lets others read during a write. `FULL` loses no write when the power fails.
    yield* retryWhileBusy(() =>
      database.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; " +
          "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL, " +
          "until INTEGER NOT NULL) STRICT; CREATE INDEX IF NOT EXISTS records_until ON records (until)"
      )
    )
    yield* checkPrivateFile(options.file)
    const statements = prepare(database)
    const change = (statement: ReturnType<DatabaseSync["prepare"]>, values: ReadonlyArray<SQLInputValue>) =>
      Effect.map(retryWhileBusy(() => statement.run(...values)), ({ changes }) => Number(changes))

    const sweep = Effect.flatMap(Clock.currentTimeMillis, (now) => change(statements.sweep, [now]))
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.catch(Effect.repeat(sweep, { while: (removed) => removed === 500 }), () => Effect.void),
        Schedule.spaced("1 minute")
      )
    )

    return withLimits({
      get: (key) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.map(
            retryWhileBusy(() => statements.get.get(key, now)),
            (row) => row && { value: row["value"] as string, version: row["version"] as Version }
          )),
      put: (key, value, lifetime, expected) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const version = makeVersion()
          const written = expected === "absent"
            ? change(statements.insert, [key, value, version, now + lifetime, now])
            : change(statements.update, [value, version, now + lifetime, key, expected, now])
          return Effect.map(written, (changes) => changes === 1 ? version : undefined)
        }),
      remove: (key, expected) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.map(
            expected === undefined
              ? change(statements.remove, [key, now])
              : change(statements.removeVersion, [key, now, expected]),
            (changes) => changes === 1
          ))
    })
  })

/**
 * Provides a store in a file of SQLite, as `make` creates it.
 *
 * **Example** (A file in the home folder)
 *
 * ```ts
 * import { SqliteStore } from "effect-mcp-auth/store-node"
 * import { homedir } from "node:os"
 * import { join } from "node:path"
 *
 * const Records = SqliteStore.layer({ file: join(homedir(), ".my-tool", "records.db") })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<RecordStore, AuthConfigError | RecordStoreUnavailable> =>
  Layer.effect(RecordStore, make(options))

const prepare = (database: DatabaseSync) => ({
  get: database.prepare("SELECT value, version FROM records WHERE key = ? AND until > ?"),
  insert: database.prepare(
    "INSERT INTO records (key, value, version, until) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET " +
      "value = excluded.value, version = excluded.version, until = excluded.until WHERE records.until <= ?"
  ),
  update: database.prepare(
    "UPDATE records SET value = ?, version = ?, until = ? WHERE key = ? AND version = ? AND until > ?"
  ),
  remove: database.prepare("DELETE FROM records WHERE key = ? AND until > ?"),
  removeVersion: database.prepare("DELETE FROM records WHERE key = ? AND until > ? AND version = ?"),
  sweep: database.prepare("DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE until <= ? LIMIT 500)")
})
