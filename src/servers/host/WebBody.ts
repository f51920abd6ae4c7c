import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { MalformedRequest } from "../../protocol/AuthError.ts"
import * as body from "./Body.ts"
import { BodyBuffer } from "./BodyBuffer.ts"

/* Reads the bytes of the body of a `Request`. */

/**
 * Calls `expire` after a time. Returns the function that stops the timer.
 *
 * Each body has a separate timer, because on Cloudflare Workers a request cannot await a timer of another request. The timer
 * starts in the next turn of the event loop. Most small bodies are complete by then and need no timer. Starting and stopping
 * one would take a twentieth of the time of a small tool call.
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
      // The client has disconnected. The incomplete body is not JSON.
      pull().catch(() => end(Effect.fail(body.notJson)))
      return Effect.sync(() => {
        hasEnded = true
        stopTimer()
        cancel()
      })
    })
  )

/** Reads a small body with `arrayBuffer`. It does not use `within`, which would start two fibers. */
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
      // The client has disconnected. The incomplete body is not JSON.
      request.arrayBuffer().then((bytes) => end(Effect.succeed(bytes)), () => end(Effect.fail(body.notJson)))
      return Effect.sync(stopTimer)
    })
  )

/** Runs an effect that reads a body in another way, such as with the parser of a framework. Fails after the timeout. */
export const within = <A, E, R>(
  reading: Effect.Effect<A, E, R>,
  timeout: Duration.Duration
): Effect.Effect<A, E | MalformedRequest, R> =>
  Effect.timeoutOrElse(reading, { duration: timeout, orElse: () => Effect.fail(body.tooSlow) })

/**
 * Creates a copy of a request whose body was read. The body of the copy consists of `bytes` and is unread.
 *
 * `request.clone()` before the reading would take more memory: the unread copy keeps every chunk.
 */
export const replay = (request: Request, bytes: Uint8Array): Request => {
  const body = bytes as Uint8Array<ArrayBuffer>
  let made: Request
  try {
    // A framework may define a subclass of `Request`.
    const OwnRequest = request.constructor as typeof Request
    made = new OwnRequest(request, { body })
  } catch {
    const { headers, method, signal, url } = request
    // Some servers create requests that the constructor rejects, such as a GET with a body.
    const isBodiless = method === "GET" || method === "HEAD"
    made = new Request(url, { headers, method, signal, ...(isBodiless ? {} : { body }) })
  }
  // Copies the properties that platforms and frameworks set on a request, such as `cf` of Cloudflare Workers.
  for (const name of Object.keys(request)) {
    if (!(name in made)) Object.defineProperty(made, name, Object.getOwnPropertyDescriptor(request, name)!)
  }
  return made
}
