/**
 * Signs the requests of an `HttpClient` to an MCP server in, for Effect's `McpClient` and other programs on Effect.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Fetcher } from "../../outbound/Fetcher.ts"
import * as HttpClientFetcher from "../../outbound/http-client/HttpClientFetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { type ClientError, find, type SignInRequired } from "../ClientError.ts"
import * as exchange from "../Exchange.ts"
import { advice, makeSession, type Options } from "../Session.ts"
import * as Connections from "../sign-in/Connections.ts"

const names: ReadonlyArray<keyof Options> = ["resource", "grant", "scopes", "dpop", "events"]

/**
 * Provides an `HttpClient` that signs its requests to an MCP server in. It sends all requests with the `HttpClient` that is
 * provided to it, and other requests without a token.
 *
 * **Details**
 *
 * It behaves as the `fetch` of `McpAuthClient.make`. If the client cannot obtain a token that the server accepts, the request
 * fails with an `HttpClientError` whose cause is a `ClientError`. `clientError` returns it.
 *
 * **Example** (Effect's MCP client, as a machine)
 *
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { Grant } from "effect-mcp-auth/client"
 * import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
 * import { McpClient, McpProtocol } from "effect/ai"
 * import { FetchHttpClient } from "effect/http"
 *
 * const url = "https://todos.example.com/mcp"
 *
 * const Todos = McpClient.layerHttp({ name: "report", version: "1.0.0", protocol: McpProtocol.v2026_07_28, url }).pipe(
 *   Layer.provide(AuthorizedHttpClient.layer({
 *     resource: url,
 *     grant: Grant.clientCredentials({
 *       issuer: "https://auth.example.com",
 *       clientId: "nightly-report",
 *       clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "from the environment")
 *     })
 *   })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<HttpClient.HttpClient, AuthConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      // The session also accepts `fetch`, which a program with an `HttpClient` does not use.
      yield* Effect.fromResult(ConfigOption.attempt(() => ConfigOption.checkNames(options, "", names, advice)))
      const { keeper, observe, resource } = yield* Effect.provideService(
        makeSession(options),
        Fetcher,
        HttpClientFetcher.make(client)
      )
      return HttpClient.make((request, url) => {
        // The caller has chosen other credentials.
        if (request.headers["authorization"] !== undefined) return client.execute(request)
        const sent = exchange.exchange(keeper, resource, {
          method: request.method,
          url: url.href,
          isRepeatable: isRepeatable(request),
          send: (headers) => headers === undefined ? client.execute(request) : send(client, request, headers),
          view,
          discard
        })
        return Effect.catchTags(observe(sent), {
          AssertionUnavailable: fail(request),
          Unavailable: fail(request),
          DiscoveryError: fail(request),
          Mismatch: fail(request),
          AuthorizationDenied: fail(request),
          ScopeRefused: fail(request),
          SignInRequired: fail(request)
        })
      })
    })
  )

const send = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  headers: Readonly<Record<string, string>>
): Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError> =>
  // `FetchHttpClient` takes these options from the context of each request.
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.provideService(
      client.execute(HttpClientRequest.setHeaders(request, headers)),
      FetchHttpClient.RequestInit,
      { ...Context.getOrUndefined(context, FetchHttpClient.RequestInit), redirect: "manual" }
    )
  )

const view = ({ headers, status }: HttpClientResponse): exchange.View => ({
  status,
  dpopNonce: headers["dpop-nonce"],
  wwwAuthenticate: headers["www-authenticate"],
  location: headers["location"]
})

/** Reads one chunk of a response and cancels the rest, so that the connection is free, however much the server sends. */
const discard = (response: HttpClientResponse): Effect.Effect<void> =>
  response.stream.pipe(Stream.take(1), Stream.runDrain, Effect.timeout("1 second"), Effect.ignore)

/** A stream can be sent only once. */
const isRepeatable = ({ body }: HttpClientRequest.HttpClientRequest): boolean =>
  body._tag === "Empty" || body._tag === "Uint8Array" || body._tag === "FormData"

const fail = (request: HttpClientRequest.HttpClientRequest) => (cause: ClientError) =>
  Effect.fail(
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.TransportError({ request, cause, description: cause.message })
    })
  )

/**
 * Returns an `HttpClient` for one account of `Connections`. Requests to the MCP server have the token of the account. If the person
 * must sign in, a request fails with an `HttpClientError` whose cause is a `SignInRequired`. `signInRequired` returns it.
 *
 * **Example** (A tool of an MCP server, for the account of a web session)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
 * import { McpClient, McpProtocol } from "effect/ai"
 * import { HttpClient, HttpServerResponse } from "effect/http"
 *
 * const url = "https://todos.example.com/mcp"
 *
 * const toolNames = (account: string) =>
 *   Effect.gen(function*() {
 *     const client = yield* McpClient.McpClient
 *     const tools = yield* client.listTools()
 *     return HttpServerResponse.text(tools.map(({ name }) => name).join(", "))
 *   }).pipe(
 *     Effect.provide(
 *       McpClient.layerHttp({ name: "assistant", version: "1.0.0", protocol: McpProtocol.v2026_07_28, url }).pipe(
 *         Layer.provide(
 *           Layer.effect(HttpClient.HttpClient, AuthorizedHttpClient.forAccount({ account, resource: url }))
 *         )
 *       )
 *     ),
 *     Effect.catch((error) => {
 *       const required = AuthorizedHttpClient.signInRequired(error)
 *       return required === undefined ? Effect.fail(error) : Effect.succeed(HttpServerResponse.redirect(required.url))
 *     })
 *   )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const forAccount = (
  connection: Connections.Connection
): Effect.Effect<HttpClient.HttpClient, never, Connections.Connections> =>
  Effect.gen(function*() {
    const connections = yield* Connections.Connections
    const client = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
    const fetch: typeof globalThis.fetch = connections.fetch(connection)
    return HttpClient.make((request) => Effect.provideService(client.execute(request), FetchHttpClient.Fetch, fetch))
  })

/**
 * Returns the `ClientError` in an error or a cause, however deep it is, such as in the error of Effect's `McpClient`. Returns
 * `undefined` if there is none. It is `ClientError.find` of `effect-mcp-auth/client`.
 *
 * @category getters
 * @since 0.1.0
 */
export const clientError: (error: unknown) => ClientError | undefined = find

/**
 * Returns the `SignInRequired` in an error or a cause, however deep it is. Returns `undefined` if there is none.
 *
 * @category getters
 * @since 0.1.0
 */
export const signInRequired = (error: unknown): SignInRequired | undefined => {
  const found = clientError(error)
  return found?._tag === "SignInRequired" ? found : undefined
}
