/**
 * What the tokens of one issuer look like, and how clients ask for them.
 *
 * @since 0.1.0
 */
import type { Audience } from "../claims/Audience.ts"
import type { ScopeSource } from "../claims/Claims.ts"
import type * as TokenType from "../claims/TokenType.ts"

/**
 * A claim that tells one kind of token from another: its presence, or one of these values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  readonly claim: string
  readonly values?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * A claim whose value shows that a token was issued to a program for itself, with no person behind it, such as
 * `{ claim: "idtyp", values: ["app"] }`. Its presence alone shows nothing, so the values are required.
 *
 * @category models
 * @since 0.1.0
 */
export interface MachineMark {
  readonly claim: string
  readonly values: readonly [string, ...ReadonlyArray<string>]
}

/**
 * Where scopes are, and what they are called on the way.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScopeRule {
  /** The first of them that the token has counts alone. */
  readonly sources: readonly [ScopeSource, ...ReadonlyArray<ScopeSource>]
  /**
   * How clients ask for a scope: by its own name; with a prefix (`api://todos/` at Entra ID), and `besides` it scopes
   * without which the token would not be for you; or not at all, where the provider knows no scopes of yours and rejects
   * the request. Challenges and metadata follow it.
   */
  readonly requested: "as-is" | "none" | {
    readonly prefix: string
    readonly besides?: ReadonlyArray<string> | undefined
  }
  /** A prefix with which scopes arrive. It is taken off; scopes without it are not yours and do not count. */
  readonly grantedPrefix?: string | undefined
}

/**
 * Accepts tokens of every tenant of a multi-tenant provider: everybody who can open a tenant there has tokens then, and
 * your own code must look at the issuer of the `Principal`.
 *
 * **When to use**
 *
 * The customers of a provider are yours, whoever they are, and your own code says what each may do.
 *
 * **Example** (Everybody who has a tenant)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 *
 * const profile = Profiles.entraMultiTenant({
 *   tenants: Profiles.anyTenant,
 *   applicationId: "11112222-bbbb-3333-cccc-4444dddd5555"
 * })
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const anyTenant: unique symbol = Symbol.for("effect-mcp-auth/anyTenant")

/**
 * The tenants of a provider that issues under one issuer for each.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tenants {
  /** The claim that names the tenant. It must be the tenant of `iss`. */
  readonly claim: string
  /** The `iss` values, with `{tenantid}` in place of the tenant. */
  readonly issuers: readonly [string, ...ReadonlyArray<string>]
  /** The tenants whose tokens are accepted, as lower-case GUIDs. */
  readonly allowed: readonly [string, ...ReadonlyArray<string>] | typeof anyTenant
}

/**
 * Whether the provider issues tokens that are no JWTs, and who can tell what they are worth.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpaqueRule {
  readonly issued: "never" | "sometimes" | "always"
  /** `"introspection"`: RFC 7662. `"call"`: an endpoint of the provider's own. `"none"`: nobody. */
  readonly judgedBy: "introspection" | "call" | "none"
  /** When they are issued, and how they look. */
  readonly hint: string
}

/**
 * What the tokens of one issuer look like: the part of a profile that the checks of a token read.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenTraits {
  readonly tenants?: Tenants | undefined
  readonly audience: Audience
  readonly tokenType: TokenType.TokenType
  /** What every access token has. A token that lacks one of them is rejected, whatever its `typ` and the token type. */
  readonly accessTokenMarks: ReadonlyArray<Mark>
  /** What only other tokens have. One of them rejects the token, whatever its `typ` and the token type. */
  readonly idTokenMarks: ReadonlyArray<Mark>
  readonly scopes: ScopeRule
  /** The first of them that the token has is the client. */
  readonly clientIdClaims: readonly [string, ...ReadonlyArray<string>]
  /**
   * The claims that identify the person or program behind a token, in this order: the first that the token has is the
   * subject. `Principal.owner` tells apart the same value of two claims. Name only claims whose values the provider never
   * gives to a second person.
   */
  readonly subjectClaims: readonly [string, ...ReadonlyArray<string>]
  /**
   * How a token without any of `subjectClaims` shows that it was issued to a program for itself. With one of these marks,
   * and a client, it is accepted, and its data belongs to the client. Otherwise it is rejected: it may be anyone's.
   */
  readonly machineMarks: ReadonlyArray<MachineMark>
  readonly opaque: OpaqueRule
}
