/**
 * Records the owner of each session. A session id identifies a session and never authenticates its sender (MCP security best
 * practices, "Session Hijacking").
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { BoundedMap } from "../store/BoundedMap.ts"
import type { Principal } from "../verification/Principal.ts"

/**
 * The access of a caller to a session:
 *
 * - `"own"`: the caller may use the session.
 * - `"needs-credentials"`: the caller is anonymous, and the session belongs to a principal.
 * - `"foreign"`: the session belongs to another principal, or does not exist.
 *
 * @category models
 * @since 0.1.0
 */
export type SessionAccess = "own" | "foreign" | "needs-credentials"

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

/** The recorded owner if the caller is anonymous. It differs from every `Principal.key`, because those keys are JSON arrays. */
const anonymous = "anonymous"

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

const table: ConfigOption.Table<keyof Limits> = {
  capacity: ConfigOption.wholeNumber(1, 100_000),
  perCaller: ConfigOption.wholeNumber(1, defaultPerCaller),
  anonymous: ConfigOption.wholeNumber(1, 10_000)
}

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
  ConfigOption.check(options, "Sessions.make", table)
  const { anonymous: ofAnonymous = 10_000, capacity = 100_000, perCaller = defaultPerCaller } = options
  const owners = new Map<string, string>()
  const used = new BoundedMap<string, true>(capacity)
  const byOwner = new Map<string, BoundedMap<string, true>>()

  const release = (session: string): void => {
    const owner = owners.get(session)
    if (owner === undefined) return
    owners.delete(session)
    used.delete(session)
    const own = byOwner.get(owner)!
    own.delete(session)
    if (own.size === 0) byOwner.delete(owner)
  }

  const keep = (session: string, owner: string): void => {
    const before = owners.get(session)
    if (before !== undefined && before !== owner) release(session)
    const own = byOwner.get(owner) ?? new BoundedMap(owner === anonymous ? ofAnonymous : perCaller)
    if (before !== owner) {
      byOwner.set(owner, own)
      owners.set(session, owner)
    }
    const ownEvicted = own.set(session, true)
    if (ownEvicted !== undefined) release(ownEvicted)
    if (owner === anonymous) return
    const evicted = used.set(session, true)
    if (evicted !== undefined) release(evicted)
  }

  return {
    access: (session, principal) => {
      const owner = owners.get(session)
      const caller = principal?.key ?? anonymous
      if (owner === undefined) return "foreign"
      if (owner !== caller && owner !== anonymous) return caller === anonymous ? "needs-credentials" : "foreign"
      keep(session, caller)
      return "own"
    },
    has: (session) => owners.has(session),
    bind: (session, principal) => {
      const caller = principal?.key ?? anonymous
      if ((owners.get(session) ?? caller) === caller) keep(session, caller)
    },
    release
  }
}
