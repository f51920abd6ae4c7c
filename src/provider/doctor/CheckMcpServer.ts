import * as WellKnown from "../../protocol/WellKnown.ts"
import { difference } from "../check/CheckServer.ts"
import { toolsOf } from "../probe/McpProbe.ts"
import type { Answered, Exchange, Reading } from "../probe/Probe.ts"
import { isObject, type Json, member, parseJson, shown, strings, text } from "../report/Json.ts"
import type { Report } from "../report/Report.ts"
import { failed, type Judgement, passed, type Rule, skipped, unknown } from "../report/Rule.ts"
import { asOfficialClients, asStandard, differences } from "./ClientChallenge.ts"
import * as Rules from "./DoctorRules.ts"

/** All that was seen of an MCP server. */
export interface Seen {
  readonly url: string
  /** Without a token. */
  readonly bare: Answered
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
    readonly garbage: Exchange
    readonly forged: ReadonlyArray<{ readonly name: string; readonly exchange: Exchange }>
    readonly empty: Exchange
    readonly preflight: Exchange
    readonly foreign: Exchange
    readonly metadata: Exchange | undefined
  }
  readonly garbage: string
  readonly signed: Signed | undefined
}

/** What was seen with a token. */
export interface Signed {
  readonly list: Exchange
  readonly opened: Exchange
  readonly calls: ReadonlyArray<{ readonly name: string; readonly exchange: Exchange }>
  readonly batch: Exchange | undefined
  readonly stolen: Exchange | undefined
  readonly secret: string
}

/** Every rule, judged. */
export const checkMcpServer = (seen: Seen): ReadonlyArray<Judgement> => [
  ...judgeRejection(seen),
  ...judgeMetadata(seen),
  judgeOfflineAccess(seen),
  judgeServers(seen),
  ...judgeTokens(seen),
  judgeHygiene(seen),
  ...judgeCors(seen),
  ...judgeSigned(seen)
]

const told = (exchange: Exchange): string =>
  exchange._tag === "Answered" ? `answers ${exchange.status}` : exchange.detail

const statusOf = (exchange: Exchange): number | undefined => exchange._tag === "Answered" ? exchange.status : undefined

const judgeRejection = ({ bare, probes }: Seen): ReadonlyArray<Judgement> => {
  const open = [["GET", probes.get], ["DELETE", probes.delete]].filter(([, exchange]) => {
    const status = statusOf(exchange as Exchange)
    return status !== undefined && status >= 200 && status < 300
  })
  const methods = open.length === 0
    ? passed(Rules.everyMethod, `GET ${told(probes.get)}, DELETE ${told(probes.delete)}`)
    : failed(
      Rules.everyMethod,
      open.map(([name, exchange]) => `${name as string} ${told(exchange as Exchange)}`).join(", ")
    )
  if (bare.status !== 401) {
    return [
      bare.status === 200
        ? failed(Rules.rejects, "it answers 200: everybody may use it")
        : failed(Rules.rejects, `it answers ${bare.status}`),
      methods
    ]
  }
  const header = bare.headers["www-authenticate"]
  const rejected = [passed(Rules.rejects, "it answers 401"), methods]
  if (header === undefined) return [...rejected, failed(Rules.challenge, "there is no WWW-Authenticate")]
  const meant = asStandard(header) ?? asOfficialClients(header)
  if (meant === undefined) return [...rejected, failed(Rules.challenge, `WWW-Authenticate is ${shown(header, 200)}`)]
  const unlike = differences(header)
  return [
    ...rejected,
    passed(Rules.challenge, shown(header, 300)),
    unlike.length === 0
      ? passed(Rules.challengeReadable, "their reading and that of RFC 9110 agree")
      : failed(Rules.challengeReadable, unlike.join("; ")),
    meant.error === undefined
      ? passed(Rules.challengeNoError, "there is none")
      : failed(Rules.challengeNoError, `error is ${shown(meant.error, 60)}, though there was no token`),
    meant.scope === undefined
      ? failed(Rules.challengeScope, "there is no scope")
      : passed(Rules.challengeScope, shown(meant.scope)),
    meant.resourceMetadata === undefined
      ? failed(Rules.challengeMetadata, "there is no resource_metadata")
      : passed(Rules.challengeMetadata, shown(meant.resourceMetadata))
  ]
}

