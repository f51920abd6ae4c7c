/**
 * What the configuration requires of every token, whichever server issued it.
 *
 * @since 0.1.0
 */
import type * as Audience from "./Audience.ts"
import type * as TokenType from "./TokenType.ts"

/**
 * Lists what every verifier of tokens must know.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rules {
  readonly resource: string
  /** The audience that tokens must have. Default: that of the server's profile, else the resource. */
  readonly audience?: Audience.Audience | undefined
  /** Which JWTs are access tokens. Default: as the server's profile says, else `TokenType.standard()`. */
  readonly tokenType?: TokenType.TokenType | undefined
  /** In seconds, for `exp`, `nbf` and `iat` alike. `undefined`: 0 for `exp` and 30 for the others. */
  readonly clockTolerance: number | undefined
  /** Returns the scopes in effect for the scopes of a token. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** The tenant whose authorization servers these are. Principals name it. Default: none. */
  readonly tenant?: string | undefined
}
