import * as Result from "effect/Result"
import { advice } from "../../authorization/RejectionAdvice.ts"
import { hasUnsupportedHeader } from "../../crypto/CompactJws.ts"
import type { InvalidToken } from "../../protocol/AuthError.ts"
import * as Claims from "../../verification/claims/Claims.ts"
import type { Rules } from "../../verification/claims/Rules.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import * as IssuerRules from "../../verification/issuers/IssuerRules.ts"
import { type Json, member, shown } from "../report/Json.ts"
import { fail, pass, type Rule, type RuleResult, skip } from "../report/Rule.ts"
import * as TokenRules from "./TokenRules.ts"
import { type Decoded, describeDuration, describeTime } from "./TokenText.ts"

/** A server that is to accept a token, and the time of the check. */
export interface Situation {
  readonly server: AuthorizationServer.AuthorizationServer
  readonly rules: Rules
  /** In milliseconds since 1970. */
  readonly now: number
  /** How to get a token with the right audience from the provider, if it is known. */
  readonly audienceSetup: string | undefined
}

/** The rule that each reason of the gate belongs to. All other reasons belong to `TokenRules.accepted` alone. */
const ruleForReason: Readonly<Record<string, Rule>> = {
  "too-large": TokenRules.readable,
  "malformed": TokenRules.readable,
  "not-token68": TokenRules.readable,
  "no-token": TokenRules.readable,
  "algorithm": TokenRules.algorithm,
  "critical-header": TokenRules.algorithm,
  "signature": TokenRules.signature,
  "unknown-key": TokenRules.signature,
  "token-type": TokenRules.kind,
  "id-token": TokenRules.kind,
  "unknown-issuer": TokenRules.issuer,
  "tenant": TokenRules.issuer,
  "expiry": TokenRules.expiry,
  "expired": TokenRules.expiry,
  "not-yet-valid": TokenRules.expiry,
  "issued-in-the-future": TokenRules.expiry,
  "audience": TokenRules.audience,
  "client-id": TokenRules.subject,
  "subject": TokenRules.subject,
  "scope": TokenRules.scope,
  "bound-to-key": TokenRules.bearer
}

/** Writes the value of a claim or of a member of the header. */
const describeValue = (json: Json, name: string): string => {
  const value = member(json, name)
  return value === undefined ? `${name} is missing` : `${name} is ${shown(value, 120)}`
}

/** The gate also rejects a JWT as malformed if its header has a value that no token of an authorization server has. */
const malformedHeader = "Configure the authorization server to write kid in the header as a text"

/** Adds the reason of the gate to the results: the rule that it belongs to fails. */
export const addReason = (
  results: ReadonlyArray<RuleResult>,
  reason: string | undefined
): ReadonlyArray<RuleResult> => {
  const rule = reason === undefined ? undefined : ruleForReason[reason]
  return results.map((result) =>
    result.rule === rule && result.verdict !== "fail"
      ? fail(result.rule, `rejected: ${reason}`, reason === "malformed" ? malformedHeader : undefined)
      : result
  )
}

/**
 * Checks each part of a token with the functions that the gate calls for it. The gate stops at the first part that fails. This
 * function checks all parts, so that a report names each problem at once.
 */
export const checkParts = (token: Decoded, situation: Situation): ReadonlyArray<RuleResult> => {
  const { server } = situation
  const rules = IssuerRules.compile(server, situation.rules)
  const { claims, header } = token
  const wrongType = rules.tokenType(Claims.own(header, "typ"), claims)
  return [
    checkAlgorithm(header, server),
    ...checkKind(token, wrongType),
    checkIssuer(claims, server, wrongType),
    checkAudience(claims, rules, situation),
    ...checkTimes(claims, rules, situation.now),
    checkSubject(claims, rules),
    checkScopes(claims, rules),
    Claims.bindingOf(claims) === undefined
      ? pass(TokenRules.bearer, "the token is not bound to a key")
      : fail(TokenRules.bearer, "cnf binds the token to a key")
  ]
}

const checkAlgorithm = (header: Json, { algorithms }: AuthorizationServer.AuthorizationServer): RuleResult => {
  const alg = member(header, "alg")
  return typeof alg !== "string" || !algorithms.has(alg)
    ? fail(TokenRules.algorithm, describeValue(header, "alg"))
    : hasUnsupportedHeader(header)
    ? fail(
      TokenRules.algorithm,
      "the header has crit, b64, zip or enc",
      "Remove crit, b64, zip and enc from the header"
    )
    : pass(TokenRules.algorithm, alg)
}

const checkKind = (
  { claims, header }: Decoded,
  wrongType: ReturnType<IssuerRules.IssuerRules["tokenType"]>
): ReadonlyArray<RuleResult> => {
  const typ = member(header, "typ")
  const named = describeValue(header, "typ")
  const isOther = TokenType.kindOf(claims) === "other"
  return [
    wrongType === "id-token"
      ? fail(TokenRules.kind, `${named}, and the claims are those of an ID token`)
      : wrongType === "token-type"
      ? isOther
        ? fail(TokenRules.kind, `${named}, and the claims name another kind of token (token_use, token_type, typ)`)
        : fail(
          TokenRules.kind,
          `${named}, and no claim shows that it is an access token (such as scope, client_id or token_use: access)`,
          "If it is the access_token, name the claim that distinguishes it from an ID token: TokenType.standard([…]) or a profile"
        )
      : pass(TokenRules.kind, named),
    TokenType.checkKind(TokenType.strict, typ, {}) === undefined
      ? pass(TokenRules.typed, named)
      : fail(TokenRules.typed, named)
  ]
}

