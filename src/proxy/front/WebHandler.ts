import type * as Effect from "effect/Effect"
import { BodyBuffer } from "../../servers/host/BodyBuffer.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import type { Routes } from "./Routes.ts"

/* Answers requests of platforms with `Request` and `Response`. */

/** Answers a request. Returns `undefined` for a path that is not one of the proxy. */
export type WebHandler = (request: Request) => Promise<Response> | undefined

/** Creates the handler. `run` runs the effects of the endpoints. */
export const make = (
  routes: Routes,
  run: (effect: Effect.Effect<ProxyResponse>) => Promise<ProxyResponse>
): WebHandler =>
(request) => {
  const answer = routes.answer(toRequest(request))
  return answer === undefined ? undefined : run(answer).then(toResponse)
}

const toRequest = (request: Request): ProxyRequest => {
  const { pathname, search } = new URL(request.url)
  return {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    header: (name) => {
      const value = request.headers.get(name)
      return value === null ? [] : [value]
    },
    body: (maximumBytes, signal) => readBody(request, maximumBytes, signal)
  }
}

const readBody = async (
  request: Request,
  maximumBytes: number,
  signal: AbortSignal
): Promise<string | undefined> => {
  if (request.bodyUsed || request.body === null) return request.bodyUsed ? undefined : ""
  const buffer = new BodyBuffer(maximumBytes)
  const reader = request.body.getReader()
  signal.addEventListener("abort", () => void reader.cancel().catch(() => {}))
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: null }))
    if (value === null) return undefined
    if (done) return decode(buffer.toBytes())
    if (!buffer.add(value!)) {
      reader.cancel().catch(() => {})
      return undefined
    }
  }
}

/** Decodes UTF-8. Returns `undefined` for other bytes. */
export const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const toResponse = ({ body, cookies, headers, status }: ProxyResponse): Response =>
  new Response(body === "" ? null : body, {
    status,
    headers: [...Object.entries(headers), ...cookies.map((cookie): [string, string] => ["set-cookie", cookie])]
  })