const isDocument = (reading: Reading): reading is Extract<Reading, { readonly _tag: "Json" }> =>
  reading._tag === "Json" && text(reading.json, "resource") !== undefined

const judgeMetadata = ({ documents, url }: Seen): ReadonlyArray<Judgement> => {
  const found = documents.filter(({ reading }) => isDocument(reading))
  const where = documents.map(({ reading }) =>
    `${shown(reading.url)} ${
      reading._tag === "NoDocument" ? reading.detail : isDocument(reading) ? "is it" : "has no resource"
    }`
  )
  const [used] = found
  if (used === undefined || used.reading._tag !== "Json") {
    return [
      documents.some(({ reading }) => reading._tag === "NoDocument" && reading.kind === "not-reached")
        ? unknown(Rules.metadata, where.join("; "))
        : failed(Rules.metadata, where.join("; "))
    ]
  }
  const resource = text(used.reading.json, "resource")!
  const wellKnown = documents.filter(({ place }) => place === "path")
  const unlike = found.filter(({ reading }) =>
    canonical((reading as { readonly json: Json }).json) !== canonical((used.reading as { readonly json: Json }).json)
  )
  // One that covers the whole host may stand at the root, and both clients accept that.
  const covers = URL.canParse(resource) && new URL(resource).origin === new URL(url).origin &&
    new URL(url).pathname.startsWith(new URL(resource).pathname.replace(/\/?$/, "/"))
  return [
    passed(Rules.metadata, shown(used.reading.url)),
    wellKnown.some(({ reading }) => !isDocument(reading))
      ? failed(Rules.metadataPlaces, where.join("; "))
      : unlike.length > 0
      ? failed(
        Rules.metadataPlaces,
        `${unlike.map(({ reading }) => shown(reading.url)).join(", ")} says something else`
      )
      : passed(Rules.metadataPlaces, `${found.length} of ${documents.length} places have it, where it counts`),
    resource === url
      ? passed(Rules.resource, shown(resource))
      : failed(
        Rules.resource,
        covers
          ? `resource is ${shown(resource)}, which covers ${shown(url)} and is not identical to it`
          : `resource is ${shown(resource)} (${difference(url, resource)})`
      )
  ]
}

const judgeOfflineAccess = ({ bare, documents }: Seen): Judgement => {
  const challenged = asStandard(bare.headers["www-authenticate"] ?? "")?.scope?.split(" ") ?? []
  const places = [
    ...(challenged.includes("offline_access") ? ["the challenge"] : []),
    ...documents.flatMap(({ reading }) =>
      isDocument(reading) && strings(reading.json, "scopes_supported")?.includes("offline_access") === true
        ? [shown(reading.url)]
        : []
    )
  ]
  return places.length === 0
    ? passed(Rules.offlineAccess, "offline_access is asked for nowhere")
    : failed(Rules.offlineAccess, `offline_access is in ${places.join(", ")}`)
}

const canonical = (json: Json): string => JSON.stringify(Object.entries(json).sort(([a], [b]) => a < b ? -1 : 1))

const judgeServers = ({ documents, issuers, parts }: Seen): Judgement => {
  const rule = Rules.servers
  if (!documents.some(({ reading }) => isDocument(reading))) return skipped(rule, "there are no metadata")
  if (issuers.length === 0) return failed(rule, "authorization_servers is missing or empty")
  const bad = issuers.filter((issuer) => !URL.canParse(issuer) || !WellKnown.isSecure(new URL(issuer)))
  if (bad.length > 0) return failed(rule, `${bad.map((_) => shown(_)).join(", ")} is no https URL`)
  const unfit = parts.filter((part) => "report" in part && part.report.outcome === "does-not-fit")
  const silent = parts.flatMap((part) =>
    "error" in part
      ? [part.error]
      : part.report.outcome === "cannot-tell"
      ? [`${part.issuer}: ${part.report.summary}`]
      : []
  )
  return unfit.length > 0
    ? failed(rule, `${unfit.map(({ issuer }) => shown(issuer)).join(", ")} does not fit: see its own report`)
    : silent.length > 0
    ? unknown(rule, silent.join("; "))
    : passed(rule, issuers.map((_) => shown(_)).join(", "))
}

