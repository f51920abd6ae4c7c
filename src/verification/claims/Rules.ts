/**
 * Describes the rules of the configuration that apply to every token, regardless of its issuer.
 *
 * @since 0.1.0
 */
import type * as Audience from "./Audience.ts"
import type { ReportRoles, RoleSource } from "./Roles.ts"
import type * as TokenType from "./TokenType.ts"

/**
 * Lists the rules that every verifier applies.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rules {
  readonly resource: string
  /** The audience that tokens must have. Default: the audience of the authorization server's profile, else the resource. */
  readonly audience?: Audience.Audience | undefined
  /**
   * Which JWTs are access tokens. Default: the token type of the authorization server's profile, else `TokenType.standard()`.
   */
  readonly tokenType?: TokenType.TokenType | undefined
  /** The tolerance for `exp`, `nbf` and `iat`, in seconds. Default: 0 for `exp`, 30 for `nbf` and `iat`. */
  readonly clockTolerance: number | undefined
  /** Returns the effective scopes for the scopes of a token. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** The claims that contain the roles. Default: those of the profile. */
  readonly roles?: ReadonlyArray<RoleSource> | undefined
  /** Receives what is wrong with a source of roles. Default: it is ignored. */
  readonly reportRoles?: ReportRoles | undefined
  /** The tenant that the authorization servers belong to. It becomes `Principal.tenant`. Default: none. */
  readonly tenant?: string | undefined
}
