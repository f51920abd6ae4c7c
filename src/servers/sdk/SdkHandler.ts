/**
 * Wraps handlers for the official SDKs: adds the caller to the context that the handler receives, checks the scopes once more,
 * and runs the effect that the handler returns.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type { Unauthorized } from "../../authorization/policy/OperationPolicy.ts"
import type { Verdict } from "../../authorization/policy/Verdict.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import * as RequestState from "../../authorization/RequestState.ts"
import { AccessDenied } from "../../protocol/AuthError.ts"
import { sanitizeCause } from "../../protocol/RemoteText.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as authInfo from "../host/AuthInfo.ts"
import * as handlerRejection from "./HandlerRejection.ts"
import type { AnyHandler, Wrapped } from "./Register.ts"
import { evaluateScopes, type RejectUnlessGranted, scopesFor } from "./RegistrationPolicy.ts"
import { callOf } from "./RegistrationRule.ts"
import type { State } from "./SdkTypes.ts"
import type { SetupLog } from "./SetupLog.ts"
import { otherServer } from "./TransportGuard.ts"

const withoutGate = (operation: string): string =>
  `${operation} was called without a caller of its gate. Put protect, protectFetch or createMcpHandler of the gate that ` +
  "registered it in front of the transport, and pass authInfo on to the transport. For stdio, use local"

/** The runtime of handlers, and the functions that find their caller. */
export interface HandlerRuntime<R> {
  readonly runtime: ManagedRuntime.ManagedRuntime<R, unknown>
  /** Whether anonymous requests may use operations that require no scopes. */
  readonly anonymous: boolean
  readonly callerOf: (extra: unknown) => Principal | undefined
  /** Returns whether `local` created a caller. No gate checks the scopes of such a caller before the handler. */
  readonly isLocal: (caller: Principal) => boolean
  /** Whether a denied tool call of a local caller is answered with the envelope of SEP-2643. */
  readonly structuredDenials: boolean
  readonly log: SetupLog
  /** Returns the rejection of a caller: for an error, or because the caller lacks one of the scopes or is anonymous. */
  readonly reject: (
    operation: string,
    caller: Principal | undefined,
    reason: AccessDenied | ReadonlyArray<string>
  ) => Promise<Rejection | undefined>
  /** Returns the principal as handlers receive it, with its claims decoded. */
  readonly present: (caller: Principal) => object
  /** Returns the services that an effect of a handler can use while it serves a request of this caller. */
  readonly services: (caller: Principal) => Context.Context<Principal | RequestState.RequestState>
}

/**
 * Creates the wrapper of handlers. The SDK passes the arguments to a handler, if there are any, and always passes the context
 * as the last parameter.
 *
 * Usually, the gate has already authorized the request. The second check ensures that no handler runs without its policy if
 * there is no gate in front of the server, or if the server has other registrations than those that the gate read.
 */
export const make =
  <R>(options: HandlerRuntime<R>) =>
  (registration: Wrapped, handler: AnyHandler): AnyHandler =>
  async (...parameters) => {
    const last = parameters.length - 1
    const context = parameters[last] as Record<string, unknown>
    const caller = options.callerOf(context)
    const operation = `${registration.kind} ${registration.name}`
    // The first parameter of a handler without arguments is the context.
    const evaluated = evaluate(options, registration, caller, last === 0 ? undefined : parameters[0], context)
    const verdict = evaluated instanceof Promise ? await evaluated : evaluated
    const rejected = rejectUnlessGranted(options, operation, registration.policy.unauthorized, verdict, caller, context)
    if (rejected !== undefined) {
      const error = await rejected
      const isDenied = verdict._tag === "Denied" || verdict._tag === "MissingScopes"
      if (!options.structuredDenials || !isDenied || !answersDenials(registration)) throw error
      // Over HTTP, the gate answers.
      if (caller === undefined || !options.isLocal(caller)) throw error
      const { denied } = await import("../../authorization/RejectedCall.ts")
      return denied(error.message)
    }
    parameters[last] = {
      ...context,
      principal: caller === undefined ? undefined : options.present(caller),
      state: caller === undefined ? undefined : stateOf(options, caller, operation)
    }
    const result = handler(...parameters)
    return Effect.isEffect(result)
      ? await run(options, result as Effect.Effect<unknown, unknown, R>, caller, signalOf(context))
      : result
  }

/** Returns whether a result of the handler can be the answer to a denied call. A handler that creates a task returns the task. */
const answersDenials = ({ createsTask, kind }: Wrapped): boolean => kind === "tool" && !createsTask

const rejectUnlessGranted = <R>(
  options: HandlerRuntime<R>,
  ...[operation, unauthorized, verdict, caller, context]: Parameters<RejectUnlessGranted>
): ReturnType<RejectUnlessGranted> => {
  if (verdict._tag === "Granted" && (caller !== undefined || options.anonymous)) return undefined
  const reason = reasonOf(verdict, unauthorized)
  if (caller !== undefined && options.isLocal(caller)) {
    return Promise.resolve(new handlerRejection.HandlerRejected(messageOf(reason)))
  }
  options.log("Error", caller === undefined ? withoutGate(operation) : otherServer(operation))
  return reject(options, context, operation, caller, reason)
}

