import type * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { AuthConfigError, MalformedRequest } from "../../../protocol/AuthError.ts"
import * as body from "../../host/Body.ts"
import { BodyBuffer } from "../../host/BodyBuffer.ts"
import type { BodyDeadlines } from "../../host/BodyDeadlines.ts"
import * as nodeBody from "../../host/NodeBody.ts"
import * as webBody from "../../host/WebBody.ts"

/* Reads the body of an Effect request once, for the gate and for the server. */

type Request = HttpServerRequest.HttpServerRequest

/** The private members in which Effect's requests cache their body. Without them, this module uses only public members. */
interface BodyCache {
  arrayBufferEffect?: Effect.Effect<ArrayBuffer> | undefined
  textEffect?: Effect.Effect<string> | undefined
}

const bodyCacheOf = (request: Request): BodyCache => request as unknown as BodyCache

/** The error if code outside Effect has read the body. */
export const consumed = body.makeConsumed(
  "McpAuth.layerHttp",
  "read the body with the members of Effect's request, such as request.text, which keep it"
)

/** The limits and deadlines of bodies. */
export interface Reading {
  readonly limits: body.Limits
  readonly deadlines: BodyDeadlines
}

/**
 * Reads the text of a body of at most `limit` bytes. Later reads of the request return the same text.
 *
 * Effect's own `arrayBuffer` keeps every chunk of a body, so it is used only for bodies that were read before.
 */
export const read = (
  request: Request,
  limit: ByteSize.ByteSize,
  { deadlines, limits }: Reading
): Effect.Effect<string, MalformedRequest | AuthConfigError> => {
  if (isReadElsewhere(request)) return Effect.fail(consumed)
  if (isOnNode(request)) {
    if (nodeBody.isListenedTo(request.source)) return Effect.fail(nodeBody.listenedTo)
    // Effect's own members read a body with a fiber and a dozen listeners, which take a twentieth of the time of a small tool
    // call.
    return Effect.flatMap(
      nodeBody.read(request.source as nodeBody.Source, Number(limit), deadlines),
      (bytes) => cacheBody(request, bytes)
    )
  }
  const { source } = request
  if (isUnreadRequest(source) && Object.hasOwn(request, "arrayBufferEffect")) {
    return Effect.flatMap(
      webBody.read(source.body, Number(limit), limits.timeout),
      (bytes) => cacheBody(request, bytes)
    )
  }
  const isUnread = isUnreadRequest(source) || isUnreadMessage(source)
  const reading = isUnread && !Object.hasOwn(request, "arrayBuffer")
    ? readStream(request, Number(limit))
    : Effect.map(Effect.mapError(request.arrayBuffer, toMalformed), (bytes) => new Uint8Array(bytes))
  const bounded = Effect.provideService(reading, HttpIncomingMessage.MaxBodySize, limit)
  return Effect.flatMap(webBody.within(bounded, limits.timeout), (bytes) => cacheBody(request, bytes))
}

/**
 * Returns whether code outside Effect has read a part of the body, such as a body parser in front of Effect's server. A body that
 * Effect's own members have read is in their cache.
 */
const isReadElsewhere = (request: Request): boolean => {
  const { bodyUsed, readableDidRead } = request.source as {
    readonly bodyUsed?: unknown
    readonly readableDidRead?: unknown
  }
  if (readableDidRead !== true && bodyUsed !== true) return false
  const { arrayBufferEffect, textEffect } = bodyCacheOf(request)
  return Object.hasOwn(request, "arrayBufferEffect") && arrayBufferEffect === undefined && textEffect === undefined
}

/**
 * Returns whether a request is the original one of Effect's server on Node, with an unread body. Any other request may wrap the
 * original one and have another body. Effect answers `Expect: 100-continue` and `Upgrade` while it reads the body, so requests
 * with these headers are excluded.
 */
const isOnNode = (request: Request): boolean => {
  const { headers, source } = request
  return isUnreadMessage(source) && Object.hasOwn(request, "arrayBufferEffect") &&
    bodyCacheOf(request).arrayBufferEffect === undefined && headers["expect"] === undefined &&
    headers["upgrade"] === undefined
}

/** Returns whether a source is a Node request with an unread body. */
const isUnreadMessage = (source: object): boolean => {
  const { rawHeaders, readableDidRead, readableFlowing } = source as {
    readonly rawHeaders?: unknown
    readonly readableDidRead?: unknown
    readonly readableFlowing?: unknown
  }
  // `readableFlowing` is `false` if other code has paused the stream.
  return Array.isArray(rawHeaders) &&
    (readableFlowing === null || (readableFlowing === false && readableDidRead === false))
}

/** Returns whether a source is a `Request` with an unread body. */
const isUnreadRequest = (source: object): source is { readonly body: ReadableStream<Uint8Array> } => {
  const { body, bodyUsed } = source as { readonly body?: unknown; readonly bodyUsed?: unknown }
  return body instanceof ReadableStream && bodyUsed === false && !body.locked
}

/** Reads the stream of a request that wraps another request, for example to decompress its body. */
const readStream = (request: Request, limit: number): Effect.Effect<Uint8Array, MalformedRequest> =>
  Effect.suspend(() => {
    const buffer = new BodyBuffer(limit)
    return Effect.as(
      Stream.runForEachArray(
        Stream.mapError(request.stream, toMalformed),
        (chunks) => chunks.every((chunk) => buffer.add(chunk)) ? Effect.void : Effect.fail(body.tooLarge)
      ),
      buffer
    ).pipe(Effect.map((buffer) => buffer.toBytes()))
  })

const toMalformed = ({ reason }: HttpServerError.HttpServerError): MalformedRequest =>
  (reason as { readonly reason?: unknown }).reason === "BodyTooLarge" ? body.tooLarge : body.notJson

/** Changes the body that later reads of the request return. `change` receives the parsed body. */
export const rewrite = (request: Request, change: (body: unknown) => void): Effect.Effect<void> =>
  Effect.flatMap(Effect.orDie(request.text), (text) => {
    const parsed: unknown = JSON.parse(text)
    change(parsed)
    return Effect.orDie(Effect.asVoid(cacheBody(request, new TextEncoder().encode(JSON.stringify(parsed)))))
  })

/** Makes later reads of a request return these bytes, and returns their text. */
const cacheBody = (request: Request, bytes: Uint8Array): Effect.Effect<string, MalformedRequest> => {
  const text = body.textOf(bytes)
  if (Result.isFailure(text)) return Effect.fail(text.failure)
  // A copy, because the bytes may be a part of a larger buffer with other data.
  const again = Effect.sync(() => new Uint8Array(bytes).buffer)
  if (Object.hasOwn(request, "arrayBufferEffect")) bodyCacheOf(request).arrayBufferEffect = again
  else Object.defineProperty(request, "arrayBuffer", { value: again, configurable: true })
  const kept = Effect.succeed(text.success)
  if (Object.hasOwn(request, "textEffect")) bodyCacheOf(request).textEffect = kept
  if (request.text !== kept) Object.defineProperty(request, "text", { value: kept, configurable: true })
  return kept
}
