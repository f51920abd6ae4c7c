/**
 * Finds problems in a running MCP server by sending the requests of an MCP client. Works for every MCP server, including
 * servers without this library.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Redacted from "effect/Redacted"
import type * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"
import * as Check from "../check/Check.ts"
import { findProblem, revisionRule } from "../check/CheckOptions.ts"
import * as Mcp from "../probe/McpProbe.ts"
import * as McpWire from "../probe/McpWire.ts"
import * as NamedHosts from "../probe/NamedHosts.ts"
import * as Probe from "../probe/Probe.ts"
import { fetchDocument } from "../probe/Redirect.ts"
import { shown, strings, text } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import { fail, inconclusive, type Revision } from "../report/Rule.ts"
import { checkMcpServer } from "./CheckMcpServer.ts"
import { parseAsStandard } from "./ClientChallenge.ts"
import * as Rules from "./DoctorRules.ts"
import { findEndpoint, type McpEndpoint } from "./FindEndpoint.ts"
import { invalidToken, makeForgeries } from "./Forgeries.ts"
import { getAccess, isDocument, type MetadataDocument, type Observations, type Probes } from "./Observations.ts"
import { listTools, observeForeignToken, observeToken, toBearer } from "./ObserveToken.ts"
import { getTokenAudience } from "./TokenAudience.ts"

/**
 * The options of a check of an MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The revision of MCP to check against. Default: `2026-07-28`, the newest. */
  readonly revision?: Revision | undefined
  /**
   * An access token. If `aud` of the token contains the resource, scopes, sessions and batches are checked as well. If `aud`
   * contains the URL of another resource instead, the check is whether the server rejects the token. A name that is not a URL,
   * such as `api://todos`, can mean the server, so it shows nothing about other servers. Requires https, or a loopback host.
   * Default: none.
   */
  readonly token?: Redacted.Redacted | undefined
  /**
   * A valid access token for another server, from the same authorization server. The server must reject it. Requires https, or
   * a loopback host. Default: none, and then the check of the audience is inconclusive, unless `token` is for another server.
   */
  readonly foreignToken?: Redacted.Redacted | undefined
  /** Called before each step that can take seconds. */
  readonly onStep?: ((step: string) => Effect.Effect<void>) | undefined
}

