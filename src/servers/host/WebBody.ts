import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as body from "./Body.ts"
import { BodyBuffer } from "./BodyBuffer.ts"

/* The bytes of fetch's bodies. */

/**
 * Calls a function after a time, unless it is stopped before. Returns the function that stops it.
 *
 * Each body has a separate timer: on Workers a request must not wait for a timer of another request. The timer starts at the
 * next turn of the event loop. Most small bodies are complete by then, and a timer that is stopped at once would cost a
 * twentieth of a small tool call.
 */
const startTimer = (fiber: Fiber.Fiber<unknown, unknown>, time: Duration.Duration, expire: () => void): () => void => {
  let isStopped = false
  let timer: Fiber.Fiber<void> | undefined
  fiber.currentDispatcher.scheduleTask(() => {
    if (isStopped) return
    timer = Effect.runForkWith(fiber.context)(Effect.sleep(time))
    timer.addObserver(() => {
      if (!isStopped) expire()
    })
  }, 0)
  return () => {
    isStopped = true
    timer?.interruptUnsafe()
  }
}

/** Reads a stream to its end. A body that is too large or too slow is cancelled. */
export const read = (
  stream: ReadableStream<Uint8Array>,
  limit: number,
  timeout: Duration.Duration
): Effect.Effect<Uint8Array, MalformedRequest> =>
  Effect.withFiber((fiber) =>
    Effect.callback<Uint8Array, MalformedRequest>((resume) => {
      const reader = stream.getReader()
      let hasEnded = false
      const end = (result: Effect.Effect<Uint8Array, MalformedRequest>) => {
        if (hasEnded) return
        hasEnded = true
        stopTimer()
        resume(result)
      }
      const cancel = () => {
        reader.cancel().catch(() => {})
      }
      const stopTimer = startTimer(fiber, timeout, () => {
        cancel()
        end(Effect.fail(body.tooSlow))
      })
      const buffer = new BodyBuffer(limit)
      const pull = async () => {
        for (;;) {
          const { done, value } = await reader.read()
          if (hasEnded) return
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
        hasEnded = true
        stopTimer()
        cancel()
      })
    })
  )

/** Reads a small body at once. `within` would take two fibers. */
export const readAtOnce = (
  request: Request,
  timeout: Duration.Duration
): Effect.Effect<ArrayBuffer, MalformedRequest> =>
  Effect.withFiber((fiber) =>
    Effect.callback<ArrayBuffer, MalformedRequest>((resume) => {
      const end = (result: Effect.Effect<ArrayBuffer, MalformedRequest>) => {
        stopTimer()
        resume(result)
      }
      const stopTimer = startTimer(fiber, timeout, () => end(Effect.fail(body.tooSlow)))
      // A body that breaks off is not JSON: its client is gone.
      request.arrayBuffer().then((bytes) => end(Effect.succeed(bytes)), () => end(Effect.fail(body.notJson)))
      return Effect.sync(stopTimer)
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
