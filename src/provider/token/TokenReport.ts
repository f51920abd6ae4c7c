/**
 * Describes an access token, and checks its claims for a resource. **This module verifies no signature**: anyone can write a
 * token with these claims.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Algorithm from "../../crypto/Algorithm.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import { identify } from "../facts/Identify.ts"
import { isObject, type Json, member, parseJson, shown, toJson } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import { fail, inconclusive, pass, type Revision, type RuleResult, skip } from "../report/Rule.ts"
import * as Rules from "./TokenRules.ts"

/**
 * The header and the claims of a token, not verified.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decoded {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * The reason why a token cannot be decoded.
 *
 * @category models
 * @since 0.1.0
 */
export type UnreadableReason = "opaque" | "encrypted" | "malformed" | "too-large"

/**
 * Decodes a JWT. Does not verify it.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (token: Redacted.Redacted): Result.Result<Decoded, UnreadableReason> => {
  const compact = Redacted.value(token).trim().replace(/^Bearer +/i, "")
  if (compact.length > 16 * 1024) return Result.fail("too-large")
  const segments = compact.split(".")
  if (segments.length === 5) return Result.fail("encrypted")
  if (segments.length !== 3) return Result.fail("opaque")
  const header = decodeSegment(segments[0]!)
  const claims = decodeSegment(segments[1]!)
  return header === undefined || claims === undefined ? Result.fail("malformed") : Result.succeed({ header, claims })
}

const decodeSegment = (segment: string): Json | undefined => {
  if (!/^[A-Za-z0-9_-]+$/.test(segment)) return undefined
  try {
    const binary = atob(segment.replaceAll("-", "+").replaceAll("_", "/"))
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    const json = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

const reasons: Readonly<Record<UnreadableReason, string>> = {
  opaque: "an opaque token (it does not have three segments): only its authorization server can verify it",
  encrypted: "an encrypted token (it has five segments): only the holder of the key can read it",
  malformed: "not a JWT: its segments are not Base64url of JSON objects",
  "too-large": "larger than 16 KiB, which servers reject in a header"
}

/**
 * Describes a token as text: its header, its claims, and times relative to `now` (in milliseconds since 1970).
 *
 * @category encoding
 * @since 0.1.0
 */
export const describe = (token: Redacted.Redacted, now: number): string =>
  Result.match(decode(token), {
    onFailure: (reason) => `This is ${reasons[reason]}.`,
    onSuccess: ({ claims, header }) =>
      [
        "Not verified: anyone can write a token with these claims.",
        "",
        "Header",
        ...describeMembers(header, now),
        "",
        "Claims",
        ...describeMembers(claims, now)
      ].join("\n")
  })

const timeClaims = new Set(["exp", "nbf", "iat", "auth_time", "updated_at"])

const describeMembers = (json: Json, now: number): ReadonlyArray<string> => {
  const names = Object.keys(json)
  const width = Math.min(24, Math.max(0, ...names.map((name) => name.length)))
  return names.map((name) => {
    const value = json[name]
    const words = timeClaims.has(name) && typeof value === "number" ? `  (${describeTime(value, now)})` : ""
    return `  ${shown(name, 40).padEnd(width)}  ${shown(toJson(value), 400)}${words}`
  })
}

/**
 * Describes a time, such as `2026-11-23T12:00:00Z, in 5 minutes`. `seconds` is in seconds since 1970, `now` in milliseconds.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describeTime = (seconds: number, now: number): string => {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return "not a time"
  const distance = Math.round(seconds - now / 1000)
  const iso = date.toISOString().replace(/\.000Z$/, "Z")
  return distance === 0
    ? `${iso}, now`
    : distance > 0
    ? `${iso}, in ${describeDuration(distance)}`
    : `${iso}, ${describeDuration(-distance)} ago`
}

const units = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const

const describeDuration = (seconds: number): string => {
  const [unit, size] = units.find(([, size]) => seconds >= 2 * size) ?? ["second", 1]
  const count = Math.floor(seconds / size)
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}

/**
 * The options of `make`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The canonical URL of the MCP server. */
  readonly resource: string
  /** The issuer that the token should name. Default: any issuer. */
  readonly issuer?: string | undefined
  /** The revision of MCP to check against. Default: the newest. */
  readonly revision?: Revision | undefined
  /** The current time, in milliseconds since 1970. */
  readonly now: number
}

