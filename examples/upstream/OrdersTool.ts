/** An MCP server with one tool. The tool calls an API on behalf of the caller, with a token that is issued for the API only. */
import { Effect, Layer, type Redacted, Schema } from "effect"
import { AuthLayer, requireScopes } from "effect-mcp-auth"
import { ExchangedToken } from "effect-mcp-auth/http-client"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TokenExchange } from "effect-mcp-auth/token-exchange"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"

const Orders = Schema.Struct({
  orders: Schema.Array(Schema.String),
  actor: Schema.optional(Schema.Struct({ sub: Schema.String }))
})

export class NoOrders extends Schema.TaggedError<NoOrders>()("NoOrders", { why: Schema.String }) {
  override get message() {
    return `The orders cannot be read: ${this.why}`
  }
}

export const Tools = Toolkit.make(
  requireScopes("orders:list")(
    Tool.make("recent_orders", { description: "Lists your recent orders", success: Orders, failure: NoOrders })
  )
)

/** The handlers of the tools. `url` is the URL of the API and the audience of its tokens. */
export const toolsLayer = (url: string) =>
  Tools.toLayer(Effect.gen(function*() {
    const exchange = yield* TokenExchange.TokenExchange
    const client = (yield* HttpClient.HttpClient).pipe(
      HttpClient.mapRequestEffect(ExchangedToken.bearer({ resource: url, scopes: ["orders:read"] })),
      HttpClient.filterStatusOk
    )
    return {
      recent_orders: () =>
        client.get(url).pipe(
          Effect.flatMap(HttpClientResponse.schemaBodyJson(Orders)),
          Effect.provideService(TokenExchange.TokenExchange, exchange),
          Effect.catchTag(
            "TokenExchangeError",
            ({ code, reason }) => Effect.fail(new NoOrders({ why: code ?? reason }))
          ),
          Effect.catchTag(["HttpClientError", "SchemaError"], () => Effect.fail(new NoOrders({ why: "the API" })))
        )
    }
  }))

export interface Identity {
  /** The URL that clients use. */
  readonly resource: string
  readonly authorizationServers: readonly [string, ...ReadonlyArray<string>]
}

export interface Options extends Identity {
  readonly orders: string
  readonly clientSecret: Redacted.Redacted
}

export const layer = ({ authorizationServers, clientSecret, orders, resource }: Options) => {
  const Exchange = TokenExchange.make({
    authorizationServer: authorizationServers[0],
    clientId: "orders-tool",
    clientSecret
  })
  return McpAuth.layerHttp({
    name: "orders",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
    registrations: McpAuth.toolkit(Tools).pipe(
      Layer.provide(toolsLayer(orders)),
      Layer.provide([Exchange, FetchHttpClient.layer])
    )
  }).pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes: ["orders:list"] })))
}
