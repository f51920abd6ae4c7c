import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { ConnectionRefused, Received, Responder } from "./respond.ts"

/** Creates an `HttpClient` that reaches the issuer. */
export const makeClient = (
  react: (request: Received) => Effect.Effect<Response, ConnectionRefused>
): HttpClient.HttpClient =>
  HttpClient.make((request, target) =>
    readRequest(request).pipe(
      Effect.flatMap(({ body, headers }) => react({ method: request.method, url: target.href, headers, body })),
      Effect.map((response) => HttpClientResponse.fromWeb(request, response)),
      Effect.mapError(() =>
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({ request, description: "connection refused" })
        })
      )
    )
  )

const readRequest = (
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<Pick<Received, "headers" | "body">> => {
  const { body } = request
  const headers: Readonly<Record<string, string>> = { ...request.headers }
  switch (body._tag) {
    case "Empty":
      return Effect.succeed({ headers, body: "" })
    case "Uint8Array":
      return Effect.succeed({
        headers: { "content-type": body.contentType, ...headers },
        body: new TextDecoder().decode(body.body)
      })
    default:
      return Effect.flatMap(
        Effect.orDie(HttpClientRequest.toWeb(request)),
        (web) =>
          Effect.map(Effect.promise(() => web.text()), (body) => ({
            headers: Object.fromEntries(web.headers),
            body
          }))
      )
  }
}

/** Creates a `fetch` that reaches the issuer. It uses the clock of the fiber that runs this effect. */
export const makeFetch = (respond: Responder["respond"]): Effect.Effect<typeof globalThis.fetch> =>
  Effect.map(
    Effect.context<never>(),
    (context): typeof globalThis.fetch => (input, init) => {
      const request = new Request(input, init)
      return Effect.runPromiseWith(context)(respond(request), { signal: request.signal })
    }
  )

/** Creates the HTTP application that serves an issuer on an `HttpServer`. */
export const makeApp = ({ issuer, respond }: Responder) =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const web = yield* HttpServerRequest.toWeb(request)
    // The URL gets the origin of the issuer, so that the client's `Host` header does not affect the response.
    const { pathname, search } = new URL(web.url)
    const response = yield* respond(new Request(`${issuer}${pathname}${search}`, web))
    return HttpServerResponse.fromWeb(response)
  }).pipe(
    Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 503 }))),
    // `HttpServer.serve` runs an application uninterruptibly, so a response that hangs would keep the port open.
    Effect.interruptible
  )

/**
 * Returns the origin at which clients on this machine reach a server. For a server that listens on all addresses, it contains
 * the loopback address of the same IP version.
 */
export const getOrigin = (address: string): string =>
  new URL(address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")).origin

/**
 * The members of a `node:http` request that the issuer reads.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | Array<string> | undefined }
}

/**
 * The members of a `node:http` response that the issuer writes.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeResponse {
  readonly destroyed: boolean
  writeHead(status: number, headers: Record<string, string>): unknown
  write(chunk: Uint8Array): boolean
  once(event: string, listener: () => void): unknown
  end(): unknown
  destroy(): unknown
}

/** Creates a listener for `node:http`. Every failure closes the connection. */
export const makeNodeListener =
  (issuer: string, respond: (request: Request) => Promise<Response>) =>
  (request: NodeRequest, response: NodeResponse): void => {
    const next = (event: string) => new Promise<void>((resolve) => response.once(event, resolve))
    const closed = next("close")
    const send = async () => {
      const { body, headers, status } = await respond(await toRequest(request, new URL(issuer).origin))
      response.writeHead(status, Object.fromEntries(headers))
      const reader = body?.getReader()
      for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
        if (!response.write(part.value)) await Promise.race([next("drain"), closed])
        if (response.destroyed) return reader?.cancel()
      }
      response.end()
    }
    send().catch(() => response.destroy())
  }

// The URL gets the origin of the issuer, so that the client's `Host` header does not affect the response.
const toRequest = async (request: NodeRequest, origin: string): Promise<Request> => {
  const { headers, method = "GET", url = "/" } = request
  const chunks: Array<Uint8Array<ArrayBuffer>> = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array<ArrayBuffer>)
  return new Request(origin + url, {
    method,
    headers: Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]]
    ),
    ...(chunks.length === 0 ? {} : { body: new Blob(chunks) })
  })
}
