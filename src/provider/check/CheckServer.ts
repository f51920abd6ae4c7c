import * as HttpUri from "../../protocol/HttpUri.ts"
import type { Fact } from "../facts/Facts.ts"
import { getSetting } from "../facts/Settings.ts"
import { type Exchange, origin, type Reading } from "../probe/Probe.ts"
import { type Json, member, shown, strings, text } from "../report/Json.ts"
import { fail, inconclusive, pass, type Rule, type RuleResult, skip } from "../report/Rule.ts"
import { checkKeySet } from "./CheckKeys.ts"
import * as Rules from "./CheckRules.ts"

/** A metadata document. If it is an excerpt or a record, only some members are known. */
export interface MetadataDocument {
  /** `"either"` is a saved document whose name and members do not show its well-known URL. */
  readonly kind: "oauth-authorization-server" | "openid-configuration" | "either"
  readonly url: string
  readonly metadata: Json
  /** Members whose presence was not recorded. */
  readonly unseen: ReadonlySet<string>
  /** `false` for an excerpt: a missing member may be in the document. */
  readonly complete: boolean
}

/** A well-known URL that clients request, and its content. */
export interface WellKnownUrl {
  readonly kind: MetadataDocument["kind"]
  readonly reading: Reading
}

/** Everything that was fetched from a server. `undefined` means that it was not fetched. */
export interface Observations {
  /** The issuer to check; `undefined` if only documents are checked. */
  readonly issuer: string | undefined
  readonly wellKnownUrls: ReadonlyArray<WellKnownUrl> | undefined
  /** In the order in which clients request them. */
  readonly documents: ReadonlyArray<MetadataDocument>
  readonly keySet: Reading | undefined
  readonly cors: {
    readonly metadata?: Exchange
    readonly token?: Exchange
    readonly registration?: Exchange
  }
  readonly provider: Fact | undefined
}

/** Checks every rule. */
export const checkServer = (observations: Observations): ReadonlyArray<RuleResult> => {
  const { documents, provider } = observations
  const [used] = documents
  const results = [
    ...checkIssuer(observations.issuer ?? text(used?.metadata ?? {}, "issuer")),
    ...checkWellKnownUrls(observations),
    ...(used === undefined ? [] : [
      checkIdentity(observations),
      checkAgreement(documents),
      ...checkEndpoints(used),
      ...checkClients(used),
      ...checkTokens(used, observations),
      ...checkExtras(used, provider),
      ...checkCors(used, observations)
    ])
  ]
  const order = new Map(Rules.all.map((rule, index) => [rule.id, index]))
  return results
    .map((result) => ({ ...result, change: getSetting(provider, result.rule) ?? result.change }))
    .sort((a, b) => order.get(a.rule.id)! - order.get(b.rule.id)!)
}

const checkIssuer = (issuer: string | undefined): ReadonlyArray<RuleResult> => {
  const rule = Rules.issuerUrl
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
      ? pass(Rules.issuerSpelling, name)
      : fail(
        Rules.issuerSpelling,
        /^https:\/\/[^/]*:443(?:\/|$)/i.test(issuer)
          ? `${name} contains port 443, which URL libraries remove, so clients compare two different strings`
          : `URL libraries write ${name} as ${shown(url.href)}`,
        `Write ${shown(url.pathname === "/" && !issuer.endsWith("/") ? url.origin : url.href)}`
      )
  ]
}

const checkWellKnownUrls = ({ documents, wellKnownUrls, provider }: Observations): ReadonlyArray<RuleResult> => {
  if (wellKnownUrls === undefined) {
    const why = "saved documents are checked without a network"
    return [
      skip(Rules.metadata, why),
      ...([["oauth-authorization-server", Rules.rfc8414], ["openid-configuration", Rules.openid]] as const).map((
        [kind, rule]
      ) =>
        documents.some((document) => document.kind === kind)
          ? pass(rule, documents.find((document) => document.kind === kind)!.url)
          : provider?.absent?.includes(kind) === true
          ? fail(rule, `${provider.name} serves none`)
          : skip(
            rule,
            documents.some((document) => document.kind === "either")
              ? "the kind of the saved document is not known. Name its file oauth-authorization-server.json or openid-configuration.json"
              : why
          )
      )
    ]
  }
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
      ? pass(Rules.metadata, `${wellKnownUrls[first]!.reading.url} is the document that clients read`)
      : unreached.length > 0
      ? inconclusive(Rules.metadata, describe(wellKnownUrls))
      : fail(Rules.metadata, describe(wellKnownUrls)),
    checkKind(Rules.rfc8414, wellKnownUrls.filter(({ kind }) => kind === "oauth-authorization-server")),
    checkKind(Rules.openid, wellKnownUrls.filter(({ kind }) => kind === "openid-configuration")),
    before.length > 0
      ? fail(
        Rules.wellKnown,
        `${describe(before)}: both official clients stop here${
          first === -1 ? "" : " and never request the document after it"
        }`
      )
      : pass(Rules.wellKnown, "no response stops a client"),
    misleading.length > 0
      ? fail(Rules.wellKnownTidy, describe(misleading))
      : pass(Rules.wellKnownTidy, "URLs without a document return an error")
  ]
}

