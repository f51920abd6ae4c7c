/**
 * Defines the contract of a store of sessions.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { SessionStoreUnavailable } from "../../protocol/AuthError.ts"
import type { SessionAccess } from "../Sessions.ts"

/**
 * A session as a store sees it. All texts are hashes in base64url, so a store contains no session id and no name of a person.
 *
 * @category models
 * @since 0.1.0
 */
export interface Session {
  readonly id: string
  /** Identifies the caller. `undefined` for an anonymous caller. */
  readonly owner: string | undefined
  /** The maximum number of sessions of this owner (`sessionsPerCaller`). */
  readonly limit: number
  /** Identifies the groups that `endAll` can name, such as all sessions of a subject. */
  readonly groups: ReadonlyArray<string>
}

/**
 * Stores the owners of sessions. Each operation is atomic.
 *
 * **Details**
 *
 * A store is bounded. If an owner exceeds its `limit`, the store ends the session of this owner that was not used for the longest
 * time. It must fail if it cannot decide. The server then answers 503.
 *
 * @category models
 * @since 0.1.0
 */
export interface Store {
  /** Records the owner of a session. Returns `false`, and changes nothing, if the session has another owner. */
  readonly open: (session: Session) => Effect.Effect<boolean, SessionStoreUnavailable>
  /**
   * Returns the access of `session.owner` to a session, and records the use. If an anonymous caller opened the session, the first
   * owner that uses it receives the session, with the groups of this owner.
   */
  readonly access: (session: Session) => Effect.Effect<SessionAccess, SessionStoreUnavailable>
  /** Ends a session, if it exists. */
  readonly end: (id: string) => Effect.Effect<void, SessionStoreUnavailable>
  /** Ends all sessions that belong to a group now. Sessions that are opened later are not affected. */
  readonly endAll: (group: string) => Effect.Effect<void, SessionStoreUnavailable>
}
