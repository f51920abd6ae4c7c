/**
 * Handlers on the official SDKs: who calls, a last look at the scopes, and effects as promises.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import { RequestState } from "../../authorization/RequestState.ts"
import { sanitizeCause } from "../../protocol/RemoteText.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { AnyHandler } from "./Register.ts"
import { type Caller, holds, type Requirement } from "./SdkRegistry.ts"
import type { State } from "./SdkTypes.ts"

/** What the SDKs make of it: an error result of a tool, a JSON-RPC error of a prompt or a resource. */
class Rejected extends Error {
  override readonly name = "Rejected"
  readonly code = -32001
}

/** What is needed to run handlers. */
export interface Options<R> {
  readonly runtime: ManagedRuntime.ManagedRuntime<R, unknown>
  /** Whether anonymous requests may use what needs no scopes. */
  readonly anonymous: boolean
  readonly callerOf: (extra: unknown) => Caller
  /** What a handler sees of its caller: the claims decoded. */
  readonly present: (caller: NonNullable<Caller>) => object
  /** The services of a caller's request. */
  readonly services: (caller: NonNullable<Caller>) => Context.Context<Principal | RequestState>
}

/**
 * Wraps a handler of the user's for the SDK, which calls it with its arguments, if any, and its context last.
 *
 * The gate in front of the server has decided by then, and answered 401 or 403. This is for servers on which it does not
 * stand, or which have registered something else than the one that it looked at: nothing runs without its scopes.
 */
export const make =
  <R>(options: Options<R>) =>
  (operation: string, requirement: Requirement, handler: AnyHandler): AnyHandler =>
  async (...parameters) => {
    const last = parameters.length - 1
    const context = parameters[last] as Record<string, unknown>
    const caller = options.callerOf(context)
    const dynamic = typeof requirement.scopes === "function"
    const scopes = typeof requirement.scopes === "function" ? requirement.scopes(parameters[0]) : requirement.scopes
    if (caller === undefined && (dynamic || scopes.length > 0 || !options.anonymous)) {
      throw new Rejected("Authentication required")
    }
    if (!holds(caller, scopes)) throw new Rejected("Insufficient scope")
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

const stateOf = <R>({ runtime, services }: Options<R>, caller: NonNullable<Caller>, operation: string): State => {
  const use = (effect: Effect.Effect<string, unknown, Principal | RequestState>) =>
    runtime.runPromise(Effect.provideContext(effect, services(caller)) as Effect.Effect<string, unknown, R>)
  return {
    seal: (state, { lifetime } = {}) => use(RequestState.use((_) => _.seal(state, { operation, lifetime }))),
    open: (sealed) => use(RequestState.use((_) => _.open(sealed, { operation })))
  }
}

const signalOf = (context: Record<string, unknown>): AbortSignal | undefined =>
  (context["signal"] ?? (context["mcpReq"] as Record<string, unknown> | undefined)?.["signal"]) as
    | AbortSignal
    | undefined

const run = async <R>(
  { runtime, services }: Options<R>,
  effect: Effect.Effect<unknown, unknown, R>,
  caller: Caller,
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
  // What a handler fails with is meant to be told. A defect is a bug, and what it says is for the log.
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") throw new Error(Cause.hasInterruptsOnly(exit.cause) ? "Cancelled" : "Internal error")
  throw error.value instanceof Error ? error.value : new Error(String(error.value))
}
