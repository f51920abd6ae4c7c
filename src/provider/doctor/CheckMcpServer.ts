import * as HttpUri from "../../protocol/HttpUri.ts"
import { describeDifference } from "../check/CompareDocuments.ts"
import { getTools } from "../probe/McpProbe.ts"
import { type Exchange, origin, type Reading, type Response } from "../probe/Probe.ts"
import { isObject, type Json, member, parseJson, shown, strings, text } from "../report/Json.ts"
import type { Report } from "../report/Report.ts"
import { fail, inconclusive, pass, type Rule, type RuleResult, skip } from "../report/Rule.ts"
import { describeDifferences, parseAsOfficialClients, parseAsStandard } from "./ClientChallenge.ts"
import * as Rules from "./DoctorRules.ts"

/** The responses of an MCP server and of its authorization servers. */
export interface Observations {
  readonly url: string
  /** The response to a request without a token. */
  readonly withoutToken: Response
  readonly documents: ReadonlyArray<{ readonly place: "challenge" | "path" | "root"; readonly reading: Reading }>
  readonly issuers: ReadonlyArray<string>
  readonly parts: ReadonlyArray<
    { readonly issuer: string; readonly report: Report } | {
      readonly issuer: string
      readonly error: string
    }
  >
  readonly probes: {
    readonly get: Exchange
    readonly delete: Exchange
    readonly invalid: Exchange
    readonly forged: ReadonlyArray<{ readonly name: string; readonly exchange: Exchange }>
    readonly empty: Exchange
    readonly preflight: Exchange
    readonly foreign: Exchange
    readonly metadata: Exchange | undefined
  }
  readonly invalidToken: string
  readonly withToken: TokenObservations | undefined
}

/** The responses to requests with a token. `secret` is the token itself: no response may contain it. */
export interface TokenObservations {
  readonly list: Exchange
  readonly opened: Exchange
  readonly calls: ReadonlyArray<{ readonly name: string; readonly exchange: Exchange }>
  readonly batch: Exchange | undefined
  readonly sessionOnly: Exchange | undefined
  readonly secret: string
}

/** Checks every rule. */
export const checkMcpServer = (observations: Observations): ReadonlyArray<RuleResult> => [
  ...checkRejection(observations),
  ...checkMetadata(observations),
  checkOfflineAccess(observations),
  checkServers(observations),
  ...checkInvalidTokens(observations),
  checkErrors(observations),
  ...checkCors(observations),
  ...checkWithToken(observations)
]

const describe = (exchange: Exchange): string =>
  exchange._tag === "Response" ? `returns ${exchange.status}` : exchange.detail

const getStatus = (exchange: Exchange): number | undefined => exchange._tag === "Response" ? exchange.status : undefined

const checkRejection = ({ withoutToken, probes }: Observations): ReadonlyArray<RuleResult> => {
  const open = [["GET", probes.get], ["DELETE", probes.delete]].filter(([, exchange]) => {
    const status = getStatus(exchange as Exchange)
    return status !== undefined && status >= 200 && status < 300
  })
  const everyMethod = open.length === 0
    ? pass(Rules.everyMethod, `GET ${describe(probes.get)}, DELETE ${describe(probes.delete)}`)
    : fail(
      Rules.everyMethod,
      open.map(([name, exchange]) => `${name as string} ${describe(exchange as Exchange)}`).join(", ")
    )
  if (withoutToken.status !== 401) {
    return [
      withoutToken.status === 200
        ? fail(Rules.rejects, "the server returns 200: anyone can use it")
        : fail(Rules.rejects, `the server returns ${withoutToken.status}`),
      everyMethod
    ]
  }
  const header = withoutToken.headers["www-authenticate"]
  const rejected = [pass(Rules.rejects, "the server returns 401"), everyMethod]
  if (header === undefined) return [...rejected, fail(Rules.challenge, "WWW-Authenticate is missing")]
  const parsed = parseAsStandard(header) ?? parseAsOfficialClients(header)
  if (parsed === undefined) return [...rejected, fail(Rules.challenge, `WWW-Authenticate is ${shown(header, 200)}`)]
  const unlike = describeDifferences(header)
  return [
    ...rejected,
    pass(Rules.challenge, shown(header, 300)),
    unlike.length === 0
      ? pass(Rules.challengeReadable, "they read it as RFC 9110 does")
      : fail(Rules.challengeReadable, unlike.join("; ")),
    parsed.error === undefined
      ? pass(Rules.challengeNoError, "the challenge names no error")
      : fail(Rules.challengeNoError, `error is ${shown(parsed.error, 60)}, though the request had no token`),
    parsed.scope === undefined
      ? fail(Rules.challengeScope, "scope is missing")
      : pass(Rules.challengeScope, shown(parsed.scope)),
    parsed.resourceMetadata === undefined
      ? fail(Rules.challengeMetadata, "resource_metadata is missing")
      : pass(Rules.challengeMetadata, shown(parsed.resourceMetadata))
  ]
}

