import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Caller from "../../authorization/Caller.ts"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import type { Body, Read } from "./Admission.ts"
import * as body from "./Body.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"
import * as webBody from "./WebBody.ts"

/* Requests of fetch's. */

/** How the body of a request is read. */
export interface Reading {
  readonly limits: body.Limits
  /** Returns what a framework parsed already; `undefined` if none did. */
  readonly parsedBody?: (() => unknown) | undefined
  /** Whether the handler uses the parsed body alone, so that no copy of the request is kept. Default: `false`. */
  readonly consumes?: boolean | undefined
}

/** A request of fetch's, for the gate. A class, since a literal with getters costs more than the rest of the work on it. */
class GateRequest implements Caller.Request {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly method: string
  readonly #request: Request
  readonly #tenantOf: TenantOf | undefined

  constructor(request: Request, fiber: Fiber.Fiber<unknown, unknown>, tenantOf: TenantOf | undefined) {
    this.#request = request
    this.#tenantOf = tenantOf
    this.fiber = fiber
    this.method = request.method
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined
  }

  get authorization(): ReadonlyArray<string> {
    const value = this.#request.headers.get("authorization")
    return value === null ? [] : [value]
  }

  get dpop(): ReadonlyArray<string> {
    const value = this.#request.headers.get("dpop")
    return value === null ? [] : headerLines.split(value)
  }

  get host(): ReadonlyArray<string> {
    return requestHost.ofFetch(this.#request.url, this.#request.headers)
  }

  get path(): string {
    return requestPath.of(this.#request.url)
  }

  get streams(): ReadonlyArray<string> {
    return sseSession.idsOf(this.#request.url)
  }

  /** Fetch knows no router: the author of the host hands over the one parameter that is the tenant. */
  routeParameter(): string | undefined {
    return this.#tenantOf?.()
  }
}

/**
 * Returns the tenant of a request, where the author of a host hands it over. A function of the author's, so it runs where
 * the gate expects one to throw.
 */
export type TenantOf = () => string | undefined

/** Creates the gate's view of a request. */
export const toGateRequest = (
  request: Request,
  fiber: Fiber.Fiber<unknown, unknown>,
  tenantOf?: TenantOf | undefined
): Caller.Request => new GateRequest(request, fiber, tenantOf)

/** The body of a request, read once for the gate and for the handler behind it. */
export class RequestBody {
  readonly #request: Request
  readonly #reading: Reading
  #bytes: Uint8Array | undefined

  constructor(request: Request, reading: Reading) {
    this.#request = request
    this.#reading = reading
  }

  readonly read: Read = () => {
    const request = this.#request
    const { limits, parsedBody } = this.#reading
    if (!body.carriesMessages(request.method)) return this.#readUnexpected()
    if (!body.isJson(request.headers.get("content-type") ?? undefined)) return Effect.fail(body.contentTypeRejected)
    if (parsedBody === undefined) return this.#readStream()
    // Most of these functions parse the body, and fail so if it is not JSON. Any other failure is a bug.
    const parsing = Effect.catchDefect(
      Effect.promise(async () => await parsedBody()),
      (defect) => defect instanceof SyntaxError ? Effect.fail(body.notJson) : Effect.die(defect)
    )
    return Effect.flatMap(
      webBody.within(parsing, limits.timeout),
      (parsed) => parsed === undefined ? this.#readStream() : Effect.fromResult(body.parsed(parsed, limits))
    )
  }

  /** The body of a method that carries no messages. Some servers make a stream of none, and it is empty. */
  #readUnexpected(): Body {
    const request = this.#request
    const { limits } = this.#reading
    // A handler must not execute a body that a framework has read and parsed: it is given `admission.body`.
    if (request.body === null || request.bodyUsed) return Effect.succeed(body.empty)
    return Effect.flatMap(webBody.read(request.body, limits.bytes, limits.timeout), (bytes) => {
      this.#bytes = bytes
      return bytes.byteLength === 0 ? Effect.succeed(body.empty) : Effect.fromResult(body.parse(bytes, limits))
    })
  }

  #readStream(): Body {
    const request = this.#request
    const { consumes = false, limits } = this.#reading
    if (request.bodyUsed) return Effect.fail(body.consumed)
    const announced = Number(request.headers.get("content-length") ?? Number.NaN)
    if (announced > limits.bytes) return Effect.fail(body.tooLarge)
    if (consumes && announced <= small) return readAtOnce(request, limits)
    if (request.body === null) return Effect.fail(body.notJson)
    return Effect.flatMap(webBody.read(request.body, limits.bytes, limits.timeout), (bytes) => {
      if (!consumes) this.#bytes = bytes
      return Effect.fromResult(body.parse(bytes, limits))
    })
  }

  /** The request for the handler: its body is as unread as it was. */
  toRequest(): Request {
    return this.#bytes === undefined ? this.#request : webBody.replay(this.#request, this.#bytes)
  }
}

/** Up to so many bytes a platform may collect the chunks: even byte by byte they take less than a large body. */
const small = 16 * 1024

/** A body of an announced length: servers read no more than that, and do it without a stream. */
const readAtOnce = (request: Request, limits: body.Limits): Effect.Effect<body.Message, MalformedRequest> =>
  Effect.flatMap(
    webBody.readAtOnce(request, limits.timeout),
    (bytes) =>
      bytes.byteLength > limits.bytes
        ? Effect.fail(body.tooLarge)
        : Effect.fromResult(body.parse(new Uint8Array(bytes), limits))
  )
