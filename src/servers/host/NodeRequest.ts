import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Request } from "../../authorization/Caller.ts"
import type { AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import type { Read } from "./Admission.ts"
import * as body from "./Body.ts"
import type { BodyDeadlines } from "./BodyDeadlines.ts"
import * as nodeBody from "./NodeBody.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"

/* Requests on Node, of any class with these members: `node:http`, Connect, Express. */

/**
 * The members that the gate reads of a request of `node:http`, or of a framework that is built on it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | Array<string> | undefined }
  readonly rawHeaders: ReadonlyArray<string>
  readonly readableEnded: boolean
  on(event: string, listener: (argument: unknown) => void): unknown
  off(event: string, listener: (argument: unknown) => void): unknown
}

/** The members that frameworks and body parsers add to a request. */
export interface Extras {
  auth?: unknown
  body?: unknown
  /** Set by `body-parser` of Express 4, which reads no body while it is set. */
  _body?: boolean
  readonly originalUrl?: unknown
  /** For HTTP/2: `endAfterHeaders` is `false` if the request has a body. */
  readonly stream?: { readonly endAfterHeaders?: unknown } | undefined
  /** The parameters of the route that Express matched. `app.use` matches none. */
  readonly params?: unknown
}

/** Returns the tenant of a request. The author of a host supplies this function. */
export type TenantOf = (req: NodeRequest) => string | undefined

/** Returns a request as frameworks see it. */
export const extras = (req: NodeRequest): Extras => req as unknown as Extras

/** Returns a header as Node joins its lines. */
export const headerOfRequest = (req: NodeRequest, name: string): string | undefined => {
  const value = req.headers[name]
  return typeof value === "string" || value === undefined ? value : value.join(", ")
}

/** Presents a Node request to the gate. */
// A class, because creating a literal with getters takes longer than the rest of the work on a request.
class GateRequest implements Request {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly method: string
  readonly #req: NodeRequest
  readonly #tenantOf: TenantOf | undefined

  constructor(req: NodeRequest, fiber: Fiber.Fiber<unknown, unknown>, tenantOf: TenantOf | undefined) {
    this.#req = req
    this.#tenantOf = tenantOf
    this.fiber = fiber
    this.method = req.method ?? "GET"
  }

  header(name: string): string | undefined {
    return headerOfRequest(this.#req, name)
  }

  get authorization(): ReadonlyArray<string> {
    return headerLines.ofRaw(this.#req.rawHeaders, "authorization")
  }

  get dpop(): ReadonlyArray<string> {
    return headerLines.ofRaw(this.#req.rawHeaders, "dpop")
  }

  get host(): ReadonlyArray<string> {
    return hostOf(this.#req)
  }

  get path(): string {
    return pathOf(this.#req)
  }

  get streams(): ReadonlyArray<string> {
    return streamsOf(this.#req)
  }

  routeParameter(name: string): string | undefined {
    if (this.#tenantOf !== undefined) return this.#tenantOf(this.#req)
    const { params } = extras(this.#req)
    if (typeof params !== "object" || params === null || !Object.hasOwn(params, name)) return undefined
    const value = (params as Readonly<Record<string, unknown>>)[name]
    return typeof value === "string" ? value : undefined
  }
}

/** Creates the gate's view of a request. */
export const toGateRequest = (
  req: NodeRequest,
  fiber: Fiber.Fiber<unknown, unknown>,
  tenantOf?: TenantOf | undefined
): Request => new GateRequest(req, fiber, tenantOf)

// Both targets count: frameworks shorten `url`, and a handler may read either of them.
const streamsOf = (req: NodeRequest): ReadonlyArray<string> => {
  const { originalUrl } = extras(req)
  const ids = sseSession.idsOf(req.url ?? "")
  return typeof originalUrl !== "string" || originalUrl === req.url
    ? ids
    : [...new Set([...ids, ...sseSession.idsOf(originalUrl)])]
}

/** The limits and deadlines of the bodies of an endpoint. */
export interface Reading {
  readonly limits: body.Limits
  readonly deadlines: BodyDeadlines
}

/** The reasons why there is no body. */
type Unread = MalformedRequest | AuthConfigError

/** Returns the function that reads the body of a request, or `undefined` for a request that neither has nor needs one. */
export const bodyReader = (req: NodeRequest, reading: Reading): Read | undefined =>
  body.carriesMessages(req.method ?? "GET") || announcesBody(req)
    ? () => Effect.callback<body.Message, Unread>((resume) => Effect.sync(readBody(req, reading, resume)))
    : undefined

/** Reads and parses the body, and stores it in `req.body`. The returned function stops the reading. */
const readBody = (
  req: NodeRequest,
  { deadlines, limits }: Reading,
  callback: (read: Exit.Exit<body.Message, Unread>) => void
): () => void => {
  const end = (read: Exit.Exit<body.Message, Unread>) => {
    if (Exit.isSuccess(read)) {
      // The stream is empty now. The handler, and later body parsers, use the value that was checked.
      const request = extras(req)
      request.body = read.value.value
      request._body = true
    }
    callback(read)
  }
  const known = withoutReading(req, limits)
  if (known !== undefined) {
    end(known)
    return () => {}
  }
  // The result of a parser counts only if the stream is empty. Some parsers set `req.body` and read nothing. The handler could
  // then execute another body than the one that was checked.
  return nodeBody.listen(req, limits.bytes, deadlines, (read) => {
    if (Exit.isFailure(read)) return end(Exit.failCause(read.cause))
    if (read.value.byteLength > 0) return end(exitOf(body.parse(read.value, limits)))
    end(body.carriesMessages(req.method ?? "GET") ? leftByParser(req, limits, body.notJson) : Exit.succeed(body.empty))
  })
}

/**
 * Returns whether the headers of a request announce a body (RFC 9112 §6.3). The method does not matter. A body over HTTP/2 needs no
 * header (RFC 9113 §8.1).
 */
const announcesBody = (req: NodeRequest): boolean =>
  req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) !== 0 ||
  extras(req).stream?.endAfterHeaders === false

const withoutReading = (req: NodeRequest, limits: body.Limits): Exit.Exit<body.Message, Unread> | undefined => {
  if (body.carriesMessages(req.method ?? "GET") && !body.isJson(contentTypeOf(req))) {
    return Exit.fail(body.contentTypeRejected)
  }
  if (req.readableEnded) return leftByParser(req, limits, body.consumed)
  return Number(req.headers["content-length"] ?? 0) > limits.bytes ? Exit.fail(body.tooLarge) : undefined
}

const leftByParser = (req: NodeRequest, limits: body.Limits, otherwise: Unread): Exit.Exit<body.Message, Unread> => {
  const left = extras(req).body
  if (left === undefined) return Exit.fail(otherwise)
  const isEmpty = !body.carriesMessages(req.method ?? "GET") && isNothing(left, contentTypeOf(req))
  return isEmpty ? Exit.succeed(body.empty) : exitOf(body.parsed(left, limits))
}

// Parsers of other types than JSON may store a body elsewhere, so `{}` counts as empty only for JSON.
/** Returns whether a value is the output of a parser for an empty body. */
const isNothing = (left: unknown, contentType: string | undefined): boolean => {
  if (typeof left === "string") return left === ""
  if (left instanceof Uint8Array) return left.byteLength === 0
  return body.isJson(contentType) && typeof left === "object" && left !== null && !Array.isArray(left) &&
    Object.keys(left).length === 0
}

const exitOf = <A, E>(result: Result.Result<A, E>): Exit.Exit<A, E> =>
  Result.isSuccess(result) ? Exit.succeed(result.success) : Exit.fail(result.failure)

const contentTypeOf = (req: NodeRequest): string | undefined => {
  const value = req.headers["content-type"]
  return typeof value === "string" ? value : undefined
}

/** Returns the target as the client sent it: frameworks shorten `url` below a mount point. */
const targetOf = (req: NodeRequest): string => {
  const { originalUrl } = extras(req)
  return typeof originalUrl === "string" ? originalUrl : req.url ?? "/"
}

/** Returns the path of the target as the client sent it. */
export const pathOf = (req: NodeRequest): string => requestPath.of(targetOf(req))

const hostOf = (req: NodeRequest): ReadonlyArray<string> => requestHost.ofRaw(req.rawHeaders, targetOf(req))
