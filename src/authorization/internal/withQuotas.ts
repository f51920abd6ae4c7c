import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { QuotaExceeded } from "../../protocol/AuthError.ts"
import type { Authentication } from "../Authenticate.ts"
import type { Authorize } from "../Authorize.ts"
import type { Caller, Request } from "../Caller.ts"
import type { CallerQuotas, Counted } from "../CallerQuotas.ts"
import type { RequestTiming } from "../Decision.ts"
import type { GateSessions } from "../GateSessions.ts"
import type { Rejection } from "../Rejection.ts"
import type { OpenStreams } from "./openStreams.ts"
import { attempt, type Reject } from "./reject.ts"

/* Adds the bound on open streams and the quotas of callers to the steps of a gate. */

/** The steps that count, or that must know whether a count had to wait. */
interface Steps extends Authentication {
  readonly sessions: GateSessions
  readonly authorize: Authorize
}

/** Rejects requests that can open a stream, after `authenticate`, if their caller has as many open streams as it may have. */
const boundStreams = (
  streams: Pick<OpenStreams, "isAnyFull" | "isFull">,
  { rejectCause }: Reject,
  authenticate: Authentication["authenticate"]
): Authentication["authenticate"] =>
(request) => {
  const authenticated = authenticate(request)
  if (!streams.isAnyFull() || !canOpenStream(request)) return authenticated
  return Effect.flatMapEager(authenticated, (caller) => {
    // Anonymous callers share one bound. If it also rejected their calls, one of them could keep all others from calling tools. The
    // stream of a call then ends their oldest one.
    const isBound = caller.principal !== undefined || request.method === "GET"
    return isBound && streams.isFull(caller.principal)
      ? rejectCause(caller, Cause.fail(tooManyStreams))
      : Effect.succeed(caller)
  })
}

/** Clients of MCP send this media type with every GET and POST request. */
const canOpenStream = (request: Request): boolean =>
  (request.method === "GET" || request.method === "POST") &&
  /\btext\/event-stream\b/i.test(request.header("accept") ?? "")

const tooManyStreams = new QuotaExceeded({ reason: "open-streams", quota: "streams", retryAfter: 10 })

/**
 * Bounds the open streams, and counts requests after `authenticate`, and the sessions and streams of their operations before
 * `authorize`.
 */
export const make = (
  quotas: CallerQuotas | undefined,
  streams: Pick<OpenStreams, "isAnyFull" | "isFull">,
  rejecting: Reject,
  unbound: Steps
): Steps => {
  const { rejectCause } = rejecting
  const steps = { ...unbound, authenticate: boundStreams(streams, rejecting, unbound.authenticate) }
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
