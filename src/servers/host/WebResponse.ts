import type { Rejection } from "../../authorization/Rejection.ts"
import type { Admitted } from "./Admission.ts"
import type { Answer } from "./Documents.ts"
import type { Host } from "./Host.ts"
import * as sseSession from "./SseSession.ts"
import { isEventStream } from "./StreamLifetime.ts"

/* Responses of fetch's: rejections and documents, and what handlers answer. */

/** Turns a rejection, or a document, into a response. */
export const toResponse = ({ body, headers, status }: Rejection | Answer, method: string): Response =>
  new Response(body === "" || method === "HEAD" ? null : body, { status, headers: { ...headers } })

/** Ends an event stream when the token does. Every other response stays as it is. */
export const endInTime = <A>(host: Host<A>, admitted: Admitted<A>, response: Response): Response => {
  const isOpening = admitted.caller.request.method === "GET"
  // Headers first: on Node, reading `body` makes a stream of it.
  if (
    (admitted.principal === undefined && !isOpening) || !isEventStream(response.headers.get("content-type")) ||
    response.body === null
  ) {
    return response
  }
  const body = isOpening ? bound(host, admitted, response.body) : response.body
  return new Response(admitted.principal === undefined ? body : until(host, admitted, body), response)
}

/** Binds the session that the first event of a stream names, before that event goes out. */
const bound = <A>(
  host: Host<A>,
  admitted: Admitted<A>,
  body: ReadableStream<Uint8Array>
): ReadableStream<Uint8Array> => {
  const first = new sseSession.FirstEvent()
  let release: (() => void) | undefined
  return sseSession.observed(body, (chunk) => {
    const id = first.read(chunk)
    if (id !== undefined) release = host.bindStream(admitted, id)
  }, () => release?.())
}

const until = <A>(
  host: Host<A>,
  admitted: Admitted<A>,
  body: ReadableStream<Uint8Array>
): ReadableStream<Uint8Array> => {
  const reader = body.getReader()
  let ended = false
  let cancelEnd = () => {}
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      cancelEnd = host.whenStreamEnds(admitted, () => {
        ended = true
        controller.close()
        reader.cancel().catch(() => {})
      }) ?? cancelEnd
    },
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read()
        if (ended) return
        if (!done) return controller.enqueue(value)
        cancelEnd()
        controller.close()
      } catch (error) {
        if (ended) return
        cancelEnd()
        controller.error(error)
      }
    },
    cancel: (reason) => {
      cancelEnd()
      return reader.cancel(reason)
    }
  }, { highWaterMark: 0 })
}
