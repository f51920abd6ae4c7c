/**
 * Issues, refreshes and ends the grants of the OAuth proxy.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { RecordStoreUnavailable } from "../../store/records/RecordStore.ts"

/**
 * Describes a person, as the upstream identified the person.
 *
 * @category models
 * @since 0.1.0
 */
export interface Person {
  /** The name of the upstream, a hash of its issuer, and the immutable id of the person there, separated by `|`. */
  readonly subject: string
  /** A name for pages and for administration. It never decides anything. */
  readonly display: string | undefined
}

/**
 * Describes the request that a person approved on the consent page.
 *
 * @category models
 * @since 0.1.0
 */
export interface Approved {
  /** The exact `client_id`. */
  readonly clientId: string
  /** The exact `redirect_uri`. */
  readonly redirectUri: string
  /** The PKCE challenge of the method S256 (RFC 7636). */
  readonly challenge: string
  /** The canonical resource identifier (RFC 8707). */
  readonly resource: string
  /** The granted MCP scopes. */
  readonly scopes: ReadonlyArray<string>
}

/**
 * The content of a successful response of the token endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenAnswer {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
  /** The lifetime of the access token, in seconds. */
  readonly expiresIn: number
  readonly scopes: ReadonlyArray<string>
}

/**
 * Describes a grant for checks and for administration. It contains no token.
 *
 * @category models
 * @since 0.1.0
 */
export interface GrantView {
  /** The id of the grant, which access tokens contain as `sid`. */
  readonly id: string
  readonly clientId: string
  readonly person: Person
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  /** The key of the record with the upstream tokens, which grants of one person share. */
  readonly upstreamKey: string
  /** The time of the sign-in, in milliseconds since 1970. */
  readonly createdAt: number
  /** The time of the last refresh, or of the sign-in, in milliseconds since 1970. */
  readonly usedAt: number
  /** The time of the last successful check at the upstream, in milliseconds since 1970. */
  readonly checkedAt: number
  /** The time at which the grant ends if it is not refreshed before, in milliseconds since 1970. */
  readonly expiresAt: number
}

/**
 * The result of a check of a grant at its upstream, which each refresh runs.
 *
 * - `alive`: the upstream and the rules of admission still accept the person. `scopes` are the MCP scopes that the upstream still
 *   grants. Default: those of the grant. A check never adds a scope to a grant. `endsAt` is the time at which the grant ends because
 *   the upstream offers no way to check the person, in milliseconds since 1970. Default: no change.
 * - `rejected`: the upstream rejected its refresh token or access token, or admission rejects the person. The grant ends.
 * - `unavailable`: the upstream cannot decide at the moment. The grant lives. `retryAfter` is in seconds.
 *
 * @category models
 * @since 0.1.0
 */
export type UpstreamVerdict =
  | {
    readonly outcome: "alive"
    readonly scopes?: ReadonlyArray<string> | undefined
    readonly endsAt?: number | undefined
  }
  | { readonly outcome: "rejected" }
  | { readonly outcome: "unavailable"; readonly retryAfter: number }

/**
 * Removes the stored upstream tokens after the end of a grant, unless a grant still uses them. If the person has no grant, also revokes
 * them at the upstream, within five seconds. Reports failures in the log. If a code of the person can still become a grant, it waits in
 * the background until this is over.
 *
 * @category models
 * @since 0.1.0
 */
export type Release = (upstreamKey: string, use: {
  /** Returns the keys of the records that the grants of the person use. */
  readonly living: Effect.Effect<ReadonlyArray<string>, RecordStoreUnavailable>
  /** Whether no code of the person can become a grant. */
  readonly areCodesBlocked: boolean
}) => Effect.Effect<void>

/**
 * Reports that a code, a refresh token or a request for tokens is rejected.
 *
 * **Details**
 *
 * The token endpoint answers `invalid_target` for `resource`, `invalid_scope` for `scope`, and `invalid_grant` for every other
 * reason, always with the same text. The reasons are for events and logs only.
 *
 * - `unknown`: the code or the refresh token is malformed, expired, or not from this server.
 * - `client`, `redirect`, `verifier`, `resource`: the request names another client, redirect URI, verifier or resource.
 * - `scope`: the request names a scope that the grant lacks.
 * - `replayed`: the code was used before.
 * - `reused`: the refresh token was replaced before the retry window. The grant ends.
 * - `ended`: the grant was revoked.
 * - `rejected`: the upstream or the rules of admission reject the person. The grant ends.
 *
 * @category errors
 * @since 0.1.0
 */
