/**
 * Authorizes a request again when the transport of a server receives it, with the policies of that server.
 *
 * The gate reads the policies before the transport is involved. If the program gives it another server than the one that
 * answers, the gate admits calls that the answering server rejects. Here the response has not started yet, so the client still
 * receives the status and the challenge that it needs for a step-up.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { BoundPolicy, OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import type { Verdict } from "../../authorization/policy/Verdict.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import { own } from "../../protocol/Json.ts"
import type * as Operation from "../../protocol/Operation.ts"
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
import * as updateFilter from "./UpdateFilter.ts"
import type { Viewer } from "./Visibility.ts"

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
  readonly viewerOf: (context: unknown) => Viewer
  readonly isUpdateAdmitted: Registry["isUpdateAdmitted"]
}

/** Makes an HTTP transport check each request, and every transport filter the updates of resources. */
export const guard = (gate: TransportGuard, server: object, transport: Transport): void => {
  updateFilter.filter(gate.isUpdateAdmitted, server, transport)
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

/** A request that a transport receives: of Node, where the SDK reads the caller from `auth`, or a `Request`. */
interface ReceivedRequest extends Request {
  readonly method?: string
  readonly auth?: unknown
}

/** The second argument of a transport that receives a `Request`. */
interface TransportOptions {
  readonly authInfo?: unknown
}

/** Creates a function that checks a request before the transport receives it. */
const checkingBefore = (name: typeof receivers[number]): Receive =>
  function(this: Transport, ...args) {
    const { gate: { check, host, viewerOf }, own, server } = this[key]!
    const [request, response] = args as [ReceivedRequest | undefined, unknown]
    const known = request?.[key]
    const admitted = known?.host === host ? known.admitted : undefined
    const receive = () => {
      const tracked = updateFilter.track(
        this,
        // The program can pass another request than the one that was admitted, with the `authInfo` of the admission.
        admitted === undefined
          ? viewerOf({ authInfo: request?.auth ?? (response as TransportOptions | undefined)?.authInfo })
          : sdkPolicies.viewerOf(admitted),
        { isStream: request?.method === "GET", response }
      )
      const received: unknown = Reflect.apply(own[name]!, this, args)
      return received instanceof Promise
        ? received.then((answer: unknown) => {
          tracked(answer)
          return answer
        })
        : received
    }
    const checked = admitted === undefined ? undefined : check(server, admitted)
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
  readonly viewerOf: TransportGuard["viewerOf"]
  readonly log: SetupLog
}

/** Creates the guard of a gate. */
export const make = ({ host, log, policiesFor, registry, viewerOf }: Parts): TransportGuard => {
  /** Returns whether a server certainly admits an operation. Evaluates no function of the author of the server. */
  const isAdmitted = (server: object, operation: Operation.Operation, viewer: Viewer): boolean => {
    const found = registry.find(server, operation, viewer)
    if (found === undefined) return true
    const { principal } = viewer
    if (found.policy?.rule !== undefined) return isGrantedBy(found.policy.rule, operation, viewer)
    const scopes = found.policy?.scopes
    return typeof scopes === "object"
      ? hasScopes(principal, scopes)
      : principal !== undefined && (scopes === undefined || sdkPolicies.isEvaluated(operation))
  }

  /** Returns whether a policy admits an operation, as far as that is known without a check that did not run yet. */
  const isGrantedBy = (rule: BoundPolicy, operation: Operation.Operation, viewer: Viewer): boolean => {
    // The gate has admitted the completion with the policy of the same registration.
    const reduced = operation.method === "completion/complete" ? rule.evaluator.withoutCallChecks(rule) : rule
    const verdict = evaluateCall(reduced, operation, viewer)
    return !Effect.isEffect(verdict) && isAdmitting(verdict)
  }

  /** Returns the Effect that evaluates policies without a report. The first operation that is not admitted is the result. */
  const findRejected = (
    operations: ReadonlyArray<Operation.Operation>,
    policyFor: (operation: Operation.Operation) => OperationPolicy | undefined,
    viewer: Viewer
  ): Effect.Effect<Operation.Operation | undefined> =>
    Effect.gen(function*() {
      for (const operation of operations) {
        const { authenticated = false, rule, scopes } = policyFor(operation) ?? open
        const { principal } = viewer
        if (rule === undefined) {
          if ((authenticated && principal === undefined) || !hasScopes(principal, scopes)) return operation
          continue
        }
        const evaluated = evaluateCall(rule, operation, viewer)
        const verdict = Effect.isEffect(evaluated)
          ? yield* Effect.updateContext(
            evaluated,
            (context: Context.Context<never>) =>
              principal === undefined ? context : host.gate.provideCaller(context, principal)
          )
          : evaluated
        if (!isAdmitting(verdict)) return operation
      }
      return undefined
    })

  /** Authorizes with the policies of the server that answers. */
  const authorize = (
    server: object,
    { authInfo, body, caller, operations, principal, session }: Admitted
  ): Effect.Effect<void, Rejection> => {
    const request = { session, principal, authInfo, operations, body }
    const rejectCause = (cause: Cause.Cause<unknown>) => host.gate.reject(caller, cause, operations)
    const policies = Effect.catchCause(policiesFor(() => server)(request), rejectCause)
    return Effect.flatMap(policies, (policyOf) => {
      const policyFor = (operation: Operation.Operation): OperationPolicy | undefined => {
        const policy = policyOf(operation)
        return policy === "unknown" ? undefined : policy
      }
      const viewer = sdkPolicies.viewerOf(request)
      const found = Effect.catchCause(findRejected(operations, policyFor, viewer), rejectCause)
      return Effect.flatMap(found, (rejected) => {
        // The gate has reported the admission already, so an operation that is admitted again is not reported.
        if (rejected === undefined) return Effect.void
        log("Error", otherServer(`${rejected.kind ?? "method"} ${rejected.target ?? rejected.method}`))
        return host.gate.authorize(caller, operations, policyFor)
      })
    })
  }

  return {
    host,
    viewerOf,
    isUpdateAdmitted: registry.isUpdateAdmitted,
    check: (server, admitted) => {
      const viewer = sdkPolicies.viewerOf(admitted)
      return admitted.operations.every((operation) => isAdmitted(server, operation, viewer))
        ? undefined
        : host.start(() => authorize(server, admitted))
    }
  }
}

/** Evaluates the policy of a call, with the results of the checks that the gate ran. */
const evaluateCall = (
  rule: BoundPolicy,
  { method, params, target = "" }: Operation.Operation,
  { principal, request }: Viewer
): Verdict | Effect.Effect<Verdict> =>
  rule.evaluator.evaluateCall(rule, principal, { method, target, arguments: own(params, "arguments") }, request)

// The SDK rejects a call whose arguments do not decode.
const isAdmitting = ({ _tag }: Verdict): boolean => _tag === "Granted" || _tag === "InvalidArguments"

const open: Pick<OperationPolicy, "scopes" | "authenticated" | "rule"> = { scopes: [] }

/** The log line about a program that gives the gate another server than the one that answers. */
export const otherServer = (operation: string): string =>
  `${operation} was rejected by its own check of scopes, because the gate in front of the transport read no such policy. ` +
  "Give protect or protectFetch the server that answers the request, or a function that returns it"
