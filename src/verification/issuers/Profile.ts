/**
 * Describes how the tokens of a provider differ from the standards, as data: their issuer and audience, how to distinguish
 * access tokens from other JWTs, and the claims that contain scopes and the client.
 *
 * A profile cannot disable a check. It sets the value that a check compares with, or adds a check for that provider.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import type { Algorithm } from "../../crypto/Algorithm.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as Audience from "../claims/Audience.ts"
import { standardClientIds, standardScopes } from "../claims/Claims.ts"
import { checkRoles } from "../claims/Roles.ts"
import { checkMachineMarks, checkSubjectClaims } from "../claims/SubjectClaims.ts"
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
 * Describes a claim that contains roles.
 *
 * @category models
 * @since 0.1.0
 */
export type { RoleSource } from "../claims/Roles.ts"

/**
 * Lists the default claims that contain the scopes and the client id.
 *
 * @category constants
 * @since 0.1.0
 */
export { standardClientIds, standardScopes } from "../claims/Claims.ts"

/**
 * Identifies the values of `Profile`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Profile"

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
  /**
   * Checks the profile, and returns its values for options that are not set. `make` sets this function. The function is a
   * member of the profile, so that servers without a profile do not load the code of the function.
   */
  readonly [TypeId]: (options: ProfiledOptions, profile: Profile, option: string) => ProfiledOptions
  /** The identifier in logs and in the list of providers, such as `"okta"`. */
  readonly id: string
  /** The display name, such as `"Okta"`. */
  readonly name: string
  /** The issuer, as in its metadata. Clients are directed to it. */
  readonly issuer: string
  /** The `iss` values of its tokens, if they differ from the issuer. Default: the issuer. */
  readonly tokenIssuers?: readonly [string, ...ReadonlyArray<string>] | undefined
  /** The URL of its metadata. Default: the well-known URLs of the issuer. */
  readonly metadataUrl?: string | undefined
  /** The URL of its key set. Default: `jwks_uri` of its metadata. */
  readonly jwksUri?: string | undefined
  /** The accepted signature algorithms of its tokens. Default: those of the server. */
  readonly algorithms?: readonly [Algorithm, ...ReadonlyArray<Algorithm>] | undefined
  /**
   * Which servers accept the same token under the audience rule. `"resource"`: only the server of the resource. `"project"`:
   * all servers of a project at the provider. `"client"`: every server that trusts the client.
   */
  readonly boundTo: "resource" | "project" | "client"
  /**
   * Verifies opaque tokens by a provider-specific request. Standard introspection needs credentials, so it is an option next to
   * the profile: `{ profile, introspection: Introspection.make({ clientId, clientSecret }) }`.
   */
  readonly introspection?: OpaqueTokens | undefined
  /**
   * Whether the rules were confirmed with real tokens: with those of a server that the tests run, or with a recorded token. `Facts`
   * names the evidence. `false` if no official client can sign in at the provider.
   */
  readonly confirmed: boolean
  /** Settings that the provider needs, and open questions. */
  readonly notes: ReadonlyArray<string>
  /** Errors in the options from which the profile was made. If there are any, the layer fails. */
  readonly issues: ReadonlyArray<AuthConfigError>
}

/**
 * Contains the options of an authorization server that have defaults in its profile.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProfiledOptions {
  /** The issuer. */
  readonly issuer?: string | undefined
  /** The `iss` values of its tokens. */
  readonly tokenIssuers?: ReadonlyArray<string> | undefined
  /** The URL of its metadata. */
  readonly metadataUrl?: string | undefined
  readonly metadata?: unknown
  /** The URL of its key set. */
  readonly jwksUri?: string | undefined
  readonly jwks?: unknown
  /** The accepted signature algorithms of its tokens. */
  readonly algorithms?: ReadonlyArray<Algorithm> | undefined
}

/**
 * Lists the default subject claims: only `sub` (RFC 9068 §2.2).
 *
 * @category constants
 * @since 0.1.0
 */
export const standardSubjects: Profile["subjectClaims"] = ["sub"]

