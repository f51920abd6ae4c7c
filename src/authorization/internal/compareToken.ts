import type { InvalidToken } from "../../protocol/AuthError.ts"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"
import type * as Audience from "../../verification/claims/Audience.ts"
import type { Comparison, ReadToken, RejectedRequest, Setup } from "./explained.ts"
import { at, listOf, mostEntries, show, showTime, typeOf } from "./showValue.ts"

/* Compares a rejected token with the configuration. Nothing in a rejected token is trusted: it only becomes text of the log. */

/** The longest accepted token, in characters. */
const longestToken = 16 * 1024

const noToken: ReadToken = { length: 0, segments: 0, header: {}, claims: {} }
const noTolerance = { expiry: 0, start: 30 }
const noStandards = { clientIds: [], subjects: [], scopes: [] }

/** Compares the part of a token because of which it was rejected. */
export const compareToken = (error: InvalidToken, rejected: RejectedRequest, setup: Setup): Comparison | undefined => {
  const { now, resource, token = noToken } = rejected
  const { claims, header } = token
  const issuer = own(claims, "iss")
  const servers = setup.servers ?? []
  // The answer of an introspection may lack `iss`. It comes from the only server that can have issued the token.
  const server = typeof issuer === "string"
    ? setup.serverOf?.(issuer)
    : servers.length === 1
    ? servers[0]
    : undefined
  const profile = server?.profile
  const { standards = noStandards } = setup
  const compareClaim = (name: string, expected: string): Comparison => ({
    checked: name,
    expected,
    receivedUnverified: show(own(claims, name))
  })
  const compareType = (names: ReadonlyArray<string>, expected: string): Comparison => ({
    checked: names.join(", "),
    expected,
    receivedUnverified: names.map((name) => `${name}: ${typeOf(own(claims, name))}`).join(", ")
  })
  const time = (name: string, expected: string, tolerance: number): Comparison => ({
    checked: name,
    expected: `${expected} ${new Date(now).toISOString()}, with a tolerance of ${tolerance} s`,
    receivedUnverified: showTime(own(claims, name))
  })
  const { tolerance = noTolerance } = setup

  switch (error.reason) {
    case "malformed":
      return {
        checked: "the form of the token",
        expected: "a JWT of three segments",
        receivedUnverified: `${token.length} characters, ${token.segments} segments`
      }
    case "too-large":
      return {
        checked: "the length of the token",
        expected: `at most ${longestToken} characters`,
        receivedUnverified: `${token.length} characters`
      }
    case "unknown-issuer":
      return compareClaim("iss", listOf(issuersOf(rejected, setup)))
    case "algorithm":
      return {
        checked: "alg",
        expected: listOf([...(server?.algorithms ?? [])]),
        receivedUnverified: show(own(header, "alg"))
      }
    case "critical-header":
      return { checked: "crit", expected: "none", receivedUnverified: show(own(header, "crit")) }
    case "token-type":
      return {
        checked: "typ",
        expected: profile?.opaque.issued === "always"
          ? `an opaque token: ${profile.name} issues no JWT as an access token`
          : (setup.rules?.tokenType ?? profile?.tokenType)?._tag === "Strict"
          ? "at+jwt"
          : "at+jwt, or JWT with a claim that marks an access token (scope, scp, client_id, cid)",
        receivedUnverified: `${show(own(header, "typ"))}${marksOf(claims, kindClaims)}`
      }
    case "id-token":
      return {
        checked: "typ",
        expected: "an access token without a mark of an ID token",
        receivedUnverified: `${show(own(header, "typ"))}${
          marksOf(claims, [...idTokenClaims, ...kindClaims, ...(profile?.idTokenMarks ?? []).map((_) => _.claim)])
        }`
      }
    case "tenant":
      return profile?.tenants === undefined
        ? undefined
        : compareClaim(profile.tenants.claim, `the tenant in iss ${show(issuer)}`)
    case "unknown-tenant":
      return resource === undefined ? undefined : compareClaim("iss", `a token of the tenant at ${resource.resource}`)
    case "unknown-key":
    case "signature":
      return {
        checked: "kid",
        expected: server === undefined
          ? undefined
          : `a key of ${server.issuer}: ${listOf(setup.keyIds?.(server) ?? [])}`,
        receivedUnverified: `${show(own(header, "kid"))} (alg ${show(own(header, "alg"))})`
      }
    case "expiry":
      return compareType(["exp"], "a number of seconds since 1970")
    case "expired":
      return time("exp", "after", tolerance.expiry)
    case "not-yet-valid":
      return time("nbf", "at or before", tolerance.start)
    case "issued-in-the-future":
      return time("iat", "at or before", tolerance.start)
    case "audience": {
      const rule = setup.rules?.audience ?? profile?.audience ?? { _tag: "Resource" }
      return {
        checked: claimOfRule(rule),
        expected: resource === undefined ? undefined : describeRule(rule, resource.resource),
        receivedUnverified: namesOfRule(rule, profile?.clientIdClaims ?? standards.clientIds)
          .flatMap((name) => Object.hasOwn(claims, name) ? [`${name} ${show(own(claims, name))}`] : [])
          .join(", ") || "no aud"
      }
    }
    case "subject":
      return compareType(
        profile?.subjectClaims ?? standards.subjects,
        "a text that is not empty in one of them"
      )
    case "client-id":
      return compareType(
        profile?.clientIdClaims ?? standards.clientIds,
        "a text that is not empty in the first one"
      )
    case "scope": {
      const sources = profile?.scopes.sources ?? standards.scopes
      return {
        checked: sources.map(({ path }) => path.join(".")).join(", "),
        expected: sources.map(({ path, shape }) => `${path.join(".")}: ${shape}`).join(", "),
        receivedUnverified: sources.map(({ path }) => `${path.join(".")}: ${typeOf(at(claims, path))}`).join(", ")
      }
    }
    case "claims": {
      const paths = pathsOf(token.cause).slice(0, mostEntries)
      return paths.length === 0 ? undefined : {
        checked: paths.map((path) => path.join(".") || "the claims").join(", "),
        receivedUnverified: paths.map((path) => `${path.join(".") || "the claims"}: ${typeOf(at(claims, path))}`)
          .join(
            ", "
          )
      }
    }
    case "bound-to-key":
    case "not-bound-to-key":
      return compareType(
        ["cnf"],
        error.reason === "bound-to-key" ? "none, or an object with jkt and a DPoP proof" : "an object with jkt"
      )
    case "bound-to-another-key":
    case "inactive":
    case "revoked":
      return undefined
  }
}