export class GrantRejected extends Data.TaggedError("GrantRejected")<{
  readonly reason:
    | "unknown"
    | "client"
    | "redirect"
    | "verifier"
    | "resource"
    | "scope"
    | "replayed"
    | "reused"
    | "ended"
    | "rejected"
}> {
  override get message(): string {
    return `The token endpoint rejects the request: ${this.reason}`
  }
}

/**
 * Reports that the upstream has been unavailable for so long that the proxy issues no token. The grant lives. The token endpoint
 * answers 503 with `temporarily_unavailable`. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class UpstreamUnavailable extends Data.TaggedError("UpstreamUnavailable")<{ readonly retryAfter: number }> {
  override get message(): string {
    return `The upstream is unavailable. Try again in ${this.retryAfter} s`
  }
}

/**
 * Reports that a client refreshes a grant too often. The grant lives, and the presented token stays the current one. The token endpoint
 * answers 503 with `temporarily_unavailable`. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class TooManyRefreshes extends Data.TaggedError("TooManyRefreshes")<{ readonly retryAfter: number }> {
  override get message(): string {
    return `The client refreshes a grant too often. Try again in ${this.retryAfter} s`
  }
}

/**
 * A request for the first tokens of a grant (RFC 6749 §4.1.3). `resource` is canonical, or absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Redemption {
  readonly code: string
  readonly clientId: string
  /** `undefined` if the request lacks it. A code then fails with `redirect`. */
  readonly redirectUri: string | undefined
  /** `undefined` if the request lacks it. A code then fails with `verifier`. */
  readonly verifier: string | undefined
  readonly resource?: string | undefined
}

/**
 * A request for the next tokens of a grant (RFC 6749 §6). `resource` is canonical, or absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Refresh {
  readonly refreshToken: string
  readonly clientId: string
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly resource?: string | undefined
}

/**
 * The operations of the proxy on its grants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Grants {
  /** Issues an authorization code for 60 seconds. `upstreamKey` is the key of the record with the upstream tokens. */
  readonly issueCode: (
    approved: Approved,
    person: Person,
    upstreamKey: string
  ) => Effect.Effect<string, RecordStoreUnavailable>
  /** Exchanges a code for the first tokens of a grant. */
  readonly redeem: (request: Redemption) => Effect.Effect<TokenAnswer, GrantRejected | RecordStoreUnavailable>
  /** Exchanges a refresh token for the next tokens. `check` runs before the rotation, and nothing interrupts it. */
  readonly refresh: <R>(
    request: Refresh,
    check: (grant: GrantView) => Effect.Effect<UpstreamVerdict, RecordStoreUnavailable | TooManyRefreshes, R>
  ) => Effect.Effect<TokenAnswer, GrantRejected | RecordStoreUnavailable | TooManyRefreshes | UpstreamUnavailable, R>
  /**
   * Ends the grant of a refresh token or access token (RFC 7009). Does nothing for an unknown token and for a token of another
   * client.
   */
  readonly revoke: (token: string, clientId: string) => Effect.Effect<void, RecordStoreUnavailable>
  /** Returns whether a grant exists. The answer `true` is cached for a few seconds. */
  readonly isAlive: (grantId: string) => Effect.Effect<boolean, RecordStoreUnavailable>
  /**
   * Returns whether a grant exists and covers an access token with these claims: the token is for the same person and client, and has no
   * scope that the grant lacks. The answer `true` is cached for a few seconds.
   */
  readonly covers: (
    grantId: string,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<boolean, RecordStoreUnavailable>
  /** Returns a grant, for example to find the upstream tokens of a caller. */
  readonly get: (grantId: string) => Effect.Effect<GrantView | undefined, RecordStoreUnavailable>
  /** Lists the grants of a person, the most recently used first. */
  readonly list: (subject: string) => Effect.Effect<ReadonlyArray<GrantView>, RecordStoreUnavailable>
  /** Ends a grant. Returns whether it existed. */
  readonly revokeGrant: (grantId: string) => Effect.Effect<boolean, RecordStoreUnavailable>
  /** Ends all grants of a person, also those whose code is not redeemed yet. Returns how many grants ended. */
  readonly revokeAll: (subject: string) => Effect.Effect<number, RecordStoreUnavailable>
}
