import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Authentication } from "../Authenticate.ts"
import type { Authorize } from "../Authorize.ts"
import type { Caller } from "../Caller.ts"
import type { CallerQuotas, Counted } from "../CallerQuotas.ts"
import type { RequestTiming } from "../Decision.ts"
import type { GateSessions } from "../GateSessions.ts"
import type { Rejection } from "../Rejection.ts"
import { attempt, type Reject } from "./reject.ts"

/* Adds the quotas of callers to the steps of a gate. */

/** The steps that count, or that must know whether a count had to wait. */
interface Steps extends Authentication {
  readonly sessions: GateSessions
  readonly authorize: Authorize
}

/** Counts requests after `authenticate`, and the sessions and streams of their operations before `authorize`. */
export const make = (quotas: CallerQuotas | undefined, { rejectCause }: Reject, steps: Steps): Steps => {
  if (quotas === undefined && !steps.sessions.isShared) return steps
  // A store was asked after the token was checked, so `recheck` has to check it again.
  const waited = new WeakSet<RequestTiming>()
  const observe = (
    { timing }: Caller,
    checked: Effect.Effect<void, Rejection>
  ): Effect.Effect<void, Rejection> => {
    if (!Exit.isExit(checked)) waited.add(timing)
    return checked
  }
  const count = (caller: Caller, counted: () => Counted, operations: Parameters<Authorize>[1] = []) =>
    observe(caller, attempt(counted, (cause) => rejectCause(caller, cause, { operations })))

  return {
    authenticate: quotas === undefined ? steps.authenticate : (request) =>
      Effect.flatMapEager(
        steps.authenticate(request),
        (caller) => Effect.mapEager(count(caller, () => quotas.countRequest(caller)), () => caller)
      ),
    sessions: {
      ...steps.sessions,
      check: (caller, session) => observe(caller, steps.sessions.check(caller, session))
    },
    recheck: (caller, awaited) => steps.recheck(caller, awaited || waited.has(caller.timing)),
    authorize: quotas === undefined ? steps.authorize : (caller, operations, policyFor) =>
      Effect.flatMapEager(
        count(caller, () => quotas.countOperations(caller, operations), operations),
        () => steps.authorize(caller, operations, policyFor)
      )
  }
}
