import { member, shown, text } from "../report/Json.ts"
import { fail, pass, type RuleResult, skip } from "../report/Rule.ts"
import * as DiscoveryRules from "./DiscoveryRules.ts"
import type { MetadataDocument, Observations } from "./Observations.ts"

const anotherName = "a different name"

/** Checks that each document names the requested issuer. */
export const checkIdentity = ({ documents, issuer }: Observations): RuleResult => {
  const rule = DiscoveryRules.issuerIdentical
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
    `${others[0]!.url} names ${
      shown(named)
    } (${how}). Version 1 of the official client does not compare them, and version 2 stops`,
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

/** The members that clients use. If one of them differs between the documents, two clients can behave differently. */
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

/** Checks that the documents agree about the members that clients use. */
export const checkAgreement = (documents: ReadonlyArray<MetadataDocument>): RuleResult => {
  const rule = DiscoveryRules.documentsAgree
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
