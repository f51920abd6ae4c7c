import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import type * as Decision from "../../authorization/Decision.ts"
import type * as Gate from "../../authorization/Gate.ts"
import type { Rejection } from "../../authorization/Rejection.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Answer } from "./Documents.ts"
import * as requestHost from "./RequestHost.ts"

/**
 * What the gate sees of an Effect request. A class, since a literal with getters costs more than all that is done with it,
 * and without functions of its own: V8 would keep each request alive until a full collection, for a function in a field.
 */
class GateRequest implements Gate.Request {
  readonly method: string
  readonly #request: HttpServerRequest.HttpServerRequest
  readonly #context: Context.Context<never>

  constructor(request: HttpServerRequest.HttpServerRequest, context: Context.Context<never>) {
    this.#request = request
    this.#context = context
    this.method = request.method
  }

  header(name: string): string | undefined {
    // Effect and Node copy every header for whoever asks for one, and every request is asked for its origin.
    return name === "origin" && !hasOrigin(this.#request) ? undefined : this.#request.headers[name]
  }

  get authorization(): ReadonlyArray<string> {
    return linesOf(this.#request, "authorization")
  }

  /** With an `Origin` `recall` does not look. */
  get recalled(): boolean {
    return !hasOrigin(this.#request)
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
      this.#context as Context.Context<HttpRouter.RouteContext>,
      HttpRouter.RouteContext
    )?.params
    return params !== undefined && Object.hasOwn(params, name) ? params[name] : undefined
  }
}

/** For a request that `recall` was asked about, with the context that its route has. */
export const toGateRequest = (
  request: HttpServerRequest.HttpServerRequest,
  context: Context.Context<never>
): Gate.Request => new GateRequest(request, context)

/**
 * The lines of a header as they came in. Node drops all but the first `Authorization` from its headers and keeps the
 * truth in `rawHeaders`; fetch joins several lines.
 */
const linesOf = (request: HttpServerRequest.HttpServerRequest, name: string): ReadonlyArray<string> => {
  const raw = (request.source as { readonly rawHeaders?: unknown }).rawHeaders
  if (Array.isArray(raw)) return headerLines.ofRaw(raw, name)
  const line = request.headers[name]
  if (line === undefined) return []
  // How many credentials a joined line holds is the same question on every host, and has one place: `Credentials.parse`.
  return name === "authorization" ? [line] : headerLines.split(line)
}

/** Whether a request may have an `Origin`: `false` is certain. */
const hasOrigin = ({ source }: HttpServerRequest.HttpServerRequest): boolean => {
  const { rawHeaders } = source as { readonly rawHeaders?: unknown }
  return !Array.isArray(rawHeaders) || headerLines.ofRaw(rawHeaders, "origin").length > 0
}

/** Whether a request asks for a WebSocket. */
export const isUpgrade = ({ method, source }: HttpServerRequest.HttpServerRequest): boolean => {
  if (method !== "GET") return false
  const { headers, rawHeaders } = source as { readonly headers?: unknown; readonly rawHeaders?: unknown }
  return Array.isArray(rawHeaders)
    ? headerLines.ofRaw(rawHeaders, "upgrade").length > 0
    : headers instanceof Headers && headers.has("upgrade")
}

/** Every host that a request names, as its platform has it. */
const hostOf = ({ headers, source, url }: HttpServerRequest.HttpServerRequest): ReadonlyArray<string> => {
  const { headers: own, originalUrl, rawHeaders, url: target } = source as {
    readonly headers?: unknown
    readonly originalUrl?: unknown
    readonly rawHeaders?: unknown
    readonly url?: unknown
  }
  if (Array.isArray(rawHeaders)) return requestHost.ofRaw(rawHeaders, originalUrl ?? target)
  if (own instanceof Headers && typeof target === "string") return requestHost.ofFetch(target, own)
  return requestHost.ofRaw(headers["host"] === undefined ? [] : ["host", headers["host"]], url)
}

/**
 * The path as it came in. Effect's own `url` is cut by routers with a prefix, and its `originalUrl` begins with whatever
 * `Host` says, which may hold a path. Frameworks around Node's requests shorten `url` below a mount point.
 */
export const pathOf = (request: HttpServerRequest.HttpServerRequest): string => {
  const { originalUrl, url } = request.source as { readonly originalUrl?: unknown; readonly url?: unknown }
  const target = typeof originalUrl === "string" ? originalUrl : url
  return requestPath.of(typeof target === "string" ? target : request.url)
}

/**
 * The principal of a request that needs no second look: no `Origin`, one `Authorization` line, a token verified lately.
 * Looks at the raw headers, since Effect and Node copy all of them for whoever asks for one.
 */
export const recall = (
  gate: Gate.Gate,
  request: HttpServerRequest.HttpServerRequest,
  timing: Decision.RequestTiming,
  fiber: Fiber.Fiber<unknown, unknown>
): Principal | undefined => {
  // Whoever traces wants to see every verification, also one out of memory.
  if (fiber.cache.tracer !== undefined) return undefined
  const line = soleAuthorization(request.source as { readonly headers?: unknown; readonly rawHeaders?: unknown })
  if (line === undefined) return undefined
  return gate.recall(line, timing, gate.checksHost ? hostOf(request) : requestHost.unchecked)
}

const soleAuthorization = (
  { headers, rawHeaders }: { readonly headers?: unknown; readonly rawHeaders?: unknown }
): string | undefined => {
  if (Array.isArray(rawHeaders)) return headerLines.soleOfRaw(rawHeaders, "authorization", "origin")
  return headers instanceof Headers && !headers.has("origin") ? headers.get("authorization") ?? undefined : undefined
}

/** What is known of a request that came in, for decisions further inside. A class for the reason that a timing is one. */
class Passage {
  readonly gate: Gate.Gate
  readonly timing: Decision.RequestTiming

  constructor(gate: Gate.Gate, timing: Decision.RequestTiming) {
    this.gate = gate
    this.timing = timing
  }
}

// On the request of the platform, which stays the same however often Effect's own is copied. A service would say the same,
// and cost more than all the rest: a context holds eight additions, and copies itself for the ninth.
const passage = Symbol.for("effect-mcp-auth/passage")

type Source = { [passage]?: Passage | undefined }

/** Notes that a request came in through a gate. */
export const passed = (
  request: HttpServerRequest.HttpServerRequest,
  gate: Gate.Gate,
  timing: Decision.RequestTiming
): void => {
  ;(request.source as Source)[passage] = new Passage(gate, timing)
}

/** The gate through which a request came in, and its timing; `undefined` where none was in its way. */
export const passageOf = (request: HttpServerRequest.HttpServerRequest): Passage | undefined =>
  (request.source as Source)[passage]

/** Answers are prepared when the gate is built, and so is what Effect writes of them. */
const prepared = new WeakMap<Rejection | Answer, HttpServerResponse.HttpServerResponse>()

/** An answer of the gate, or a document, as Effect writes it. */
export const fromRejection = (answer: Rejection | Answer): HttpServerResponse.HttpServerResponse => {
  const known = prepared.get(answer)
  if (known !== undefined) return known
  const made = toResponse(answer)
  prepared.set(answer, made)
  return made
}

const toResponse = ({ body, headers, status }: Rejection | Answer): HttpServerResponse.HttpServerResponse => {
  if (body === "") return HttpServerResponse.empty({ status, headers })
  const { "content-type": contentType, ...others } = headers
  return HttpServerResponse.text(body, { status, headers: others, contentType: contentType ?? "application/json" })
}

/** A rejection of the gate to this request, as Effect writes it. */
export const respondWith = (
  gate: Gate.Gate,
  request: HttpServerRequest.HttpServerRequest,
  rejection: Rejection
): HttpServerResponse.HttpServerResponse =>
  fromRejection(hasOrigin(request) ? gate.allowOrigin(rejection, request.headers["origin"]) : rejection)

/** Writes down a rejection of the gate. Every other failure is the router's. */
export const answered = <E, R>(
  gate: Gate.Gate,
  request: HttpServerRequest.HttpServerRequest,
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, Exclude<E, Rejection>, R> => {
  const answer = (rejection: Rejection) => Effect.succeed(respondWith(gate, request, rejection))
  const isRejection = (error: unknown): error is E & Rejection =>
    (error as Partial<Rejection> | undefined)?._tag === "Rejection"
  const rejected = Exit.isExit(app) ? Result.getOrUndefined(Exit.findError(app)) : undefined
  return (isRejection(rejected) ? answer(rejected) : Effect.catchIf(app, isRejection, answer)) as Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    Exclude<E, Rejection>,
    R
  >
}

/** The revision of MCP that a request names. */
export const protocolVersion = (request: HttpServerRequest.HttpServerRequest): string | undefined =>
  request.headers["mcp-protocol-version"]

/**
 * The handlers that decide about anonymous requests themselves: the middleware of the MCP server marks what it returns,
 * and the outer middleware lets an anonymous request through to nothing else. Whatever stands between the two loses the
 * mark, so a mistake rejects.
 */
export const decidesAboutAnonymous = new WeakSet<object>()
