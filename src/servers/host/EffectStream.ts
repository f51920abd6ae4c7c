import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type { Caller } from "../../authorization/Caller.ts"
import type { Gate } from "../../authorization/Gate.ts"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as lifetime from "./StreamLifetime.ts"

/* Ends the streams of Effect's server when the token of their request is no longer valid. */

/** The request that a stream answers. */
export interface StreamRequest {
  readonly gate: Gate
  readonly caller: Caller
  readonly operations: ReadonlyArray<Operation>
}

/**
 * Ends a stream when the token of its request expires, is revoked or is invalidated, and when its caller has too many streams. However, if the method of the request is
 * not GET and none of its operations is `subscriptions/listen`, the stream may continue for 5 minutes after the token has
 * expired.
 */
export const endInTime = (
  response: HttpServerResponse.HttpServerResponse,
  { caller, gate, operations }: StreamRequest
): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  if (body._tag !== "Stream") return response
  const end = lifetime.endOfStream(caller.principal, caller.request.method, operations)
  return HttpServerResponse.setBody(
    response,
    HttpBody.stream(
      Stream.interruptWhen(body.stream, gate.untilStreamEnds(caller, end)),
      body.contentType,
      body.contentLength
    )
  )
}

/** Ends an event stream of a protected route as `endInTime` does. Returns every other response as it is. */
export const endRouteInTime = (
  response: HttpServerResponse.HttpServerResponse,
  request: StreamRequest
): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  if ((body._tag !== "Stream" && body._tag !== "Raw") || request.caller.request.method === "HEAD") return response
  const native = body._tag === "Raw" && body.body instanceof Response ? body.body : undefined
  const contentType = response.headers["content-type"] ?? body.contentType ?? native?.headers.get("content-type")
  if (!lifetime.isEventStream(contentType)) return response
  return endInTime(body._tag === "Raw" ? toStream(response, body, native) : response, request)
}

/** Interrupts the handler of a WebSocket when the token expires, is revoked or is invalidated. */
export const endConnectionInTime = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  { caller, gate }: Pick<StreamRequest, "caller" | "gate">,
  { expiresAt }: Principal
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  Effect.raceFirst(
    app,
    Effect.as(gate.untilStreamEnds(caller, expiresAt * 1000), HttpServerResponse.empty())
  )

/**
 * Turns a raw body (a `Response`, a `ReadableStream` or a Node stream) into a stream of Effect, which can be ended. Returns a
 * response with any other raw body as it is.
 */
const toStream = (
  response: HttpServerResponse.HttpServerResponse,
  { body, contentLength, contentType }: HttpBody.Raw,
  native: Response | undefined
): HttpServerResponse.HttpServerResponse => {
  if (native !== undefined) {
    const { cookies, headers } = response
    return HttpServerResponse.mergeCookies(
      HttpServerResponse.setHeaders(HttpServerResponse.fromWeb(native), headers),
      cookies
    )
  }
  const stream = body instanceof ReadableStream
    ? Stream.fromReadableStream<Uint8Array, unknown>({ evaluate: () => body, onError: (error) => error })
    : isReadable(body)
    ? Stream.ensuring(
      Stream.map(
        Stream.fromAsyncIterable(body, (error) => error),
        (chunk) => typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
      ),
      // If the iterator is interrupted while it waits for a chunk, the Node stream stays open, so it is destroyed here.
      Effect.sync(() => body.destroy())
    )
    : undefined
  return stream === undefined
    ? response
    : HttpServerResponse.setBody(response, HttpBody.stream(stream, contentType, contentLength))
}

/** A Node stream. Objects of any class with these members count. */
interface Readable extends AsyncIterable<Uint8Array | string> {
  readonly destroy: () => unknown
}

const isReadable = (body: unknown): body is Readable =>
  typeof body === "object" && body !== null && Symbol.asyncIterator in body &&
  typeof (body as Partial<Readable>).destroy === "function"
