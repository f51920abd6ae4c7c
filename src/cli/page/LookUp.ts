/**
 * Parses the queries of the page and runs their checks. The result is a report, or the reason why there is none.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as AddressGuard from "../../outbound/AddressGuard.ts"
import * as Check from "../../provider/check/Check.ts"
import * as Doctor from "../../provider/doctor/Doctor.ts"
import { shown } from "../../provider/report/Json.ts"
import type * as Report from "../../provider/report/Report.ts"
import { type Revision, revisions } from "../../provider/report/Rule.ts"
import * as CheckServer from "../CheckServer.ts"

/**
 * Reports why a request has no report: `reason` for programs, and `detail` as a sentence for people.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoReport extends Data.TaggedError("NoReport")<{
  readonly reason: "invalid-input" | "not-public" | "unreachable" | "timeout" | "busy" | "foreign-page"
  readonly detail: string
}> {}

/**
 * The kinds of servers. `auto` detects the kind.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds = ["auto", "authorization-server", "mcp-server"] as const

/**
 * A parsed query.
 *
 * @category models
 * @since 0.1.0
 */
export interface Query {
  readonly target: URL
  /** The target as the user wrote it, because issuers are compared as strings. */
  readonly written: string
  readonly kind: typeof kinds[number]
  readonly revision: Revision
}

/**
 * The options of a check.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Allows plain http, and servers on this machine and in its network. */
  readonly local: boolean
  /** The time limit of one check. */
  readonly timeout: Duration.Duration
}

const parameters = ["target", "kind", "spec"]

const invalidInput = (detail: string) => new NoReport({ reason: "invalid-input", detail })

const isOneOf = <const A extends string>(all: ReadonlyArray<A>, value: string): value is A =>
  (all as ReadonlyArray<string>).includes(value)

/**
 * Parses a query, `?target=…&kind=…&spec=…`. Rejects every other parameter, in particular a token, which would appear in logs
 * and histories.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (query: URLSearchParams): Effect.Effect<Query, NoReport> =>
  Effect.gen(function*() {
    for (const name of new Set(query.keys())) {
      if (!parameters.includes(name)) {
        return yield* invalidInput(
          `${shown(name)} is not a parameter. The parameters are target, kind and spec` +
            (name.includes("token") ? ". For a token, run effect-mcp-auth check or doctor" : "")
        )
      }
      if (query.getAll(name).length > 1) return yield* invalidInput(`${name} is set more than once. Set it once`)
    }
    const written = (query.get("target") ?? "").trim()
    if (written === "") {
      return yield* invalidInput("target is missing. Write the URL of a server, such as https://auth.example.com")
    }
    const target = URL.canParse(written) ? new URL(written) : undefined
    if (target === undefined || written.length > 2000 || !/^https?:$/.test(target.protocol)) {
      return yield* invalidInput(
        `${shown(written)} is not the URL of a server. Write one such as https://auth.example.com`
      )
    }
    if (target.username !== "" || target.password !== "" || /(?:^|[?&])(?:access_)?token=/i.test(target.search)) {
      return yield* invalidInput("The URL contains a password or a token. Leave it out")
    }
    const kind = query.get("kind") ?? "auto"
    if (!isOneOf(kinds, kind)) {
      return yield* invalidInput(`${shown(kind)} is not a kind. The kinds are ${kinds.join(", ")}`)
    }
    const revision = query.get("spec") ?? revisions[0]
    if (!isOneOf(revisions, revision)) {
      return yield* invalidInput(
        `${shown(revision)} is not a known revision of MCP. The revisions are ${revisions.join(", ")}`
      )
    }
    return { target, written, kind, revision }
  })

/**
 * Runs a check. Unless `local` is set, fails with `not-public` if the URL is not https or its host name is not public. Fails
 * with `timeout` after the time limit.
 *
 * @category runners
 * @since 0.1.0
 */
export const run = (
  { kind, revision, target, written }: Query,
  { local, timeout }: Options
): Effect.Effect<Report.Report, NoReport, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    if (!local && !(target.protocol === "https:" && AddressGuard.isPublicHost(target.hostname))) {
      return yield* new NoReport({
        reason: "not-public",
        detail: `${target.origin} is not a public https host. For servers on your machine or in your network run ` +
          "effect-mcp-auth page --local"
      })
    }
    switch (kind) {
      case "auto":
        return yield* CheckServer.run(written, { revision })
      case "mcp-server":
        return yield* Doctor.run(written, { revision })
      case "authorization-server":
        return yield* Check.run(written, { revision })
    }
  }).pipe(
    Effect.catchTags({
      Unreachable: (error) => Effect.fail(new NoReport({ reason: "unreachable", detail: error.message })),
      InvalidInput: (error) => Effect.fail(invalidInput(error.message))
    }),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new NoReport({
            reason: "timeout",
            detail: `the check of ${target.origin} did not finish within ${Duration.format(timeout)}`
          })
        )
    })
  )
