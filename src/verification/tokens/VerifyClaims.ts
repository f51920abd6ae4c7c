import * as Result from "effect/Result"
import type { InvalidToken } from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import * as Claims from "../claims/Claims.ts"
import type { IssuerRules } from "../issuers/IssuerRules.ts"
import * as Principal from "../Principal.ts"
import type { Reuse } from "../TokenVerifier.ts"

/** The claims of a token, and the credentials that contain it. The signature was verified, or the token was introspected. */
export interface Subject {
  readonly claims: Claims.Claims
  readonly introspected: boolean
  readonly issuer: string
  readonly credentials: Credentials
}

/** Checks times, client, audience, subject, scopes and binding, with the same rules for every token. `now` is in seconds. */
export const verifyClaims = (
  rules: IssuerRules,
  { claims, credentials, introspected, issuer }: Subject,
  now: number
): Result.Result<Principal.Principal, InvalidToken> => {
  const expiresAt = Claims.checkTimes(claims, now, rules.tolerance)
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
    scopes: rules.effectiveScopes(granted.success),
    roles: rules.roles(claims),
    audience: Claims.readAudience(claims),
    expiresAt: expiresAt.success,
    claims,
    token: credentials.token,
    tenant: rules.tenant
  }))
}

const isDpop = (tokenType: unknown): boolean => typeof tokenType === "string" && tokenType.toLowerCase() === "dpop"

/**
 * Returns the period in which a cache can reuse a verification. It begins at the later of `nbf` and `iat`, minus the tolerance.
 * `freshUntil` is in monotonic milliseconds.
 */
export const reuseFor = (
  { claims, expiresAt }: Principal.Principal,
  { expiry, start }: Claims.Tolerance,
  freshUntil: number,
  isCurrent?: Reuse["isCurrent"]
): Reuse => {
  const starts = [Claims.own(claims, "nbf"), Claims.own(claims, "iat")].filter((_) => typeof _ === "number")
  return {
    from: (Math.max(...starts) - start) * 1000,
    until: (expiresAt + expiry) * 1000,
    freshUntil,
    isCurrent
  }
}
