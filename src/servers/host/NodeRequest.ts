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
  /** `body-parser` (Express 4) sets this member when it has parsed a body. If the member is set, it parses no body. */
  _body?: boolean
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

/** Returns the value of a header. If Node keeps several lines of it as an array, joins them with commas. */
export const headerOfRequest = (req: NodeRequest, name: string): string | undefined => {
  const value = req.headers[name]
  return typeof value === "string" || value === undefined ? value : value.join(", ")
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

const hostOf = (req: NodeRequest): ReadonlyArray<string> => requestHost.ofRaw(req.rawHeaders, targetOf(req))
