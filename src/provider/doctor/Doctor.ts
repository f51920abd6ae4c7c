/**
 * Finds problems in a running MCP server by sending the requests of an MCP client. Works for every MCP server, including
 * servers without this library.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"
import * as Check from "../check/Check.ts"
import * as Mcp from "../probe/McpProbe.ts"
import * as NamedHosts from "../probe/NamedHosts.ts"
import * as Probe from "../probe/Probe.ts"
import { base64, shown, strings } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import type { Revision } from "../report/Rule.ts"
import { checkMcpServer, type Observations, type TokenObservations } from "./CheckMcpServer.ts"
import { parseAsStandard } from "./ClientChallenge.ts"

/**
 * The options of a check of an MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The revision of MCP to check against. Default: the newest. */
  readonly revision?: Revision | undefined
  /** An access token. Requires an https or loopback URL. If it is set, scopes, sessions and batches are checked as well. No tool runs. Default: none. */
  readonly token?: Redacted.Redacted | undefined
  /** Called before each step that can take seconds. */
  readonly onStep?: ((step: string) => Effect.Effect<void>) | undefined
}

/**
 * Checks a running MCP server, and the authorization servers that it names.
 *
 * **Details**
 *
 * Sends requests without a token and with forged tokens, and fetches the metadata from every URL that clients use. If the
 * option `token` is set, the check also calls tools, with arguments that no tool accepts. So no tool runs, but the responses
 * show the decision about scopes. If the server is public, the check does not follow URLs in its responses to loopback or
 * private addresses.
 *
 * **Example** (Rules that fail)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Doctor } from "effect-mcp-auth/provider"
 * import { FetchHttpClient } from "effect/http"
 *
 * const report = Doctor.run("https://todos.example.com/mcp").pipe(
 *   Effect.map((report) => report.findings.filter((finding) => finding.verdict === "fail")),
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
): Effect.fn.Return<Report.Report, Check.Unreachable | Check.InvalidInput, HttpClient.HttpClient> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return yield* new Check.InvalidInput({
      detail: `${shown(url)} is not the URL of an MCP server. Write one such as https://todos.example.com/mcp`
    })
  }
  if (options.token !== undefined && !HttpUri.isSecure(new URL(url))) {
    return yield* new Check.InvalidInput({
      detail: `${
        shown(url)
      } is not https, so the token would be sent unencrypted. Write an https URL, or check without a token`
    })
  }
  return yield* NamedHosts.provideGuard(new URL(url))(examine(url, options))
})

const examine = Effect.fnUntraced(function*(
  url: string,
  { onStep = () => Effect.void, revision = "2026-07-28", token }: Options
): Effect.fn.Return<Report.Report, Check.Unreachable | Check.InvalidInput, HttpClient.HttpClient> {
  const target = new URL(url)
  yield* onStep(`sending ${target.host} a request without a token`)
  const wire = (headers: Readonly<Record<string, string>> = {}): Mcp.Client => ({ revision, headers })
  const first = revision === "2026-07-28" ? "tools/list" : "initialize"
  const hello = (headers: Readonly<Record<string, string>> = {}) =>
    first === "initialize" ? Mcp.initialize(wire(headers)) : Mcp.post(wire(headers), first)
  const withoutToken = yield* Probe.send(url, hello())
  if (withoutToken._tag === "NoResponse") return yield* new Check.Unreachable({ url, detail: withoutToken.detail })

  const challenge = withoutToken.headers["www-authenticate"]
  const named = challenge === undefined ? undefined : parseAsStandard(challenge)?.resourceMetadata
  const metadataUrls = [
    ...(named !== undefined && URL.canParse(named) && HttpUri.isSecure(new URL(named))
      ? [{ place: "challenge" as const, url: named }]
      : []),
    { place: "path" as const, url: WellKnown.protectedResourceMetadata(target) },
    ...(target.pathname === "/"
      ? []
      : [{ place: "root" as const, url: `${target.origin}/.well-known/oauth-protected-resource` }])
  ]
  yield* onStep(`fetching the metadata of ${target.host}`)
  const documents = yield* Effect.forEach(
    metadataUrls,
    ({ place, url }) =>
      Effect.map(Probe.send(url, { headers: { "mcp-protocol-version": revision } }), (exchange) => ({
        place,
        reading: Probe.read(exchange)
      })),
    { concurrency: "unbounded" }
  )
  const document = documents.find(({ reading }) => reading._tag === "Json")?.reading
  const metadata = document?._tag === "Json" ? document.json : undefined
  const issuers = strings(metadata ?? {}, "authorization_servers") ?? []

  yield* onStep(`sending ${target.host} forged tokens`)
  const bearer = (value: string) => ({ authorization: `Bearer ${value}` })
  const origin = { origin: Probe.origin }
  const now = yield* Clock.currentTimeMillis
  const forged = forgeries(issuers[0] ?? target.origin, url, Math.floor(now / 1000))
  const probes = yield* Effect.all({
    get: Probe.send(url, { headers: { accept: "text/event-stream" }, bodyless: true }),
    delete: Probe.send(url, {
      method: "DELETE",
      headers: { "mcp-session-id": "00000000-0000-4000-8000-000000000000" }
    }),
    invalid: Probe.send(url, hello(bearer(invalidToken))),
    forged: Effect.forEach(
      forged,
      ({ name, token }) => Effect.map(Probe.send(url, hello(bearer(token))), (exchange) => ({ name, exchange }))
    ),
    empty: Probe.send(url, hello({ authorization: "Bearer" })),
    preflight: Probe.send(url, {
      method: "OPTIONS",
      headers: {
        ...origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,mcp-protocol-version"
      }
    }),
    foreign: Probe.send(url, hello(origin)),
    metadata: document === undefined ? Effect.succeed(undefined) : Probe.send(document.url, { headers: origin })
  }, { concurrency: 4 })

  const parts = yield* Effect.forEach(issuers.slice(0, 5), (issuer) =>
    Check.run(issuer, { revision, onStep }).pipe(
      Effect.map((report) => ({ issuer, report })),
      Effect.catch((error) => Effect.succeed({ issuer, error: error.message }))
    ))
  const tokenObservations = token === undefined ? undefined : yield* withToken(url, revision, token, onStep)
  const observations: Observations = {
    url,
    withoutToken,
    documents,
    issuers,
    parts,
    probes,
    invalidToken,
    withToken: tokenObservations
  }
  return Report.make({
    kind: "mcp-server",
    subject: url,
    revision,
    now,
    results: checkMcpServer(observations),
    notes: token === undefined
      ? ["With --token, scopes, sessions and batches are checked as well. No tool runs."]
      : [],
    parts: parts.flatMap((part) => "report" in part ? [part.report] : [])
  })
})

/** An invalid token. A server that repeats it in a response would also repeat a real token. */
const invalidToken = "effect-mcp-auth-doctor-this-is-not-a-token"