const isDocument = (reading: Reading): reading is Extract<Reading, { readonly _tag: "Json" }> =>
  reading._tag === "Json" && text(reading.json, "resource") !== undefined

const checkMetadata = ({ documents, url }: Observations): ReadonlyArray<RuleResult> => {
  const found = documents.filter(({ reading }) => isDocument(reading))
  const where = documents.map(({ reading }) =>
    `${shown(reading.url)} ${
      reading._tag === "NoDocument" ? reading.detail : isDocument(reading) ? "is metadata" : "has no resource"
    }`
  )
  const [used] = found
  if (used === undefined || used.reading._tag !== "Json") {
    return [
      documents.some(({ reading }) => reading._tag === "NoDocument" && reading.kind === "no-response")
        ? inconclusive(Rules.metadata, where.join("; "))
        : fail(Rules.metadata, where.join("; "))
    ]
  }
  const resource = text(used.reading.json, "resource")!
  const wellKnown = documents.filter(({ place }) => place === "path")
  const unlike = found.filter(({ reading }) =>
    canonical((reading as { readonly json: Json }).json) !== canonical((used.reading as { readonly json: Json }).json)
  )
  // Both official clients also accept metadata for a resource that has the same origin as the URL and a parent path.
  const covers = URL.canParse(resource) && new URL(resource).origin === new URL(url).origin &&
    new URL(url).pathname.startsWith(new URL(resource).pathname.replace(/\/?$/, "/"))
  return [
    pass(Rules.metadata, shown(used.reading.url)),
    wellKnown.some(({ reading }) => !isDocument(reading))
      ? fail(Rules.metadataPlaces, where.join("; "))
      : unlike.length > 0
      ? fail(
        Rules.metadataPlaces,
        `${unlike.map(({ reading }) => shown(reading.url)).join(", ")} differs`
      )
      : pass(
        Rules.metadataPlaces,
        `${found.length} of ${documents.length} URLs serve it, including all that clients need`
      ),
    resource === url
      ? pass(Rules.resource, shown(resource))
      : fail(
        Rules.resource,
        covers
          ? `resource is ${shown(resource)}, which covers ${shown(url)} but is not identical to it`
          : `resource is ${shown(resource)} (${describeDifference(url, resource)})`
      )
  ]
}

const checkOfflineAccess = ({ withoutToken, documents }: Observations): RuleResult => {
  const challenged = parseAsStandard(withoutToken.headers["www-authenticate"] ?? "")?.scope?.split(" ") ?? []
  const places = [
    ...(challenged.includes("offline_access") ? ["the challenge"] : []),
    ...documents.flatMap(({ reading }) =>
      isDocument(reading) && strings(reading.json, "scopes_supported")?.includes("offline_access") === true
        ? [shown(reading.url)]
        : []
    )
  ]
  return places.length === 0
    ? pass(Rules.offlineAccess, "the server does not request offline_access")
    : fail(Rules.offlineAccess, `offline_access is in ${places.join(", ")}`)
}

const canonical = (json: Json): string => JSON.stringify(Object.entries(json).sort(([a], [b]) => a < b ? -1 : 1))

