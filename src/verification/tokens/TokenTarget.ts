import * as Redacted from "effect/Redacted"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import type { Principal } from "../Principal.ts"
import { claimOf, isJwt, issuerOf } from "../TokenVerifier.ts"

/* Selects the tokens of a revocation or an invalidation. */

/**
 * Returns what identifies a token. For a JWT: the signing input (`header.payload`), because an ECDSA signature `(r, s)` has a valid
 * twin `(r, n − s)` that anyone can compute. For an opaque token: the token.
 */
export const contentOf = (token: string): string => isJwt(token) ? token.slice(0, token.lastIndexOf(".")) : token

/** Returns `iss` and `jti` of a JWT, unverified, or `undefined` if it lacks one of them. */
export const idOf = (token: string): { readonly issuer: string; readonly id: string } | undefined => {
  const issuer = issuerOf(token)
  const id = claimOf(token, "jti")
  return issuer !== undefined && isId(id) ? { issuer, id } : undefined
}

/** Returns `jti` of a principal's token, if it has one. */
export const idOfPrincipal = ({ claims }: Principal): string | undefined => {
  const id = Object.hasOwn(claims, "jti") ? claims["jti"] : undefined
  return isId(id) ? id : undefined
}

/** Returns `sid` of a principal's token (OpenID Connect Back-Channel Logout 1.0 §2.1), if it has one. */
export const sessionOf = ({ claims }: Principal): string | undefined => {
  const session = Object.hasOwn(claims, "sid") ? claims["sid"] : undefined
  return typeof session === "string" ? session : undefined
}

/** Tells whether a value is a string that is not empty. */
const isId = (id: unknown): id is string => typeof id === "string" && id !== ""

/** A target of `Revocations` and `TokenCache`. */
export type Target =
  | { readonly token: Redacted.Redacted<unknown> }
  | { readonly subject: string; readonly issuer?: string | undefined }
  | { readonly session: string; readonly issuer?: string | undefined }
  | { readonly client: string; readonly issuer?: string | undefined }
  | "everything"

const kinds = ["token", "subject", "session", "client"] as const

/**
 * Throws if a target selects nothing or several things: from JavaScript, a misspelled member would revoke nothing. `revoke`
 * requires the issuer of a subject, a session or a client.
 */
export const check = (target: Target, method: "invalidate" | "revoke"): void => {
  if (target === "everything" && method === "invalidate") return
  const members: Readonly<Record<string, unknown>> = typeof target === "object" && target !== null ? target : {}
  const given = Object.keys(members)
  const named = kinds.filter((_) => given.includes(_))
  const value = named.length === 1 ? members[named[0]!] : undefined
  const isToken = named[0] === "token"
  const isValue = isToken ? Redacted.isRedacted(value) && isId(Redacted.value(value)) : isId(value)
  const { issuer } = members
  const isIssuer = isId(issuer) || (issuer === undefined && (isToken || method === "invalidate"))
  const unknown = given.find((_) => _ !== "issuer" && !kinds.includes(_ as (typeof kinds)[number]))
  if (isValue && isIssuer && unknown === undefined) return
  throw new AuthConfigError({
    reason: "malformed",
    option: method,
    fix:
      `the target has ${given.length === 0 ? "no members" : given.map(String).join(", ")}; expected exactly one of ` +
      "token (a Redacted text), subject, session and client, each of them text that is not empty. Write one such as " +
      (method === "invalidate"
        ? "{ subject: \"alice\" }, with issuer if several authorization servers are configured"
        : "{ subject: \"alice\", issuer: \"https://auth.example.com\" }: subject, session and client need their issuer")
  })
}

/** Creates a predicate for principals whose tokens a target selects. */
export const matcher = (target: Target): (principal: Principal) => boolean => {
  if (target === "everything") return () => true
  if ("token" in target) {
    const token = String(Redacted.value(target.token))
    const content = contentOf(token)
    const id = idOf(token)
    return (principal) =>
      contentOf(String(Redacted.value(principal.token))) === content ||
      (id !== undefined && principal.issuer === id.issuer && idOfPrincipal(principal) === id.id)
  }
  const { issuer } = target
  const isOf: (principal: Principal) => boolean = "subject" in target
    ? (_) => _.subject === target.subject
    : "client" in target
    ? (_) => _.clientId === target.client
    : (_) => sessionOf(_) === target.session
  return (principal) => (issuer === undefined || principal.issuer === issuer) && isOf(principal)
}
