import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Fetcher } from "../outbound/Fetcher.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import type { BoundKey, BoundKeys } from "./BoundKey.ts"
import type { ClientError, Unavailable } from "./ClientError.ts"
import type { Found } from "./ServerDiscovery.ts"
import type { Issued } from "./TokenResponse.ts"

/* Describes how a grant obtains tokens. `TokenKeeper` decides when. */

/** A token of the client. */
export interface Token {
  readonly value: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted | undefined
  /** The key that the tokens are bound to, which makes the token one of the type DPoP. */
  readonly key: BoundKey | undefined
  readonly issuer: string
  /** The client that the authorization server issued the token to. */
  readonly clientId: string | undefined
  /** A later token has a greater number. */
  readonly generation: number
  readonly granted: ReadonlyArray<string>
  readonly requested: ReadonlyArray<string>
  /** The monotonic times from which the token is replaced in the background, and from which it is not used. In milliseconds. */
  readonly renewAt: number
  readonly expiresAt: number
}

/** The token that a client needs. */
export interface Acquisition {
  readonly found: Found
  /** The scopes to request. */
  readonly scopes: ReadonlyArray<string>
  /** The token that is replaced. */
  readonly current: Token | undefined
  /** Whether the MCP server asked for scopes that `current` lacks. A refresh token cannot add scopes (RFC 6749 §6). */
  readonly addsScopes: boolean
}

/** A token that a source obtained. */
export interface Obtained extends Issued {
  /** The key of the proof in the token request. */
  readonly key: BoundKey | undefined
  readonly clientId?: string | undefined
  /** The scopes that were requested. Default: those of the acquisition. */
  readonly requested?: ReadonlyArray<string> | undefined
}

/** Obtains tokens in the way of one grant. */
export interface TokenSource {
  /**
   * Obtains a token without a person. Returns `undefined` if only a person can give the client another token. The keeper runs at
   * most one request at a time, also across processes if it has `records`.
   */
  readonly request: (acquisition: Acquisition) => Effect.Effect<Obtained | undefined, ClientError>
  /** Whether `request` can replace a token before it expires. */
  readonly canRenew: (token: Pick<Token, "refreshToken">) => boolean
  /** Lets a person sign in. The token is in `records` afterwards. Fails with `SignInRequired` if no person is present. */
  readonly signIn?: ((acquisition: Acquisition) => Effect.Effect<void, ClientError>) | undefined
  /** Stores tokens. Without it, tokens end with the process. */
  readonly records?: TokenRecords | undefined
}

/** The stored token of a client. */
export interface TokenRecords {
  readonly read: Effect.Effect<Token | undefined, Unavailable>
  /**
   * Stores a token in place of the one that `read` returned. Returns whether it did: not if another process has replaced or removed
   * that one.
   */
  readonly write: (token: Token, replaced: Token | undefined) => Effect.Effect<boolean, Unavailable>
  /** Removes this token. Does nothing if another process has replaced it. */
  readonly remove: (token: Token) => Effect.Effect<void, Unavailable>
  /** Runs an effect while no other process requests a token. */
  readonly exclusively: <A>(effect: Effect.Effect<A, ClientError>) => Effect.Effect<A, ClientError>
}

/** Creates the source of a session. Fails if the credentials are wrong. */
export type MakeSource = (
  session: { readonly fetcher: Fetcher["Service"]; readonly resource: URL; readonly keys: BoundKeys | undefined }
) => Effect.Effect<TokenSource, AuthConfigError, Scope.Scope>
