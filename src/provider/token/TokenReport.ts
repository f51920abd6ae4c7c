/**
 * Reads an access token for people, and judges it for a resource. **No signature is verified here**: anybody can write a
 * token that reads well.
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
import { failed, type Judgement, passed, type Revision, skipped, unknown } from "../report/Rule.ts"
import * as Rules from "./TokenRules.ts"

/**
 * A token that was taken apart.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decoded {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Why a token could not be taken apart: it is opaque, encrypted, or broken.
 *
 * @category models
 * @since 0.1.0
 */
export type NotReadable = "opaque" | "encrypted" | "malformed" | "too-large"

/**
 * Takes a JWT apart, and believes nothing of it.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (token: Redacted.Redacted): Result.Result<Decoded, NotReadable> => {
  const compact = Redacted.value(token).trim().replace(/^Bearer +/i, "")
  if (compact.length > 16 * 1024) return Result.fail("too-large")
  const segments = compact.split(".")
  if (segments.length === 5) return Result.fail("encrypted")
  if (segments.length !== 3) return Result.fail("opaque")
  const header = part(segments[0]!)
  const claims = part(segments[1]!)
  return header === undefined || claims === undefined ? Result.fail("malformed") : Result.succeed({ header, claims })
}

const part = (segment: string): Json | undefined => {
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

const reasons: Readonly<Record<NotReadable, string>> = {
  opaque: "an opaque token (no three segments): only its authorization server can tell what it is worth",
  encrypted: "an encrypted token (five segments): only who holds the key can read it",
  malformed: "no JWT: its segments are no base64url of JSON objects",
  "too-large": "larger than 16 KiB, which no server accepts in a header"
}

/**
 * In words, for people: header, claims, moments with their distance from now.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describe = (token: Redacted.Redacted, now: number): string =>
  Result.match(decode(token), {
    onFailure: (reason) => `This is ${reasons[reason]}.`,
    onSuccess: ({ claims, header }) =>
      [
        "Not verified: anybody can write a token that reads like this.",
        "",
        "Header",
        ...lines(header, now),
        "",
        "Claims",
        ...lines(claims, now)
      ].join("\n")
  })

const moments = new Set(["exp", "nbf", "iat", "auth_time", "updated_at"])

const lines = (json: Json, now: number): ReadonlyArray<string> => {
  const names = Object.keys(json)
  const width = Math.min(24, Math.max(0, ...names.map((name) => name.length)))
  return names.map((name) => {
    const value = json[name]
    const words = moments.has(name) && typeof value === "number" ? `  (${moment(value, now)})` : ""
    return `  ${shown(name, 40).padEnd(width)}  ${shown(toJson(value), 400)}${words}`
  })
}

/**
 * A moment in words: `2026-11-23T12:00:00Z, in 5 minutes`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const moment = (seconds: number, now: number): string => {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return "no moment"
  const distance = Math.round(seconds - now / 1000)
  const iso = date.toISOString().replace(/\.000Z$/, "Z")
  return distance === 0
    ? `${iso}, now`
    : distance > 0
    ? `${iso}, in ${span(distance)}`
    : `${iso}, ${span(-distance)} ago`
}

const units = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const

const span = (seconds: number): string => {
  const [unit, size] = units.find(([, size]) => seconds >= 2 * size) ?? ["second", 1]
  const count = Math.floor(seconds / size)
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}

/**
 * What a token is judged against.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The canonical URL of the MCP server. */
  readonly resource: string
  /** The issuer that should have made it, if that is known. */
  readonly issuer?: string | undefined
  readonly revision?: Revision | undefined
  /** In milliseconds. */
  readonly now: number
}

