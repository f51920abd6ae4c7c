/** Records the requests that HTTP servers of this process answer, to show what a client does, not what its documentation says. */
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { IncomingMessage, ServerResponse } from "node:http"

/** A request that a server has answered. */
export interface Exchange {
  readonly method: string
  /** The URL without its query. */
  readonly url: string
  readonly parameters: URLSearchParams
  readonly status: number
}

const channel = "http.server.response.finish"

/** Records until the scope of `using` ends. `take` returns the exchanges since the last call. */
export const record = (): Disposable & { readonly take: () => ReadonlyArray<Exchange> } => {
  let exchanges: Array<Exchange> = []
  const listener = (message: unknown) => {
    const { request, response } = message as { readonly request: IncomingMessage; readonly response: ServerResponse }
    const { origin, pathname, searchParams } = new URL(request.url ?? "/", `http://${request.headers.host}`)
    exchanges.push({
      method: request.method ?? "",
      url: origin + pathname,
      parameters: searchParams,
      status: response.statusCode
    })
  }
  subscribe(channel, listener)
  return {
    take: () => {
      const taken = exchanges
      exchanges = []
      return taken
    },
    [Symbol.dispose]: () => void unsubscribe(channel, listener)
  }
}