const checkIssuer = (
  claims: Json,
  server: AuthorizationServer.AuthorizationServer,
  wrongType: ReturnType<IssuerRules.IssuerRules["tokenType"]>
): RuleResult => {
  const iss = member(claims, "iss")
  if (typeof iss !== "string" || AuthorizationServer.ofIssuer([server])(iss) === undefined) {
    return fail(
      TokenRules.issuer,
      `${describeValue(claims, "iss")}; expected ${shown(server.tokenIssuers.join(" or "), 300)}`
    )
  }
  return wrongType === "tenant"
    ? fail(TokenRules.issuer, `iss is ${shown(iss)}, but the token names another tenant`)
    : pass(TokenRules.issuer, shown(iss))
}

const checkAudience = (
  claims: Json,
  rules: IssuerRules.IssuerRules,
  { audienceSetup, rules: { resource } }: Situation
): RuleResult => {
  const client = rules.clientId(claims)
  const clientId = Result.isSuccess(client) ? client.success : undefined
  const aud = member(claims, "aud")
  const named = describeValue(claims, "aud")
  if (rules.isAddressed({ claims, clientId })) {
    return pass(TokenRules.audience, aud === undefined ? `${named}; the client is ${shown(clientId)}` : named)
  }
  const change = [audienceSetup, TokenRules.audience.change].filter((_) => _ !== undefined).join(". ")
  const close = Claims.readAudience(claims).find((audience) =>
    typeof audience === "string" && audience !== resource && audience.replace(/\/$/, "") === resource.replace(/\/$/, "")
  )
  return close === undefined
    ? fail(TokenRules.audience, `${named}, which does not name ${shown(resource)}`, change)
    : fail(
      TokenRules.audience,
      `${named}, which differs from ${shown(resource)} in the final slash`,
      `Write the resource as ${shown(close)} everywhere`
    )
}

const checkTimes = (claims: Json, rules: IssuerRules.IssuerRules, now: number): ReadonlyArray<RuleResult> => {
  const describe = (name: "exp" | "iat" | "nbf") => {
    const value = member(claims, name)
    return typeof value === "number" ? `${name} is ${describeTime(value, now)}` : describeValue(claims, name)
  }
  const checked = Claims.checkTimes(claims, now / 1000, rules.tolerance)
  const exp = member(claims, "exp")
  const iat = member(claims, "iat")
  return [
    Result.match(checked, {
      onSuccess: () => pass(TokenRules.expiry, describe("exp")),
      onFailure: ({ reason }) =>
        fail(TokenRules.expiry, describe(claimOfReason[reason] ?? "exp"), advice.InvalidToken[reason])
    }),
    Result.isFailure(checked) || typeof exp !== "number" || typeof iat !== "number"
      ? skip(TokenRules.lifetime, "exp or iat is missing, or the token is not valid")
      : exp - iat > 86_400
      ? fail(TokenRules.lifetime, `valid for ${describeDuration(exp - iat)}`)
      : pass(TokenRules.lifetime, `valid for ${describeDuration(exp - iat)}`)
  ]
}

const claimOfReason: Readonly<Partial<Record<InvalidToken["reason"], "iat" | "nbf">>> = {
  "not-yet-valid": "nbf",
  "issued-in-the-future": "iat"
}

const checkSubject = (claims: Json, rules: IssuerRules.IssuerRules): RuleResult => {
  const client = rules.clientId(claims)
  if (Result.isFailure(client)) {
    return fail(
      TokenRules.subject,
      "the claim that names the client is not a text, or is empty",
      advice.InvalidToken["client-id"]
    )
  }
  const subject = rules.subject(claims, client.success)
  const named = client.success === undefined ? "no claim names the client" : `the client is ${shown(client.success)}`
  return Result.match(subject, {
    onSuccess: (subject) => pass(TokenRules.subject, `${subject?.claim ?? "no user"}; ${named}`),
    onFailure: () =>
      fail(TokenRules.subject, "no claim names the subject, or it is not a text", advice.InvalidToken.subject)
  })
}

const checkScopes = (claims: Json, rules: IssuerRules.IssuerRules): RuleResult =>
  Result.match(rules.scopes(claims), {
    onFailure: () =>
      fail(
        TokenRules.scope,
        "the claim that contains the scopes is not a list of scopes, or a scope has characters that RFC 6749 does not allow",
        advice.InvalidToken.scope
      ),
    onSuccess: (scopes) =>
      scopes.size === 0
        ? fail(TokenRules.scope, "no scope, so the token grants nothing that requires a scope")
        : pass(TokenRules.scope, shown([...scopes].join(" ")))
  })
