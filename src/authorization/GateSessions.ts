/**
 * Checks the sessions of requests: those of this instance, or those that instances share.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { MissingCredentials, type SessionStoreUnavailable } from "../protocol/AuthError.ts"
import type { Caller } from "./Caller.ts"
import { attempt, type Reject } from "./internal/reject.ts"
import * as Rejection from "./Rejection.ts"
import type * as Sessions from "./Sessions.ts"

/**
 * The sessions of a server.
 *
 * **Details**
 *
 * `check`, `open` and `end` take the value of an `Mcp-Session-Id` header. With the option `sessionStore`, they ask the shared store.
 * Otherwise they complete at once. If the store fails, they reject the request with 503.
 *
 * @category models
 * @since 0.1.0
 */
export interface GateSessions {
  /** Whether instances share the sessions (option `sessionStore`), so that an adapter has to wait for the store. */
  readonly isShared: boolean
  /**
   * Rejects a caller that may not use a session. The status is 404, or 401 if the caller is anonymous and the session belongs
   * to a principal.
   */
  readonly check: (caller: Caller, session: string) => Effect.Effect<void, Rejection.Rejection>
  /** Records the caller that opened a session as its owner. Call it before the client receives the session id. */
  readonly open: (caller: Caller, session: string) => Effect.Effect<void, Rejection.Rejection>
  /** Ends a session that its owner has deleted. */
  readonly end: (caller: Caller, session: string) => Effect.Effect<void, Rejection.Rejection>
  /** Checks a session of `streams` as `check` does. */
  readonly checkStream: (caller: Caller, session: string) => Effect.Effect<void, Rejection.Rejection>
  /** The sessions of the HTTP+SSE transport. Their streams are connections to this instance, so they are not shared. */
  readonly streams: Sessions.Sessions
}

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

/**
 * Makes the sessions of a gate: those of this instance, and the shared ones if there are any.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  { reject, rejectCause, rejectWith }: Reject,
  own: Sessions.Sessions,
  shared: Sessions.SharedSessions | undefined
): GateSessions => {
  const answer = (caller: Caller, access: Sessions.SessionAccess): Effect.Effect<void, Rejection.Rejection> => {
    if (access === "own") return Effect.void
    return access === "foreign"
      ? rejectWith(caller, Rejection.unknownSession)
      : reject(caller, noCredentials)
  }

  const checkOwn = (caller: Caller, session: string) => answer(caller, own.access(session, caller.principal))

  /** Calls the shared store. If it fails or dies, rejects the request. */
  const ask = <A>(caller: Caller, operation: () => Effect.Effect<A, SessionStoreUnavailable>) =>
    attempt(operation, (cause) => rejectCause(caller, cause))

  return {
    isShared: shared !== undefined,
    streams: own,
    checkStream: checkOwn,
    ...(shared === undefined
      ? {
        check: checkOwn,
        // Not `Effect.sync`, because an adapter that gets an `Exit` does not have to wait.
        open: (caller, session) => {
          own.bind(session, caller.principal)
          return Effect.void
        },
        end: (_, session) => {
          own.release(session)
          return Effect.void
        }
      }
      : {
        check: (caller, session) =>
          Effect.flatMap(
            ask(caller, () => shared.access(session, caller.principal)),
            (access) => answer(caller, access)
          ),
        open: (caller, session) => ask(caller, () => shared.open(session, caller.principal)),
        end: (caller, session) => ask(caller, () => shared.end(session))
      })
  }
}