const judgeTokens = ({ probes }: Seen): ReadonlyArray<Judgement> => {
  const { empty, forged, garbage } = probes
  const header = garbage._tag === "Answered" ? garbage.headers["www-authenticate"] : undefined
  const error = header === undefined ? undefined : asStandard(header)?.error
  const accepted = forged.filter(({ exchange }) => {
    const status = statusOf(exchange)
    return status !== undefined && status >= 200 && status < 300
  })
  const broken = forged.filter(({ exchange }) => (statusOf(exchange) ?? 0) !== 401)
  return [
    garbage._tag === "NotReached"
      ? unknown(Rules.rejectsGarbage, garbage.detail)
      : garbage.status !== 401
      ? failed(Rules.rejectsGarbage, `a token that is none ${told(garbage)}`)
      : passed(Rules.rejectsGarbage, "401"),
    statusOf(garbage) !== 401
      ? skipped(Rules.namesInvalidToken, "there is no 401")
      : error === "invalid_token"
      ? passed(Rules.namesInvalidToken, "it does")
      : failed(Rules.namesInvalidToken, error === undefined ? "it names no error" : `error is ${shown(error, 40)}`),
    accepted.length > 0
      ? failed(Rules.rejectsForgery, `accepted: ${accepted.map(({ name }) => name).join(", ")}`)
      : broken.length > 0
      ? failed(
        Rules.rejectsForgery,
        broken.map(({ exchange, name }) => `${name} ${told(exchange)}, not 401`).join("; "),
        "Answer 401 invalid_token, whatever is wrong with a token"
      )
      : passed(Rules.rejectsForgery, forged.map(({ name }) => name).join(", ")),
    statusOf(empty) === 400
      ? passed(Rules.malformed, "400")
      : failed(Rules.malformed, `Bearer without a token ${told(empty)}`)
  ]
}