const checkKind = (rule: Rule, wellKnownUrls: ReadonlyArray<WellKnownUrl>): RuleResult => {
  const found = wellKnownUrls.find(({ reading }) => isMetadata(reading))
  if (found !== undefined) return pass(rule, found.reading.url)
  const why = wellKnownUrls.map(({ reading }) => `${reading.url} ${describeReading(reading)}`).join("; ")
  return wellKnownUrls.some(({ reading }) => reading._tag === "NoDocument" && reading.kind === "no-response")
    ? inconclusive(rule, why)
    : fail(rule, why)
}

export const isMetadata = (reading: Reading): reading is Extract<Reading, { readonly _tag: "Json" }> =>
  reading._tag === "Json" && typeof member(reading.json, "issuer") === "string"

const describeReading = (reading: Reading): string =>
  reading._tag === "NoDocument" ? reading.detail : isMetadata(reading) ? "is metadata" : "has no issuer"

const anotherName = "a different name"

const checkIdentity = ({ documents, issuer }: Observations): RuleResult => {
  const rule = Rules.issuerIdentical
  if (issuer === undefined) {
    const named = text(documents[0]!.metadata, "issuer") ?? ""
    return /[{}]/.test(named)
      ? fail(rule, `the document names ${shown(named)}, which never equals an issuer`)
      : skip(rule, "name the issuer in addition to the document to compare them")
  }
  const others = documents.filter(({ metadata }) => text(metadata, "issuer") !== issuer)
  if (others.length === 0) return pass(rule, shown(issuer))
  const named = text(others[0]!.metadata, "issuer") ?? ""
  const how = describeDifference(issuer, named)
  return fail(
    rule,
    `${others[0]!.url} names ${shown(named)} (${how})`,
    /[{}]/.test(named)
      ? `Use the issuer of one tenant, with its id in place of ${/\{[^}]*\}?/.exec(named)?.[0] ?? "the braces"}`
      : how === anotherName
      ? `Use ${shown(named)} if that is the issuer. Otherwise configure ${shown(issuer)} as the issuer of the server`
      : `Use ${shown(named)} everywhere: clients compare strings`
  )
}

/** Describes how two issuers differ, because some differences are easy to miss. */
export const describeDifference = (expected: string, named: string): string => {
  if (/[{}]/.test(named)) return "a template for many tenants"
  if (`${expected}/` === named) return "it has an additional final slash"
  if (expected === `${named}/`) return "it lacks the final slash"
  const bare = (text: string) => text.replace(/:443(?=\/|$)/, "")
  if (bare(expected) === bare(named)) return "they differ in port 443, which is the default"
  if (expected.toLowerCase() === named.toLowerCase()) return "they differ in upper and lower case"
  if (expected.replace(/^https?/, "") === named.replace(/^https?/, "")) return "they differ in http and https"
  return anotherName
}

/** The members that clients use. If they differ, two clients can behave differently. */
const decisive = [
  "issuer",
  "authorization_endpoint",
  "token_endpoint",
  "jwks_uri",
  "registration_endpoint",
  "introspection_endpoint",
  "revocation_endpoint",
  "code_challenge_methods_supported",
  "client_id_metadata_document_supported",
  "authorization_response_iss_parameter_supported",
  "response_types_supported",
  "grant_types_supported",
  "scopes_supported",
  "token_endpoint_auth_methods_supported",
  "dpop_signing_alg_values_supported"
]