/**
 * Judges a token as a server of this library would, signature and revocation excepted, and says which options would
 * accept it.
 *
 * **Example** (Why is it rejected?)
 *
 * ```ts
 * import { AccessToken, Report } from "effect-mcp-auth/provider"
 * import { Redacted } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const issuer = await TestIssuer.start({ issuer: "https://auth.example.com", resource: "https://other.example.com/mcp" })
 * const token = Redacted.make(await issuer.mint({ scopes: ["todos:read"] }))
 *
 * const report = AccessToken.judge(token, { resource: "https://todos.example.com/mcp", now: Date.now() })
 * assert.strictEqual(Report.exitCode(report), 1)
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const judge = (token: Redacted.Redacted, options: Options): Report.Report => {
  const decoded = decode(token)
  const { now, revision = "2026-07-28" } = options
  if (Result.isFailure(decoded)) {
    const why = `It is ${reasons[decoded.failure]}`
    const opaque = decoded.failure === "opaque" && options.issuer !== undefined
    return Report.make({
      kind: "access-token",
      subject: `an access token for ${options.resource}`,
      revision,
      now,
      judgements: [decoded.failure === "opaque" ? unknown(Rules.readable, why) : failed(Rules.readable, why)],
      options: opaque ? optionsForOpaque(options.issuer, options.resource) : undefined
    })
  }
  const { claims, header } = decoded.success
  const issuer = member(claims, "iss")
  const provider = identify(typeof issuer === "string" ? issuer : options.issuer ?? "")
  const judgements = [
    passed(Rules.readable, "a JWT; its signature was not verified here"),
    judgeAlgorithm(header),
    ...judgeKind(header, claims),
    judgeIssuer(claims, options.issuer),
    judgeAudience(claims, options.resource, provider?.audienceHow),
    ...checkTimes(claims, now),
    judgeSubject(claims),
    judgeScope(claims),
    Object.hasOwn(claims, "cnf")
      ? failed(Rules.bearer, "it names a key in cnf")
      : passed(Rules.bearer, "it is bound to no key")
  ]
  return Report.make({
    kind: "access-token",
    subject: `an access token for ${options.resource}`,
    revision,
    now,
    judgements,
    provider: provider?.name,
    notes: ["The signature was not verified: this says what the token claims, not that it is genuine."],
    options: optionsFor(claims, options, provider?.profile ?? undefined)
  })
}

const judgeAlgorithm = (header: Json): Judgement => {
  const alg = member(header, "alg")
  return Algorithm.isAlgorithm(alg)
    ? passed(Rules.algorithm, alg)
    : failed(Rules.algorithm, `alg is ${shown(alg, 40)}`)
}

const judgeKind = (header: Json, claims: Json): ReadonlyArray<Judgement> => {
  const typ = member(header, "typ")
  const wrong = TokenType.judge(TokenType.standard(), typ, claims)
  const marks = ["nonce", "at_hash", "c_hash", "s_hash", "events"].filter((name) => Object.hasOwn(claims, name))
  const named = `typ is ${shown(typ, 40)}`
  const kind = TokenType.kindOf(claims)
  return [
    wrong === "id-token"
      ? failed(Rules.kind, `it is an ID token: it has ${marks.length === 0 ? "the mark of one" : marks.join(" and ")}`)
      : wrong === "token-type" && kind === "other"
      ? failed(Rules.kind, "its claims name another kind of token (token_use, token_type, typ)")
      : wrong === "token-type"
      ? failed(
        Rules.kind,
        `${named}, and nothing marks it as an access token (scope, scp, client_id, cid, token_use: access)`,
        "If it is the access_token, name the claim that tells it from an ID token: TokenType.standard([…]) or a profile"
      )
      : passed(Rules.kind, named),
    typeof typ === "string" && /^(?:application\/)?at\+jwt$/i.test(typ)
      ? passed(Rules.typed, named)
      : failed(Rules.typed, named)
  ]
}

const judgeIssuer = (claims: Json, expected: string | undefined): Judgement => {
  const iss = member(claims, "iss")
  if (typeof iss !== "string" || iss === "") return failed(Rules.issuer, `iss is ${shown(iss, 40)}`)
  return expected === undefined || expected === iss
    ? passed(Rules.issuer, shown(iss))
    : failed(Rules.issuer, `iss is ${shown(iss)}, and not ${shown(expected)}`)
}

const audiencesOf = (claims: Json): ReadonlyArray<string> => {
  const aud = member(claims, "aud")
  return typeof aud === "string"
    ? [aud]
    : Array.isArray(aud)
    ? aud.filter((_): _ is string => typeof _ === "string")
    : []
}

const judgeAudience = (claims: Json, resource: string, how: string | undefined): Judgement => {
  const audiences = audiencesOf(claims)
  if (audiences.includes(resource)) return passed(Rules.audience, shown(audiences.join(", ")))
  const close = audiences.find((audience) => audience.replace(/\/$/, "") === resource.replace(/\/$/, ""))
  return failed(
    Rules.audience,
    audiences.length === 0
      ? "there is no aud"
      : close === undefined
      ? `aud is ${shown(audiences.join(", "))}, which is not ${shown(resource)}`
      : `aud is ${shown(close)}, which differs from ${shown(resource)} by the final slash`,
    close !== undefined ? `Write the resource as ${shown(close)}, everywhere` : how
  )
}

const checkTimes = (claims: Json, now: number): ReadonlyArray<Judgement> => {
  const seconds = now / 1000
  const { exp, iat, nbf } = claims
  const at = (name: string, value: unknown) => typeof value === "number" ? `${name} ${moment(value, now)}` : ""
  const validity = typeof exp !== "number" || !Number.isFinite(exp)
    ? failed(Rules.expiry, `exp is ${shown(exp, 40)}`, "Have the server limit the life of its tokens: exp is required")
    : seconds >= exp
    ? failed(Rules.expiry, `it expired: ${at("exp", exp)}`)
    : typeof nbf === "number" && nbf > seconds + 30
    ? failed(Rules.expiry, `it is not valid yet: ${at("nbf", nbf)}`)
    : typeof iat === "number" && iat > seconds + 30
    ? failed(Rules.expiry, `it was issued in the future: ${at("iat", iat)}`)
    : passed(Rules.expiry, at("exp", exp))
  if (typeof exp !== "number" || typeof iat !== "number") {
    return [validity, skipped(Rules.lifetime, "it does not say when it was issued")]
  }
  return [
    validity,
    exp - iat > 86_400
      ? failed(Rules.lifetime, `it lives ${span(exp - iat)}`)
      : passed(Rules.lifetime, `it lives ${span(exp - iat)}`)
  ]
}

const judgeSubject = (claims: Json): Judgement => {
  const client = ["client_id", "azp", "cid", "appid"].find((name) => Object.hasOwn(claims, name))
  const sub = member(claims, "sub")
  return typeof sub === "string" && sub !== ""
    ? passed(Rules.subject, client === undefined ? "sub; no claim names the client" : `sub, ${client}`)
    : failed(Rules.subject, "there is no sub")
}

const judgeScope = (claims: Json): Judgement => {
  const scopes = scopesOf(claims)
  return scopes === undefined
    ? failed(Rules.scope, "there is no scope and no scp, so it is good for nothing that needs a scope")
    : passed(Rules.scope, scopes.length === 0 ? "none" : shown(scopes.join(" ")))
}

const scopesOf = (claims: Json): ReadonlyArray<string> | undefined => {
  const value = Object.hasOwn(claims, "scope") ? claims["scope"] : member(claims, "scp")
  return typeof value === "string"
    ? value.split(" ").filter((_) => _ !== "")
    : Array.isArray(value)
    ? value.filter((_): _ is string => typeof _ === "string")
    : undefined
}

/** As TypeScript; what the token says is somebody else's text, so it is quoted. */
const optionsFor = (claims: Json, { issuer, resource }: Options, profile: string | undefined): string => {
  const quote = (value: string) => JSON.stringify(shown(value, 200))
  const iss = member(claims, "iss")
  const named = typeof iss === "string" ? iss : issuer ?? "https://auth.example.com"
  const server = issuer === undefined || issuer === named
    ? quote(named)
    : `{ issuer: ${quote(issuer)}, tokenIssuers: [${quote(named)}] }`
  const audiences = audiencesOf(claims)
  const scopes = (scopesOf(claims) ?? []).filter((scope) =>
    !["openid", "profile", "email", "offline_access"].includes(scope)
  )
  return [
    "AuthLayer.make({",
    `  resource: ${quote(resource)},`,
    ...(profile === undefined
      ? []
      : [`  // or profile: Profiles.${profile}({ … }), which knows more about this provider`]),
    `  authorizationServers: [${server}],`,
    ...(audiences.includes(resource) || audiences.length === 0 ? [] : [
      "  // only if no other server accepts this value:",
      `  audience: Audience.oneOf([${quote(audiences[0]!)}]),`
    ]),
    `  scopes: [${scopes.map(quote).join(", ")}]`,
    "})"
  ].join("\n")
}

const optionsForOpaque = (issuer: string | undefined, resource: string): string =>
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
