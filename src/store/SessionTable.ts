import { BoundedMap } from "./BoundedMap.ts"

/* Keeps the owners of sessions in memory, within limits. */

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

/** Limits the number of sessions of a table. */
export interface Limits {
  /** The maximum number of sessions of all owners together, without those of anonymous callers. */
  readonly capacity: number
  /** The maximum number of sessions of all anonymous callers together. */
  readonly anonymous: number
}

/** The sessions of a table. `owner` is `undefined` for an anonymous caller. */
export interface SessionTable {
  /**
   * Returns the access of a caller to a session. If an anonymous caller opened the session, the first other caller that uses it
   * becomes its owner. `limit` is the maximum number of sessions of one owner.
   */
  readonly access: (session: string, owner: string | undefined, limit: number) => SessionAccess
  readonly has: (session: string) => boolean
  /** Records the owner of a session. Returns `false`, and changes nothing, if the session has another owner. */
  readonly open: (session: string, owner: string | undefined, limit: number) => boolean
  readonly end: (session: string) => void
}

/** Creates an empty table. `onEnd` receives each session that is ended or evicted. */
export const make = ({ anonymous, capacity }: Limits, onEnd: (session: string) => void = () => {}): SessionTable => {
  const owners = new Map<string, string | undefined>()
  const used = new BoundedMap<string, true>(capacity)
  const byOwner = new Map<string | undefined, BoundedMap<string, true>>()

  const end = (session: string): void => {
    if (!owners.has(session)) return
    const owner = owners.get(session)
    owners.delete(session)
    used.delete(session)
    const own = byOwner.get(owner)!
    own.delete(session)
    if (own.size === 0) byOwner.delete(owner)
    onEnd(session)
  }

  const keep = (session: string, owner: string | undefined, limit: number): void => {
    const isKnown = owners.has(session)
    if (isKnown && owners.get(session) !== owner) end(session)
    const own = byOwner.get(owner) ?? new BoundedMap(owner === undefined ? anonymous : limit)
    byOwner.set(owner, own)
    owners.set(session, owner)
    const ownEvicted = own.set(session, true)
    if (ownEvicted !== undefined) end(ownEvicted)
    if (owner === undefined) return
    const evicted = used.set(session, true)
    if (evicted !== undefined) end(evicted)
  }

  return {
    access: (session, caller, limit) => {
      if (!owners.has(session)) return "foreign"
      const owner = owners.get(session)
      if (owner !== caller && owner !== undefined) return caller === undefined ? "needs-credentials" : "foreign"
      keep(session, caller, limit)
      return "own"
    },
    has: (session) => owners.has(session),
    open: (session, caller, limit) => {
      if (owners.has(session) && owners.get(session) !== caller) return false
      keep(session, caller, limit)
      return true
    },
    end
  }
}