const judgeHygiene = ({ bare, garbage, probes, signed }: Seen): Judgement => {
  const all: ReadonlyArray<readonly [string, Exchange]> = [
    ["without a token", bare],
    ["with no real token", probes.garbage],
    ["with Bearer alone", probes.empty],
    ...probes.forged.map(({ exchange, name }) => [`with ${name}`, exchange] as const)
  ]
  const faults = all.flatMap(([when, exchange]) => {
    if (exchange._tag === "NotReached") return [`${when} it ${exchange.detail}`]
    const everything = `${exchange.body} ${Object.values(exchange.headers).join(" ")}`
    return [
      ...(exchange.status >= 500 ? [`${when} it ${told(exchange)}`] : []),
      ...(/\n[ \t]+at .+:\d+:\d+|node_modules[\\/]|Traceback \(most recent/.test(exchange.body)
        ? [`${when} it shows a stack trace`]
        : []),
      ...(everything.includes(garbage) || (signed !== undefined && everything.includes(signed.secret))
        ? [`${when} it repeats the token`]
        : [])
    ]
  })
  return faults.length === 0
    ? passed(Rules.hygiene, `${all.length} errors, all clean`)
    : failed(Rules.hygiene, faults.join("; "))
}

const judgeCors = ({ probes }: Seen): ReadonlyArray<Judgement> => {
  const listed = (exchange: Answered, name: string) =>
    (exchange.headers[name] ?? "").toLowerCase().split(",").map((_) => _.trim())
  const open = (exchange: Exchange): exchange is Answered =>
    exchange._tag === "Answered" &&
    ["*", "https://browser-client.example"].includes(exchange.headers["access-control-allow-origin"] ?? "")
  const { foreign, metadata, preflight } = probes
  const denied = (rule: Rule, exchange: Exchange): Judgement =>
    statusOf(exchange) === 403
      ? passed(rule, "it rejects the origin by name: allowing origins is a choice")
      : failed(rule, `${told(exchange)} without Access-Control-Allow-Origin`)
  const missing = preflight._tag === "Answered"
    ? ["authorization", "content-type", "mcp-protocol-version"].filter((name) => {
      const allowed = listed(preflight, "access-control-allow-headers")
      return !allowed.includes(name) && !(allowed.includes("*") && name !== "authorization")
    })
    : []
  return [
    statusOf(preflight) === 401
      ? failed(Rules.corsPreflight, "the preflight is answered 401")
      : !open(preflight)
      ? denied(Rules.corsPreflight, preflight)
      : missing.length > 0
      ? failed(Rules.corsPreflight, `it does not allow ${missing.join(", ")}`)
      : passed(Rules.corsPreflight, told(preflight)),
    !open(foreign)
      ? denied(Rules.corsChallenge, foreign)
      : listed(foreign, "access-control-expose-headers").some((_) => _ === "www-authenticate" || _ === "*")
      ? passed(Rules.corsChallenge, "it is exposed")
      : failed(Rules.corsChallenge, "Access-Control-Expose-Headers does not name WWW-Authenticate"),
    metadata === undefined
      ? skipped(Rules.corsMetadata, "there are no metadata")
      : open(metadata)
      ? passed(Rules.corsMetadata, "they are open")
      : denied(Rules.corsMetadata, metadata)
  ]
}

const judgeSigned = ({ signed }: Seen): ReadonlyArray<Judgement> => {
  if (signed === undefined) return []
  const { batch, calls, list, opened, stolen } = signed
  if (statusOf(list) !== 200 && statusOf(opened) !== 200) {
    return [failed(Rules.accepts, `a request with the token ${told(list)}`)]
  }
  const denied = calls.filter(({ exchange }) => statusOf(exchange) === 403)
  const vague = denied.filter(({ exchange }) => {
    const header = exchange._tag === "Answered" ? exchange.headers["www-authenticate"] ?? "" : ""
    const meant = asStandard(header)
    return meant?.error !== "insufficient_scope" || meant.scope === undefined || meant.resourceMetadata === undefined
  })
  return [
    passed(Rules.accepts, `${toolsOf(list).length} tools are listed`),
    calls.length === 0
      ? skipped(Rules.stepUp, "no tool is listed")
      : vague.length > 0
      ? failed(
        Rules.stepUp,
        `403 without error, scope or resource_metadata for ${vague.map(({ name }) => shown(name, 40)).join(", ")}`
      )
      : denied.length === 0
      ? skipped(Rules.stepUp, "the token opens every tool")
      : passed(
        Rules.stepUp,
        denied.map(({ exchange, name }) =>
          `${shown(name, 40)} needs ${
            shown(exchange._tag === "Answered" ? asStandard(exchange.headers["www-authenticate"] ?? "")?.scope : "", 80)
          }`
        ).join("; ")
      ),
    stolen === undefined
      ? skipped(Rules.session, "there are no sessions")
      : (statusOf(stolen) ?? 0) < 300
      ? failed(Rules.session, `with the session id and without a token it ${told(stolen)}`)
      : passed(Rules.session, told(stolen)),
    batch === undefined
      ? skipped(Rules.batch, "no tool was denied")
      : judgeBatch(batch)
  ]
}

const judgeBatch = (batch: Exchange): Judgement => {
  const status = statusOf(batch)
  if (status === undefined || status >= 300) return passed(Rules.batch, told(batch))
  const answers = parseJson(batch._tag === "Answered" ? batch.body : "")
  const second = Array.isArray(answers) ? answers.find((_) => isObject(_) && _["id"] === 2) : undefined
  const error = isObject(second) ? member(second, "error") : undefined
  // Invalid arguments mean that it came as far as the tool.
  return isObject(error) && error["code"] !== -32602
    ? passed(Rules.batch, "the call is rejected within the batch")
    : failed(Rules.batch, "a call that is denied by itself is let through in a batch")
}
