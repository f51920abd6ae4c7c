import * as Result from "effect/Result"
import * as AuthChallenge from "../../authorization/AuthChallenge.ts"
import * as Caller from "../../authorization/Caller.ts"
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import { isPreflight, type Rejection } from "../../authorization/Rejection.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import { type Admitted, hasHeaders, otherRequest, type Policies } from "./Admission.ts"
import type { Limits } from "./Body.ts"
import { andThen, make as receiver, type Receiver } from "./Callback.ts"
import type { Host } from "./Host.ts"
import {
  extras,
  headerOfRequest,
  hostsOf,
  type NodeRequest,
  pathOf,
  type TenantOf,
  toGateRequest
} from "./NodeRequest.ts"
import * as bodies from "./NodeRequestBody.ts"
import { type NodeResponse, send, sendRejection } from "./NodeResponse.ts"
import type { Started } from "./Runner.ts"

/* Connects the gate with `(req, res)` of Node. */

export type { NodeRequest, TenantOf } from "./NodeRequest.ts"
export type { NodeResponse } from "./NodeResponse.ts"
export { prepare } from "./NodeResponse.ts"

/** The option `preflight`: a function that answers CORS preflights from allowed origins in place of the gate. */
export type AnswerPreflight = (req: NodeRequest, res: NodeResponse) => unknown

/** Reads the bodies of an endpoint, and waits for them without a fiber. */
export interface Reading extends bodies.Reading, Receiver {}

/** Prepares the reading of the bodies of an endpoint. */
export const reading = <A>(host: Host<A>, limits: Limits): Reading => ({
  ...receiver(host),
  ...bodies.reading(host, limits)
})

/** The options of the adapter that affect a decision. */
export interface DecisionOptions {
  readonly tenantOf?: TenantOf | undefined
  /** Answers preflights in place of the gate. */
  readonly preflight?: AnswerPreflight | undefined
  readonly parsedBody?: bodies.ParsedBody | undefined
}

/**
 * Decides about a request to an MCP endpoint. If the request is admitted, returns the admission. Otherwise sends the rejection
 * and returns `undefined`. If something has to be awaited, returns a promise of this result instead.
 */
export const decideCall = <A>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  reading: Reading,
  policies: Policies,
  options: DecisionOptions = {}
): Admitted<A> | undefined | Promise<Admitted<A> | undefined> => {
  // The client has disconnected. `close` was emitted already, so a wait for the body would never end.
  if (res.destroyed) return undefined
  if (!isNodeRequest(req)) return rejectOther(host, req, res, options)
  removeAuth(req)
  if (AuthChallenge.allowsToolResults(host.gate.published)) {
    // The body is read for a rejection as well, so all steps are one decision.
    const read = bodies.bodyReader(req, reading, options.parsedBody)
    const request = toGateRequest(req, host.fiber, options.tenantOf)
    return settle(host, req, res, options, host.start(() => host.admit(request, read, policies)))
  }
  const caller = host.start(() => host.admitCaller(toGateRequest(req, host.fiber, options.tenantOf)))
  const admitted = andThen(caller, (caller) => {
    const read = reading.receive<bodies.ReadResult>((end) => bodies.readBody(req, reading, end, options.parsedBody))
    const awaited = !Result.isResult(read)
    return andThen(read, (read) => host.start(() => host.admitBody(caller, () => read, policies, awaited)))
  })
  return settle(host, req, res, options, admitted)
}

/** Decides about a request to a route that is not an MCP endpoint. Has the same possible results as `decideCall`. */
export const decideRoute = <A>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  policy: OperationPolicy,
  options: DecisionOptions = {}
): Admitted<A> | undefined | Promise<Admitted<A> | undefined> => {
  if (!isNodeRequest(req)) return rejectOther(host, req, res, options)
  removeAuth(req)
  const admitted = host.start(() => host.admitRoute(toGateRequest(req, host.fiber, options.tenantOf), policy))
  return settle(host, req, res, options, admitted)
}

/**
 * Returns whether a value is a request of Node. The request object of a framework can have the same headers, or a `Headers` object in
 * which no token would be found. However, no transport can answer it.
 */
const isNodeRequest = (req: NodeRequest): boolean =>
  hasHeaders(req) && typeof (req as Partial<NodeRequest>).on === "function"

/** Rejects a value that is not a request of Node with 500 and a log line. */
const rejectOther = <A>(host: Host<A>, req: NodeRequest, res: NodeResponse, options: DecisionOptions) =>
  settle(host, req, res, options, host.start(() => host.gate.reject(Caller.unknown(host.fiber), otherRequest)))

/** Rejects a request of a wrong call of the middleware with 500 and a log line that contains the error. */
export const rejectCall = async <A>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  error: AuthConfigError
): Promise<void> => {
  const rejection = await host.run(() => host.gate.reject(Caller.unknown(host.fiber), error))
  sendRejection(host, req, res, Result.merge(rejection))
}

/**
 * Removes `req.auth`, which another middleware may have set. Handlers must not take its value for the caller that this gate
 * authenticated.
 */
const removeAuth = (req: NodeRequest): void => {
  if ("auth" in req) delete extras(req).auth
}

/** Returns the admission, or sends the rejection and returns `undefined`, when the decision has completed. */
const settle = <A>(
  host: Host<A>,
  req: NodeRequest,
  res: NodeResponse,
  { preflight }: DecisionOptions,
  started: Started<Admitted<A>>
): Admitted<A> | undefined | Promise<Admitted<A> | undefined> => {
  const settleResult = (
    result: Result.Result<Admitted<A>, Rejection>
  ): Admitted<A> | undefined | Promise<undefined> => {
    if (Result.isSuccess(result)) return result.success
    if (preflight !== undefined && isPreflight(result.failure)) {
      return Promise.resolve(preflight(req, res)).then(() => undefined)
    }
    sendRejection(host, req, res, result.failure)
    return undefined
  }
  if (Result.isResult(started)) return settleResult(started)
  res.on("close", started.abandon)
  return started.result.then((result) => {
    // Not `off`, which the responses of some mocks lack.
    res.removeListener("close", started.abandon)
    return settleResult(result)
  })
}

/** Sends the public document at the path of a request. Returns `undefined` if there is none. */
export const document = <A>(host: Host<A>, req: NodeRequest, res: NodeResponse): Promise<void> | undefined => {
  const found = host.document(pathOf(req), {
    header: (name) => headerOfRequest(req, name),
    host: hostsOf(req, extras(req).originalUrl ?? req.url)
  })
  return found === undefined
    ? undefined
    : host.run(() => found(req.method ?? "GET")).then((answer) => send(req, res, Result.merge(answer)))
}
