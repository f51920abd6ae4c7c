import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as body from "./Body.ts"
import { BodyBuffer } from "./BodyBuffer.ts"

/* The bytes of fetch's bodies. */

/**
 * Reads a stream to its end. A body that is too large or too slow is cancelled.
 *
 * Each body has a timer: on Workers one request must not wait for a timer that belongs to another.
 */
export const read = (
  stream: ReadableStream<Uint8Array>,
  limit: number,
  timeout: Duration.Duration
): Effect.Effect<Uint8Array, MalformedRequest> =>
  Effect.withFiber((fiber) =>
    Effect.callback<Uint8Array, MalformedRequest>((resume) => {
      const reader = stream.getReader()
      const timer = Effect.runForkWith(fiber.context)(Effect.sleep(timeout))
      let ended = false
      const stop = () => {
        ended = true
        timer.interruptUnsafe()
      }
      const end = (result: Effect.Effect<Uint8Array, MalformedRequest>) => {
        if (ended) return
        stop()
        resume(result)
      }
      const cancel = () => {
        reader.cancel().catch(() => {})
      }
      timer.addObserver(() => {
        if (ended) return
        cancel()
        end(Effect.fail(body.tooSlow))
      })
      const buffer = new BodyBuffer(limit)
      const pull = async () => {
        for (;;) {
          const { done, value } = await reader.read()
          if (ended) return
          if (done) return end(Effect.succeed(buffer.toBytes()))
          if (!buffer.add(value)) {
            cancel()
            return end(Effect.fail(body.tooLarge))
          }
        }
      }
      // A body that breaks off is not JSON: its client is gone.
      pull().catch(() => end(Effect.fail(body.notJson)))
      return Effect.sync(() => {
        stop()
        cancel()
      })
    })
  )

/** Reads a small body at once. One timer, where `within` takes two fibers: a twentieth of a small tool call. */
export const readAtOnce = (
  request: Request,
  timeout: Duration.Duration
): Effect.Effect<ArrayBuffer, MalformedRequest> =>
  Effect.withFiber((fiber) =>
    Effect.callback<ArrayBuffer, MalformedRequest>((resume) => {
      const timer = Effect.runForkWith(fiber.context)(Effect.sleep(timeout))
      let ended = false
      const end = (result: Effect.Effect<ArrayBuffer, MalformedRequest>) => {
        if (ended) return
        ended = true
        timer.interruptUnsafe()
        resume(result)
      }
      timer.addObserver(() => end(Effect.fail(body.tooSlow)))
      // A body that breaks off is not JSON: its client is gone.
      request.arrayBuffer().then((bytes) => end(Effect.succeed(bytes)), () => end(Effect.fail(body.notJson)))
      return Effect.sync(() => {
        ended = true
        timer.interruptUnsafe()
      })
    })
  )

/** Rejects what takes too long to be read in another way. */
export const within = <A, E, R>(
  reading: Effect.Effect<A, E, R>,
  timeout: Duration.Duration
): Effect.Effect<A, E | MalformedRequest, R> =>
  Effect.timeoutOrElse(reading, { duration: timeout, orElse: () => Effect.fail(body.tooSlow) })

/**
 * A request like one whose body was read, with that body.
 *
 * Not a clone from before: the unread half of a clone keeps every chunk.
 */
export const replay = (request: Request, bytes: Uint8Array): Request => {
  const body = bytes as Uint8Array<ArrayBuffer>
  let made: Request
  try {
    // The request may be of a class that a framework defines.
    const OwnRequest = request.constructor as typeof Request
    made = new OwnRequest(request, { body })
  } catch {
    const { headers, method, signal, url } = request
    // Some servers make requests that the constructor rejects: a GET with a body.
    const isBodiless = method === "GET" || method === "HEAD"
    made = new Request(url, { headers, method, signal, ...(isBodiless ? {} : { body }) })
  }
  // Properties that hosts and frameworks set on a request, such as `cf`.
  for (const name of Object.keys(request)) {
    if (!(name in made)) Object.defineProperty(made, name, Object.getOwnPropertyDescriptor(request, name)!)
  }
  return made
}
