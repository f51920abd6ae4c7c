import type * as Fiber from "effect/Fiber"
import type { Request } from "../../authorization/Caller.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"

/* Presents requests of `node:http`, Connect and Express to the gate. Any object with the same members works as well. */

/**
 * A request of `node:http`, or of a framework that is built on it. This type has only the members that the gate uses.
 *
 * **Details**
 *
 * The gate reads header values from `headers`, so that it sees the values that a middleware has set, replaced or removed. It
 * uses `rawHeaders` for three rules:
 *
 * - If the client sent several lines of a header that may occur once (`Authorization`, `DPoP`, `Origin`), all of them count, and
 *   the gate rejects the request. `headers` can lack these duplicates. A middleware that removes
 *   `Origin` from `headers` removes all of its lines.
 * - `Host` in `headers`, each `Host` line and `:authority` must all be allowed.
 * - If `Mcp-Session-Id` in `headers` differs from the line that the client sent, the gate answers 404, because a transport of an
 *   SDK may read either of them.
 *
 * `rawHeaders` is missing or empty on platforms that create requests from events, such as AWS Lambda. Then `headers` alone
 * counts. A header with a list of values there has several lines.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | Array<string> | undefined }
  readonly rawHeaders?: ReadonlyArray<string> | undefined
  readonly readableEnded: boolean
  on(event: string, listener: (argument: unknown) => void): unknown
  off(event: string, listener: (argument: unknown) => void): unknown
}

/** The members that frameworks and body parsers add to a request. */
export interface Extras {
  auth?: unknown
  body?: unknown
  /** `body-parser` (Express 4) sets this member when it has parsed a body. If the member is set, it parses no body. */
  _body?: boolean
  /** Whether code has read a part of the body from the stream. */
  readonly readableDidRead?: unknown
  /** Whether the whole body was read from the stream. */
  readonly readableEnded?: unknown
  readonly originalUrl?: unknown
  /** For HTTP/2: `endAfterHeaders` is `false` if the request has a body. */
  readonly stream?: { readonly endAfterHeaders?: unknown } | undefined
  /** The parameters in the path that Express matched. */
  readonly params?: unknown
}

/**
 * Returns the name of the tenant of a request, or `undefined` if it names none. The author of a server supplies this function.
 */
export type TenantOf = (req: NodeRequest) => string | undefined

/** Gives access to the members that frameworks and body parsers may have added to a request. */
export const extras = (req: NodeRequest): Extras => req as unknown as Extras

/** The part of a request that contains its headers. */
export type Headed = Pick<NodeRequest, "headers" | "rawHeaders">

/** Returns the value of a header. If Node keeps several lines of it as an array, joins them with commas. */
export const headerOfRequest = (req: Headed, name: string): string | undefined => {
  const value = req.headers[name]
  return typeof value === "string" || value === undefined ? value : valuesOf(req, name).join(", ")
}

/** Returns the lines of a header that the client sent. Returns an empty list if the platform does not keep them. */
const sentLines = ({ rawHeaders }: Headed, name: string): ReadonlyArray<string> =>
  Array.isArray(rawHeaders) ? headerLines.ofRaw(rawHeaders, name) : []

/** Returns the values of a header in `headers`: none, one, or those of an array. */
const valuesOf = ({ headers }: Headed, name: string): ReadonlyArray<string> => {
  const value: unknown = headers[name]
  return value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)]
}

/**
 * Returns the lines of a header that may occur once. If the client sent several, returns all of them, so that the gate rejects
 * the request. Otherwise returns the value in `headers`, which a middleware may have set, replaced or removed.
 */
export const linesOf = (req: Headed, name: string): ReadonlyArray<string> => {
  const sent = sentLines(req, name)
  // One comparison is enough for most requests: nothing has changed the header.
  return sent.length > 1 || sent[0] === req.headers[name] ? sent : valuesOf(req, name)
}

/**
 * Returns the value of `Origin`. Returns several values as one, which no allowed origin equals. Most requests have no `Origin`, so
 * the lines are only compared if there is one.
 */
export const originOf = (req: Headed): string | undefined =>
  req.headers["origin"] === undefined ? undefined : linesOf(req, "origin").join(", ")

/**
 * Returns the value of `Mcp-Session-Id`. If the value in `headers` is not the line that the client sent, returns both. No session
 * has such an id, so the gate answers 404. The gate must not check one of them while a transport uses the other.
 */
const sessionOf = (req: Headed): string | undefined => {
  const sent = sentLines(req, "mcp-session-id")
  const value = headerOfRequest(req, "mcp-session-id")
  return sent.length === 0 || (sent.length === 1 && sent[0] === value) ? value : [...sent, value ?? ""].join(", ")
}

/** Presents a Node request to the gate. */
// A class, because creating an object literal with getters takes longer than the rest of the gate's work on a request.
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
    if (name === "mcp-session-id") return sessionOf(this.#req)
    if (name === "origin") return originOf(this.#req)
    return headerOfRequest(this.#req, name)
  }

  get authorization(): ReadonlyArray<string> {
    return linesOf(this.#req, "authorization")
  }

  get dpop(): ReadonlyArray<string> {
    return linesOf(this.#req, "dpop")
  }

  get host(): ReadonlyArray<string> {
    return hostsOf(this.#req, targetOf(this.#req))
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

// Reads the session ids of `url` and of `originalUrl`. Frameworks shorten `url`, and a handler can read either of them.
const streamsOf = (req: NodeRequest): ReadonlyArray<string> => {
  const { originalUrl } = extras(req)
  const ids = sseSession.idsOf(req.url ?? "")
  return typeof originalUrl !== "string" || originalUrl === req.url
    ? ids
    : [...new Set([...ids, ...sseSession.idsOf(originalUrl)])]
}

/** Returns the request target as the client sent it. Frameworks shorten `url` below a mount point, but not `originalUrl`. */
const targetOf = (req: NodeRequest): string => {
  const { originalUrl } = extras(req)
  return typeof originalUrl === "string" ? originalUrl : req.url ?? "/"
}

/** Returns the path of the request target as the client sent it. */
export const pathOf = (req: NodeRequest): string => requestPath.of(targetOf(req))

/** Returns every host that a request names: in the lines that the client sent, in `headers` and in the request target. */
export const hostsOf = (req: Headed, target: unknown): ReadonlyArray<string> => {
  const { rawHeaders } = req
  const hosts = requestHost.ofRaw(Array.isArray(rawHeaders) ? rawHeaders : [], target)
  const values = [...valuesOf(req, "host"), ...valuesOf(req, ":authority")]
  return values.every((host) => hosts.includes(host)) ? hosts : [...hosts, ...values]
}
