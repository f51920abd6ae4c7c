/**
 * Stores records in PostgreSQL, for all instances of a program.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { withLimits } from "./RecordLimits.ts"
import { RecordStoreUnavailable, type Store, type Version } from "./RecordStore.ts"
import { makeVersion } from "./RecordVersion.ts"

const downFor = (detail?: string) => new RecordStoreUnavailable({ reason: "down", detail, retryAfter: 5 })

/**
 * Creates a store in a table of PostgreSQL, and creates the table if it does not exist.
 *
 * **Details**
 *
 * `sql` is the client of `@effect/sql-pg`. `table` is the name of the table: letters, digits and `_`, at most 50 characters.
 * Default: `effect_mcp_auth_records`. Fails with `AuthConfigError` for another name or another database.
 *
 * An operation that takes more than 5 seconds fails (`down`). Such a write may have happened. The clock of the database decides
 * what has expired. While the scope is open, expired rows are deleted once a minute.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  sql: SqlClient,
  table = "effect_mcp_auth_records"
): Effect.Effect<Store, AuthConfigError | RecordStoreUnavailable, Scope.Scope> =>
  Effect.gen(function*() {
    if (!/^[a-z_][a-z0-9_]{0,49}$/i.test(table)) {
      return yield* ConfigOption.invalid("table", table, "letters, digits and _", "Leave it out for the default name")
    }
    if (!sql.onDialectOrElse({ pg: () => true, orElse: () => false })) {
      return yield* ConfigOption.error(
        "sql",
        "the client is for another database. Pass the client of PgClient.layer (@effect/sql-pg)"
      )
    }
    const client = sql.withoutTransforms()
    const run = (text: string, values: ReadonlyArray<unknown> = []) =>
      client.unsafe<Record<string, unknown>>(text, values).pipe(
        Effect.timeout("5 seconds"),
        // The message of the database can contain the values of a row.
        Effect.mapError((error) => downFor(error._tag === "TimeoutError" ? "no answer within 5 seconds" : undefined))
      )

    const create = run(
      `CREATE TABLE IF NOT EXISTS "${table}" (key text PRIMARY KEY, value text NOT NULL, version text NOT NULL, ` +
        "until timestamptz NOT NULL)"
    ).pipe(Effect.andThen(run(`CREATE INDEX IF NOT EXISTS "${table}_until" ON "${table}" (until)`)))
    // Two instances that start at once can both find no table. Then PostgreSQL rejects one of them.
    yield* Effect.retry(create, { times: 5, schedule: Schedule.spaced("100 millis") })

    const sweep = run(
      `DELETE FROM "${table}" WHERE key IN (SELECT key FROM "${table}" WHERE until <= now() ORDER BY until LIMIT 500 ` +
        "FOR UPDATE SKIP LOCKED) RETURNING 1 AS removed"
    )
    const sweepAll = Effect.repeat(sweep, { while: (rows) => rows.length === 500 })
    yield* Effect.forkScoped(
      Effect.repeat(Effect.catch(sweepAll, () => Effect.void), Schedule.spaced(Duration.minutes(1)))
    )

    return withLimits({
      get: (key) =>
        Effect.map(run(`SELECT value, version FROM "${table}" WHERE key = $1 AND until > now()`, [key]), ([row]) =>
          row && { value: row["value"] as string, version: row["version"] as Version }),
      put: (key, value, lifetime, expected) =>
        Effect.suspend(() => {
          const version = makeVersion()
          const until = "now() + $4 * interval '1 millisecond'"
          // Each is one statement, so READ COMMITTED is enough.
          const written = expected === "absent"
            ? run(
              `INSERT INTO "${table}" (key, value, version, until) VALUES ($1, $2, $3, ${until}) ON CONFLICT (key) DO UPDATE ` +
                `SET value = $2, version = $3, until = ${until} WHERE "${table}".until <= now() RETURNING version`,
              [key, value, version, lifetime]
            )
            : run(
              `UPDATE "${table}" SET value = $2, version = $3, until = ${until} WHERE key = $1 AND version = $5 ` +
                "AND until > now() RETURNING version",
              [key, value, version, lifetime, expected]
            )
          return Effect.map(written, (rows) =>
            rows.length === 1 ? version : undefined)
        }),
      remove: (key, expected) => {
        const which = expected === undefined ? "" : " AND version = $2"
        return Effect.map(
          run(
            `DELETE FROM "${table}" WHERE key = $1${which} AND until > now() RETURNING version`,
            expected === undefined ? [key] : [key, expected]
          ),
          (rows) => rows.length === 1
        )
      }
    })
  })