/** Returns the issuers whose tokens the resource accepts. A tenant has separate authorization servers. */
const issuersOf = ({ resource }: RejectedRequest, { rules, servers = [] }: Setup): ReadonlyArray<string> => {
  if (resource !== undefined && resource.resource !== rules?.resource) return resource.metadata.authorization_servers
  return servers.flatMap(({ issuer, profile, tokenIssuers }) =>
    tokenIssuers.length > 0 ? tokenIssuers : profile?.tenants?.issuers ?? [issuer]
  )
}

const kindClaims = ["token_use", "tokenUse", "token_type", "tokenType", "typ", "use", "type"]
const idTokenClaims = ["nonce", "at_hash", "c_hash", "s_hash", "events"]

/** Names the claims that mark the kind of a token. Only claims that name a kind are shown with their values. */
const marksOf = (claims: JsonObject, names: ReadonlyArray<string>): string => {
  const found = [...new Set(names)].filter((name) => Object.hasOwn(claims, name))
  return found.length === 0
    ? " without a mark"
    : ` with ${found.map((name) => kindClaims.includes(name) ? `${name} ${show(claims[name])}` : name).join(", ")}`
}

const claimOfRule = (rule: Audience.Audience): string =>
  rule._tag === "Claim" ? rule.name : rule._tag === "ClientIds" ? "the client id" : "aud"

const namesOfRule = (rule: Audience.Audience, clientIds: ReadonlyArray<string>): ReadonlyArray<string> =>
  rule._tag === "Claim"
    ? ["aud", rule.name]
    : rule._tag === "ClientIds"
    ? ["aud", ...clientIds]
    : rule._tag === "All"
    ? [...new Set(rule.rules.flatMap((_) => namesOfRule(_, clientIds)))]
    : ["aud"]

const describeRule = (rule: Audience.Audience, resource: string): string => {
  switch (rule._tag) {
    case "Resource":
    case "Introspector":
      return show(resource)
    case "OneOf":
      return listOf(rule.values)
    case "ClientIds":
      return `a token of the client ${listOf(rule.values)}`
    case "Claim":
      return `${rule.name} ${listOf(rule.values)}`
    case "All":
      return rule.rules.map((_) => describeRule(_, resource)).join(" and ")
  }
}

/** Returns the paths of the claims that a schema rejects: of a Standard Schema, or of a schema of Effect. */
const pathsOf = (cause: unknown): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<ReadonlyArray<string>> = []
  const visit = (value: unknown, path: ReadonlyArray<string>, depth: number): void => {
    if (!isRecord(value) || depth > 32 || found.length >= mostEntries) return
    const steps = Array.isArray(value["path"]) ? [...path, ...value["path"].map(nameOfStep)] : path
    const { issue, issues } = value
    if (Array.isArray(issues)) { for (const _ of issues) visit(_, steps, depth + 1) }
    else if (isRecord(issue)) visit(issue, steps, depth + 1)
    else found.push(steps)
  }
  visit(cause, [], 0)
  return found
}

/** A step of a path is a name, or in a Standard Schema an object with the name as `key`. */
const nameOfStep = (step: unknown): string => String(isRecord(step) ? step["key"] : step).slice(0, 64)