const checkServers = ({ documents, issuers, parts }: Observations): RuleResult => {
  const rule = Rules.servers
  if (!documents.some(({ reading }) => isDocument(reading))) return skip(rule, "there are no metadata")
  if (issuers.length === 0) return fail(rule, "authorization_servers is missing or empty")
  const bad = issuers.filter((issuer) => !URL.canParse(issuer) || !HttpUri.isSecure(new URL(issuer)))
  if (bad.length > 0) return fail(rule, `${bad.map((_) => shown(_)).join(", ")} is not an https URL`)
  const unfit = parts.filter((part) => "report" in part && part.report.outcome === "fail")
  const silent = parts.flatMap((part) =>
    "error" in part
      ? [part.error]
      : part.report.outcome === "inconclusive"
      ? [`${part.issuer}: ${part.report.summary}`]
      : []
  )
  return unfit.length > 0
    ? fail(rule, `${unfit.map(({ issuer }) => shown(issuer)).join(", ")} does not pass: see its report`)
    : silent.length > 0
    ? inconclusive(rule, silent.join("; "))
    : pass(rule, issuers.map((_) => shown(_)).join(", "))
}

const checkInvalidTokens = ({ probes }: Observations): ReadonlyArray<RuleResult> => {
  const { empty, forged, invalid } = probes
  const header = invalid._tag === "Response" ? invalid.headers["www-authenticate"] : undefined
  const error = header === undefined ? undefined : parseAsStandard(header)?.error
  const accepted = forged.filter(({ exchange }) => {
    const status = getStatus(exchange)
    return status !== undefined && status >= 200 && status < 300
  })
  const broken = forged.filter(({ exchange }) => (getStatus(exchange) ?? 0) !== 401)
  return [
    invalid._tag === "NoResponse"
      ? inconclusive(Rules.rejectsGarbage, invalid.detail)
      : invalid.status !== 401
      ? fail(Rules.rejectsGarbage, `the server ${describe(invalid)}`)
      : pass(Rules.rejectsGarbage, "401"),
    getStatus(invalid) !== 401
      ? skip(Rules.namesInvalidToken, "the server does not return 401")
      : error === "invalid_token"
      ? pass(Rules.namesInvalidToken, "error is invalid_token")
      : fail(
        Rules.namesInvalidToken,
        error === undefined ? "the challenge names no error" : `error is ${shown(error, 40)}`
      ),
    accepted.length > 0
      ? fail(Rules.rejectsForgery, `accepted: ${accepted.map(({ name }) => name).join(", ")}`)
      : broken.length > 0
      ? fail(
        Rules.rejectsForgery,
        broken.map(({ exchange, name }) => `${name} ${describe(exchange)}, not 401`).join("; "),
        "Return 401 invalid_token for every invalid token"
      )
      : pass(Rules.rejectsForgery, forged.map(({ name }) => name).join(", ")),
    getStatus(empty) === 400
      ? pass(Rules.malformed, "400")
      : fail(Rules.malformed, `for Bearer without a token the server ${describe(empty)}`)
  ]
}

