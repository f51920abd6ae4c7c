/**
 * What is wrong with an MCP server, seen from outside as a client sees it: any server, not only one of this library.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as WellKnown from "../../protocol/WellKnown.ts"
import * as Check from "../check/Check.ts"
import * as Mcp from "../probe/McpProbe.ts"
import * as NamedHosts from "../probe/NamedHosts.ts"
import * as Probe from "../probe/Probe.ts"
import { base64, shown, strings } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import type { Revision } from "../report/Rule.ts"
import { checkMcpServer, type Seen, type Signed } from "./CheckMcpServer.ts"
import { asStandard } from "./ClientChallenge.ts"

/**
 * How an MCP server is examined.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: the newest. */
  readonly revision?: Revision | undefined
  /** With it also what a token opens is looked at. No tool is run. */
  readonly token?: Redacted.Redacted | undefined
  /** Told before each step that may take a while. */
  readonly onStep?: ((step: string) => Effect.Effect<void>) | undefined
}

/**
 * Looks at a running MCP server, and at the authorization servers that it names.
 *
 * **Details**
 *
 * It is asked without a token, with tokens that nobody issued, and for its metadata at every place where clients look. With a
 * token of yours it is also asked what that opens: tools are called with arguments that no tool can run, which shows the
 * decision about scopes and nothing else. What a public server names on a loopback or private address is not asked.
 *
 * **Example** (What is wrong with it?)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Doctor } from "effect-mcp-auth/provider"
 * import { FetchHttpClient } from "effect/http"
 *
 * const report = Doctor.run("https://todos.example.com/mcp").pipe(
 *   Effect.map((report) => report.findings.filter((finding) => finding.verdict === "failed")),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const run = Effect.fn("Doctor.run")(function*(
  url: string,
  options: Options = {}
): Effect.fn.Return<Report.Report, Check.Unreachable | Check.NotUsable, HttpClient.HttpClient> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return yield* new Check.NotUsable({
      detail: `${shown(url)} is no MCP server: write its URL, such as https://todos.example.com/mcp`
    })
  }
  return yield* NamedHosts.guarded(new URL(url))(examine(url, options))
})

const examine = Effect.fnUntraced(function*(
  url: string,
  { onStep = () => Effect.void, revision = "2026-07-28", token }: Options
): Effect.fn.Return<Report.Report, Check.Unreachable | Check.NotUsable, HttpClient.HttpClient> {
  const target = new URL(url)
  yield* onStep(`asking ${target.host} without a token`)
  const wire = (headers: Readonly<Record<string, string>> = {}): Mcp.Wire => ({ revision, headers })
  const first = revision === "2026-07-28" ? "tools/list" : "initialize"
  const hello = (headers: Readonly<Record<string, string>> = {}) =>
    first === "initialize" ? Mcp.initialize(wire(headers)) : Mcp.post(wire(headers), first)
  const bare = yield* Probe.ask(url, hello())
  if (bare._tag === "NotReached") return yield* new Check.Unreachable({ url, detail: bare.detail })

  const challenge = bare.headers["www-authenticate"]
  const named = challenge === undefined ? undefined : asStandard(challenge)?.resourceMetadata
  const places = [
    ...(named !== undefined && URL.canParse(named) && WellKnown.isSecure(new URL(named))
      ? [{ place: "challenge" as const, url: named }]
      : []),
    { place: "path" as const, url: WellKnown.protectedResourceMetadata(target) },
    ...(target.pathname === "/"
      ? []
      : [{ place: "root" as const, url: `${target.origin}/.well-known/oauth-protected-resource` }])
  ]
  yield* onStep(`asking ${target.host} for its metadata`)
  const documents = yield* Effect.forEach(
    places,
    ({ place, url }) =>
      Effect.map(Probe.ask(url, { headers: { "mcp-protocol-version": revision } }), (exchange) => ({
        place,
        reading: Probe.read(exchange)
      })),
    { concurrency: "unbounded" }
  )
  const document = documents.find(({ reading }) => reading._tag === "Json")?.reading
  const metadata = document?._tag === "Json" ? document.json : undefined
  const issuers = strings(metadata ?? {}, "authorization_servers") ?? []

  yield* onStep(`asking ${target.host} with tokens that nobody issued`)
  const bearer = (value: string) => ({ authorization: `Bearer ${value}` })
  const origin = { origin: Probe.origin }
  const now = yield* Clock.currentTimeMillis
  const forged = forgeries(issuers[0] ?? target.origin, url, Math.floor(now / 1000))
  const probes = yield* Effect.all({
    get: Probe.ask(url, { headers: { accept: "text/event-stream" }, bodyless: true }),
    delete: Probe.ask(url, { method: "DELETE", headers: { "mcp-session-id": "00000000-0000-4000-8000-000000000000" } }),
    garbage: Probe.ask(url, hello(bearer(garbage))),
    forged: Effect.forEach(
      forged,
      ({ name, token }) => Effect.map(Probe.ask(url, hello(bearer(token))), (exchange) => ({ name, exchange }))
    ),
    empty: Probe.ask(url, hello({ authorization: "Bearer" })),
    preflight: Probe.ask(url, {
      method: "OPTIONS",
      headers: {
        ...origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,mcp-protocol-version"
      }
    }),
    foreign: Probe.ask(url, hello(origin)),
    metadata: document === undefined ? Effect.succeed(undefined) : Probe.ask(document.url, { headers: origin })
  }, { concurrency: 4 })

  const parts = yield* Effect.forEach(issuers.slice(0, 5), (issuer) =>
    Check.run(issuer, { revision, onStep }).pipe(
      Effect.map((report) => ({ issuer, report })),
      Effect.catch((error) => Effect.succeed({ issuer, error: error.message }))
    ))
  const signed = token === undefined ? undefined : yield* withToken(url, revision, token, onStep)
  const seen: Seen = { url, bare, documents, issuers, parts, probes, garbage, signed }
  return Report.make({
    kind: "mcp-server",
    subject: url,
    revision,
    now,
    judgements: checkMcpServer(seen),
    notes: token === undefined
      ? ["With --token also scopes, sessions and batches are looked at; no tool is run."]
      : [],
    parts: parts.flatMap((part) => "report" in part ? [part.report] : [])
  })
})

/** Whoever repeats it in an answer repeats every token. */
const garbage = "effect-mcp-auth-doctor-this-is-no-token"