/** Creates the function that rejects operations which run no handler that `make` wrapped. */
export const makeReject = <R>(options: HandlerRuntime<R>): RejectUnlessGranted => (...call) =>
  rejectUnlessGranted(options, ...call)

/** Returns the `AuthInfo` in the context of a handler: `authInfo` in SDK v1, and `http.authInfo` in SDK v2. */
export const authInfoOf = (context: unknown): object | undefined => {
  const { authInfo, http } = (context ?? {}) as { authInfo?: object; http?: { authInfo?: object } }
  return authInfo ?? http?.authInfo
}

/** Returns the verdict of the policy of a registration about a call, with the results of the checks that the gate ran. */
const evaluate = <R>(
  { runtime, services }: HandlerRuntime<R>,
  { kind, name, policy }: Wrapped,
  caller: Principal | undefined,
  first: unknown,
  context: unknown
): Verdict | Promise<Verdict> => {
  const { rule } = policy
  if (rule === undefined) {
    const isDynamic = typeof policy.scopes === "function"
    const required = typeof policy.scopes === "function"
      ? scopesFor(policy.scopes, first, `${kind} ${name}`)
      : policy.scopes
    return evaluateScopes(caller, required, isDynamic)
  }
  const info = authInfoOf(context)
  const verdict = rule.evaluator.evaluateCall(
    rule,
    caller,
    callOf(kind, name, first),
    info === undefined ? undefined : authInfo.requestOf(info)
  )
  return Effect.isEffect(verdict)
    ? runtime.runPromise(caller === undefined ? verdict : Effect.provideContext(verdict, services(caller)))
    : verdict
}

type Reason = AccessDenied | ReadonlyArray<string>

/** Returns why a call is rejected: the scopes to name in the challenge, or an error without a challenge. */
const reasonOf = (verdict: Verdict, unauthorized: Unauthorized): Reason => {
  switch (verdict._tag) {
    case "SignIn":
      return unauthorized === "challenge" ? verdict.required : []
    case "MissingScopes":
      return unauthorized === "challenge"
        ? verdict.required
        : new AccessDenied({ reason: "denied", failed: verdict.missing.map((scope) => `scope ${scope}`) })
    case "Denied":
      return new AccessDenied({ reason: "denied", failed: verdict.failed })
    // An anonymous caller of an open registration, where no gate has admitted the request.
    case "Granted":
    case "InvalidArguments":
      return []
  }
}

const messageOf = (reason: Reason): string =>
  reason instanceof AccessDenied
    ? "Access denied: the caller is not allowed to run this operation"
    : `Insufficient scope: this operation requires ${reason.join(" ")}`

/** Creates the error of a rejected call, and stores it in the context of the call. */
const reject = async <R>(
  options: HandlerRuntime<R>,
  context: unknown,
  operation: string,
  caller: Principal | undefined,
  reason: Reason
): Promise<handlerRejection.HandlerRejected> => {
  const message = caller === undefined ? "Authentication required" : messageOf(reason)
  const error = new handlerRejection.HandlerRejected(message, await options.reject(operation, caller, reason))
  handlerRejection.store(context, error)
  handlerRejection.store(authInfoOf(context), error)
  return error
}

const stateOf = <R>({ runtime, services }: HandlerRuntime<R>, caller: Principal, operation: string): State => {
  const use = (effect: Effect.Effect<string, unknown, Principal | RequestState.RequestState>) =>
    runtime.runPromise(Effect.provideContext(effect, services(caller)) as Effect.Effect<string, unknown, R>)
  return {
    seal: (state, options) => use(RequestState.seal(state, { ...options, operation })),
    open: (sealed) => use(RequestState.open(sealed, { operation }))
  }
}

const signalOf = (context: Record<string, unknown>): AbortSignal | undefined =>
  (context["signal"] ?? (context["mcpReq"] as Record<string, unknown> | undefined)?.["signal"]) as
    | AbortSignal
    | undefined

const run = async <R>(
  { runtime, services }: HandlerRuntime<R>,
  effect: Effect.Effect<unknown, unknown, R>,
  caller: Principal | undefined,
  signal: AbortSignal | undefined
): Promise<unknown> => {
  const provided = caller === undefined ? effect : Effect.provideContext(effect, services(caller))
  const reported = Effect.tapCause(
    provided,
    (cause) =>
      Cause.hasDies(cause)
        ? Effect.logError("A handler of the MCP server failed with a defect", sanitizeCause(cause))
        : Effect.void
  )
  const exit = await runtime.runPromiseExit(reported as Effect.Effect<unknown, unknown, R>, signal && { signal })
  if (Exit.isSuccess(exit)) return exit.value
  // Failures of a handler are meant for the client. A defect is a bug, and its message belongs only in the log.
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") throw new Error(Cause.hasInterruptsOnly(exit.cause) ? "Cancelled" : "Internal error")
  throw error.value instanceof Error ? error.value : new Error(String(error.value))
}
