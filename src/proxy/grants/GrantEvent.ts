/**
 * Describes what happens to the grants of the OAuth proxy.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * Describes an event of a grant. It contains no token, no code and no name of a person except the subject.
 *
 * **Details**
 *
 * The grant lives after these events:
 *
 * - `started`: a client exchanged its code for the first tokens.
 * - `recovered`: a client presented a refresh token that the store does not know yet, because the store lost its last write.
 * - `unchecked`: the upstream is unavailable, so the client got a token without a check.
 *
 * The grant ends with these events:
 *
 * - `code-replayed`: the code was used again, with the right verifier, 10 seconds or more after its first use.
 * - `token-reused`: a refresh token was used that was replaced before the retry window. Either a thief has it, or the client uses a
 *   copy of an old token.
 * - `upstream-rejected`: the upstream or the rules of admission reject the person.
 * - `client-revoked`: the client revoked a token (RFC 7009).
 * - `administrator-revoked`: administration ended the grant.
 * - `limit-exceeded`: the person signed in with more clients than the limit permits, and this grant was the least recently used one.
 *
 * @category models
 * @since 0.1.0
 */
export interface GrantEvent {
  readonly type:
    | "started"
    | "recovered"
    | "unchecked"
    | "code-replayed"
    | "token-reused"
    | "upstream-rejected"
    | "client-revoked"
    | "administrator-revoked"
    | "limit-exceeded"
  readonly grantId: string
  readonly clientId: string
  readonly subject: string
}

/**
 * Receives events. A listener that fails changes no result.
 *
 * @category models
 * @since 0.1.0
 */
export type OnGrantEvent = (event: GrantEvent) => Effect.Effect<void>

/** Calls a listener, and logs its defects. */
export const notifying = (onEvent: OnGrantEvent | undefined): OnGrantEvent =>
  onEvent === undefined ? () => Effect.void : (event) =>
    Effect.catchCause(
      Effect.suspend(() => onEvent(event)),
      (cause) => Effect.logError("The listener of grant events failed", cause)
    )