/** Tokens that read well and that nobody signed, or that somebody else did. */
const forgeries = (issuer: string, resource: string, seconds: number) => {
  const segment = (value: unknown) =>
    base64(JSON.stringify(value)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_")
  const claims = {
    iss: issuer,
    aud: resource,
    sub: "effect-mcp-auth-doctor",
    client_id: "effect-mcp-auth-doctor",
    scope: "openid",
    // Before the server last fetched the keys: a newer token could be signed by a key that was published since.
    iat: seconds - 120,
    exp: seconds + 300
  }
  const signature = segment("x".repeat(60))
  return [
    { name: "alg none", token: `${segment({ alg: "none", typ: "at+jwt" })}.${segment(claims)}.` },
    {
      name: "a made-up signature",
      token: `${segment({ alg: "RS256", typ: "at+jwt" })}.${segment(claims)}.${signature}`
    },
    { name: "HMAC", token: `${segment({ alg: "HS256", typ: "at+jwt" })}.${segment(claims)}.${signature}` }
  ]
}

const withToken = (
  url: string,
  revision: Revision,
  token: Redacted.Redacted,
  onStep: (step: string) => Effect.Effect<void>
): Effect.Effect<Signed, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    yield* onStep("asking what the token opens")
    const authorization = { authorization: `Bearer ${Redacted.value(token)}` }
    const legacy: Revision = revision === "2026-07-28" ? "2025-11-25" : revision
    const opened = yield* Probe.ask(url, Mcp.initialize({ revision: legacy, headers: authorization }))
    const id = opened._tag === "Answered" && opened.status === 200 ? opened.headers["mcp-session-id"] : undefined
    const session = id === undefined ? {} : { "mcp-session-id": id }
    const modern = revision === "2026-07-28"
      ? yield* Probe.ask(url, Mcp.post({ revision, headers: authorization }, "tools/list"))
      : undefined
    const speaks = modern?._tag === "Answered" && modern.status === 200 && Mcp.toolsOf(modern).length > 0
    const wire: Mcp.Wire = speaks
      ? { revision, headers: authorization }
      : { revision: legacy, headers: { ...authorization, ...session } }
    if (!speaks && id !== undefined) yield* Probe.ask(url, Mcp.notify(wire, "notifications/initialized"))
    const list = speaks ? modern : yield* Probe.ask(url, Mcp.post(wire, "tools/list"))
    // A longer name goes into no header.
    const tools = Mcp.toolsOf(list).filter((name) => name.length <= 256).slice(0, 50)
    const calls = yield* Effect.forEach(tools, (name) =>
      Effect.map(
        Probe.ask(url, Mcp.post(wire, "tools/call", Mcp.harmlessCall(name))),
        (exchange) => ({ name, exchange })
      ))
    const denied = calls.find(({ exchange }) => exchange._tag === "Answered" && exchange.status === 403)
    const batch = denied === undefined ? undefined : yield* Probe.ask(
      url,
      Mcp.batch({ revision: legacy, headers: { ...authorization, ...session } }, denied.name)
    )
    const stolen = id === undefined ? undefined : yield* Probe.ask(
      url,
      Mcp.post({ revision: legacy, headers: session }, "tools/list")
    )
    if (id !== undefined) yield* Probe.ask(url, { method: "DELETE", headers: { ...authorization, ...session } })
    return { list, opened, calls, batch, stolen, secret: Redacted.value(token) }
  })
