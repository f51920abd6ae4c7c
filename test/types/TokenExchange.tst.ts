import { Effect, Redacted } from "effect"
import type { Principal } from "effect-mcp-auth"
import { ExchangedToken } from "effect-mcp-auth/http-client"
import type { TokenExchange } from "effect-mcp-auth/token-exchange"
import { HttpClient, HttpClientRequest } from "effect/http"
import { describe, expect, test } from "tstyche"

declare const principal: Principal
declare const upstream: TokenExchange.UpstreamToken

describe("the inbound token", () => {
  test("cannot be forwarded", () => {
    const request = HttpClientRequest.get("https://orders.example")
    // @ts-expect-error Argument of type 'Redacted<InboundToken>' is not assignable
    HttpClientRequest.bearerToken(request, principal.token)
    // @ts-expect-error Argument of type 'InboundToken' is not assignable
    HttpClientRequest.bearerToken(request, Redacted.value(principal.token))
    // @ts-expect-error Type 'InboundToken' is not assignable to type 'string'
    fetch("https://orders.example", { headers: { authorization: Redacted.value(principal.token) } })
    expect<TokenExchange.UpstreamToken>().type.not.toBeAssignableFrom<Principal["token"]>()
  })
})

describe("an exchanged token", () => {
  test("can be sent, and is not an inbound token", () => {
    HttpClientRequest.bearerToken(HttpClientRequest.get("https://orders.example"), upstream)
    expect<Principal["token"]>().type.not.toBeAssignableFrom<TokenExchange.UpstreamToken>()
    expect<TokenExchange.UpstreamToken>().type.not.toBeAssignableFrom<Redacted.Redacted>()
  })

  test("needs a caller, and an exchange", () => {
    const program = Effect.flatMap(
      HttpClient.HttpClient,
      (client) =>
        client.pipe(HttpClient.mapRequestEffect(ExchangedToken.bearer({ audience: "https://orders.example" }))).get("/")
    )
    expect<Effect.Services<typeof program>>().type.toBe<
      HttpClient.HttpClient | TokenExchange.TokenExchange | Principal
    >()
  })
})
