/**
 * What one provider does differently, as data: who its tokens name as issuer and audience, which of its JWTs are access
 * tokens, and where they keep scopes and client.
 *
 * A profile never switches a check off. It says which value a check compares with, or adds a check that only makes sense
 * at that provider.
 *
 * @since 0.1.0
 */
import type { Algorithm } from "../../crypto/Algorithm.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import { standardClientIds, standardScopes } from "../claims/Claims.ts"
import * as TokenType from "../claims/TokenType.ts"
import type { OpaqueTokens } from "./OpaqueTokens.ts"
import { anyTenant, type ScopeRule, type Tenants, type TokenTraits } from "./TokenTraits.ts"

export { anyTenant } from "./TokenTraits.ts"
export type { MachineMark, Mark, OpaqueRule, ScopeRule, Tenants, TokenTraits } from "./TokenTraits.ts"

/**
 * A claim that holds scopes.
 *
 * @category models
 * @since 0.1.0
 */
export type { ScopeSource } from "../claims/Claims.ts"

/**
 * The claims that hold scopes, and the claims that hold the client, where a profile names none.
 *
 * @category constants
 * @since 0.1.0
 */
export { standardClientIds, standardScopes } from "../claims/Claims.ts"

/**
 * One provider.
 *
 * **When to use**
 *
 * Take one from `Profiles` (`effect-mcp-auth/provider`), or make one for a provider that is not among them. Being data, it
 * can be changed: `{ ...Profiles.okta({ … }), audience: Audience.oneOf(["api://todos"]) }`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Profile extends TokenTraits {
  /** Such as `"okta"`: for logs and for the list of providers. */
  readonly id: string
  /** Such as `"Okta"`: for people. */
  readonly name: string
  /** The issuer: what clients are sent to, and what its metadata names. */
  readonly issuer: string
  /** The `iss` values of its tokens where they differ from the issuer. */
  readonly tokenIssuers?: readonly [string, ...ReadonlyArray<string>] | undefined
  readonly metadataUrl?: string | undefined
  readonly jwksUri?: string | undefined
  readonly algorithms?: readonly [Algorithm, ...ReadonlyArray<Algorithm>] | undefined
  /**
   * What the audience rule binds a token to: the resource; a project, whose servers all accept it; or the client that
   * obtained it, at whichever server it uses it.
   */
  readonly boundTo: "resource" | "project" | "client"
  /**
   * Verifies opaque tokens by a call of the provider's own. Introspection by the standard needs credentials, which stand
   * beside the profile: `{ profile, introspection: Introspection.make({ clientId, clientSecret }) }`.
   */
  readonly introspection?: OpaqueTokens | undefined
  /** Whether the rules were seen to fit real tokens, or the provider's own documentation says so in full. */
  readonly confirmed: boolean
  /** What to set at the provider, and what is not known. */
  readonly notes: ReadonlyArray<string>
  /** What is wrong with the options that the profile was made of: fails the layer. */
  readonly issues: ReadonlyArray<AuthConfigError>
}

/**
 * `sub` alone (RFC 9068 §2.2).
 *
 * @category constants
 * @since 0.1.0
 */
export const standardSubjects: Profile["subjectClaims"] = ["sub"]

/**
 * Makes a profile: what is left out is as the standards have it.
 *
 * **Example** (A provider of one's own)
 *
 * ```ts
 * import { Audience, AuthLayer, Profile } from "effect-mcp-auth"
 *
 * const Auth = AuthLayer.make({
 *   authorizationServers: [Profile.make({
 *     id: "in-house",
 *     name: "Our sign-in",
 *     issuer: "https://login.example.com",
 *     audience: Audience.oneOf(["todos-api"]),
 *     accessTokenMarks: [{ claim: "kind", values: ["access"] }]
 *   })],
 *   resource: "https://todos.example.com/mcp",
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options:
    & Pick<Profile, "id" | "name" | "issuer" | "audience">
    & Partial<Omit<Profile, "id" | "name" | "issuer" | "audience" | "scopes">>
    & { readonly scopes?: Partial<ScopeRule> }
): Profile => ({
  boundTo: "resource",
  tokenType: TokenType.standard(),
  accessTokenMarks: [],
  idTokenMarks: [],
  clientIdClaims: standardClientIds,
  subjectClaims: standardSubjects,
  machineMarks: [],
  opaque: { issued: "never", judgedBy: "none", hint: "" },
  confirmed: false,
  notes: [],
  issues: [],
  ...options,
  scopes: { sources: standardScopes, requested: "as-is", ...options.scopes }
})

/**
 * Tells whether a value is a profile, or an object with nothing missing of one: options may come from JavaScript.
 *
 * @category guards
 * @since 0.1.0
 */
export const isProfile = (value: unknown): value is Profile => {
  if (typeof value !== "object" || value === null) return false
  const type = (name: string): string => {
    const member: unknown = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
    return Array.isArray(member) ? "list" : member === null ? "null" : typeof member
  }
  return ["id", "name", "issuer"].every((_) => type(_) === "string") &&
    ["audience", "tokenType", "scopes", "opaque"].every((_) => type(_) === "object") &&
    ["accessTokenMarks", "idTokenMarks", "clientIdClaims", "subjectClaims", "machineMarks", "issues"].every((_) =>
      type(_) === "list"
    )
}

/**
 * The names under which clients ask for scopes.
 *
 * @category decisions
 * @since 0.1.0
 */
export const requestedScopes = (
  profile: Profile | undefined,
  scopes: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const requested = profile?.scopes.requested ?? "as-is"
  if (requested === "as-is") return scopes
  if (requested === "none") return []
  const { besides = [], prefix } = requested
  return [...scopes.map((scope) => scope.startsWith(prefix) ? scope : prefix + scope), ...besides]
}

const tenantName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Tells whether a value can name a tenant: a lower-case GUID.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTenant = (value: unknown): value is string => typeof value === "string" && tenantName.test(value)

/**
 * Writes a tenant into a template.
 *
 * @category tenants
 * @since 0.1.0
 */
export const withTenant = (template: string, tenant: string): string => template.replace("{tenantid}", tenant)

/**
 * The tenant of an `iss` value; `undefined` when the value is none of the tenants' or its tenant is not allowed.
 *
 * @category tenants
 * @since 0.1.0
 */
export const tenantOf = (tenants: Tenants, issuer: string): string | undefined => {
  for (const template of tenants.issuers) {
    const [before, after] = template.split("{tenantid}") as [string, string]
    if (issuer.length <= before.length + after.length || !issuer.startsWith(before) || !issuer.endsWith(after)) continue
    const tenant = issuer.slice(before.length, issuer.length - after.length)
    if (isTenant(tenant) && (tenants.allowed === anyTenant || tenants.allowed.includes(tenant))) return tenant
  }
  return undefined
}
