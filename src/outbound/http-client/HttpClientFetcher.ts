/**
 * Sends the requests of this library with the `HttpClient` of Effect.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Fetcher, FetchError, networkError, type Request, type Response } from "../Fetcher.ts"

/**
 * Creates a `Fetcher` that sends requests with a client.
 *
 * **Gotchas**
 *
 * The client must not follow redirects. `FetchHttpClient` does not, because each request sets `redirect: "manual"`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (client: HttpClient.HttpClient): Fetcher["Service"] =>
  Fetcher.of({
    send: (request) =>
      client.execute(toHttpRequest(request)).pipe(
        Effect.mapError(({ reason }) => networkError(reason)),
        Effect.flatMap((response): Effect.Effect<Response, FetchError> => {
          const head = { status: response.status, headers: response.headers }
          if (!request.readsBody(head)) return Effect.succeed({ ...head, body: new Uint8Array() })
          const tooLarge = new FetchError({ reason: "too-large" })
          if (Number(head.headers["content-length"] ?? 0) > request.maximumBytes) return Effect.fail(tooLarge)
          return response.stream.pipe(
            // A response without a body, such as 204, has an empty body and is not an error.
            Stream.catch(({ reason }) =>
              reason._tag === "EmptyBodyError" ? Stream.empty : Stream.fail(networkError(reason))
            ),
            Stream.limitBytes(request.maximumBytes, (): Stream.Stream<Uint8Array, FetchError> => Stream.fail(tooLarge)),
            Stream.mkUint8Array,
            Effect.map((body) => ({ ...head, body }))
          )
        }),
        // `FetchHttpClient` takes these options from the context of each request, so they also apply to a custom client that
        // uses `fetch`.
        Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual", credentials: "omit" }),
        // Trace ids must not be sent to other parties.
        Effect.provideService(HttpClient.TracerPropagationEnabled, false)
      )
  })

const toHttpRequest = ({ body, headers, method, url }: Request): HttpClientRequest.HttpClientRequest => {
  const request = HttpClientRequest.make(method)(url, { headers })
  return body === undefined ? request : HttpClientRequest.bodyText(request, body, headers["content-type"])
}

/**
 * Provides a `Fetcher` that sends requests with the provided `HttpClient`.
 *
 * **When to use**
 *
 * Use it to compose `Discovery`, `JwkSet` or `TokenExchange` with the client of your program, for example to trace their
 * requests as spans.
 *
 * **Example** (Discovery with the HTTP client of a program)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpClientFetcher } from "effect-mcp-auth/http-client"
 * import { Discovery } from "effect-mcp-auth/verification"
 * import { FetchHttpClient } from "effect/http"
 *
 * const DiscoveryLive = Discovery.layer.pipe(
 *   Layer.provide(HttpClientFetcher.layer),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Fetcher, never, HttpClient.HttpClient> = Layer.effect(
  Fetcher,
  Effect.map(HttpClient.HttpClient, make)
)
