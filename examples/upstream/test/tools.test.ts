import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { expectAdmitted, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { TokenExchange } from "effect-mcp-auth/token-exchange"
import { decodeJwt } from "jose"
import * as OrdersTool from "../OrdersTool.ts"

const issuer = "https://auth.example.com"
const resource = "https://shop.example.com/mcp"
const orders = "https://orders.example.com/orders"
const clientSecret = Redacted.make("hush")

const Test = TestClient.layer(OrdersTool.layer({ resource, authorizationServers: [issuer], orders, clientSecret }))
  .pipe(
    Layer.provideMerge(TestIssuer.layer({ issuer, resource, clients: { "orders-tool": { secret: "hush" } } }))
  )

const carol = { subject: "carol", scopes: ["orders:list"] }
const call = TestClient.TestClient.use((client) => client.callTool("recent_orders")).pipe(TestClient.as(carol))

const ByLayer = OrdersTool.toolsLayer(orders).pipe(
  Layer.provide(TokenExchange.layer({ authorizationServer: issuer, clientId: "orders-tool", clientSecret })),
  Layer.provideMerge(TestIssuer.layer({ issuer })),
  Layer.merge(AuthLayer.mock({ ...carol, scopes: ["orders:list"], issuer }))
)

layer(ByLayer)("by layer", (it) => {
  it.effect("lists the orders of the API", () =>
    Effect.gen(function*() {
      const { respondWith } = yield* TestIssuer.TestIssuer
      yield* respondWith("/token", () => Response.json({ access_token: "upstream", token_type: "Bearer" }))
      yield* respondWith(orders, ({ headers }) => Response.json({ orders: [headers["authorization"]] }))
      const tools = yield* OrdersTool.Tools
      const results = yield* tools.handle("recent_orders", {}).pipe(Effect.flatMap(Stream.runCollect))
      assert.deepStrictEqual(results.map(({ result }) => result), [{ orders: ["Bearer upstream"] }])
    }))
})

layer(Test)("by client", (it) => {
  it.effect("the API gets a separate token, for the caller and from this server", () =>
    Effect.gen(function*() {
      const { respondWith } = yield* TestIssuer.TestIssuer
      const tokens: Array<string> = []
      yield* respondWith(orders, ({ headers }) => {
        tokens.push(headers["authorization"]!.replace("Bearer ", ""))
        return Response.json({ orders: ["a kettle"] })
      })
      assert.deepStrictEqual((yield* call.pipe(expectAdmitted)).value, { orders: ["a kettle"] })
      const { act, aud, scope, sub } = decodeJwt(tokens[0]!)
      assert.deepStrictEqual([sub, [aud].flat(), scope], ["carol", [orders], "orders:read"])
      assert.deepStrictEqual(act, { sub: "orders-tool" })
    }))

  it.effect("a token for the API does not open this server", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const upstream = { ...carol, audience: orders }
      yield* client.callTool("recent_orders").pipe(TestClient.as(upstream), expectRejected("audience"))
    }))
})

layer(Test)("by fault", (it) => {
  it.effect("an exchange that is rejected is an error of the tool", () =>
    Effect.gen(function*() {
      const { respondWith } = yield* TestIssuer.TestIssuer
      yield* respondWith("/token", () => Response.json({ error: "invalid_target" }, { status: 400 }))
      const { status, value } = yield* call
      assert.deepStrictEqual([status, value], [200, "The orders cannot be read: invalid_target"])
    }))
})
