import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Gate from "../../authorization/Gate.ts"
import { isPreflight, type Rejection } from "../../authorization/Rejection.ts"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as headerLines from "../../protocol/HeaderLines.ts"
import * as requestPath from "../../protocol/RequestPath.ts"
import * as body from "./Body.ts"
import type { Answer } from "./Documents.ts"
import type { Admitted, Body, Host, Policies, Read } from "./Host.ts"
import * as requestHost from "./RequestHost.ts"
import * as sseSession from "./SseSession.ts"
import { isEventStream } from "./StreamLifetime.ts"
import * as webBody from "./WebBody.ts"

/* The gate on `Request` and `Response`. */

/** How the body of a request is had. */
export interface Reading {
  readonly limits: body.Limits
  /** What somebody else parsed already; `undefined` where nobody did. */
  readonly parsedBody?: (() => unknown) | undefined
  /** The handler gets the parsed body and wants no other, so that nobody has to keep a copy of the request. */
  readonly consumes?: boolean | undefined
}

/** What the gate sees of a request of fetch's. A class, since a literal with getters costs more than all that is done with it. */
class GateRequest implements Gate.Request {
  readonly recalled: boolean
  readonly method: string
  readonly #request: Request
  readonly #tenantOf: TenantOf | undefined

  constructor(request: Request, recalled = false, tenantOf: TenantOf | undefined = undefined) {
    this.#request = request
    this.#tenantOf = tenantOf
    this.recalled = recalled
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

export const toGateRequest = (request: Request, tenantOf?: TenantOf | undefined): Gate.Request =>
  new GateRequest(request, false, tenantOf)

/** A decision about a route: the admission itself where the token was verified lately. */
export const decideRoute = <A>(
  host: Host<A>,
  request: Request,
  scopes: ReadonlyArray<string>,
  tenantOf?: TenantOf | undefined
): Admitted<A> | Effect.Effect<Admitted<A>, Rejection> => {
  const line = request.headers.has("origin") ? null : request.headers.get("authorization")
  const named = host.gate.checksHost ? requestHost.ofFetch(request.url, request.headers) : requestHost.unchecked
  const recalled = line === null || sseSession.idsOf(request.url).length > 0
    ? undefined
    : host.recallRoute(line, request.method, scopes, named)
  return recalled ?? host.admitRoute(new GateRequest(request, line !== null, tenantOf), scopes)
}

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
    // Most of these functions parse the body, and fail so where it is not JSON. What else they fail with is a bug.
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
    // What a framework has read and parsed, a handler must not execute: it is given `admission.body`.
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

/** An answer of the gate, or a document, as fetch has it. */
export const toResponse = ({ body, headers, status }: Rejection | Answer, method: string): Response =>
  new Response(body === "" || method === "HEAD" ? null : body, { status, headers: { ...headers } })

/** A rejection as fetch has it. `preflight` answers preflights in place of the gate. */
export const rejected = <A>(
  { gate }: Host<A>,
  request: Request,
  rejection: Rejection,
  preflight?: AnswerPreflight | undefined
): Response | Promise<Response> =>
  preflight !== undefined && isPreflight(rejection)
    ? preflight()
    : toResponse(gate.allowOrigin(rejection, request.headers.get("origin") ?? undefined), request.method)

/** An answer of the author's own to a preflight from an allowed origin. */
export type AnswerPreflight = () => Response | Promise<Response>

/** The public document that a request asks for. */
export const document = <A>(host: Host<A>, request: Request): Promise<Response> | undefined => {
  const found = host.document(requestPath.of(request.url), {
    header: (name) => request.headers.get(name) ?? undefined
  })
  return found === undefined
    ? undefined
    : host.run(found(request.method)).then((answer) => toResponse(Result.merge(answer), request.method))
}

/** Judges a request to an MCP endpoint and runs the handler if it may come in. */
export const serve = async <A>(
  host: Host<A>,
  request: Request,
  options: {
    readonly reading: Reading
    readonly policies: Policies
    readonly tenantOf?: TenantOf | undefined
    readonly preflight?: AnswerPreflight | undefined
  },
  handler: (admitted: Admitted<A>, request: Request) => Response | Promise<Response>
): Promise<Response> => {
  const requestBody = new RequestBody(request, options.reading)
  const decision = host.admit(toGateRequest(request, options.tenantOf), requestBody.read, options.policies)
  const admitted = await host.run(decision, request.signal)
  if (Result.isFailure(admitted)) return rejected(host, request, admitted.failure, options.preflight)
  const response = await handler(admitted.success, requestBody.toRequest())
  host.answered(admitted.success, response.status, response.headers.get("mcp-session-id") ?? undefined)
  return endInTime(host, admitted.success, response)
}

/** Ends an event stream when the token does. Everything else passes as it is. */
export const endInTime = <A>(host: Host<A>, admitted: Admitted<A>, response: Response): Response => {
  const isOpening = admitted.method === "GET"
  // Headers first: on Node, reading `body` makes a stream of it.
  if (
    (admitted.principal === undefined && !isOpening) || !isEventStream(response.headers.get("content-type")) ||
    response.body === null
  ) {
    return response
  }
  const body = isOpening ? bound(host, admitted, response.body) : response.body
  return new Response(admitted.principal === undefined ? body : until(host, admitted, body), response)
}

/** Binds the session that the first event of a stream names, before that event goes out. */
const bound = <A>(
  host: Host<A>,
  admitted: Admitted<A>,
  body: ReadableStream<Uint8Array>
): ReadableStream<Uint8Array> => {
  const first = new sseSession.FirstEvent()
  let release: (() => void) | undefined
  return sseSession.observed(body, (chunk) => {
    const id = first.read(chunk)
    if (id !== undefined) release = host.streamOpened(admitted, id)
  }, () => release?.())
}

const until = <A>(
  host: Host<A>,
  admitted: Admitted<A>,
  body: ReadableStream<Uint8Array>
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  let ended = false
  let forget = () => {}
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      forget = host.whenStreamEnds(admitted, () => {
        ended = true
        controller.close()
        reader.cancel().catch(() => {})
      }) ?? forget
    },
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read()
        if (ended) return
        if (!done) return controller.enqueue(value)
        forget()
        controller.close()
      } catch (error) {
        if (ended) return
        forget()
        controller.error(error)
      }
    },
    cancel: (reason) => {
      forget()
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}
