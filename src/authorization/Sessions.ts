/**
 * Records the owner of each session. A session id identifies a session and never authenticates its sender (MCP security best
 * practices, "Session Hijacking").
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { SessionStoreUnavailable } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as sessionTable from "../store/SessionTable.ts"
import type { Principal } from "../verification/Principal.ts"
import type { Target } from "../verification/tokens/TokenCache.ts"

/**
 * The access of a caller to a session: `"own"`, `"foreign"` or `"needs-credentials"`.
 *
 * @category models
 * @since 0.1.0
 */
export type { SessionAccess } from "../store/SessionTable.ts"

type SessionAccess = sessionTable.SessionAccess

/**
 * The sessions of one server. A caller without a principal is anonymous.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sessions {
  /**
   * Returns the access of a caller to a session. If an anonymous caller opened the session, the first principal that uses it
   * becomes its owner. From then on, anonymous callers need credentials for it.
   */
  readonly access: (session: string, principal: Principal | undefined) => SessionAccess
  /** Whether a session exists, for any caller. */
  readonly has: (session: string) => boolean
  /**
   * Records the caller that opened a session as its owner. If the session has another owner, nothing changes: a server that
   * assigns the same session id twice must not take the session from its owner.
   */
  readonly bind: (session: string, principal: Principal | undefined) => void
  readonly release: (session: string) => void
}

/**
 * The sessions of a server that several instances share. The option `sessionStore` creates it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedSessions {
  /** Returns the access of a caller to a session, as `Sessions.access` does. */
  readonly access: (
    session: string,
    principal: Principal | undefined
  ) => Effect.Effect<SessionAccess, SessionStoreUnavailable>
  /** Records the caller that opened a session as its owner, unless the session has another owner. */
  readonly open: (session: string, principal: Principal | undefined) => Effect.Effect<void, SessionStoreUnavailable>
  readonly end: (session: string) => Effect.Effect<void, SessionStoreUnavailable>
  /** Ends the sessions of all callers that a target selects. A target with `token` selects none. */
  readonly endAll: (target: Target) => Effect.Effect<void, SessionStoreUnavailable>
}

/**
 * Limits the number of sessions.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** The maximum number of sessions of all principals together. Default: 100,000. */
  readonly capacity?: number | undefined
  /** The maximum number of sessions of one principal. Default: 100. */
  readonly perCaller?: number | undefined
  /** The maximum number of sessions of all anonymous callers together. Default: 10,000. */
  readonly anonymous?: number | undefined
}

/**
 * The default number of sessions that one caller may have.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultPerCaller: number = 100

const limitsTable = {
  capacity: ConfigOption.wholeNumber(1, 100_000),
  perCaller: ConfigOption.wholeNumber(1, defaultPerCaller),
  anonymous: ConfigOption.wholeNumber(1, 10_000)
} satisfies ConfigOption.Table<keyof Limits>

/**
 * Keeps the most recently used sessions.
 *
 * **Details**
 *
 * If a caller exceeds its limit, its least recently used session is evicted. Sessions of other callers are not affected. If all
 * principals together exceed `capacity`, the least recently used session of all principals is evicted. Anonymous callers have
 * one common limit, and their sessions do not count for `capacity`. An evicted session does not exist any more: if a request
 * has its id, the server answers 404, and the client opens a new session.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Limits = {}): Sessions => {
  ConfigOption.check(options, "Sessions.make", limitsTable)
  const {
    anonymous = limitsTable.anonymous.default,
    capacity = limitsTable.capacity.default,
    perCaller = limitsTable.perCaller.default
  } = options
  const table = sessionTable.make({ anonymous, capacity })
  return {
    access: (session, principal) => table.access(session, principal?.key, perCaller),
    has: table.has,
    bind: (session, principal) => void table.open(session, principal?.key, perCaller),
    release: table.end
  }
}