const checkAgreement = (documents: ReadonlyArray<MetadataDocument>): RuleResult => {
  const rule = Rules.documentsAgree
  const [first, ...others] = documents
  if (first === undefined || others.length === 0) return skip(rule, "only one document exists")
  const differing = decisive.filter((name) =>
    others.some((other) =>
      !first.unseen.has(name) && !other.unseen.has(name) && canonical(first, name) !== canonical(other, name)
    )
  )
  if (differing.length === 0) return pass(rule, `${documents.length} documents without a relevant difference`)
  const missing = documents.flatMap(({ metadata, url }) => {
    const names = differing.filter((name) => member(metadata, name) === undefined)
    return names.length === 0 ? [] : [`${shown(url, 160)} lacks ${names.join(", ")}`]
  })
  const unlike = differing.filter((name) => documents.every(({ metadata }) => member(metadata, name) !== undefined))
  const describe = (name: string) => {
    const values = [...new Set(documents.flatMap(({ metadata }) => text(metadata, name) ?? []))]
    return values.length < 2 ? name : `${name} (${values.map((_) => shown(_, 100)).join(" and ")})`
  }
  return fail(
    rule,
    [...missing, ...(unlike.length === 0 ? [] : [`they differ in ${unlike.map(describe).join(", ")}`])].join("; ")
  )
}

const canonical = ({ metadata }: MetadataDocument, name: string): string => {
  const value = member(metadata, name)
  return JSON.stringify(Array.isArray(value) ? value.map(String).sort() : value) ?? ""
}

/** Runs a check of members, if their presence was recorded. */
const checkMembers = (
  { complete, metadata, unseen }: MetadataDocument,
  names: ReadonlyArray<string>,
  rule: Rule,
  check: () => RuleResult
): RuleResult => {
  const absent = names.filter((name) => member(metadata, name) === undefined)
  if (absent.some((name) => unseen.has(name))) return skip(rule, `${absent.join(", ")} was not recorded`)
  const result = check()
  return result.verdict === "fail" && !complete && absent.length > 0
    ? inconclusive(rule, `only an excerpt was observed, without ${absent.join(", ")}`)
    : result
}

const checkEndpoints = (document: MetadataDocument): ReadonlyArray<RuleResult> => {
  const { metadata } = document
  const urls = Object.keys(metadata)
    .filter((name) => /_endpoint$|^jwks_uri$/.test(name))
    .flatMap((name) => {
      const value = text(metadata, name)
      return value === undefined ? [] : [[name, value] as const]
    })
  const insecure = urls.filter(([, url]) => !URL.canParse(url) || !HttpUri.isSecure(new URL(url)))
  const types = strings(metadata, "response_types_supported")
  const grants = strings(metadata, "grant_types_supported")
  const missing = ["authorization_endpoint", "token_endpoint"].filter((name) => text(metadata, name) === undefined)
  return [
    document.unseen.has("authorization_endpoint")
      ? skip(Rules.endpointsHttps, "no endpoint was recorded")
      : insecure.length > 0
      ? fail(Rules.endpointsHttps, insecure.map(([name, url]) => `${name} is ${shown(url)}`).join("; "))
      : pass(Rules.endpointsHttps, `${urls.length} endpoints`),
    checkMembers(
      document,
      ["authorization_endpoint", "token_endpoint", "response_types_supported"],
      Rules.codeFlow,
      () =>
        missing.length > 0
          ? fail(Rules.codeFlow, `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing`)
          : types === undefined
          ? fail(Rules.codeFlow, "response_types_supported is missing, which RFC 8414 requires")
          : !types.includes("code")
          ? fail(Rules.codeFlow, `response_types_supported is ${shown(types)}, without "code"`)
          : grants !== undefined && !grants.includes("authorization_code")
          ? fail(Rules.codeFlow, `grant_types_supported is ${shown(grants)}, without "authorization_code"`)
          : pass(Rules.codeFlow, "the metadata contain endpoints, response type and grant type")
    )
  ]
}

