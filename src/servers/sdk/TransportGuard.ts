/**
 * Authorizes a request again when the transport of a server receives it, with the policies of that server.
 *
 * The gate reads the policies before the transport is involved. If the program gives it another server than the one that
 * answers, the gate admits calls that the answering server rejects. Here the response has not started yet, so the client still
 * receives the status and the challenge that it needs for a step-up.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import type * as Operation from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Admitted, Policies } from "../host/Admission.ts"
import type { Host } from "../host/Host.ts"
import type { NodeRequest } from "../host/NodeHost.ts"
import { type NodeResponse, sendRejection } from "../host/NodeResponse.ts"
import type { Started } from "../host/Runner.ts"
import { respondTo } from "../host/WebHost.ts"
import { hasScopes } from "./RegistrationPolicy.ts"
import * as sdkPolicies from "./SdkPolicies.ts"
import type { Registry } from "./SdkRegistry.ts"
import type { SetupLog } from "./SetupLog.ts"

/** A request that a gate admitted, with the admission. */
interface AdmittedRequest {
  readonly host: Host
  readonly admitted: Admitted
}

// The key of a property of a request, and of a transport. `makePolicies` explains why these are not WeakMaps.
const key = Symbol("effect-mcp-auth/TransportGuard")

type Request = { [key]?: AdmittedRequest }

/** Stores the admission of a request, for the transport that receives the request. */
export const storeAdmitted = (request: object, host: Host, admitted: Admitted): void => {
  ;(request as Request)[key] = { host, admitted }
}

/** Returns the admission of a request that this gate admitted. */
export const findAdmitted = (request: object, host: Host): Admitted | undefined => {
  const known = (request as Request)[key]
  return known?.host === host ? known.admitted : undefined
}

/** Returns the rejection of a request by the server that answers it, or `undefined` if the server admits the request. */
type Check = (server: object, admitted: Admitted) => Started<void> | undefined

/** The functions of an HTTP transport that receive requests. */
const receivers = ["handleRequest", "handlePostMessage"] as const

type Receive = (...args: ReadonlyArray<unknown>) => unknown

/** The guard of one transport: the server that it is connected to, and its own functions. */
interface Guard {
  server: object
  readonly gate: TransportGuard
  readonly own: { readonly [Name in typeof receivers[number]]?: Receive }
}

type Transport = { [key]?: Guard } & { [Name in typeof receivers[number]]?: Receive }

/** Guards the transports that the servers of one gate connect to. */
export interface TransportGuard {
  readonly host: Host
  readonly check: Check
}

/** Makes an HTTP transport check each request. Other transports stay as they are. */
export const guard = (gate: TransportGuard, server: object, transport: Transport): void => {
  const known = transport[key]
  if (known !== undefined) {
    known.server = server
    return
  }
  const { handlePostMessage, handleRequest } = transport
  if (handleRequest === undefined && handlePostMessage === undefined) return
  transport[key] = {
    server,
    gate,
    own: {
      ...(handleRequest === undefined ? {} : { handleRequest }),
      ...(handlePostMessage === undefined ? {} : { handlePostMessage })
    }
  }
  for (const name of receivers) if (transport[name] !== undefined) transport[name] = checking[name]
}

/** Creates a function that checks a request before the transport receives it. */
const checkingBefore = (name: typeof receivers[number]): Receive =>
  function(this: Transport, ...args) {
    const { gate: { check, host }, own, server } = this[key]!
    const [request, response] = args as [Request | undefined, unknown]
    const receive = () => Reflect.apply(own[name]!, this, args)
    const known = request?.[key]
    const checked = known?.host === host ? check(server, known.admitted) : undefined
    if (checked === undefined) return receive()
    const settle = (result: Result.Result<void, Rejection>) =>
      Result.isSuccess(result) ? receive() : respond(host, request, response, result.failure)
    return Result.isResult(checked) ? Promise.resolve(settle(checked)) : checked.result.then(settle)
  }

// One function for all transports. If each transport had a closure, V8 would keep it alive until a full garbage collection.
const checking = {
  handleRequest: checkingBefore("handleRequest"),
  handlePostMessage: checkingBefore("handlePostMessage")
}

/** Sends a rejection on Node. Returns it as a `Response` on other platforms. */
const respond = (host: Host, request: unknown, response: unknown, rejection: Rejection): unknown => {
  if (typeof (response as Partial<NodeResponse> | undefined)?.setHeader !== "function") {
    return respondTo(host, request as globalThis.Request, rejection, {})
  }
  sendRejection(host, request as NodeRequest, response as NodeResponse, rejection)
  return undefined
}

/** The parts of a gate that the check needs. */
interface Parts {
  readonly host: Host
  readonly registry: Registry
  readonly policiesFor: (find: sdkPolicies.Find) => Policies
  readonly log: SetupLog
}

/** Creates the guard of a gate. */
export const make = ({ host, log, policiesFor, registry }: Parts): TransportGuard => {
  /** Returns whether a server certainly admits an operation. Evaluates no function of the author of the server. */
  const isAdmitted = (server: object, operation: Operation.Operation, principal: Principal | undefined): boolean => {
    const found = registry.find(server, operation, principal)
    if (found === undefined) return true
    const scopes = found.policy?.scopes
    return typeof scopes === "object"
      ? hasScopes(principal, scopes)
      : principal !== undefined && (scopes === undefined || sdkPolicies.isEvaluated(operation))
  }

  /** Authorizes with the policies of the server that answers. */
  const authorize = (
    server: object,
    { authInfo, body, caller, operations, principal, session }: Admitted
  ): Effect.Effect<void, Rejection> => {
    const request = { session, principal, authInfo, operations, body }
    const policies = Effect.catchCause(
      policiesFor(() => server)(request),
      (cause) => host.gate.reject(caller, cause, operations)
    )
    return Effect.flatMap(policies, (policyOf) => {
      const policyFor = (operation: Operation.Operation): OperationPolicy | undefined => {
        const policy = policyOf(operation)
        return policy === "unknown" ? undefined : policy
      }
      const rejected = operations.find((operation) => {
        const { authenticated = false, scopes } = policyFor(operation) ?? open
        return (authenticated && principal === undefined) || !hasScopes(principal, scopes)
      })
      // The gate has reported the admission already, so an operation that is admitted again is not reported.
      if (rejected === undefined) return Effect.void
      log("Error", otherServer(`${rejected.kind ?? "method"} ${rejected.target ?? rejected.method}`))
      return host.gate.authorize(caller, operations, policyFor)
    })
  }

  return {
    host,
    check: (server, admitted) =>
      admitted.operations.every((operation) => isAdmitted(server, operation, admitted.principal))
        ? undefined
        : host.start(() => authorize(server, admitted))
  }
}

const open: Pick<OperationPolicy, "scopes" | "authenticated"> = { scopes: [] }

/** The log line about a program that gives the gate another server than the one that answers. */
export const otherServer = (operation: string): string =>
  `${operation} was rejected by its own check of scopes, because the gate in front of the transport read no such policy. ` +
  "Give protect or protectFetch the server that answers the request, or a function that returns it"
