import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as body from "./Body.ts"
import { BodyBuffer } from "./BodyBuffer.ts"
import type { BodyDeadlines } from "./BodyDeadlines.ts"

/** The body of a Node request, as an unread stream of bytes. */
export interface Source {
  on(event: string, listener: (argument: unknown) => void): unknown
  off(event: string, listener: (argument: unknown) => void): unknown
}

/** The members of a stream that the requests of some mocks lack. */
interface Pausable {
  readonly isPaused?: () => boolean
  readonly resume?: () => unknown
  readonly listenerCount?: (event: string) => number
}

/**
 * The error if other code listens to `readable`. Such a stream emits no data until that code reads it, so the gate would wait until
 * the time limit of the body.
 */
export const listenedTo = ConfigOption.error(
  "protect",
  "other code listens to the event readable of the request, so the gate cannot read the body. Put the gate first, or remove the " +
    "listener",
  "conflict"
)

/** Returns whether other code listens to `readable`. */
export const isListenedTo = (source: object): boolean =>
  // The requests of some mocks have no `listenerCount`.
  ((source as Pausable).listenerCount?.("readable") ?? 0) > 0

/** Reads a body to its end. Fails when the body exceeds `limit` bytes or takes too long, and ignores the rest of the body. */
export const read = (
  source: Source,
  limit: number,
  deadlines: BodyDeadlines
): Effect.Effect<Uint8Array, MalformedRequest> =>
  Effect.callback<Uint8Array, MalformedRequest>((resume) => {
    const stop = listen(source, limit, deadlines, resume)
    return Effect.sync(stop)
  })

/** Reads a body as `read` does, and calls `callback` once, with the result. Returns a function that stops the reading. */
export const listen = (
  source: Source,
  limit: number,
  deadlines: BodyDeadlines,
  callback: (read: Exit.Exit<Uint8Array, MalformedRequest>) => void
): () => void => {
  const buffer = new BodyBuffer(limit)
  let ended = false
  const end = (read: Exit.Exit<Uint8Array, MalformedRequest>) => {
    if (ended) return
    ended = true
    deadlines.delete(pending)
    callback(read)
  }
  const pending = deadlines.add(() => end(Exit.fail(body.tooSlow)))
  const onData = (chunk: unknown) => {
    if (ended) return
    // A chunk is a string if the application has called `setEncoding`.
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk as Uint8Array
    if (!buffer.add(bytes)) end(Exit.fail(body.tooLarge))
  }
  const onEnd = () => {
    if (!ended) end(Exit.succeed(buffer.toBytes()))
  }
  // An incomplete body: the client has disconnected.
  const onBroken = () => end(Exit.fail(body.notJson))
  // The listeners stay on the stream, and do nothing after the first result. Without a listener, an `error` event would end the
  // process. To remove the listeners would take as long as the rest of the work on a small body.
  source.on("data", onData)
  source.on("end", onEnd)
  source.on("error", onBroken)
  source.on("close", onBroken)
  // A listener does not start a stream that other code has paused.
  const { isPaused, resume } = source as Pausable
  if (isPaused?.call(source) === true) resume?.call(source)
  return () => {
    ended = true
    deadlines.delete(pending)
    source.off("data", onData)
  }
}

/**
 * Gives the bytes of a body once more, to the listeners that are added after the end of the stream. The parsers of frameworks
 * such as Fastify add them although the stream has ended, and would wait forever. Listeners that were added before have received
 * the bytes: a second time, they would count them twice or throw.
 */
export const replay = (source: Source, bytes: Uint8Array): void => {
  const { on, rawListeners, readableEncoding } = source as Source & Emitter
  let added: Set<unknown> | undefined
  const onListener = (event: string, listener: unknown) => {
    if (event !== "data" && event !== "end") return
    added = (added ?? new Set()).add(listener)
    if (event === "end" || isScheduled) return
    isScheduled = true
    // The parser adds its listener for `end` in the same turn of the event loop.
    queueMicrotask(() => {
      source.off("newListener", onListener as never)
      give("data", readableEncoding ? new TextDecoder().decode(bytes) : toBuffer(bytes))
      give("end")
    })
  }
  let isScheduled = false
  const give = (event: string, argument?: unknown) => {
    for (const listener of rawListeners.call(source, event)) {
      if (added?.has(listener.listener ?? listener)) listener.call(source, argument)
    }
  }
  on.call(source, "newListener", onListener)
}

interface Emitter {
  /** The encoding of `setEncoding`, with which the chunks of a stream are strings. */
  readonly readableEncoding?: string | null | undefined
  readonly on: (event: "newListener", onListener: (event: string, listener: unknown) => void) => unknown
  /** Returns the listeners of an event. Those of `once` are functions that remove the member `listener` and call it. */
  readonly rawListeners: (
    event: string
  ) => ReadonlyArray<((argument: unknown) => void) & { readonly listener?: unknown }>
}

/** Returns the bytes as a `Buffer`, because parsers decode the chunks of a stream with `toString("utf8")`. */
const toBuffer = (bytes: Uint8Array): Uint8Array =>
  (globalThis as unknown as { readonly Buffer: BufferConstructor }).Buffer.from(
    bytes.buffer,
    bytes.byteOffset,
    bytes.byteLength
  )

interface BufferConstructor {
  readonly from: (buffer: ArrayBufferLike, offset: number, length: number) => Uint8Array
}