const checkClients = (document: MetadataDocument): ReadonlyArray<RuleResult> => {
  const { metadata } = document
  const challenges = strings(metadata, "code_challenge_methods_supported")
  const methods = strings(metadata, "token_endpoint_auth_methods_supported")
  const cimd = member(metadata, "client_id_metadata_document_supported") === true
  const registration = text(metadata, "registration_endpoint")
  return [
    checkMembers(document, ["code_challenge_methods_supported"], Rules.pkce, () =>
      challenges === undefined
        ? fail(
          Rules.pkce,
          "code_challenge_methods_supported is missing: clients that follow the text stop, even if the server supports PKCE"
        )
        : challenges.includes("S256")
        ? pass(Rules.pkce, challenges.join(", "))
        : fail(Rules.pkce, `code_challenge_methods_supported is ${shown(challenges)}, without "S256"`)),
    challenges === undefined
      ? skip(Rules.pkcePlain, "code_challenge_methods_supported is missing")
      : challenges.includes("plain")
      ? fail(Rules.pkcePlain, "\"plain\" is offered as well")
      : pass(Rules.pkcePlain, "\"plain\" is not offered"),
    checkMembers(document, ["token_endpoint_auth_methods_supported"], Rules.publicClients, () =>
      methods === undefined
        ? fail(
          Rules.publicClients,
          "token_endpoint_auth_methods_supported is missing, which means client_secret_basic only"
        )
        : methods.includes("none")
        ? pass(Rules.publicClients, "\"none\" is listed")
        : fail(Rules.publicClients, `"none" is not among ${methods.join(", ")}`)),
    checkMembers(document, ["client_id_metadata_document_supported"], Rules.cimd, () =>
      cimd
        ? pass(Rules.cimd, "client_id_metadata_document_supported is true")
        : fail(Rules.cimd, "client_id_metadata_document_supported is not true")),
    checkMembers(document, ["registration_endpoint"], Rules.registration, () =>
      registration === undefined
        ? fail(Rules.registration, "registration_endpoint is missing")
        : pass(Rules.registration, shown(registration))),
    checkMembers(
      document,
      ["client_id_metadata_document_supported", "registration_endpoint"],
      Rules.unknownClients,
      () =>
        cimd
          ? pass(Rules.unknownClients, "through client ID metadata documents")
          : registration !== undefined
          ? pass(Rules.unknownClients, "through dynamic registration, if registration is open")
          : fail(
            Rules.unknownClients,
            "the server supports neither client ID metadata documents nor dynamic registration, so each client needs a client id from you"
          )
    ),
    checkMembers(
      document,
      ["authorization_response_iss_parameter_supported"],
      Rules.issParameter,
      () =>
        member(metadata, "authorization_response_iss_parameter_supported") === true
          ? pass(Rules.issParameter, "authorization_response_iss_parameter_supported is true")
          : fail(Rules.issParameter, "authorization_response_iss_parameter_supported is not true")
    )
  ]
}

const checkTokens = (document: MetadataDocument, { keySet, provider }: Observations): ReadonlyArray<RuleResult> => {
  const { metadata } = document
  const jwksUri = text(metadata, "jwks_uri")
  const introspection = text(metadata, "introspection_endpoint")
  return [
    checkMembers(document, ["jwks_uri", "introspection_endpoint"], Rules.verifiable, () =>
      // Keys that sign only ID tokens cannot verify access tokens.
      provider?.tokens.format === "opaque" && introspection === undefined && provider.kind !== "mcp-server"
        ? provider.profile === null
          ? fail(Rules.verifiable, `${provider.name} issues opaque tokens and offers no introspection`)
          : pass(
            Rules.verifiable,
            `its tokens are opaque: Profiles.${provider.profile} verifies each of them at ${provider.name}`
          )
        : jwksUri !== undefined
        ? pass(Rules.verifiable, `with the keys at ${shown(jwksUri)}`)
        : introspection !== undefined
        ? pass(
          Rules.verifiable,
          "through introspection only, for which your server needs credentials: jwks_uri is missing"
        )
        : fail(
          Rules.verifiable,
          "jwks_uri and introspection_endpoint are missing: only the server itself can verify its tokens"
        )),
    ...(keySet !== undefined
      ? checkKeySet(keySet)
      : [skip(Rules.keySet, jwksUri === undefined ? "jwks_uri is missing" : "the key set was not fetched")]),
    checkMembers(document, ["introspection_endpoint"], Rules.introspection, () =>
      introspection === undefined
        ? fail(Rules.introspection, "introspection_endpoint is missing")
        : pass(Rules.introspection, shown(introspection)))
  ]
}

