import * as Result from "effect/Result"
import type { InvalidToken } from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import * as Claims from "../claims/Claims.ts"
import type { Rules } from "../issuers/IssuerRules.ts"
import * as Principal from "../Principal.ts"

/** What is the same for every authorization server. */
export interface Circumstances {
  readonly tolerance: Claims.Tolerance
  /** From the scopes of the token to those in effect. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** The tenant whose authorization servers these are. */
  readonly tenant: string | undefined
}

/** The default is none for `exp` and 30 seconds for `nbf` and `iat`. */
export const toleranceOf = (seconds: number | undefined): Claims.Tolerance => ({
  expiry: seconds ?? 0,
  start: seconds ?? 30
})

/** Claims that are believed, and the token that they are about. */
export interface Subject {
  readonly claims: Claims.Claims
  readonly introspected: boolean
  readonly issuer: string
  readonly credentials: Credentials
}

/** Times, audience, subject, client, scopes, binding: the same for every token. `now` is in seconds. */
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
  // A token that names its holder's key is worth nothing without a proof of that key (RFC 7800, RFC 9449 §7.2). The
  // proof itself belongs to the request, and is judged on each: see Dpop.
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

/** The first moment, in milliseconds, at which `nbf` and `iat` of judged claims hold. */
export const startOf = (claims: Claims.Claims, { start }: Claims.Tolerance): number => {
  const moments = [Claims.own(claims, "nbf"), Claims.own(claims, "iat")].filter((_) => typeof _ === "number")
  return moments.length === 0 ? Number.NEGATIVE_INFINITY : (Math.max(...moments) - start) * 1000
}