/** Creates tokens with plausible claims and without a valid signature. */
const forgeries = (issuer: string, resource: string, seconds: number) => {
  const segment = (value: unknown) =>
    base64(JSON.stringify(value)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_")
  const claims = {
    iss: issuer,
    aud: resource,
    sub: "effect-mcp-auth-doctor",
    client_id: "effect-mcp-auth-doctor",
    scope: "openid",
    // The token claims to be older than the keys that the server has cached, so that its unknown key does not make the server
    // fetch them again.
    iat: seconds - 120,
    exp: seconds + 300
  }
  const signature = segment("x".repeat(60))
  return [
    { name: "alg none", token: `${segment({ alg: "none", typ: "at+jwt" })}.${segment(claims)}.` },
    {
      name: "an invalid signature",
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
): Effect.Effect<TokenObservations, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    yield* onStep("checking what the token grants")
    const authorization = { authorization: `Bearer ${Redacted.value(token)}` }
    const legacy = Mcp.getSessionRevision(revision)
    const opened = yield* Probe.send(url, Mcp.initialize({ revision: legacy, headers: authorization }))
    const id = opened._tag === "Response" && opened.status === 200 ? opened.headers["mcp-session-id"] : undefined
    const session = id === undefined ? {} : { "mcp-session-id": id }
    const modern = revision === "2026-07-28"
      ? yield* Probe.send(url, Mcp.post({ revision, headers: authorization }, "tools/list"))
      : undefined
    const isStateless = modern?._tag === "Response" && modern.status === 200 && Mcp.getTools(modern).length > 0
    const wire: Mcp.Client = isStateless
      ? { revision, headers: authorization }
      : { revision: legacy, headers: { ...authorization, ...session } }
    if (!isStateless && id !== undefined) yield* Probe.send(url, Mcp.notify(wire, "notifications/initialized"))
    const list = isStateless ? modern : yield* Probe.send(url, Mcp.post(wire, "tools/list"))
    // Skips tools whose name has more than 256 characters, because the newest revision sends the name in a header.
    const tools = Mcp.getTools(list).filter((name) => name.length <= 256).slice(0, 50)
    const calls = yield* Effect.forEach(tools, (name) =>
      Effect.map(
        Probe.send(url, Mcp.post(wire, "tools/call", Mcp.harmlessCall(name))),
        (exchange) => ({ name, exchange })
      ))
    const denied = calls.find(({ exchange }) => exchange._tag === "Response" && exchange.status === 403)
    const batch = denied === undefined ? undefined : yield* Probe.send(
      url,
      Mcp.batch({ revision: legacy, headers: { ...authorization, ...session } }, denied.name)
    )
    const sessionOnly = id === undefined ? undefined : yield* Probe.send(
      url,
      Mcp.post({ revision: legacy, headers: session }, "tools/list")
    )
    if (id !== undefined) yield* Probe.send(url, { method: "DELETE", headers: { ...authorization, ...session } })
    return { list, opened, calls, batch, sessionOnly, secret: Redacted.value(token) }
  })
