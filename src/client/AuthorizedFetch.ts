import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { bearer, belongsTo, exchange, isFinal } from "./Exchange.ts"
import type { Session } from "./Session.ts"
import type { Token } from "./TokenSource.ts"

/* Sends the requests of a client with `fetch`. */

/** Sends a request with the token of a session. `run` runs the effects of the client. */
export const send = async (
  { keeper, observe, resource }: Session,
  fetch: typeof globalThis.fetch,
  run: typeof Effect.runPromiseExit,
  input: RequestInfo | URL,
  init: RequestInit = {}
): Promise<Response> => {
  const request = input instanceof Request ? input : undefined
  const url = request?.url ?? String(input)
  const headers = new Headers(init.headers ?? request?.headers)
  // The caller has chosen other credentials.
  if (headers.has("authorization")) return fetch(input, init)
  const signal = init.signal ?? request?.signal
  const repeatable = isRepeatable(request, init)
  const source = () => request !== undefined && repeatable ? request.clone() : input
  const sendWith = (withToken: Headers): Promise<Response> =>
    fetch(source(), { ...init, headers: withToken, redirect: "manual" })
  const token = keeper.peek()
  let first: { readonly token: Token; readonly response: Response } | undefined
  if (token !== undefined && belongsTo(url, resource)) {
    headers.set("authorization", bearer(token.value))
    const response = await sendWith(headers)
    if (isFinal(response.status)) return response
    first = { token, response }
  }
  const sent = exchange(keeper, resource, {
    method: toSentMethod(init.method ?? request?.method ?? "GET"),
    url,
    isRepeatable: repeatable,
    first,
    // The signal of the caller is in `init`, and ends the response as well, not only the wait for it.
    send: (added) =>
      Effect.tryPromise({
        try: () => {
          if (added === undefined) return fetch(source(), init)
          const withToken = new Headers(headers)
          for (const [name, value] of Object.entries(added)) withToken.set(name, value)
          return sendWith(withToken)
        },
        catch: (error) => new FetchFailed(error)
      }),
    view: (response) => ({
      status: response.status,
      dpopNonce: response.headers.get("dpop-nonce") ?? undefined,
      wwwAuthenticate: response.headers.get("www-authenticate") ?? undefined,
      location: response.headers.get("location") ?? undefined
    }),
    discard: (response) => Effect.promise(async () => response.body?.cancel().catch(() => {}))
  })
  const exit = await run(observe(sent), signal ? { signal } : {})
  if (Exit.isSuccess(exit)) return exit.value
  signal?.throwIfAborted()
  const error = Exit.findErrorOption(exit)
  if (error._tag === "Some") throw unwrap(error.value)
  throw Cause.hasInterruptsOnly(exit.cause)
    ? new Error("The client was disposed", { cause: exit.cause })
    : Cause.squash(exit.cause)
}

/** A failure of `fetch` itself, which the caller receives as it is. */
class FetchFailed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

const unwrap = (error: unknown): unknown => error instanceof FetchFailed ? error.error : error

/** Returns a method as `fetch` sends it. It writes only these in upper case (Fetch §2.2.1). */
const toSentMethod = (method: string): string =>
  /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method

/** A stream can be read only once, and a copy of a `Request` would keep its body in memory. */
const isRepeatable = (request: Request | undefined, { body }: RequestInit): boolean =>
  body === undefined || body === null
    ? request === undefined || request.body === null
    : !(body instanceof ReadableStream) && !(Symbol.asyncIterator in Object(body))
