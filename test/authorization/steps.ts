/**
 * Takes requests through the steps of the gate, as a server adapter does, but without a server.
 */
import { Effect, Exit } from "effect"
import { Decision, type Principal } from "effect-mcp-auth"
import type { Gate, Rejection } from "effect-mcp-auth/host"
import type { Operation } from "effect-mcp-auth/protocol"

/** A request without its fiber. The functions of this file use the fiber of the test. */
export type Request = Omit<Gate.Request, "fiber">

/** Authenticates a request in the fiber of the test. */
export const authenticateCaller = (
  gate: Pick<Gate.Gate, "authenticate">,
  request: Request
): Effect.Effect<Gate.Caller, Rejection.Rejection> =>
  Effect.withFiber((fiber) => gate.authenticate({ ...request, fiber }))

/** Authenticates a request, and returns the principal of its caller. */
export const authenticate = (
  gate: Pick<Gate.Gate, "authenticate">,
  request: Request
): Effect.Effect<Principal | "anonymous", Rejection.Rejection> =>
  Effect.map(authenticateCaller(gate, request), ({ principal }) => principal ?? "anonymous")

/** An authenticated request whose body has not been read. */
export interface Call<R> {
  readonly caller: Gate.Caller | Principal
  /** The `Mcp-Session-Id` that the request presents. */
  readonly session?: string | undefined
  readonly protocolVersion?: string | undefined
  /** Reads the body. */
  readonly operations: Effect.Effect<ReadonlyArray<Operation.Operation>, unknown, R>
  readonly policy: (operation: Operation.Operation) => Gate.OperationPolicy | undefined
}

const isCaller = (caller: Gate.Caller | Principal): caller is Gate.Caller => "timing" in caller

/**
 * Takes an authenticated request through the remaining steps, as a server adapter does: session, body, recheck and
 * authorization.
 */
export const authorize = <R>(
  gate: Gate.Gate,
  { caller: given, operations, policy, protocolVersion, session }: Call<R>
): Effect.Effect<ReadonlyArray<Operation.Operation>, Rejection.Rejection, R> =>
  Effect.withFiber((fiber) => {
    const caller: Gate.Caller = isCaller(given) ? given : {
      principal: given,
      request: {
        fiber,
        method: "POST",
        header: (name) => name === "mcp-protocol-version" ? protocolVersion : undefined,
        authorization: []
      },
      timing: Decision.startTiming(fiber)
    }
    return Effect.gen(function*() {
      if (session !== undefined) yield* gate.sessions.check(caller, session)
      const read = yield* Effect.catchCause(operations, (cause) => gate.reject(caller, cause))
      const current = yield* gate.recheck(caller, !Exit.isExit(operations))
      yield* gate.authorize(current, read, policy)
      return read
    })
  })
