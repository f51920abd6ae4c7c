import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as body from "./Body.ts"
import { BodyBuffer } from "./BodyBuffer.ts"
import type { BodyDeadlines } from "./BodyDeadlines.ts"

/** The body of a request on Node, as a stream of bytes that nobody has begun to read. */
export interface Source {
  on(event: string, listener: (argument: unknown) => void): unknown
  off(event: string, listener: (argument: unknown) => void): unknown
}

/** Reads a body to its end. More than `limit` bytes are rejected as they come, and what follows them is let go. */
export const read = (
  source: Source,
  limit: number,
  deadlines: BodyDeadlines
): Effect.Effect<Uint8Array, MalformedRequest> =>
  Effect.callback<Uint8Array, MalformedRequest>((resume) => {
    const stop = listen(source, limit, deadlines, resume)
    return Effect.sync(stop)
  })

/** The same by a callback, which is called once. The result lets go of what still comes. */
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
    // A string only where somebody called `setEncoding`.
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk as Uint8Array
    if (!buffer.add(bytes)) end(Exit.fail(body.tooLarge))
  }
  const onEnd = () => {
    if (!ended) end(Exit.succeed(buffer.toBytes()))
  }
  // A body that breaks off is none: whoever sent it is gone.
  const onBroken = () => end(Exit.fail(body.notJson))
  // They stay: only the first result counts, without a listener an error would end the process, and to take them off
  // costs as much as all that is done with a small body.
  source.on("data", onData)
  source.on("end", onEnd)
  source.on("error", onBroken)
  source.on("close", onBroken)
  return () => {
    ended = true
    deadlines.delete(pending)
    source.off("data", onData)
  }
}
