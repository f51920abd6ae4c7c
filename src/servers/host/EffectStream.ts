import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type { Caller } from "../../authorization/Caller.ts"
import type { Gate } from "../../authorization/Gate.ts"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as lifetime from "./StreamLifetime.ts"

/* The end of streams on Effect's server. */

/** The request that a stream answers. */
export interface Answered {
  readonly gate: Gate
  readonly caller: Caller
  readonly operations: ReadonlyArray<Operation>
}

/** Ends a stream when its token ends, is revoked or is invalidated; after its expiry a running answer has some time left. */
export const endInTime = (
  response: HttpServerResponse.HttpServerResponse,
  { caller, gate, operations }: Answered
): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  if (body._tag !== "Stream") return response
  const end = lifetime.endOfStream(caller.principal, caller.request.method, operations)
  return end === undefined ? response : HttpServerResponse.setBody(
    response,
    HttpBody.stream(
      Stream.interruptWhen(body.stream, gate.untilStreamEnds(caller, end)),
      body.contentType,
      body.contentLength
    )
  )
}

/** Ends an event stream of a route. Every other answer passes as it is. */
export const endRouteInTime = (
  response: HttpServerResponse.HttpServerResponse,
  answered: Answered
): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  if ((body._tag !== "Stream" && body._tag !== "Raw") || answered.caller.request.method === "HEAD") return response
  const native = body._tag === "Raw" && body.body instanceof Response ? body.body : undefined
  const contentType = response.headers["content-type"] ?? body.contentType ?? native?.headers.get("content-type")
  if (!lifetime.isEventStream(contentType)) return response
  return endInTime(body._tag === "Raw" ? toStream(response, body, native) : response, answered)
}

/** Interrupts a handler whose connection becomes a WebSocket when the token ends, is revoked or is invalidated. */
export const endConnectionInTime = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  { caller, gate }: Pick<Answered, "caller" | "gate">,
  { expiresAt }: Principal
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  Effect.raceFirst(
    app,
    Effect.as(gate.untilStreamEnds(caller, expiresAt * 1000), HttpServerResponse.empty())
  )

/** Turns a body that the platform would send as it is into a stream of Effect. Other bodies stay as they are. */
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
      // An iterator that waits for a chunk would hold its stream until one comes.
      Effect.sync(() => body.destroy())
    )
    : undefined
  return stream === undefined
    ? response
    : HttpServerResponse.setBody(response, HttpBody.stream(stream, contentType, contentLength))
}

/** A stream of Node's, by its shape. */
interface Readable extends AsyncIterable<Uint8Array | string> {
  readonly destroy: () => unknown
}

const isReadable = (body: unknown): body is Readable =>
  typeof body === "object" && body !== null && Symbol.asyncIterator in body &&
  typeof (body as Partial<Readable>).destroy === "function"
