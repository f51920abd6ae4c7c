import * as HttpUri from "../../protocol/HttpUri.ts"
import * as ResourceIdentifier from "../../protocol/ResourceIdentifier.ts"
import { describeDifference } from "../check/CompareDocuments.ts"
import { type Json, shown, strings, text } from "../report/Json.ts"
import { fail, inconclusive, pass, type RuleResult, skip } from "../report/Rule.ts"
import { parseAsStandard } from "./ClientChallenge.ts"
import * as Rules from "./DoctorRules.ts"
import { isDocument, type Observations } from "./Observations.ts"

/** Checks where clients find the metadata of the server, and which resource they name. */
export const checkMetadata = ({ documents, fallbackIssuer, url }: Observations): ReadonlyArray<RuleResult> => {
  const found = documents.filter(({ reading }) => isDocument(reading))
  const where = [
    ...new Set(
      documents.map(({ reading }) =>
        `${shown(reading.url)} ${
          reading._tag === "NoDocument" ? reading.detail : isDocument(reading) ? "is metadata" : "has no resource"
        }`
      )
    )
  ]
  const [used] = found
  if (used === undefined || used.reading._tag !== "Json") {
    return [
      documents.some(({ reading }) => reading._tag === "NoDocument" && reading.kind === "no-response")
        ? inconclusive(Rules.metadata, where.join("; "))
        : fail(
          Rules.metadata,
          `${where.join("; ")}${
            fallbackIssuer === undefined
              ? ""
              : `. Both official clients then use ${fallbackIssuer} as the authorization server, as MCP 2025-03-26 says`
          }`
        )
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
  const redirected = found.flatMap(({ reading, redirectedTo }) =>
    redirectedTo === undefined ? [] : [`${shown(reading.url)} redirects to ${shown(redirectedTo)}`]
  )
  return [
    pass(Rules.metadata, shown(used.reading.url)),
    redirected.length === 0
      ? pass(Rules.metadataDirect, "no redirect")
      : fail(
        Rules.metadataDirect,
        `${
          // The challenge can name the URL that clients derive from that of the server.
          [...new Set(redirected)].join("; ")}. Both official clients follow`
      ),
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
    ResourceIdentifier.isSame(resource, url)
      ? pass(Rules.resource, shown(resource))
      : fail(
        Rules.resource,
        covers
          ? `resource is ${shown(resource)}, which covers ${
            shown(url)
          } but is not identical to it. Both official clients ` +
            "accept it, and clients that follow the text stop"
          : `resource is ${shown(resource)} (${describeDifference(url, resource)})`
      )
  ]
}

/** Checks that the server does not request refresh tokens. */
export const checkOfflineAccess = ({ withoutToken, documents }: Observations): RuleResult => {
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

/** Checks the authorization servers that the metadata name. */
export const checkServers = ({ documents, fallbackIssuer, issuers, parts }: Observations): RuleResult => {
  const rule = Rules.servers
  if (!documents.some(({ reading }) => isDocument(reading))) return skip(rule, "there are no metadata")
  if (issuers.length === 0) {
    return fail(
      rule,
      `authorization_servers is missing or empty${
        fallbackIssuer === undefined ? "" : `. Both official clients then use ${fallbackIssuer}`
      }`
    )
  }
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
