import * as WellKnown from "../../protocol/WellKnown.ts"
import type { Fact } from "../facts/Fact.ts"
import { settingOf } from "../facts/Settings.ts"
import type { Exchange, Reading } from "../probe/Probe.ts"
import { type Json, member, shown, strings, text } from "../report/Json.ts"
import { failed, type Judgement, passed, type Rule, skipped, unknown } from "../report/Rule.ts"
import { checkKeySet } from "./CheckKeys.ts"
import * as Rules from "./CheckRules.ts"

/** A metadata document, and what is known of it: of an excerpt or of a note not every member was seen. */
export interface Document {
  /** `"either"` is a saved one of which neither its name nor its members tell where it stood. */
  readonly kind: "oauth-authorization-server" | "openid-configuration" | "either"
  readonly url: string
  readonly metadata: Json
  /** Members of which nobody wrote down whether they were there. */
  readonly unseen: ReadonlySet<string>
  /** Of an excerpt nothing can be said to be absent. */
  readonly complete: boolean
}

/** One of the places where clients look, and what was there. */
export interface Place {
  readonly kind: Document["kind"]
  readonly reading: Reading
}

/** All that was seen of a server. What is `undefined` was not looked at. */
export interface Evidence {
  /** As it was asked for; `undefined` where only documents were given. */
  readonly issuer: string | undefined
  readonly places: ReadonlyArray<Place> | undefined
  /** In the order in which clients find them. */
  readonly documents: ReadonlyArray<Document>
  readonly keySet: Reading | undefined
  readonly cors: {
    readonly metadata?: Exchange
    readonly token?: Exchange
    readonly registration?: Exchange
  }
  readonly provider: Fact | undefined
}

/** Every rule, judged. */
export const checkServer = (evidence: Evidence): ReadonlyArray<Judgement> => {
  const { documents, provider } = evidence
  const [used] = documents
  const judgements = [
    ...judgeIssuer(evidence.issuer ?? text(used?.metadata ?? {}, "issuer")),
    ...judgePlaces(evidence),
    ...(used === undefined ? [] : [
      judgeIdentity(evidence),
      judgeAgreement(documents),
      ...judgeEndpoints(used),
      ...judgeClients(used),
      ...judgeTokens(used, evidence),
      ...judgeExtras(used, provider),
      ...judgeCors(used, evidence)
    ])
  ]
  const order = new Map(Rules.all.map((rule, index) => [rule.id, index]))
  return judgements
    .map((judgement) => ({ ...judgement, change: settingOf(provider, judgement.rule) ?? judgement.change }))
    .sort((a, b) => order.get(a.rule.id)! - order.get(b.rule.id)!)
}

