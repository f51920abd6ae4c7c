import * as Result from "effect/Result"
import type { InvalidToken } from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import * as Claims from "../claims/Claims.ts"
import type { Rules } from "../issuers/IssuerRules.ts"
import * as Principal from "../Principal.ts"

/** Settings that apply to all authorization servers. */
export interface Circumstances {
  readonly tolerance: Claims.Tolerance
  /** Returns the effective scopes for the scopes of a token. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** The tenant that the authorization servers belong to. */
  readonly tenant: string | undefined
}

/** Returns the clock tolerance in seconds. Default: 0 for `exp`, 30 for `nbf` and `iat`. */
export const toleranceOf = (seconds: number | undefined): Claims.Tolerance => ({
  expiry: seconds ?? 0,
  start: seconds ?? 30
})

/** Claims that have been authenticated, and their token. */
export interface Subject {
  readonly claims: Claims.Claims
  readonly introspected: boolean
  readonly issuer: string
  readonly credentials: Credentials
}

/** Checks times, audience, subject, client, scopes and binding, with the same rules for every token. `now` is in seconds. */
export const verifyClaims = (
  rules: Rules,
  circumstances: Circumstances,
  { claims, credentials, introspected, issuer }: Subject,
  now: number
): Result.Result<Principal.Principal, InvalidToken> => {
  const expiresAt = Claims.checkTimes(claims, now, circumstances.tolerance)
  if (Result.isFailure(expiresAt)) return Result.fail(expiresAt.failure)
  const clientId = rules.clientId(claims)
  if (Result.isFailure(clientId)) return Result.fail(clientId.failure)
  if (!rules.isAddressed({ claims, clientId: clientId.success, introspected })) return Claims.reject("audience")
  const subject = rules.subject(claims, clientId.success)
  if (Result.isFailure(subject)) return Result.fail(subject.failure)
  const granted = rules.scopes(claims)
  if (Result.isFailure(granted)) return Result.fail(granted.failure)
  // A token that is bound to a key is valid only with a proof of that key (RFC 7800, RFC 9449 §7.2). `Dpop` checks the proof
  // on each request.
  const binding = Claims.bindingOf(claims)
  if (credentials.scheme === "DPoP") {
    if (binding === undefined) return Claims.reject("not-bound-to-key")
    if (binding === "unusable") return Claims.reject("bound-to-key")
  } else if (binding !== undefined || (introspected && isDpop(Claims.own(claims, "token_type")))) {
    return Claims.reject("bound-to-key")
  }
  return Result.succeed(Principal.make({
    issuer,
    subject: subject.success?.value,
    subjectClaim: subject.success?.claim,
    clientId: clientId.success,
    granted: granted.success,
    scopes: circumstances.effectiveScopes(granted.success),
    audience: Claims.readAudience(claims),
    expiresAt: expiresAt.success,
    claims,
    token: credentials.token,
    tenant: circumstances.tenant
  }))
}

const isDpop = (tokenType: unknown): boolean => typeof tokenType === "string" && tokenType.toLowerCase() === "dpop"

/** Returns when checked claims become valid by `nbf` and `iat`, in milliseconds since 1970. */
export const startOf = (claims: Claims.Claims, { start }: Claims.Tolerance): number => {
  const moments = [Claims.own(claims, "nbf"), Claims.own(claims, "iat")].filter((_) => typeof _ === "number")
  return moments.length === 0 ? Number.NEGATIVE_INFINITY : (Math.max(...moments) - start) * 1000
}
