/**
 * Sends exchanged tokens with the `HttpClient` of Effect.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpUri from "../../protocol/HttpUri.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as TokenExchange from "../token-exchange/TokenExchange.ts"

/**
 * Adds an exchanged token for the target to a request, as a Bearer token. Fails with the reason `insecure-url` if the URL is
 * neither https nor on loopback.
 *
 * **When to use**
 *
 * Use it in a handler that calls another protected server. The caller's token is meant for the server that runs the handler,
 * and must not be forwarded (MCP authorization, "Token Passthrough").
 *
 * **Gotchas**
 *
 * Every request of an `HttpClient` with this function gets the token, so use this `HttpClient` only for the target.
 *
 * **Example** (A request to the orders API)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { ExchangedToken } from "effect-mcp-auth/http-client"
 * import { HttpClient } from "effect/http"
 *
 * const orders = Effect.gen(function*() {
 *   const client = (yield* HttpClient.HttpClient).pipe(
 *     HttpClient.mapRequestEffect(ExchangedToken.bearer({ audience: "https://orders.example.com" }))
 *   )
 *   return yield* client.get("https://orders.example.com/recent")
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const bearer = (target: TokenExchange.Target) =>
(
  request: HttpClientRequest.HttpClientRequest
): Effect.Effect<
  HttpClientRequest.HttpClientRequest,
  TokenExchange.TokenExchangeError,
  TokenExchange.TokenExchange | Principal
> => {
  if (!URL.canParse(request.url) || !HttpUri.isSecure(new URL(request.url))) {
    return Effect.fail(new TokenExchange.TokenExchangeError({ reason: "insecure-url" }))
  }
  return Effect.map(
    Effect.flatMap(TokenExchange.TokenExchange, (exchange) => exchange.token(target)),
    (token) => HttpClientRequest.bearerToken(request, token)
  )
}
