/**
 * Describes the tokens of one issuer, and how clients request them.
 *
 * @since 0.1.0
 */
import type { Audience } from "../claims/Audience.ts"
import type { ScopeSource } from "../claims/Claims.ts"
import type { RoleSource } from "../claims/Roles.ts"
import type * as TokenType from "../claims/TokenType.ts"

/**
 * Describes a mark: a claim that identifies a kind of token. A token has the mark if it has the claim and, if `values` is set,
 * the claim has one of these values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  readonly claim: string
  readonly values?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * Describes a claim whose value shows that a token was issued to a program for itself, without a user, such as
 * `{ claim: "idtyp", values: ["app"] }`. The values are required, because the presence of a claim is not sufficient.
 *
 * @category models
 * @since 0.1.0
 */
export interface MachineMark {
  readonly claim: string
  readonly values: readonly [string, ...ReadonlyArray<string>]
  /**
   * Whether the tokens with this mark have an empty subject claim instead of none. Default: `false`, so that a token with an empty
   * subject claim is rejected.
   */
  readonly hasEmptySubject?: boolean | undefined
}

/**
 * Describes which claims contain scopes, and how scope names differ in requests and in tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScopeRule {
  /** The claims that may contain scopes. Only the first one that the token has is used. */
  readonly sources: readonly [ScopeSource, ...ReadonlyArray<ScopeSource>]
  /**
   * How challenges and metadata name scopes, which determines what clients request:
   *
   * - `"as-is"`: scopes keep their names.
   * - `"none"`: no scope is named, because the provider has no custom scopes and would reject the request.
   * - An object: every name gets the `prefix`, such as `api://todos/` at Entra ID. The scopes in `always` are requested in
   *   addition, because otherwise the provider would not issue the token for your server.
   */
  readonly requested: "as-is" | "none" | {
    readonly prefix: string
    readonly always?: ReadonlyArray<string> | undefined
  }
  /**
   * The prefix of scopes in tokens. It is removed from their names. Scopes without the prefix belong to other servers and are
   * ignored.
   */
  readonly grantedPrefix?: string | undefined
}

/**
 * Accepts tokens of every tenant of a multi-tenant provider. Anyone who can create a tenant there can then obtain accepted
 * tokens, so your code must check the issuer of the `Principal`.
 *
 * **When to use**
 *
 * Use it if every customer of the provider may use your server, and your code decides what each of them may do.
 *
 * **Example** (Tokens of every tenant)
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
 * Describes the tenants of a provider that has a separate issuer for each tenant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tenants {
  /** The claim that names the tenant. Its value must match the tenant in `iss`. */
  readonly claim: string
  /** The `iss` values, with `{tenantid}` in place of the tenant. */
  readonly issuers: readonly [string, ...ReadonlyArray<string>]
  /** The tenants whose tokens are accepted, as lower-case GUIDs. */
  readonly allowed: readonly [string, ...ReadonlyArray<string>] | typeof anyTenant
}

/**
 * Describes whether the provider issues opaque tokens (tokens that are not JWTs), and how to verify them.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpaqueRule {
  readonly issued: "never" | "sometimes" | "always"
  /**
   * How to verify opaque tokens: by introspection (RFC 7662), by a provider-specific endpoint (`"call"`), or not at all
   * (`"none"`).
   */
  readonly verifiedBy: "introspection" | "call" | "none"
  /** A description for people: when the provider issues opaque tokens, and what these tokens look like. */
  readonly hint: string
}

/**
 * Describes the tokens of one issuer. This is the part of a profile that the checks of a token use.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenTraits {
  /** The tenants of the provider, if one issuer signs for several. Default: none. */
  readonly tenants?: Tenants | undefined
  /** The rule for the audience of tokens. */
  readonly audience: Audience
  /** The rule that decides which JWTs are access tokens. */
  readonly tokenType: TokenType.TokenType
  /**
   * The marks that every access token has. A token that lacks one of them is rejected, regardless of its `typ` and of the rule
   * `tokenType`.
   */
  readonly accessTokenMarks: ReadonlyArray<Mark>
  /**
   * The marks of ID tokens and of other tokens that are not access tokens. A token with one of them is rejected, regardless of
   * its `typ` and of the rule `tokenType`.
   */
  readonly idTokenMarks: ReadonlyArray<Mark>
  /** The claims that contain scopes, and the form in which clients request scopes. */
  readonly scopes: ScopeRule
  /** The claims that may contain the client id. The first one that the token has is used. */
  readonly clientIdClaims: readonly [string, ...ReadonlyArray<string>]
  /**
   * The claims that identify the person or program behind a token. The first one that the token has is the subject. The same
   * value in two different claims gives two different values of `Principal.owner`. List only claims whose values the provider
   * never assigns to a second person.
   */
  readonly subjectClaims: readonly [string, ...ReadonlyArray<string>]
  /** The claims that contain the roles of the caller. Several claims are combined. Default: none, so callers have no roles. */
  readonly roles?: ReadonlyArray<RoleSource> | undefined
  /**
   * The marks of tokens that were issued to a program for itself. They are used for a token that has none of the
   * `subjectClaims`. If such a token has one of these marks and a client id, it is accepted, and `Principal.owner` identifies
   * the client. Otherwise the token is rejected, because its owner is unknown.
   */
  readonly machineMarks: ReadonlyArray<MachineMark>
  /** When the provider issues opaque tokens, and how they are verified. */
  readonly opaque: OpaqueRule
}