/**
 * Checks a running MCP server, and the authorization servers that it names.
 *
 * **Details**
 *
 * Sends the first request of a client without a token, in the newest revision that the server accepts, and follows the
 * redirects that both official clients follow. If the URL is not the endpoint of an MCP server, the report says what it is.
 * Otherwise the check sends invalid and forged tokens, and fetches the metadata from every URL that clients use. Without a
 * token for another server, the check of the audience is inconclusive.
 *
 * No tool runs: the check requests lists, and calls a tool that does not exist. If the server is public, the check does not
 * follow URLs in its responses to loopback or private addresses.
 *
 * Fails with `Unreachable` if the server does not respond, and with `InvalidInput` for a URL that is not http or https or that
 * contains a password, for a token that would be sent over http to another machine, and for a `foreignToken` whose `aud` contains the resource.
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
  const problem = findProblem(options, "Doctor.run", table)
  if (problem !== undefined) return yield* new Check.InvalidInput({ detail: problem })
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return yield* new Check.InvalidInput({
      detail: `${shown(url)} is not the URL of an MCP server. Write one such as https://todos.example.com/mcp`
    })
  }
  const { password, username } = new URL(url)
  if (username !== "" || password !== "") {
    return yield* new Check.InvalidInput({ detail: "The URL contains a user name or a password. Leave them out" })
  }
  if ((options.token !== undefined || options.foreignToken !== undefined) && !HttpUri.isSecure(new URL(url))) {
    return yield* new Check.InvalidInput({
      detail: `${
        shown(url)
      } is not https, so the token would be sent unencrypted. Write an https URL, or check without a token`
    })
  }
  return yield* NamedHosts.provideGuard(new URL(url))(examine(url, options))
})

const table: ConfigOption.Table<keyof Options> = {
  revision: revisionRule,
  token: true,
  foreignToken: true,
  onStep: true
}

const examine = Effect.fnUntraced(function*(
  given: string,
  { onStep = () => Effect.void, revision = revisionRule.default, ...tokens }: Options
): Effect.fn.Return<Report.Report, Check.Unreachable | Check.InvalidInput, HttpClient.HttpClient> {
  const { host } = new URL(given)
  const now = yield* Clock.currentTimeMillis
  const about = { kind: "mcp-server", subject: given, revision, now } as const
  yield* onStep(`sending ${host} a request without a token`)
  const endpoint = yield* findEndpoint(given, revision)
  if (endpoint._tag === "Unreachable") return yield* new Check.Unreachable({ url: given, detail: endpoint.detail })
  if (endpoint._tag !== "Mcp") {
    const result = endpoint._tag === "Outage"
      ? inconclusive(Rules.endpoint, endpoint.detail)
      : fail(Rules.endpoint, endpoint.detail, endpoint.change)
    return Report.make({ ...about, results: [result], notes: ["No other rule was checked."] })
  }
  const { url } = endpoint
  yield* onStep(`fetching the metadata of ${host}`)
  const documents = yield* fetchDocuments(endpoint, revision)
  const resources = documents.flatMap(({ reading }) => isDocument(reading) ? [reading.json] : [])
  const [metadata] = resources
  const issuers = strings(metadata ?? {}, "authorization_servers") ?? []
  const expected = {
    resources: [url, ...resources.flatMap((json) => text(json, "resource") ?? [])],
    issuers,
    now
  }
  const own = tokens.token === undefined ? undefined : getTokenAudience(tokens.token, expected)
  const foreign = tokens.foreignToken === undefined ? undefined : getTokenAudience(tokens.foreignToken, expected)
  if (foreign?.kind === "own") {
    return yield* new Check.InvalidInput({
      detail: `the token for another server has the audience ${shown(foreign.audiences.join(", "))}, which is this ` +
        "server. Get a token for another resource from the same authorization server"
    })
  }

  yield* onStep(`sending ${host} forged tokens`)
  const probes = yield* sendProbes(endpoint, issuers, documents, Math.floor(now / 1000))
  const openList = endpoint.isOpen
    ? yield* listTools(url, endpoint.revision, endpoint.response, {}, (list) => Effect.succeed(list))
    : undefined
  const parts = yield* Effect.forEach(issuers.slice(0, 5), (issuer) =>
    Check.run(issuer, { revision, onStep }).pipe(
      Effect.map((report) => ({ issuer, report })),
      Effect.catch((error) => Effect.succeed({ issuer, error: error.message }))
    ))
  if (own !== undefined || foreign !== undefined) yield* onStep("checking what the token grants")
  const observations: Observations = {
    url,
    redirects: endpoint.redirects,
    revision: endpoint.revision,
    withoutToken: endpoint.response,
    openList,
    documents,
    issuers,
    fallbackIssuer: issuers.length > 0 ? undefined : yield* findFallbackIssuer(url),
    parts,
    probes,
    invalidToken,
    withToken: tokens.token === undefined || own === undefined
      ? undefined
      : yield* observeToken(url, revision, tokens.token, own),
    foreign: tokens.foreignToken === undefined || foreign === undefined
      ? []
      : [yield* observeForeignToken(url, revision, tokens.foreignToken, foreign)]
  }
  return Report.make({
    ...about,
    results: checkMcpServer(observations),
    notes: getNotes(observations, revision),
    parts: parts.flatMap((part) => "report" in part ? [part.report] : [])
  })
})

const fetchDocuments = (
  { response, url }: McpEndpoint,
  revision: Revision
): Effect.Effect<ReadonlyArray<MetadataDocument>, never, HttpClient.HttpClient> => {
  const target = new URL(url)
  const challenge = response.headers["www-authenticate"]
  const named = challenge === undefined ? undefined : parseAsStandard(challenge)?.resourceMetadata
  const metadataUrls = [
    ...(named !== undefined && URL.canParse(named) && HttpUri.isSecure(new URL(named))
      ? [{ place: "challenge" as const, url: named }]
      : []),
    { place: "path" as const, url: WellKnown.protectedResourceMetadata(target) },
    ...(target.pathname === "/"
      ? []
      : [{ place: "root" as const, url: `${target.origin}${WellKnown.protectedResourceMetadataRoot}` }])
  ]
  return Effect.forEach(
    metadataUrls,
    ({ place, url }) =>
      Effect.map(fetchDocument(url, { "mcp-protocol-version": revision }), (located) => ({ ...located, place })),
    { concurrency: "unbounded" }
  )
}

/**
 * Returns the origin of a server if it serves the metadata of an authorization server. Without protected resource metadata,
 * both official clients use it as the authorization server.
 */
