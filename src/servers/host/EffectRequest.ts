import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import * as AuthChallenge from "../../authorization/AuthChallenge.ts"
import type { ReadValue } from "../../authorization/AuthChallenge.ts"
import type { Caller, Request } from "../../authorization/Caller.ts"
import type { Gate } from "../../authorization/Gate.ts"
import * as Rejection from "../../authorization/Rejection.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import type { Answer } from "./Documents.ts"
import * as nodeRequest from "./NodeRequest.ts"
import * as requestHost from "./RequestHost.ts"

/** Presents a request of Effect's server to the gate. */
// A class, because creating an object literal with getters takes longer than the rest of the gate's work on a request. No field
// holds a closure, because V8 keeps a request that holds a closure alive until a full garbage collection.
class GateRequest implements Request {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly method: string
  readonly #request: HttpServerRequest.HttpServerRequest

  constructor(request: HttpServerRequest.HttpServerRequest, fiber: Fiber.Fiber<unknown, unknown>) {
    this.fiber = fiber
    this.method = request.method
    this.#request = request
  }

  header(name: string): string | undefined {
    return name === "origin" ? originOf(this.#request) : this.#request.headers[name]
  }

  get authorization(): ReadonlyArray<string> {
    return linesOf(this.#request, "authorization")
  }

  get dpop(): ReadonlyArray<string> {
    return linesOf(this.#request, "dpop")
  }

  get host(): ReadonlyArray<string> {
    return hostOf(this.#request)
  }

  get path(): string {
    return pathOf(this.#request)
  }

  routeParameter(name: string): string | undefined {
    const params = Context.getOrUndefined(
      this.fiber.context as Context.Context<HttpRouter.RouteContext>,
      HttpRouter.RouteContext
    )?.params
    return params !== undefined && Object.hasOwn(params, name) ? params[name] : undefined
  }
}

/** Creates the gate's view of a request. `fiber` serves the request, and its context contains the route. */
export const toGateRequest = (
  request: HttpServerRequest.HttpServerRequest,
  fiber: Fiber.Fiber<unknown, unknown>
): Request => new GateRequest(request, fiber)

/** Returns the request of Node behind a request of Effect, or `undefined` on other platforms. */
const nodeRequestOf = (
  { source }: HttpServerRequest.HttpServerRequest
): nodeRequest.Headed & { readonly originalUrl?: unknown; readonly url?: unknown } | undefined => {
  const { headers, on } = source as { readonly headers?: unknown; readonly on?: unknown }
  return typeof on === "function" && typeof headers === "object" && headers !== null
    ? source as unknown as nodeRequest.NodeRequest
    : undefined
}

/**
 * Returns whether a request certainly has the headers of the platform's request. A middleware of Effect changes headers in a copy
 * of the request, whose private member `headersOverride` contains them. This look-up avoids `headers`, whose first access makes
 * Effect copy all headers.
 */
const hasOwnHeaders = (request: HttpServerRequest.HttpServerRequest): boolean =>
  Object.hasOwn(request, "headersOverride") &&
  (request as { readonly headersOverride?: unknown }).headersOverride === undefined

/**
 * Returns the value of each line of a header. `NodeRequest` states the rule for Node: several lines that the client sent all count,
 * and otherwise the value that a middleware has set, replaced or removed. On other platforms, `Headers` joins all lines of a header
 * to one value.
 */
export const linesOf = (request: HttpServerRequest.HttpServerRequest, name: string): ReadonlyArray<string> => {
  const onNode = nodeRequestOf(request)
  const sent = onNode === undefined ? undefined : nodeRequest.linesOf(onNode, name)
  if (sent !== undefined && (sent.length > 1 || hasOwnHeaders(request))) return sent
  const line = request.headers[name]
  if (line === undefined) return []
  // `Credentials.parse` rejects a joined value that contains several credentials.
  return name === "authorization" ? [line] : headerLines.split(line)
}

/**
 * Returns the value of `Origin`. On Node, reads it from the request of the platform: the first access to `headers` makes Effect
 * copy all headers, and most requests have no `Origin`.
 */
const originOf = (request: HttpServerRequest.HttpServerRequest): string | undefined => {
  const onNode = nodeRequestOf(request)
  return onNode !== undefined && nodeRequest.originOf(onNode) === undefined ? undefined : request.headers["origin"]
}

/** Returns whether a request asks for a WebSocket: a GET request with an `Upgrade` header. */
export const isUpgrade = (request: HttpServerRequest.HttpServerRequest): boolean => {
  if (request.method !== "GET") return false
  const onNode = nodeRequestOf(request)
  if (onNode !== undefined) return nodeRequest.linesOf(onNode, "upgrade").length > 0
  const { headers } = request.source as { readonly headers?: unknown }
  return headers instanceof Headers && headers.has("upgrade")
}

/**
 * Returns the hosts that a request names: the value of each `Host` header (`:authority` in HTTP/2), and the host of its URL if
 * the URL is absolute. Reads the request of the platform if possible.
 */
export const hostOf = (request: HttpServerRequest.HttpServerRequest): ReadonlyArray<string> => {
  const onNode = nodeRequestOf(request)
  if (onNode !== undefined) return nodeRequest.hostsOf(onNode, onNode.originalUrl ?? onNode.url)
  const { headers, source, url } = request
  const { headers: own, url: target } = source as { readonly headers?: unknown; readonly url?: unknown }
  if (own instanceof Headers && typeof target === "string") return requestHost.ofFetch(target, own)
  return requestHost.ofRaw(headers["host"] === undefined ? [] : ["host", headers["host"]], url)
}

/**
 * Returns the path as the client sent it. Reads it from the request of the platform, because Effect's request can have another
 * path: a router with a prefix shortens `url`, and `originalUrl` begins with the value of the `Host` header, into which a
 * client can write a path. In a request of Node, frameworks shorten `url` below a mount point and keep the full value in
 * `originalUrl`.
 */
export const pathOf = (request: HttpServerRequest.HttpServerRequest): string => {
  const { originalUrl, url } = request.source as { readonly originalUrl?: unknown; readonly url?: unknown }
  const target = typeof originalUrl === "string" ? originalUrl : url
  return requestPath.of(typeof target === "string" ? target : request.url)
}

/** The gate that authenticated a request, and the caller of the request. Later decisions about the request use both. */
// A class instead of a literal, for the reason that `Decision.ts` gives for `Arrival`.
class GateContext {
  readonly gate: Gate
  readonly caller: Caller

  constructor(gate: Gate, caller: Caller) {
    this.gate = gate
    this.caller = caller
  }
}

// The key of a property of the platform's request, which stays the same object while Effect copies its own request object. To
// add a service to the context instead could take longer than the rest of the gate: every ninth addition copies the context.
const gateContext = Symbol.for("effect-mcp-auth/gateContext")

type Source = { [gateContext]?: GateContext | undefined }

/** Stores the gate that authenticated a request, and the caller of the request. */
export const storeGateContext = (
  request: HttpServerRequest.HttpServerRequest,
  gate: Gate,
  caller: Caller
): void => {
  ;(request.source as Source)[gateContext] = new GateContext(gate, caller)
}

/** Returns the gate that authenticated a request, and the caller. Returns `undefined` if no gate authenticated the request. */
export const gateContextOf = (request: HttpServerRequest.HttpServerRequest): GateContext | undefined =>
  (request.source as Source)[gateContext]

// Most rejections are objects that the gate creates once and returns many times, so their responses are cached.
const prepared = new WeakMap<Rejection.Rejection | Answer, HttpServerResponse.HttpServerResponse>()

/** Turns a rejection or a document into a response of Effect's server. */
export const fromRejection = (answer: Rejection.Rejection | Answer): HttpServerResponse.HttpServerResponse => {
  const known = prepared.get(answer)
  if (known !== undefined) return known
  const made = toResponse(answer)
  prepared.set(answer, made)
  return made
}

const toResponse = ({ body, headers, status }: Rejection.Rejection | Answer): HttpServerResponse.HttpServerResponse => {
  if (body === "") return HttpServerResponse.empty({ status, headers })
  const { "content-type": contentType, ...others } = headers
  return HttpServerResponse.text(body, { status, headers: others, contentType: contentType ?? "application/json" })
}

const exposing = "access-control-expose-headers"

const allowOriginHeader = "access-control-allow-origin"
const allowCredentials = "access-control-allow-credentials"

/** The CORS headers that stay if a rejection replaces a response. */
const corsHeaders = [allowOriginHeader, allowCredentials, exposing, "vary"]

/** Adds the CORS headers that a middleware has set in `before`, the response that this one replaces. */
const keepCors = (
  response: HttpServerResponse.HttpServerResponse,
  before: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  const allowed = response.headers[allowOriginHeader]
  const isOther = allowed !== undefined && allowed !== before.headers[allowOriginHeader]
  return corsHeaders.reduce((made, name) => {
    const value = before.headers[name]
    const members = made.headers[name]
    if (value === undefined || name === allowOriginHeader && members !== undefined) return made
    // A middleware sets this header for the origins that it allows itself, and this is not one of them.
    if (isOther && name === allowCredentials) return made
    return HttpServerResponse.setHeader(
      made,
      name,
      members === undefined ? value : headerLines.addMembers(value, members)
    )
  }, response)
}

const toReadable = (
  gate: Gate,
  request: HttpServerRequest.HttpServerRequest,
  rejection: Rejection.Rejection
): HttpServerResponse.HttpServerResponse =>
  fromRejection(Rejection.allowOrigin(rejection, originOf(request), gate.published.allowsOrigin))

/** Adds the CORS headers of a rejection to the response that is sent, to which a middleware may have added its headers. */
const addCors = (
  sent: HttpServerResponse.HttpServerResponse,
  headers: Rejection.Rejection["headers"]
): HttpServerResponse.HttpServerResponse => {
  const allowed = headers[allowOriginHeader]
  const made = allowed === undefined || sent.headers[allowOriginHeader] !== undefined
    ? sent
    // A middleware allows credentials for the origins that it allows itself, and this is not one of them.
    : HttpServerResponse.setHeader(HttpServerResponse.removeHeader(sent, allowCredentials), allowOriginHeader, allowed)
  return [exposing, "vary"].reduce((made, name) => {
    const members = headers[name]
    return members === undefined
      ? made
      : HttpServerResponse.setHeader(made, name, headerLines.addMembers(made.headers[name], members))
  }, made)
}

/** Turns the rejection of a request into a response of Effect's server. Pages of allowed origins can read it. */
const respondWith = (
  gate: Gate,
  request: HttpServerRequest.HttpServerRequest,
  rejection: Rejection.Rejection
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  const response = fromRejection(rejection)
  const { headers } = Rejection.allowOrigin(rejection, originOf(request), gate.published.allowsOrigin)
  if (headers === rejection.headers && headers[exposing] === undefined) return Effect.succeed(response)
  return Effect.withFiber(({ context }) => {
    // A CORS middleware such as `HttpRouter.cors` overwrites headers of the response. This handler runs after the middleware.
    HttpEffect.appendPreResponseHandlerUnsafe(context, (_, sent) => Effect.succeed(addCors(sent, headers)))
    return Effect.succeed(response)
  })
}

/** Replaces the response to a request by a rejection when the response is sent. Keeps the headers of a CORS middleware. */
export const replaceResponse = (
  context: Context.Context<never>,
  gate: Gate,
  request: HttpServerRequest.HttpServerRequest,
  rejection: Rejection.Rejection
): void =>
  HttpEffect.appendPreResponseHandlerUnsafe(
    context,
    (_, sent) => Effect.succeed(keepCors(toReadable(gate, request, rejection), sent))
  )

/**
 * Runs a step of the gate and passes its result to `next`. If the step fails, responds with the rejection. If the step is a
 * successful `Exit`, calls `next` at once, without another effect.
 */
export const continueWith = <A, E, R>(
  gate: Gate,
  request: HttpServerRequest.HttpServerRequest,
  step: Effect.Effect<A, Rejection.Rejection>,
  next: (result: A) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  Exit.isExit(step) && Exit.isSuccess(step) ? next(step.value as A) : Effect.matchEffect(step, {
    onFailure: (rejection) => respondWith(gate, request, rejection),
    onSuccess: next
  })

/** Turns the rejections of an effect into responses. The router handles every other failure. */
export const respondToRejections = <E, R>(
  gate: Gate,
  request: HttpServerRequest.HttpServerRequest,
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, Exclude<E, Rejection.Rejection>, R> => {
  const respond = (rejection: Rejection.Rejection) => respondWith(gate, request, rejection)
  const isRejection = (error: unknown): error is E & Rejection.Rejection =>
    (error as Partial<Rejection.Rejection> | undefined)?._tag === "Rejection"
  const rejected = Exit.isExit(app) ? Result.getOrUndefined(Exit.findError(app)) : undefined
  return (isRejection(rejected) ? respond(rejected) : Effect.catchIf(app, isRejection, respond)) as Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    Exclude<E, Rejection.Rejection>,
    R
  >
}

/**
 * The apps that decide about anonymous requests themselves. The middleware of the MCP server adds its app to this map. The
 * middleware of `AuthLayer` rejects anonymous requests to every app that is not in the map. If another middleware wraps the app
 * of the MCP server, the wrapper is not in the map, so anonymous requests to the wrapper are rejected.
 */
export const mcpApps = new WeakMap<object, McpApp>()

/** The function of an MCP server that reads and parses the body of a request. It returns the same body as often as it is called. */
export interface McpApp {
  readonly read: (request: HttpServerRequest.HttpServerRequest) => ReturnType<ReadValue>
}

/**
 * Completes a step of the gate for a request to an MCP server. If it is the rejection of a tool call, the options `authChallenge` and
 * `structuredDenials` determine the form.
 */
export const inForm = <A>(
  gate: Gate,
  request: HttpServerRequest.HttpServerRequest,
  fiber: Fiber.Fiber<unknown, unknown>,
  app: McpApp | undefined,
  step: Effect.Effect<A, Rejection.Rejection>
): Effect.Effect<A, Rejection.Rejection> =>
  app === undefined || !AuthChallenge.allowsToolResults(gate.published)
    ? step
    : AuthChallenge.inForm(gate.published, toGateRequest(request, fiber), () => app.read(request), step)
