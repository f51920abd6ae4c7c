import type * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Result from "effect/Result"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as body from "./body.ts"
import * as nodeBody from "./nodeBody.ts"

/* The body of an Effect request, read once for the gate and for the server behind it. */

/** Where Effect's requests keep what was read of them. Nothing depends on it: by another name it would not be used. */
interface Memory {
  arrayBufferEffect?: Effect.Effect<ArrayBuffer> | undefined
  textEffect?: Effect.Effect<string> | undefined
}

const memoryOf = (request: HttpServerRequest.HttpServerRequest): Memory => request as unknown as Memory

/**
 * The text of a body of at most `limit` bytes. Whoever reads the request afterwards gets the very text that was judged.
 */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  limit: ByteSize.ByteSize
): Effect.Effect<string, MalformedRequest> => {
  if (isOnNode(request)) {
    // Effect's own way of reading and remembering takes a fiber and a dozen listeners, a twentieth of a small tool call.
    return Effect.flatMap(nodeBody.read(request.source as nodeBody.Source, Number(limit)), (bytes) => {
      // A copy: Node's bytes may be a part of a buffer that holds others, too, and its `slice` would show all of it.
      memoryOf(request).arrayBufferEffect = Effect.sync(() => new Uint8Array(bytes).buffer)
      return keep(request, bytes)
    })
  }
  return Effect.provideService(request.arrayBuffer, HttpIncomingMessage.MaxBodySize, limit).pipe(
    Effect.mapError((error) =>
      (error.reason as { readonly reason?: unknown }).reason === "BodyTooLarge" ? body.tooLarge : body.notJson
    ),
    Effect.flatMap((bytes) => keep(request, bytes))
  )
}

/**
 * Whether a request is Effect's own on Node, and nobody has begun to read it. Others may be views with a body of their own,
 * and what asks before it sends, or wants another protocol, Effect answers as it reads.
 */
const isOnNode = (request: HttpServerRequest.HttpServerRequest): boolean => {
  const { headers, source } = request
  const { rawHeaders, readableFlowing } = source as {
    readonly rawHeaders?: unknown
    readonly readableFlowing?: unknown
  }
  return Array.isArray(rawHeaders) && readableFlowing === null && Object.hasOwn(request, "arrayBufferEffect") &&
    memoryOf(request).arrayBufferEffect === undefined && headers["expect"] === undefined &&
    headers["upgrade"] === undefined
}

/** Changes the body that `read` kept, for whatever reads the request afterwards. `change` gets the parsed body. */
export const rewrite = (
  request: HttpServerRequest.HttpServerRequest,
  change: (body: unknown) => void
): Effect.Effect<void> =>
  Effect.flatMap(Effect.orDie(request.text), (text) => {
    const parsed: unknown = JSON.parse(text)
    change(parsed)
    const bytes = new TextEncoder().encode(JSON.stringify(parsed))
    memoryOf(request).arrayBufferEffect = Effect.succeed(bytes.buffer)
    return Effect.orDie(Effect.asVoid(keep(request, bytes)))
  })

const keep = (
  request: HttpServerRequest.HttpServerRequest,
  bytes: Uint8Array | ArrayBuffer
): Effect.Effect<string, MalformedRequest> => {
  const text = body.textOf(bytes)
  if (Result.isFailure(text)) return Effect.fail(text.failure)
  const kept = Effect.succeed(text.success)
  if (Object.hasOwn(request, "textEffect")) memoryOf(request).textEffect = kept
  if (request.text !== kept) Object.defineProperty(request, "text", { value: kept, configurable: true })
  return kept
}
