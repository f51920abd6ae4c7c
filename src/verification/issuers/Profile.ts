/**
 * Describes how the tokens of a provider differ from the standards, as data: their issuer and audience, how to distinguish
 * access tokens from other JWTs, and the claims that contain scopes and the client.
 *
 * A profile cannot disable a check. It sets the value that a check compares with, or adds a check for that provider.
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
 * Describes a claim that contains scopes.
 *
 * @category models
 * @since 0.1.0
 */
export type { ScopeSource } from "../claims/Claims.ts"

/**
 * List the default claims for scopes and for the client.
 *
 * @category constants
 * @since 0.1.0
 */
export { standardClientIds, standardScopes } from "../claims/Claims.ts"

/**
 * Describes one provider.
 *
 * **When to use**
 *
 * Use one of `Profiles` (`effect-mcp-auth/provider`), or create one with `make` for another provider. You can override single
 * members: `{ ...Profiles.okta({ … }), audience: Audience.oneOf(["api://todos"]) }`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Profile extends TokenTraits {
  /** The identifier in logs and in the list of providers, such as `"okta"`. */
  readonly id: string
  /** The display name, such as `"Okta"`. */
  readonly name: string
  /** The issuer, as in its metadata. Clients are directed to it. */
  readonly issuer: string
  /** The `iss` values of its tokens, if they differ from the issuer. Default: the issuer. */
  readonly tokenIssuers?: readonly [string, ...ReadonlyArray<string>] | undefined
  readonly metadataUrl?: string | undefined
  readonly jwksUri?: string | undefined
  readonly algorithms?: readonly [Algorithm, ...ReadonlyArray<Algorithm>] | undefined
  /**
   * To which of these the audience rule binds a token: the resource; a project, so that all servers of the project accept the
   * token; or the client, so that every server that trusts the client accepts the token.
   */
  readonly boundTo: "resource" | "project" | "client"
  /**
   * Verifies opaque tokens by a provider-specific request. Standard introspection needs credentials, which are set beside the
   * profile: `{ profile, introspection: Introspection.make({ clientId, clientSecret }) }`.
   */
  readonly introspection?: OpaqueTokens | undefined
  /** Whether the rules were confirmed with real tokens or by complete documentation of the provider. */
  readonly confirmed: boolean
  /** Settings that the provider needs, and open questions. */
  readonly notes: ReadonlyArray<string>
  /** Errors in the options of the profile. If there are any, the layer fails. */
  readonly issues: ReadonlyArray<AuthConfigError>
}

/**
 * Lists the default subject claims: only `sub` (RFC 9068 §2.2).
 *
 * @category constants
 * @since 0.1.0
 */
export const standardSubjects: Profile["subjectClaims"] = ["sub"]

/**
 * Creates a profile. Options that are left out have the values of the standards.
 *
 * **Example** (A custom provider)
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
  opaque: { issued: "never", verifiedBy: "none", hint: "" },
  confirmed: false,
  notes: [],
  issues: [],
  ...options,
  scopes: { sources: standardScopes, requested: "as-is", ...options.scopes }
})

/**
 * Tells whether a value has all members of a profile. Needed at runtime, because options may come from JavaScript.
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
 * Returns the names under which clients request scopes.
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
  const { always = [], prefix } = requested
  return [...scopes.map((scope) => scope.startsWith(prefix) ? scope : prefix + scope), ...always]
}

const tenantName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Tells whether a value is a tenant id: a lower-case GUID.
 *
 * @category guards
 * @since 0.1.0
 */
export const isTenant = (value: unknown): value is string => typeof value === "string" && tenantName.test(value)

/**
 * Inserts a tenant into a template at `{tenantid}`.
 *
 * @category tenants
 * @since 0.1.0
 */
export const withTenant = (template: string, tenant: string): string => template.replace("{tenantid}", tenant)

/**
 * Returns the tenant of an `iss` value, or `undefined` if no template matches or the tenant is not allowed.
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