const judgeIssuer = (issuer: string | undefined): ReadonlyArray<Judgement> => {
  const rule = Rules.issuerUrl
  if (issuer === undefined) return [failed(rule, "the document names no issuer", "Put the issuer into the document")]
  const name = shown(issuer)
  if (/[{}]/.test(issuer)) {
    return [failed(
      rule,
      `${name} is a template and no issuer: every tenant has its own`,
      "Write the tenant instead of the placeholder (for several tenants see Profiles.entraMultiTenant)"
    )]
  }
  if (!URL.canParse(issuer)) return [failed(rule, `${name} is no URL`)]
  const url = new URL(issuer)
  return [
    !WellKnown.isSecure(url)
      ? failed(rule, `${name} is not https`)
      : /[?#]/.test(issuer)
      ? failed(rule, `${name} has a query or a fragment`)
      : passed(rule, url.protocol === "http:" ? `${name}: by http, which only this machine may` : name),
    url.href === issuer || url.href === `${issuer}/`
      ? passed(Rules.issuerSpelling, name)
      : failed(
        Rules.issuerSpelling,
        /^https:\/\/[^/]*:443(?:\/|$)/i.test(issuer)
          ? `${name} writes out port 443, which URL libraries drop: clients compare two different strings`
          : `${name} is ${shown(url.href)} to URL libraries`,
        `Write ${shown(url.pathname === "/" && !issuer.endsWith("/") ? url.origin : url.href)}`
      )
  ]
}

const judgePlaces = ({ documents, places, provider }: Evidence): ReadonlyArray<Judgement> => {
  if (places === undefined) {
    const why = "documents were given: the network was not asked"
    return [
      skipped(Rules.metadata, why),
      ...([["oauth-authorization-server", Rules.rfc8414], ["openid-configuration", Rules.openid]] as const).map((
        [kind, rule]
      ) =>
        documents.some((document) => document.kind === kind)
          ? passed(rule, documents.find((document) => document.kind === kind)!.url)
          : provider?.absent?.includes(kind) === true
          ? failed(rule, `${provider.name} has none`)
          : skipped(
            rule,
            documents.some((document) => document.kind === "either")
              ? "it may be this one: a file name with oauth-authorization-server or openid-configuration would tell"
              : why
          )
      )
    ]
  }
  const first = places.findIndex(({ reading }) => isMetadata(reading))
  const told = (chosen: ReadonlyArray<Place>) =>
    chosen.map(({ reading }) => `${reading.url} ${detailOf(reading)}`).join("; ")
  const stops = places.filter(({ reading }) =>
    reading._tag === "NoDocument"
      ? ["html", "not-json", "server-error"].includes(reading.kind)
      : !isMetadata(reading)
  )
  const before = stops.filter((place) => first === -1 || places.indexOf(place) < first)
  const misleading = places.filter((place) =>
    !before.includes(place) && place.reading._tag === "NoDocument" && place.reading.kind !== "absent" &&
    place.reading.kind !== "not-reached"
  )
  const unreached = places.filter(({ reading }) => reading._tag === "NoDocument" && reading.kind === "not-reached")
  return [
    first !== -1
      ? passed(Rules.metadata, `${places[first]!.reading.url} is what clients read`)
      : unreached.length > 0
      ? unknown(Rules.metadata, told(places))
      : failed(Rules.metadata, told(places)),
    judgePlace(Rules.rfc8414, places.filter(({ kind }) => kind === "oauth-authorization-server")),
    judgePlace(Rules.openid, places.filter(({ kind }) => kind === "openid-configuration")),
    before.length > 0
      ? failed(
        Rules.wellKnown,
        `${told(before)}: both official clients end here${first === -1 ? "" : " and never see the document behind it"}`
      )
      : passed(Rules.wellKnown, "nothing stands in the way of a client"),
    misleading.length > 0
      ? failed(Rules.wellKnownTidy, told(misleading))
      : passed(Rules.wellKnownTidy, "where there is no document the server says so")
  ]
}

const judgePlace = (rule: Rule, places: ReadonlyArray<Place>): Judgement => {
  const found = places.find(({ reading }) => isMetadata(reading))
  if (found !== undefined) return passed(rule, found.reading.url)
  const why = places.map(({ reading }) => `${reading.url} ${detailOf(reading)}`).join("; ")
  return places.some(({ reading }) => reading._tag === "NoDocument" && reading.kind === "not-reached")
    ? unknown(rule, why)
    : failed(rule, why)
}

export const isMetadata = (reading: Reading): reading is Extract<Reading, { readonly _tag: "Json" }> =>
  reading._tag === "Json" && typeof member(reading.json, "issuer") === "string"

const detailOf = (reading: Reading): string =>
  reading._tag === "NoDocument" ? reading.detail : isMetadata(reading) ? "is metadata" : "has no issuer"

const anotherName = "another name"

const judgeIdentity = ({ documents, issuer }: Evidence): Judgement => {
  const rule = Rules.issuerIdentical
  if (issuer === undefined) {
    const named = text(documents[0]!.metadata, "issuer") ?? ""
    return /[{}]/.test(named)
      ? failed(rule, `the document names ${shown(named)}, which is equal to no issuer`)
      : skipped(rule, "name the issuer beside the document to compare them")
  }
  const others = documents.filter(({ metadata }) => text(metadata, "issuer") !== issuer)
  if (others.length === 0) return passed(rule, shown(issuer))
  const named = text(others[0]!.metadata, "issuer") ?? ""
  const how = difference(issuer, named)
  return failed(
    rule,
    `${others[0]!.url} names ${shown(named)} (${how})`,
    /[{}]/.test(named)
      ? `Ask for the issuer of one tenant, with its id in place of ${/\{[^}]*\}?/.exec(named)?.[0] ?? "the braces"}`
      : how === anotherName
      ? `Ask for ${shown(named)}, if that is its name; if not, tell the server that it is called ${shown(issuer)}`
      : `Ask for ${shown(named)}, everywhere: clients compare strings`
  )
}

/** In which way two issuers differ, for those who look twice and see the same. */
export const difference = (asked: string, named: string): string => {
  if (/[{}]/.test(named)) return "a template: the server issues for many tenants"
  if (`${asked}/` === named) return "it has a final slash that was not asked for"
  if (asked === `${named}/`) return "it lacks the final slash that was asked for"
  const bare = (text: string) => text.replace(/:443(?=\/|$)/, "")
  if (bare(asked) === bare(named)) return "they differ by the port 443, which is the default"
  if (asked.toLowerCase() === named.toLowerCase()) return "they differ in upper and lower case"
  if (asked.replace(/^https?/, "") === named.replace(/^https?/, "")) return "they differ by http and https"
  return anotherName
}

/** What clients decide by: a difference here means two clients, two results. */
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

const judgeAgreement = (documents: ReadonlyArray<Document>): Judgement => {
  const rule = Rules.documentsAgree
  const [first, ...others] = documents
  if (first === undefined || others.length === 0) return skipped(rule, "there is one document")
  const differing = decisive.filter((name) =>
    others.some((other) =>
      !first.unseen.has(name) && !other.unseen.has(name) && canonical(first, name) !== canonical(other, name)
    )
  )
  if (differing.length === 0) return passed(rule, `${documents.length} documents, no difference that matters`)
  const missing = documents.flatMap(({ metadata, url }) => {
    const names = differing.filter((name) => member(metadata, name) === undefined)
    return names.length === 0 ? [] : [`${shown(url, 160)} lacks ${names.join(", ")}`]
  })
  const unlike = differing.filter((name) => documents.every(({ metadata }) => member(metadata, name) !== undefined))
  const told = (name: string) => {
    const values = [...new Set(documents.flatMap(({ metadata }) => text(metadata, name) ?? []))]
    return values.length < 2 ? name : `${name} (${values.map((_) => shown(_, 100)).join(" and ")})`
  }
  return failed(
    rule,
    [...missing, ...(unlike.length === 0 ? [] : [`they differ in ${unlike.map(told).join(", ")}`])].join("; ")
  )
}

const canonical = ({ metadata }: Document, name: string): string => {
  const value = member(metadata, name)
  return JSON.stringify(Array.isArray(value) ? value.map(String).sort() : value) ?? ""
}

/** Judges by a member, if anybody wrote down whether it was there. */
const by = (
  { complete, metadata, unseen }: Document,
  names: ReadonlyArray<string>,
  rule: Rule,
  judge: () => Judgement
): Judgement => {
  const absent = names.filter((name) => member(metadata, name) === undefined)
  if (absent.some((name) => unseen.has(name))) return skipped(rule, `nobody wrote down ${absent.join(", ")}`)
  const judgement = judge()
  return judgement.verdict === "failed" && !complete && absent.length > 0
    ? unknown(rule, `only an excerpt was seen, without ${absent.join(", ")}`)
    : judgement
}

const judgeEndpoints = (document: Document): ReadonlyArray<Judgement> => {
  const { metadata } = document
  const urls = Object.keys(metadata)
    .filter((name) => /_endpoint$|^jwks_uri$/.test(name))
    .flatMap((name) => {
      const value = text(metadata, name)
      return value === undefined ? [] : [[name, value] as const]
    })
  const insecure = urls.filter(([, url]) => !URL.canParse(url) || !WellKnown.isSecure(new URL(url)))
  const types = strings(metadata, "response_types_supported")
  const grants = strings(metadata, "grant_types_supported")
  const missing = ["authorization_endpoint", "token_endpoint"].filter((name) => text(metadata, name) === undefined)
  return [
    document.unseen.has("authorization_endpoint")
      ? skipped(Rules.endpointsHttps, "no endpoint was written down")
      : insecure.length > 0
      ? failed(Rules.endpointsHttps, insecure.map(([name, url]) => `${name} is ${shown(url)}`).join("; "))
      : passed(Rules.endpointsHttps, `${urls.length} endpoints`),
    by(
      document,
      ["authorization_endpoint", "token_endpoint", "response_types_supported"],
      Rules.codeFlow,
      () =>
        missing.length > 0
          ? failed(Rules.codeFlow, `there is no ${missing.join(" and no ")}`)
          : types === undefined
          ? failed(Rules.codeFlow, "response_types_supported is missing, which RFC 8414 requires")
          : !types.includes("code")
          ? failed(Rules.codeFlow, `response_types_supported is ${shown(types)}, without "code"`)
          : grants !== undefined && !grants.includes("authorization_code")
          ? failed(Rules.codeFlow, `grant_types_supported is ${shown(grants)}, without "authorization_code"`)
          : passed(Rules.codeFlow, "endpoints, response type and grant type are named")
    )
  ]
}

const judgeClients = (document: Document): ReadonlyArray<Judgement> => {
  const { metadata } = document
  const challenges = strings(metadata, "code_challenge_methods_supported")
  const methods = strings(metadata, "token_endpoint_auth_methods_supported")
  const cimd = member(metadata, "client_id_metadata_document_supported") === true
  const registration = text(metadata, "registration_endpoint")
  return [
    by(document, ["code_challenge_methods_supported"], Rules.pkce, () =>
      challenges === undefined
        ? failed(
          Rules.pkce,
          "code_challenge_methods_supported is missing: clients that keep to the text reject to go on, whatever the server can do"
        )
        : challenges.includes("S256")
        ? passed(Rules.pkce, challenges.join(", "))
        : failed(Rules.pkce, `code_challenge_methods_supported is ${shown(challenges)}, without "S256"`)),
    challenges === undefined
      ? skipped(Rules.pkcePlain, "no methods are listed")
      : challenges.includes("plain")
      ? failed(Rules.pkcePlain, "\"plain\" is offered as well")
      : passed(Rules.pkcePlain, "\"plain\" is not offered"),
    by(document, ["token_endpoint_auth_methods_supported"], Rules.publicClients, () =>
      methods === undefined
        ? failed(
          Rules.publicClients,
          "token_endpoint_auth_methods_supported is missing, which means client_secret_basic alone"
        )
        : methods.includes("none")
        ? passed(Rules.publicClients, "\"none\" is listed")
        : failed(Rules.publicClients, `"none" is not among ${methods.join(", ")}`)),
    by(document, ["client_id_metadata_document_supported"], Rules.cimd, () =>
      cimd
        ? passed(Rules.cimd, "client_id_metadata_document_supported is true")
        : failed(Rules.cimd, "client_id_metadata_document_supported is not true")),
    by(document, ["registration_endpoint"], Rules.registration, () =>
      registration === undefined
        ? failed(Rules.registration, "there is no registration_endpoint")
        : passed(Rules.registration, shown(registration))),
    by(document, ["client_id_metadata_document_supported", "registration_endpoint"], Rules.strangers, () =>
      cimd
        ? passed(Rules.strangers, "by metadata documents")
        : registration !== undefined
        ? passed(Rules.strangers, "by registration, if that is open to everybody")
        : failed(
          Rules.strangers,
          "neither metadata documents nor registration: each client needs a client id by hand"
        )),
    by(
      document,
      ["authorization_response_iss_parameter_supported"],
      Rules.issParameter,
      () =>
        member(metadata, "authorization_response_iss_parameter_supported") === true
          ? passed(Rules.issParameter, "it says so")
          : failed(Rules.issParameter, "authorization_response_iss_parameter_supported is not true")
    )
  ]
}

const judgeTokens = (document: Document, { keySet, provider }: Evidence): ReadonlyArray<Judgement> => {
  const { metadata } = document
  const jwksUri = text(metadata, "jwks_uri")
  const introspection = text(metadata, "introspection_endpoint")
  return [
    by(document, ["jwks_uri", "introspection_endpoint"], Rules.verifiable, () =>
      // Keys that sign ID tokens alone are of no use here.
      provider?.tokens.format === "opaque" && introspection === undefined && provider.kind !== "mcp-server"
        ? provider.profile === null
          ? failed(Rules.verifiable, `${provider.name} issues opaque tokens, and nobody can be asked about them`)
          : passed(
            Rules.verifiable,
            `its tokens are opaque: Profiles.${provider.profile} asks ${provider.name} about each`
          )
        : jwksUri !== undefined
        ? passed(Rules.verifiable, `by the keys at ${shown(jwksUri)}`)
        : introspection !== undefined
        ? passed(
          Rules.verifiable,
          "by introspection alone, for which your server needs credentials: there is no jwks_uri"
        )
        : failed(
          Rules.verifiable,
          "there is no jwks_uri and no introspection_endpoint: nobody but the server itself can tell its tokens from others"
        )),
    ...(keySet !== undefined
      ? checkKeySet(keySet)
      : [skipped(Rules.keySet, jwksUri === undefined ? "there is no jwks_uri" : "the key set was not fetched")]),
    by(document, ["introspection_endpoint"], Rules.introspection, () =>
      introspection === undefined
        ? failed(Rules.introspection, "there is no introspection_endpoint")
        : passed(Rules.introspection, shown(introspection)))
  ]
}

const judgeExtras = (document: Document, provider: Fact | undefined): ReadonlyArray<Judgement> => {
  const { metadata } = document
  const scopes = strings(metadata, "scopes_supported")
  const grants = strings(metadata, "grant_types_supported")
  const dpop = strings(metadata, "dpop_signing_alg_values_supported")
  return [
    judgeResource(provider),
    ...judgeAudience(provider),
    by(document, ["scopes_supported"], Rules.scopes, () =>
      scopes === undefined
        ? failed(Rules.scopes, "there is no scopes_supported")
        : passed(Rules.scopes, shown(scopes.join(" ")))),
    by(
      document,
      ["scopes_supported", "grant_types_supported"],
      Rules.refresh,
      () =>
        scopes?.includes("offline_access") === true
          ? passed(Rules.refresh, "offline_access is a scope")
          : grants?.includes("refresh_token") === true
          ? passed(Rules.refresh, "the grant refresh_token is listed, without the scope offline_access")
          : failed(Rules.refresh, "neither offline_access nor the grant refresh_token is listed")
    ),
    by(document, ["dpop_signing_alg_values_supported"], Rules.dpop, () =>
      dpop === undefined
        ? failed(Rules.dpop, "there is no dpop_signing_alg_values_supported")
        : passed(Rules.dpop, dpop.join(", ")))
  ]
}

const judgeResource = (provider: Fact | undefined): Judgement => {
  const rule = Rules.resourceIndicators
  if (provider === undefined) {
    return unknown(rule, "no metadata says so: sign in once, and give the token to check --token")
  }
  const known = `${provider.name}, as of ${provider.asOf}`
  switch (provider.resourceIndicators) {
    case "yes":
      return passed(rule, `${known}: ${provider.audienceHow}`)
    case "no":
      return failed(rule, `${known}: resource has no effect`, provider.audienceHow)
    case "unknown":
      return unknown(rule, `${known}: ${provider.audienceHow}`)
    default:
      return unknown(rule, `${known}, once it is set so: ${provider.audienceHow}`)
  }
}

/** No metadata tell: only what is known of a provider can be judged. */
const judgeAudience = (provider: Fact | undefined): ReadonlyArray<Judgement> => {
  if (provider === undefined || provider.kind === "mcp-server" || provider.audienceHow === "not known") return []
  const known = `${provider.name}, as of ${provider.asOf}: ${provider.audienceHow}`
  return [
    !provider.audienceHow.startsWith("cannot be")
      ? passed(Rules.audience, known)
      : provider.profile === null
      ? failed(Rules.audience, known)
      : passed(Rules.audience, `${known}; Profiles.${provider.profile} takes tokens of the clients that you list`)
  ]
}

const allows = (exchange: Exchange): "yes" | "no" | "not-reached" => {
  if (exchange._tag === "NotReached") return "not-reached"
  const allowed = exchange.headers["access-control-allow-origin"]
  return allowed === "*" || allowed === "https://browser-client.example" ? "yes" : "no"
}

const judgeCors = ({ metadata }: Document, { cors }: Evidence): ReadonlyArray<Judgement> => {
  const missing = "there is no Access-Control-Allow-Origin for a foreign origin"
  const judge = (rule: Rule, exchange: Exchange | undefined, no: (why: string) => Judgement): Judgement => {
    if (exchange === undefined) return skipped(rule, "the network was not asked")
    const allowed = allows(exchange)
    return allowed === "yes"
      ? passed(rule, `${shown(exchange.url)} lets other origins read`)
      : allowed === "no"
      ? no(`${shown(exchange.url)}: ${missing}`)
      : unknown(rule, `${shown(exchange.url)} ${exchange._tag === "NotReached" ? exchange.detail : ""}`)
  }
  return [
    judge(Rules.corsMetadata, cors.metadata, (why) => failed(Rules.corsMetadata, why)),
    // Some servers know the origins of each client, and one of nobody's has none.
    judge(Rules.corsToken, cors.token, (why) => unknown(Rules.corsToken, `${why}; it may be a setting of each client`)),
    text(metadata, "registration_endpoint") === undefined
      ? skipped(Rules.corsRegistration, "there is no registration_endpoint")
      : judge(Rules.corsRegistration, cors.registration, (why) => failed(Rules.corsRegistration, why))
  ]
}
