/**
 * What the page asks of the server behind it: a report about a URL, or why there is none.
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
import { kindOf } from "../../provider/probe/DetectKind.ts"
import { shown } from "../../provider/report/Json.ts"
import type * as Report from "../../provider/report/Report.ts"
import { type Revision, revisions } from "../../provider/report/Rule.ts"

/**
 * Why there is no report, for a program and for people.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoReport extends Data.TaggedError("NoReport")<{
  readonly reason: "not-usable" | "not-public" | "unreachable" | "timeout" | "busy" | "elsewhere"
  readonly detail: string
}> {}

/**
 * The kinds of URL that can be asked about; `auto` finds out.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds = ["auto", "authorization-server", "mcp-server"] as const

/**
 * @category models
 * @since 0.1.0
 */
export interface Query {
  readonly target: URL
  /** As it was written: issuers are compared as texts. */
  readonly written: string
  readonly kind: typeof kinds[number]
  readonly revision: Revision
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Also addresses of this machine and its network may be asked. */
  readonly local: boolean
  /** How long one look-up may take. */
  readonly timeout: Duration.Duration
}

const parameters = ["target", "kind", "spec"]

const notUsable = (detail: string) => new NoReport({ reason: "not-usable", detail })

const isOneOf = <const A extends string>(all: ReadonlyArray<A>, value: string): value is A =>
  (all as ReadonlyArray<string>).includes(value)

/**
 * Reads a query, `?target=…&kind=…&spec=…`, and takes nothing else: in particular no token, which would stand in logs and
 * histories.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (query: URLSearchParams): Effect.Effect<Query, NoReport> =>
  Effect.gen(function*() {
    for (const name of new Set(query.keys())) {
      if (!parameters.includes(name)) {
        return yield* notUsable(
          `${shown(name)} is no parameter: there are target, kind and spec` +
            (name.includes("token") ? ". A token has no place here; effect-mcp-auth check and doctor judge one" : "")
        )
      }
      if (query.getAll(name).length > 1) return yield* notUsable(`${name} is given more than once`)
    }
    const written = (query.get("target") ?? "").trim()
    if (written === "") return yield* notUsable("Which server? Write its URL, such as https://auth.example.com")
    const target = URL.canParse(written) ? new URL(written) : undefined
    if (target === undefined || written.length > 2000 || !/^https?:$/.test(target.protocol)) {
      return yield* notUsable(`${shown(written)} is no URL of a server: write one such as https://auth.example.com`)
    }
    if (target.username !== "" || target.password !== "" || /(?:^|[?&])(?:access_)?token=/i.test(target.search)) {
      return yield* notUsable("The URL has a secret in it: a password or a token has no place here")
    }
    const kind = query.get("kind") ?? "auto"
    if (!isOneOf(kinds, kind)) return yield* notUsable(`${shown(kind)} is no kind: there are ${kinds.join(", ")}`)
    const revision = query.get("spec") ?? revisions[0]
    if (!isOneOf(revisions, revision)) {
      return yield* notUsable(`${shown(revision)} is no revision of MCP that is known here: ${revisions.join(", ")}`)
    }
    return { target, written, kind, revision }
  })

/**
 * Looks, within the time that there is.
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
        detail:
          `${target.origin} is not asked: only public hosts are, and by https. For servers on your machine or in ` +
          "your network run effect-mcp-auth page --local"
      })
    }
    const found = kind === "auto" ? yield* kindOf(target, revision) : { _tag: "Kind" as const, kind }
    if (found._tag === "NotReached") return yield* new Check.Unreachable({ url: written, detail: found.detail })
    return yield* found.kind === "mcp-server" ? Doctor.run(written, { revision }) : Check.run(written, { revision })
  }).pipe(
    Effect.catchTags({
      Unreachable: (error) => Effect.fail(new NoReport({ reason: "unreachable", detail: error.message })),
      NotUsable: (error) => Effect.fail(notUsable(error.message))
    }),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new NoReport({
            reason: "timeout",
            detail: `${target.origin} was not looked at to the end within ${Duration.format(timeout)}`
          })
        )
    })
  )
