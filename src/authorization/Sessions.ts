/**
 * Which session belongs to whom. A session id is a name, never a proof (MCP security best practices, "Session
 * Hijacking").
 *
 * @since 0.1.0
 */
import type { Principal } from "../verification/Principal.ts"

/**
 * What a session is to somebody who names it.
 *
 * @category models
 * @since 0.1.0
 */
export type Standing = "own" | "foreign" | "needs-credentials"

/**
 * The sessions of one server. A caller without a principal is anonymous.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sessions {
  /**
   * Judges who names a session. One that was opened anonymously is claimed by the first principal that uses it; from
   * then on it needs credentials.
   */
  readonly judge: (session: string, principal: Principal["Service"] | undefined) => Standing
  readonly bind: (session: string, principal: Principal["Service"] | undefined) => void
  readonly release: (session: string) => void
}

/** No key of a principal looks like it: those are JSON lists. */
const anonymous = "anonymous"

/**
 * Keeps the most recently used sessions.
 *
 * **Details**
 *
 * A session that fell out does not exist any more: its next request is answered with 404, and clients open a new one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (capacity = 100_000): Sessions => {
  const owners = new Map<string, string>()
  // A map keeps the order of insertion, so what stands first was not used for the longest time.
  const keep = (session: string, owner: string) => {
    owners.delete(session)
    owners.set(session, owner)
    if (owners.size > capacity) owners.delete(owners.keys().next().value!)
  }
  return {
    judge: (session, principal) => {
      const owner = owners.get(session)
      const caller = principal?.key ?? anonymous
      if (owner === undefined) return "foreign"
      if (owner !== caller && owner !== anonymous) return caller === anonymous ? "needs-credentials" : "foreign"
      keep(session, caller)
      return "own"
    },
    bind: (session, principal) => keep(session, principal?.key ?? anonymous),
    release: (session) => {
      owners.delete(session)
    }
  }
}
