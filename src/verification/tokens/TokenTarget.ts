import * as Redacted from "effect/Redacted"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../Principal.ts"
import { claimOf, isJwt, issuerOf } from "../TokenVerifier.ts"

/* Selects the tokens of a revocation or an invalidation. */

/**
 * Returns the part of a token that identifies it. For an opaque token, this is the whole token. For a JWT, it is the signing
 * input (`header.payload`): the signature is left out, because anyone can compute a second valid ECDSA signature `(r, n − s)`
 * from `(r, s)`.
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

/** For each of the members `subject`, `session` and `client`: a function that reads its value from a principal. */
const members: Readonly<Record<string, (principal: Principal) => string | undefined>> = {
  subject: (_) => _.subject,
  session: sessionOf,
  client: (_) => _.clientId
}

/**
 * Throws `AuthConfigError` if a target does not have exactly one of `token`, `subject`, `session` and `client`. Otherwise a
 * misspelled member in JavaScript would revoke nothing. `revoke` also requires the issuer of a subject, a session or a client.
 */
export const check = (target: Target, method: "invalidate" | "revoke"): void => {
  if (target === "everything" && method === "invalidate") return
  const given = OptionValue.isObject(target) ? Object.entries(target) : []
  const [[name, value] = [], another] = given.filter(([name]) => name !== "issuer")
  const [, issuer] = given.find(([name]) => name === "issuer") ?? []
  const isToken = name === "token"
  const isValid = isToken
    ? Redacted.isRedacted(value) && isId(Redacted.value(value))
    : name !== undefined && Object.hasOwn(members, name) && isId(value)
  const isIssuerValid = isId(issuer) || (issuer === undefined && (isToken || method === "invalidate"))
  if (isValid && isIssuerValid && another === undefined) return
  throw ConfigOption.error(
    method,
    `the target has ${
      given.map(([name]) => name).join(", ") || "no members"
    }; expected exactly one of token (a Redacted ` +
      "text), subject, session and client, each of them text that is not empty" +
      (method === "revoke" ? ", and the issuer unless it has token" : "") +
      ". Write one such as { subject: \"alice\", issuer: \"https://auth.example.com\" }"
  )
}

/** Returns the name and the value of the member `subject`, `session` or `client` of a target. */
export const selectorOf = (target: Exclude<Target, "everything">): readonly [name: string, value: string] =>
  Object.entries(target).find(([name]) => name !== "issuer")!

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
  const [name, value] = selectorOf(target)
  return (principal) => (issuer === undefined || principal.issuer === issuer) && members[name]!(principal) === value
}
