import * as Result from "effect/Result"
import * as Caller from "../../authorization/Caller.ts"
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import { allowOrigin, isPreflight, type Rejection } from "../../authorization/Rejection.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import { type Admitted, hasHeaders, otherRequest, type Policies } from "./Admission.ts"
import { cachedBody, type HonoContext, mergeCors } from "./HonoContext.ts"
import type { Host } from "./Host.ts"
import * as requestHost from "./RequestHost.ts"
import { type TenantOf, toGateRequest } from "./WebRequest.ts"
import { type Reading, WebRequestBody } from "./WebRequestBody.ts"
import { checkResponse, endInTime, toResponse } from "./WebResponse.ts"

/* Connects the gate with `Request` and `Response`. */

/** The option `preflight`: a function that answers CORS preflights from allowed origins in place of the gate. */
export type AnswerPreflight = () => Response | Promise<Response>

/** The options of the adapter that affect a decision. */
export interface DecisionOptions {
  readonly tenantOf?: TenantOf | undefined
  /** Answers preflights in place of the gate. */
  readonly preflight?: AnswerPreflight | undefined
  /** The context of Hono, if the handler received one. */
  readonly context?: HonoContext | undefined
}

/** Turns the rejection of a request into a response. If `preflight` is set, it answers preflights instead. */
export const respondTo = <A>(
  { gate }: Host<A>,
  request: Request,
  rejection: Rejection,
  { context, preflight }: DecisionOptions
): Response | Promise<Response> => {
  if (preflight !== undefined && isPreflight(rejection)) return preflight()
  const origin = isRequest(request) ? request.headers.get("origin") ?? undefined : undefined
  const response = toResponse(allowOrigin(rejection, origin, gate.published.allowsOrigin), request.method)
  if (context !== undefined) mergeCors(context, response)
  return response
}

/** Returns whether a value is a `Request`. The headers of a request of Node have no methods. */
const isRequest = (request: Request): boolean =>
  hasHeaders(request) && typeof (request.headers as Partial<Headers>).get === "function"

/** Rejects a value that is not a `Request` with 500 and a log line. */
const rejectOther = async <A>(host: Host<A>, request: Request, options: DecisionOptions): Promise<Response> =>
  respondTo(
    host,
    request,
    Result.merge(await host.run(() => host.gate.reject(Caller.unknown(host.fiber), otherRequest))),
    options
  )

/** Responds with the public document at the path of a request. Returns `undefined` if there is none. */
export const document = <A>(host: Host<A>, request: Request): Promise<Response> | undefined => {
  const found = host.document(requestPath.of(request.url), {
    header: (name) => request.headers.get(name) ?? undefined,
    host: requestHost.ofFetch(request.url, request.headers)
  })
  return found === undefined
    ? undefined
    : host.run(() => found(request.method)).then((answer) => toResponse(Result.merge(answer), request.method))
}

/** Decides about a request to an MCP endpoint, and runs the handler if the request is admitted. */
export const serve = async <A>(
  host: Host<A>,
  request: Request,
  options: DecisionOptions & { readonly reading: Reading; readonly policies: Policies },
  handler: (admitted: Admitted<A>, request: Request) => Response | Promise<Response>
): Promise<Response> => {
  if (!isRequest(request)) return rejectOther(host, request, options)
  const { context, reading } = options
  const isCached = context !== undefined && request.bodyUsed && reading.parsedBody === undefined
  const body = new WebRequestBody(request, isCached ? { ...reading, parsedBody: () => cachedBody(context) } : reading)
  const admitted = await host.run(
    () => host.admit(toGateRequest(request, host.fiber, options.tenantOf), body.read, options.policies),
    request.signal
  )
  if (Result.isFailure(admitted)) return respondTo(host, request, admitted.failure, options)
  const response = checkResponse(await handler(admitted.success, body.toRequest()))
  const issued = response.headers.get("mcp-session-id") ?? undefined
  const recorded = await host.recordResponse(admitted.success, response.status, issued)
  if (Result.isFailure(recorded)) {
    response.body?.cancel().catch(() => {})
    return respondTo(host, request, recorded.failure, options)
  }
  return endInTime(host, admitted.success, response)
}

/** Decides about a request to a route that is not an MCP endpoint, and runs the handler if the request is admitted. */
export const serveRoute = async <A>(
  host: Host<A>,
  request: Request,
  options: DecisionOptions & { readonly policy: OperationPolicy },
  handler: (admitted: Admitted<A>) => Response | Promise<Response>
): Promise<Response> => {
  if (!isRequest(request)) return rejectOther(host, request, options)
  const admitted = await host.run(
    () => host.admitRoute(toGateRequest(request, host.fiber, options.tenantOf), options.policy),
    request.signal
  )
  if (Result.isFailure(admitted)) return respondTo(host, request, admitted.failure, options)
  return endInTime(host, admitted.success, checkResponse(await handler(admitted.success)))
}