const findFallbackIssuer = (url: string): Effect.Effect<string | undefined, never, HttpClient.HttpClient> => {
  const origin = new URL(new URL(url).origin)
  return Effect.map(
    Effect.forEach(WellKnown.authorizationServerMetadata(origin), (one) => fetchDocument(one, {})),
    (found) =>
      found.some(({ reading }) => reading._tag === "Json" && text(reading.json, "authorization_endpoint") !== undefined)
        ? origin.origin
        : undefined
  )
}

const sendProbes = (
  { isOpen, revision, url }: McpEndpoint,
  issuers: ReadonlyArray<string>,
  documents: ReadonlyArray<MetadataDocument>,
  seconds: number
): Effect.Effect<Probes, never, HttpClient.HttpClient> => {
  const hello = (headers: Readonly<Record<string, string>>) => Probe.send(url, Mcp.hello({ revision, headers }))
  const origin = { origin: Probe.origin }
  const requestedHeaders = getClientHeaders(revision)
  const document = documents.find(({ reading }) => isDocument(reading))
  return Effect.all({
    get: Probe.send(url, { headers: { accept: "text/event-stream" }, bodyless: true }),
    delete: Probe.send(url, {
      method: "DELETE",
      headers: { "mcp-session-id": "00000000-0000-4000-8000-000000000000" }
    }),
    batch: Probe.send(url, Mcp.batch({}, { method: "tools/list", params: {} })),
    invalid: hello(toBearer(invalidToken)),
    forged: Effect.forEach(
      makeForgeries(issuers[0] ?? new URL(url).origin, url, seconds),
      ({ name, token }) => Effect.map(hello(toBearer(token)), (exchange) => ({ name, exchange }))
    ),
    empty: hello({ authorization: "Bearer" }),
    // The headers that browsers send with a preflight (Fetch §4.8): no credentials, and the requested names sorted.
    preflight: Probe.send(url, {
      method: "OPTIONS",
      headers: {
        ...origin,
        accept: "*/*",
        "access-control-request-method": "POST",
        "access-control-request-headers": requestedHeaders.join(","),
        "sec-fetch-mode": "cors",
        "sec-fetch-site": "cross-site"
      }
    }),
    requestedHeaders: Effect.succeed(requestedHeaders),
    // A server that serves requests without a token sends its challenge only for an invalid one.
    foreign: hello(isOpen ? { ...origin, ...toBearer(invalidToken) } : origin),
    metadata: document === undefined
      ? Effect.succeed(undefined)
      : Probe.send(document.redirectedTo ?? document.reading.url, { headers: origin })
  }, { concurrency: 4 })
}

/** Returns the header names for which the official clients need a preflight in a browser, sorted. */
const getClientHeaders = (revision: Mcp.WireRevision): ReadonlyArray<string> => [
  "authorization",
  "content-type",
  ...(revision === McpWire.statelessRevision ? ["mcp-method", "mcp-name"] : []),
  "mcp-protocol-version",
  ...(revision === McpWire.statelessRevision ? [] : ["mcp-session-id"])
]

const getNotes = (observations: Observations, revision: Revision): ReadonlyArray<string> => {
  const { foreign, openList, redirects, revision: used, url, withToken } = observations
  const access = getAccess(observations)
  const tools = openList === undefined ? [] : Mcp.getTools(openList)
  return [
    ...(redirects.length > 0 ? [`All other rules were checked at ${shown(url)}.`] : []),
    ...(used !== revision
      ? [`The server does not accept MCP ${revision} without a session. Requests were sent in ${used}.`]
      : []),
    ...(tools.length > 0
      ? [
        `Tools listed without a token: ${tools.slice(0, 20).map((name) => shown(name, 60)).join(", ")}` +
        `${tools.length > 20 ? ` and ${tools.length - 20} more` : ""}. No tool was called.`
      ]
      : []),
    ...(access === "open" && !observations.documents.some(({ reading }) => isDocument(reading))
      ? ["The server has no authorization, so no other rule was checked."]
      : []),
    ...(access !== "open" && withToken === undefined && foreign.length === 0
      ? [
        "Set a token to check scopes, sessions and batches as well, and a token for another server to check the audience. No tool runs."
      ]
      : [])
  ]
}
