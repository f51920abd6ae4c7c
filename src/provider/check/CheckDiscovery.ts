import * as HttpUri from "../../protocol/HttpUri.ts"
import { shown, text } from "../report/Json.ts"
import { fail, inconclusive, pass, type Rule, type RuleResult, skip } from "../report/Rule.ts"
import * as DiscoveryRules from "./DiscoveryRules.ts"
import {
  describeReading,
  isMetadata,
  type MetadataDocument,
  type Observations,
  type WellKnownUrl
} from "./Observations.ts"

/** Checks the form of the issuer. */
export const checkIssuer = (issuer: string | undefined): ReadonlyArray<RuleResult> => {
  const rule = DiscoveryRules.issuerUrl
  if (issuer === undefined) return [fail(rule, "the document names no issuer", "Add the issuer to the document")]
  const name = shown(issuer)
  if (/[{}]/.test(issuer)) {
    return [fail(
      rule,
      `${name} is a template, not an issuer: every tenant has a separate issuer`,
      "Write the tenant in place of the placeholder (for several tenants see Profiles.entraMultiTenant)"
    )]
  }
  if (!URL.canParse(issuer)) return [fail(rule, `${name} is not a URL`)]
  const url = new URL(issuer)
  return [
    !HttpUri.isSecure(url)
      ? fail(rule, `${name} is not https`)
      : /[?#]/.test(issuer)
      ? fail(rule, `${name} has a query or a fragment`)
      : pass(rule, url.protocol === "http:" ? `${name}: http, which is allowed on this machine only` : name),
    url.href === issuer || url.href === `${issuer}/`
      ? pass(DiscoveryRules.issuerSpelling, name)
      : fail(
        DiscoveryRules.issuerSpelling,
        /^https:\/\/[^/]*:443(?:\/|$)/i.test(issuer)
          ? `${name} contains port 443, which URL libraries remove, so clients compare two different strings`
          : `URL libraries write ${name} as ${shown(url.href)}`,
        `Write ${shown(url.pathname === "/" && !issuer.endsWith("/") ? url.origin : url.href)}`
      )
  ]
}

/** Checks which kinds of document are among the saved documents. Sends no request to the well-known URLs. */
const checkSavedDocuments = ({ documents, provider }: Observations): ReadonlyArray<RuleResult> => {
  const why = "saved documents are checked without a network"
  const checkSaved = (kind: Exclude<MetadataDocument["kind"], "either">, rule: Rule): RuleResult => {
    const saved = documents.find((document) => document.kind === kind)
    if (saved !== undefined) return pass(rule, saved.url)
    if (provider?.absent?.includes(kind) === true) return fail(rule, `${provider.name} serves none`)
    return skip(
      rule,
      documents.some((document) => document.kind === "either")
        ? "the kind of the saved document is not known. Name its file oauth-authorization-server.json or openid-configuration.json"
        : why
    )
  }
  return [
    skip(DiscoveryRules.metadata, why),
    skip(DiscoveryRules.metadataDirect, why),
    checkSaved("oauth-authorization-server", DiscoveryRules.rfc8414),
    checkSaved("openid-configuration", DiscoveryRules.openid)
  ]
}

/** Checks which well-known URLs have a document, and whether the others mislead clients. */
export const checkWellKnownUrls = (observations: Observations): ReadonlyArray<RuleResult> => {
  const { wellKnownUrls } = observations
  if (wellKnownUrls === undefined) return checkSavedDocuments(observations)
  const first = wellKnownUrls.findIndex(({ reading }) => isMetadata(reading))
  const describe = (chosen: ReadonlyArray<WellKnownUrl>) =>
    chosen.map(({ reading }) => `${reading.url} ${describeReading(reading)}`).join("; ")
  const stops = wellKnownUrls.filter(({ reading }) =>
    reading._tag === "NoDocument"
      ? ["html", "not-json", "server-error"].includes(reading.kind)
      : !isMetadata(reading)
  )
  const before = stops.filter((one) => first === -1 || wellKnownUrls.indexOf(one) < first)
  const misleading = wellKnownUrls.filter((one) =>
    !before.includes(one) && one.reading._tag === "NoDocument" && one.reading.kind !== "absent" &&
    one.reading.kind !== "no-response"
  )
  const unreached = wellKnownUrls.filter(({ reading }) =>
    reading._tag === "NoDocument" && reading.kind === "no-response"
  )
  return [
    first !== -1
      ? pass(DiscoveryRules.metadata, `${wellKnownUrls[first]!.reading.url} is the document that clients read`)
      : unreached.length > 0
      ? inconclusive(DiscoveryRules.metadata, describe(wellKnownUrls))
      : fail(DiscoveryRules.metadata, describe(wellKnownUrls)),
    checkKind(DiscoveryRules.rfc8414, wellKnownUrls.filter(({ kind }) => kind === "oauth-authorization-server")),
    checkKind(DiscoveryRules.openid, wellKnownUrls.filter(({ kind }) => kind === "openid-configuration")),
    before.length > 0
      ? fail(
        DiscoveryRules.wellKnown,
        `${describe(before)}: both official clients stop here${
          first === -1 ? "" : " and never request the document after it"
        }`
      )
      : pass(DiscoveryRules.wellKnown, "no response stops a client"),
    misleading.length > 0
      ? fail(DiscoveryRules.wellKnownTidy, describe(misleading))
      : pass(DiscoveryRules.wellKnownTidy, "URLs without a document return an error"),
    checkRedirects(wellKnownUrls)
  ]
}

const checkRedirects = (wellKnownUrls: ReadonlyArray<WellKnownUrl>): RuleResult => {
  const redirected = wellKnownUrls.filter(({ reading, redirectedTo }) =>
    isMetadata(reading) && redirectedTo !== undefined
  )
  return redirected.length === 0
    ? pass(DiscoveryRules.metadataDirect, "no redirect")
    : fail(
      DiscoveryRules.metadataDirect,
      `${
        redirected.map(({ reading, redirectedTo }) => `${reading.url} redirects to ${shown(redirectedTo)}`).join("; ")
      }. Both official clients follow it, and resource servers such as this library do not`
    )
}

const checkKind = (rule: Rule, wellKnownUrls: ReadonlyArray<WellKnownUrl>): RuleResult => {
  const found = wellKnownUrls.find(({ reading }) => isMetadata(reading))
  if (found !== undefined) return pass(rule, found.reading.url)
  const why = wellKnownUrls.map(({ reading }) => `${reading.url} ${describeReading(reading)}`).join("; ")
  return wellKnownUrls.some(({ reading }) => reading._tag === "NoDocument" && reading.kind === "no-response")
    ? inconclusive(rule, why)
    : fail(rule, why)
}

/** Checks that every endpoint of the metadata, and `jwks_uri`, is https, or http on loopback. */
export const checkEndpoints = ({ metadata, unseen }: MetadataDocument): RuleResult => {
  const rule = DiscoveryRules.endpointsHttps
  if (unseen.has("authorization_endpoint")) return skip(rule, "no endpoint was recorded")
  const urls = Object.keys(metadata)
    .filter((name) => /_endpoint$|^jwks_uri$/.test(name))
    .flatMap((name) => {
      const value = text(metadata, name)
      return value === undefined ? [] : [[name, value] as const]
    })
  const insecure = urls.filter(([, url]) => !URL.canParse(url) || !HttpUri.isSecure(new URL(url)))
  return insecure.length > 0
    ? fail(rule, insecure.map(([name, url]) => `${name} is ${shown(url)}`).join("; "))
    : pass(rule, `${urls.length} endpoints`)
}
