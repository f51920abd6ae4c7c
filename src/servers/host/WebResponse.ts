import type { Rejection } from "../../authorization/Rejection.ts"
import { describe } from "../../protocol/OptionValue.ts"
import type { Admitted } from "./Admission.ts"
import type { Answer } from "./Documents.ts"
import type { Host } from "./Host.ts"
import * as sseSession from "./SseSession.ts"
import { isEventStream } from "./StreamLifetime.ts"

/* Creates a `Response` from a rejection or a document, and observes the responses of handlers. */

/** Turns a rejection or a document into a response. */
export const toResponse = ({ body, headers, status }: Rejection | Answer, method: string): Response =>
  new Response(body === "" || method === "HEAD" ? null : body, { status, headers: { ...headers } })

/** Returns the response of a handler. Throws an error that names the handler if it is none, for example without `return`. */
export const checkResponse = (response: Response): Response => {
  if (typeof (response as Partial<Response> | undefined)?.headers?.get === "function") return response
  throw new TypeError(`the handler behind the gate returned ${describe(response)}; expected a Response`)
}

/**
 * Ends an event stream when the token of its request is no longer valid, or when its caller has too many streams. If the stream answers a GET request, also binds the
 * session that its first event names. Returns a response that is not an event stream as it is.
 */
export const endInTime = <A>(host: Host<A>, admitted: Admitted<A>, response: Response): Response => {
  const isOpening = admitted.caller.request.method === "GET"
  // Checks `body` last, because on Node the first access to it creates a stream.
  if (!isEventStream(response.headers.get("content-type")) || response.body === null) return response
  const body = isOpening ? bindFirstEvent(host, admitted, response.body) : response.body
  return new Response(endWithCaller(host, admitted, body), response)
}

/** Reads the session id in the first event of a stream, and binds this session to the caller before the event is sent. */
const bindFirstEvent = <A>(
  host: Host<A>,
  admitted: Admitted<A>,
  body: ReadableStream<Uint8Array>
): ReadableStream<Uint8Array> => {
  const first = new sseSession.FirstEvent()
  let release: (() => void) | undefined
  return sseSession.observe(body, (chunk) => {
    const id = first.read(chunk)
    if (id !== undefined) release = host.bindStream(admitted, id)
  }, () => release?.())
}

/**
 * Ends a stream when the gate says so. The stream counts as open from the first time that it is read: a response that the platform
 * drops without reading or cancelling it must not count forever.
 */
const endWithCaller = <A>(
  host: Host<A>,
  admitted: Admitted<A>,
  body: ReadableStream<Uint8Array>
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  let ended = false
  let cancelEnd: (() => void) | undefined
  const open = (controller: ReadableStreamDefaultController<Uint8Array>) =>
    host.whenStreamEnds(admitted, () => {
      ended = true
      controller.close()
      reader.cancel().catch(() => {})
    })
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      cancelEnd ??= open(controller)
      if (ended) return
      try {
        const { done, value } = await reader.read()
        if (ended) return
        if (!done) return controller.enqueue(value)
        cancelEnd?.()
        controller.close()
      } catch (error) {
        if (ended) return
        cancelEnd?.()
        controller.error(error)
      }
    },
    cancel: (reason) => {
      cancelEnd?.()
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}