/**
 * Checks the claims of a token as a server that uses this library does. Checks neither the signature of the token nor whether
 * the token was revoked. The report contains the `AuthLayer` options of a server that accepts such tokens.
 *
 * **Example** (A token for another server)
 *
 * ```ts
 * import { Report, TokenReport } from "effect-mcp-auth/provider"
 * import { Redacted } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const issuer = await TestIssuer.start({ issuer: "https://auth.example.com", resource: "https://other.example.com/mcp" })
 * const token = Redacted.make(await issuer.mint({ scopes: ["todos:read"] }))
 *
 * const report = TokenReport.make(token, { resource: "https://todos.example.com/mcp", now: Date.now() })
 * assert.strictEqual(Report.toExitCode(report), 1)
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const make = (token: Redacted.Redacted, options: Options): Report.Report => {
  const decoded = decode(token)
  const { now, revision = "2026-07-28" } = options
  if (Result.isFailure(decoded)) {
    const why = `the token is ${reasons[decoded.failure]}`
    const opaque = decoded.failure === "opaque" && options.issuer !== undefined
    return Report.make({
      kind: "access-token",
      subject: `an access token for ${options.resource}`,
      revision,
      now,
      results: [decoded.failure === "opaque" ? inconclusive(Rules.readable, why) : fail(Rules.readable, why)],
      options: opaque ? describeOptionsForOpaque(options.issuer, options.resource) : undefined
    })
  }
  const { claims, header } = decoded.success
  const issuer = member(claims, "iss")
  const provider = identify(typeof issuer === "string" ? issuer : options.issuer ?? "")
  const results = [
    pass(Rules.readable, "a JWT; its signature was not verified"),
    checkAlgorithm(header),
    ...checkKind(header, claims),
    checkIssuer(claims, options.issuer),
    checkAudience(claims, options.resource, provider?.audienceSetup),
    ...checkTimes(claims, now),
    checkSubject(claims),
    checkScope(claims),
    Object.hasOwn(claims, "cnf")
      ? fail(Rules.bearer, "cnf binds the token to a key")
      : pass(Rules.bearer, "the token is not bound to a key")
  ]
  return Report.make({
    kind: "access-token",
    subject: `an access token for ${options.resource}`,
    revision,
    now,
    results,
    provider: provider?.name,
    notes: ["The signature was not verified: the report describes the claims, not whether the token is genuine."],
    options: describeOptions(claims, options, provider?.profile ?? undefined)
  })
}

const checkAlgorithm = (header: Json): RuleResult => {
  const alg = member(header, "alg")
  return Algorithm.isAlgorithm(alg)
    ? pass(Rules.algorithm, alg)
    : fail(Rules.algorithm, `alg is ${shown(alg, 40)}`)
}

const checkKind = (header: Json, claims: Json): ReadonlyArray<RuleResult> => {
  const typ = member(header, "typ")
  const wrong = TokenType.checkKind(TokenType.standard(), typ, claims)
  const idTokenClaims = ["nonce", "at_hash", "c_hash", "s_hash", "events"].filter((name) => Object.hasOwn(claims, name))
  const named = `typ is ${shown(typ, 40)}`
  const kind = TokenType.kindOf(claims)
  return [
    wrong === "id-token"
      ? fail(
        Rules.kind,
        `the token is an ID token: it has ${idTokenClaims.length === 0 ? "claims of one" : idTokenClaims.join(" and ")}`
      )
      : wrong === "token-type" && kind === "other"
      ? fail(Rules.kind, "the claims name another kind of token (token_use, token_type, typ)")
      : wrong === "token-type"
      ? fail(
        Rules.kind,
        `${named}, and no claim shows that it is an access token (scope, scp, client_id, cid, token_use: access)`,
        "If it is the access_token, name the claim that distinguishes it from an ID token: TokenType.standard([…]) or a profile"
      )
      : pass(Rules.kind, named),
    typeof typ === "string" && /^(?:application\/)?at\+jwt$/i.test(typ)
      ? pass(Rules.typed, named)
      : fail(Rules.typed, named)
  ]
}

const checkIssuer = (claims: Json, expected: string | undefined): RuleResult => {
  const iss = member(claims, "iss")
  if (typeof iss !== "string" || iss === "") return fail(Rules.issuer, `iss is ${shown(iss, 40)}`)
  return expected === undefined || expected === iss
    ? pass(Rules.issuer, shown(iss))
    : fail(Rules.issuer, `iss is ${shown(iss)}, not ${shown(expected)}`)
}

const getAudiences = (claims: Json): ReadonlyArray<string> => {
  const aud = member(claims, "aud")
  return typeof aud === "string"
    ? [aud]
    : Array.isArray(aud)
    ? aud.filter((_): _ is string => typeof _ === "string")
    : []
}

const checkAudience = (claims: Json, resource: string, how: string | undefined): RuleResult => {
  const audiences = getAudiences(claims)
  if (audiences.includes(resource)) return pass(Rules.audience, shown(audiences.join(", ")))
  const close = audiences.find((audience) => audience.replace(/\/$/, "") === resource.replace(/\/$/, ""))
  return fail(
    Rules.audience,
    audiences.length === 0
      ? "aud is missing"
      : close === undefined
      ? `aud is ${shown(audiences.join(", "))}, not ${shown(resource)}`
      : `aud is ${shown(close)}, which differs from ${shown(resource)} in the final slash`,
    close !== undefined ? `Write the resource as ${shown(close)} everywhere` : how
  )
}

const checkTimes = (claims: Json, now: number): ReadonlyArray<RuleResult> => {
  const seconds = now / 1000
  const { exp, iat, nbf } = claims
  const at = (name: string, value: unknown) => typeof value === "number" ? `${name} ${describeTime(value, now)}` : ""
  const validity = typeof exp !== "number" || !Number.isFinite(exp)
    ? fail(
      Rules.expiry,
      `exp is ${shown(exp, 40)}`,
      "Configure the authorization server to limit the lifetime of tokens: exp is required"
    )
    : seconds >= exp
    ? fail(Rules.expiry, `expired: ${at("exp", exp)}`)
    : typeof nbf === "number" && nbf > seconds + 30
    ? fail(Rules.expiry, `not valid yet: ${at("nbf", nbf)}`)
    : typeof iat === "number" && iat > seconds + 30
    ? fail(Rules.expiry, `issued in the future: ${at("iat", iat)}`)
    : pass(Rules.expiry, at("exp", exp))
  if (typeof exp !== "number" || typeof iat !== "number") {
    return [validity, skip(Rules.lifetime, "exp or iat is missing")]
  }
  return [
    validity,
    exp - iat > 86_400
      ? fail(Rules.lifetime, `valid for ${describeDuration(exp - iat)}`)
      : pass(Rules.lifetime, `valid for ${describeDuration(exp - iat)}`)
  ]
}

const checkSubject = (claims: Json): RuleResult => {
  const client = ["client_id", "azp", "cid", "appid"].find((name) => Object.hasOwn(claims, name))
  const sub = member(claims, "sub")
  return typeof sub === "string" && sub !== ""
    ? pass(Rules.subject, client === undefined ? "sub; no claim names the client" : `sub, ${client}`)
    : fail(Rules.subject, "sub is missing")
}

const checkScope = (claims: Json): RuleResult => {
  const scopes = getScopes(claims)
  return scopes === undefined
    ? fail(Rules.scope, "scope and scp are missing, so the token grants nothing that requires a scope")
    : pass(Rules.scope, scopes.length === 0 ? "none" : shown(scopes.join(" ")))
}

const getScopes = (claims: Json): ReadonlyArray<string> | undefined => {
  const value = Object.hasOwn(claims, "scope") ? claims["scope"] : member(claims, "scp")
  return typeof value === "string"
    ? value.split(" ").filter((_) => _ !== "")
    : Array.isArray(value)
    ? value.filter((_): _ is string => typeof _ === "string")
    : undefined
}

/** Writes the options as TypeScript. The values in the token are remote text, so they are written as quoted strings. */
const describeOptions = (claims: Json, { issuer, resource }: Options, profile: string | undefined): string => {
  const quote = (value: string) => JSON.stringify(shown(value, 200))
  const iss = member(claims, "iss")
  const named = typeof iss === "string" ? iss : issuer ?? "https://auth.example.com"
  const server = issuer === undefined || issuer === named
    ? quote(named)
    : `{ issuer: ${quote(issuer)}, tokenIssuers: [${quote(named)}] }`
  const audiences = getAudiences(claims)
  const scopes = (getScopes(claims) ?? []).filter((scope) =>
    !["openid", "profile", "email", "offline_access"].includes(scope)
  )
  return [
    "AuthLayer.make({",
    `  resource: ${quote(resource)},`,
    ...(profile === undefined
      ? []
      : [`  // or authorizationServers: [Profiles.${profile}({ … })], which sets more for this provider`]),
    `  authorizationServers: [${server}],`,
    ...(audiences.includes(resource) || audiences.length === 0 ? [] : [
      "  // only if no other server accepts this value:",
      `  audience: Audience.oneOf([${quote(audiences[0]!)}]),`
    ]),
    `  scopes: [${scopes.map(quote).join(", ")}]`,
    "})"
  ].join("\n")
}

const describeOptionsForOpaque = (issuer: string | undefined, resource: string): string =>
  [
    "AuthLayer.make({",
    `  resource: ${JSON.stringify(shown(resource, 200))},`,
    "  authorizationServers: [{",
    `    issuer: ${JSON.stringify(shown(issuer, 200))},`,
    "    introspection: Introspection.make({ clientId: \"…\", clientSecret: Redacted.make(\"…\") })",
    "  }],",
    "  scopes: []",
    "})"
  ].join("\n")