const checkErrors = ({ invalidToken, probes, withToken, withoutToken }: Observations): RuleResult => {
  const all: ReadonlyArray<readonly [string, Exchange]> = [
    ["without a token", withoutToken],
    ["with an invalid token", probes.invalid],
    ["with Bearer alone", probes.empty],
    ...probes.forged.map(({ exchange, name }) => [`with ${name}`, exchange] as const)
  ]
  const faults = all.flatMap(([when, exchange]) => {
    if (exchange._tag === "NoResponse") return [`${when} the server ${exchange.detail}`]
    const everything = `${exchange.body} ${Object.values(exchange.headers).join(" ")}`
    return [
      ...(exchange.status >= 500 ? [`${when} the server ${describe(exchange)}`] : []),
      ...(/\n[ \t]+at .+:\d+:\d+|node_modules[\\/]|Traceback \(most recent/.test(exchange.body)
        ? [`${when} the server shows a stack trace`]
        : []),
      ...(everything.includes(invalidToken) || (withToken !== undefined && everything.includes(withToken.secret))
        ? [`${when} the server repeats the token`]
        : [])
    ]
  })
  return faults.length === 0
    ? pass(Rules.hygiene, `${all.length} errors reveal nothing`)
    : fail(Rules.hygiene, faults.join("; "))
}

const checkCors = ({ probes }: Observations): ReadonlyArray<RuleResult> => {
  const listed = (exchange: Response, name: string) =>
    (exchange.headers[name] ?? "").toLowerCase().split(",").map((_) => _.trim())
  const open = (exchange: Exchange): exchange is Response =>
    exchange._tag === "Response" &&
    ["*", origin].includes(exchange.headers["access-control-allow-origin"] ?? "")
  const { foreign, metadata, preflight } = probes
  const denied = (rule: Rule, exchange: Exchange): RuleResult =>
    getStatus(exchange) === 403
      ? pass(rule, "the server rejects the origin with 403: which origins it allows is its choice")
      : fail(rule, `the server ${describe(exchange)} without Access-Control-Allow-Origin`)
  const missing = preflight._tag === "Response"
    ? ["authorization", "content-type", "mcp-protocol-version"].filter((name) => {
      const allowed = listed(preflight, "access-control-allow-headers")
      return !allowed.includes(name) && !(allowed.includes("*") && name !== "authorization")
    })
    : []
  return [
    getStatus(preflight) === 401
      ? fail(Rules.corsPreflight, "the server returns 401 for the preflight")
      : !open(preflight)
      ? denied(Rules.corsPreflight, preflight)
      : missing.length > 0
      ? fail(Rules.corsPreflight, `the preflight does not allow ${missing.join(", ")}`)
      : pass(Rules.corsPreflight, describe(preflight)),
    !open(foreign)
      ? denied(Rules.corsChallenge, foreign)
      : listed(foreign, "access-control-expose-headers").some((_) => _ === "www-authenticate" || _ === "*")
      ? pass(Rules.corsChallenge, "WWW-Authenticate is exposed")
      : fail(Rules.corsChallenge, "Access-Control-Expose-Headers does not name WWW-Authenticate"),
    metadata === undefined
      ? skip(Rules.corsMetadata, "there are no metadata")
      : open(metadata)
      ? pass(Rules.corsMetadata, "all origins can read them")
      : denied(Rules.corsMetadata, metadata)
  ]
}

const checkWithToken = ({ withToken }: Observations): ReadonlyArray<RuleResult> => {
  if (withToken === undefined) return []
  const { batch, calls, list, opened, sessionOnly } = withToken
  if (getStatus(list) !== 200 && getStatus(opened) !== 200) {
    return [fail(Rules.accepts, `with the token the server ${describe(list)}`)]
  }
  const denied = calls.filter(({ exchange }) => getStatus(exchange) === 403)
  const vague = denied.filter(({ exchange }) => {
    const header = exchange._tag === "Response" ? exchange.headers["www-authenticate"] ?? "" : ""
    const parsed = parseAsStandard(header)
    return parsed?.error !== "insufficient_scope" || parsed.scope === undefined || parsed.resourceMetadata === undefined
  })
  return [
    pass(Rules.accepts, `the server lists ${getTools(list).length} tools`),
    calls.length === 0
      ? skip(Rules.stepUp, "the server lists no tool")
      : vague.length > 0
      ? fail(
        Rules.stepUp,
        `403 without error, scope or resource_metadata for ${vague.map(({ name }) => shown(name, 40)).join(", ")}`
      )
      : denied.length === 0
      ? skip(Rules.stepUp, "the token grants every tool")
      : pass(
        Rules.stepUp,
        denied.map(({ exchange, name }) =>
          `${shown(name, 40)} requires ${
            shown(
              exchange._tag === "Response" ? parseAsStandard(exchange.headers["www-authenticate"] ?? "")?.scope : "",
              80
            )
          }`
        ).join("; ")
      ),
    sessionOnly === undefined
      ? skip(Rules.session, "the server has no sessions")
      : (getStatus(sessionOnly) ?? 0) < 300
      ? fail(Rules.session, `with the session id and without a token the server ${describe(sessionOnly)}`)
      : pass(Rules.session, describe(sessionOnly)),
    batch === undefined
      ? skip(Rules.batch, "no tool call was rejected")
      : checkBatch(batch)
  ]
}

const checkBatch = (batch: Exchange): RuleResult => {
  const status = getStatus(batch)
  if (status === undefined || status >= 300) return pass(Rules.batch, describe(batch))
  const replies = parseJson(batch._tag === "Response" ? batch.body : "")
  const second = Array.isArray(replies) ? replies.find((_) => isObject(_) && _["id"] === 2) : undefined
  const error = isObject(second) ? member(second, "error") : undefined
  // An error about arguments means that the call reached the tool.
  return isObject(error) && error["code"] !== -32602
    ? pass(Rules.batch, "the call is rejected within the batch")
    : fail(Rules.batch, "a call that is rejected alone is accepted in a batch")
}