const checkExtras = (document: MetadataDocument, provider: Fact | undefined): ReadonlyArray<RuleResult> => {
  const { metadata } = document
  const scopes = strings(metadata, "scopes_supported")
  const grants = strings(metadata, "grant_types_supported")
  const dpop = strings(metadata, "dpop_signing_alg_values_supported")
  return [
    checkResource(provider),
    ...checkAudience(provider),
    checkMembers(document, ["scopes_supported"], Rules.scopes, () =>
      scopes === undefined
        ? fail(Rules.scopes, "scopes_supported is missing")
        : pass(Rules.scopes, shown(scopes.join(" ")))),
    checkMembers(
      document,
      ["scopes_supported", "grant_types_supported"],
      Rules.refresh,
      () =>
        scopes?.includes("offline_access") === true
          ? pass(Rules.refresh, "scopes_supported contains offline_access")
          : grants?.includes("refresh_token") === true
          ? pass(Rules.refresh, "grant_types_supported contains refresh_token; scopes_supported lacks offline_access")
          : fail(Rules.refresh, "scopes_supported lacks offline_access, and grant_types_supported lacks refresh_token")
    ),
    checkMembers(document, ["dpop_signing_alg_values_supported"], Rules.dpop, () =>
      dpop === undefined
        ? fail(Rules.dpop, "dpop_signing_alg_values_supported is missing")
        : pass(Rules.dpop, dpop.join(", ")))
  ]
}

const checkResource = (provider: Fact | undefined): RuleResult => {
  const rule = Rules.resourceIndicators
  if (provider === undefined) {
    return inconclusive(rule, "metadata do not show it: sign in once, and check the token with check --token")
  }
  const known = `${provider.name}, as of ${provider.asOf}`
  switch (provider.resourceIndicators) {
    case "yes":
      return pass(rule, `${known}: ${provider.audienceSetup}`)
    case "no":
      return fail(rule, `${known}: the parameter resource has no effect`, provider.audienceSetup)
    case "unknown":
      return inconclusive(rule, `${known}: ${provider.audienceSetup}`)
    default:
      return inconclusive(rule, `${known}, after configuration: ${provider.audienceSetup}`)
  }
}

/** Checks how a known provider sets the audience. Metadata do not show it. */
const checkAudience = (provider: Fact | undefined): ReadonlyArray<RuleResult> => {
  if (provider === undefined || provider.kind === "mcp-server" || provider.audienceSetup === "not known") return []
  const known = `${provider.name}, as of ${provider.asOf}: ${provider.audienceSetup}`
  return [
    !provider.audienceSetup.startsWith("not possible")
      ? pass(Rules.audience, known)
      : provider.profile === null
      ? fail(Rules.audience, known)
      : pass(Rules.audience, `${known}; Profiles.${provider.profile} accepts tokens of the clients that you list`)
  ]
}

const allows = (exchange: Exchange): "yes" | "no" | "no-response" => {
  if (exchange._tag === "NoResponse") return "no-response"
  const allowed = exchange.headers["access-control-allow-origin"]
  return allowed === "*" || allowed === origin ? "yes" : "no"
}

const checkCors = ({ metadata }: MetadataDocument, { cors }: Observations): ReadonlyArray<RuleResult> => {
  const missing = "Access-Control-Allow-Origin is missing for a foreign origin"
  const check = (rule: Rule, exchange: Exchange | undefined, no: (why: string) => RuleResult): RuleResult => {
    if (exchange === undefined) return skip(rule, "checked without a network")
    const allowed = allows(exchange)
    return allowed === "yes"
      ? pass(rule, `${shown(exchange.url)} allows other origins`)
      : allowed === "no"
      ? no(`${shown(exchange.url)}: ${missing}`)
      : inconclusive(rule, `${shown(exchange.url)} ${exchange._tag === "NoResponse" ? exchange.detail : ""}`)
  }
  return [
    check(Rules.corsMetadata, cors.metadata, (why) => fail(Rules.corsMetadata, why)),
    // Some servers allow origins per client, and this request has no client.
    check(
      Rules.corsToken,
      cors.token,
      (why) => inconclusive(Rules.corsToken, `${why}; it can be a setting of each client`)
    ),
    text(metadata, "registration_endpoint") === undefined
      ? skip(Rules.corsRegistration, "registration_endpoint is missing")
      : check(Rules.corsRegistration, cors.registration, (why) => fail(Rules.corsRegistration, why))
  ]
}