/**
 * Creates a profile. An option that is left out has the default of the standards, such as `sub` for the subject.
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
    & Partial<Omit<Profile, "id" | "name" | "issuer" | "audience" | "scopes" | typeof TypeId>>
    & {
      /** The claims that contain scopes, and the form in which clients request scopes. Default: those of the standards. */
      readonly scopes?: Partial<ScopeRule>
    }
): Profile => {
  if (!OptionValue.isObject(options)) {
    throw ConfigOption.invalid("Profile.make", options, "an object", "Give one with id, name, issuer and audience")
  }
  return {
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
    scopes: { sources: standardScopes, requested: "as-is", ...options.scopes },
    [TypeId]: (options, profile, option) => {
      check(profile, option)
      return complete(options, profile)
    }
  }
}

const table: ConfigOption.Table<Exclude<keyof Profile, typeof TypeId>> = {
  id: true,
  name: true,
  issuer: true,
  tokenIssuers: true,
  metadataUrl: true,
  jwksUri: true,
  algorithms: true,
  boundTo: true,
  introspection: true,
  confirmed: true,
  notes: true,
  issues: true,
  tenants: true,
  audience: true,
  tokenType: true,
  accessTokenMarks: true,
  idTokenMarks: true,
  scopes: true,
  clientIdClaims: true,
  subjectClaims: true,
  roles: true,
  machineMarks: true,
  opaque: true
}

const check = (profile: Profile, option: string): void => {
  const [issue] = Array.isArray(profile.issues) ? profile.issues : []
  if (issue instanceof AuthConfigError) throw issue
  const { [TypeId]: _, ...members } = profile
  ConfigOption.check(members, `${option}.profile`, table)
  if (!isProfile(profile)) throw notAProfile(profile, option)
  checkSubjectClaims(profile.subjectClaims, `${option}.subjectClaims`)
  if (profile.roles !== undefined) checkRoles(profile.roles, `${option}.roles`)
  checkMachineMarks(profile.machineMarks, `${option}.machineMarks`)
  if (profile.tenants !== undefined) {
    const { allowed, issuers } = profile.tenants
    if (issuers.some((_) => _.split("{tenantid}").length !== 2)) {
      throw ConfigOption.error(
        `${option}.tenants.issuers`,
        "an issuer does not contain {tenantid} exactly once. Write one such as https://login.example.com/{tenantid}/v2.0"
      )
    }
    if (allowed !== anyTenant && (allowed.length === 0 || !allowed.every(isTenant))) {
      throw ConfigOption.error(
        `${option}.tenants`,
        "the list is empty or has an entry that is not a lower-case GUID. Write the id of each tenant; to accept every tenant " +
          "write anyTenant"
      )
    }
  }
  Audience.check(profile.audience, `${option}.audience`)
}

const complete = (options: ProfiledOptions, profile: Profile): ProfiledOptions => {
  const { allowed, issuers } = profile.tenants ?? { allowed: [], issuers: [] }
  const ofTenants = allowed === anyTenant
    ? []
    : allowed.flatMap((tenant) => issuers.map((template) => withTenant(template, tenant)))
  return {
    issuer: options.issuer ?? profile.issuer,
    tokenIssuers: options.tokenIssuers ?? profile.tokenIssuers ?? (profile.tenants && ofTenants),
    metadataUrl: options.metadataUrl ?? (options.metadata === undefined ? profile.metadataUrl : undefined),
    jwksUri: options.jwksUri ?? (options.jwks === undefined ? profile.jwksUri : undefined),
    algorithms: options.algorithms ?? profile.algorithms
  }
}

/**
 * Returns the values of a profile for options that are not set. Throws `AuthConfigError` if the profile is invalid.
 *
 * @category decisions
 * @since 0.1.0
 */
export const completeOptions = (options: ProfiledOptions, profile: Profile, option: string): ProfiledOptions => {
  if (!Predicate.hasProperty(profile, TypeId)) throw notAProfile(profile, option)
  return profile[TypeId](options, profile, option)
}

const notAProfile = (value: unknown, option: string): AuthConfigError =>
  ConfigOption.invalid(
    `${option}.profile`,
    value,
    "a profile",
    "Take one from Profiles (effect-mcp-auth/provider), or make one with Profile.make({ id, name, issuer, audience })"
  )

/**
 * Tells whether a value has all members of a profile. Types do not ensure this, because options may come from JavaScript.
 *
 * @category guards
 * @since 0.1.0
 */
export const isProfile = (value: unknown): value is Profile => {
  if (!Predicate.hasProperty(value, TypeId)) return false
  const type = (name: string): string => {
    const member: unknown = Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
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
