import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Principal, RequestState } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpSchema, McpServer } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { authLayer } from "./gates.ts"

const operation = "tools/call plan_trip"

/**
 * A tool that seals a city and requests input in the first round. In the second round, it returns the caller's subject and the
 * city.
 */
const PlanTrip = Layer.effectDiscard(Effect.gen(function*() {
  const server = yield* McpServer.McpServer
  yield* server.addTool({
    tool: new McpSchema.Tool({ name: "plan_trip", inputSchema: { type: "object", properties: {} } }),
    annotations: Context.empty(),
    handle: () =>
      Effect.gen(function*() {
        // The type of the handler in `addTool` has no requirements, but the services of the request exist at run time.
        const services = (yield* Effect.context<never>()) as Context.Context<Principal | RequestState.RequestState>
        const { requestState } = yield* McpSchema.McpRequestContext
        if (requestState === undefined) {
          return new McpSchema.InputRequired({
            requestState: yield* RequestState.seal("Lisbon", { operation }).pipe(Effect.provideContext(services)),
            inputRequests: {
              name: {
                method: "elicitation/create",
                params: { message: "Your name?", requestedSchema: { type: "object", properties: {} } }
              }
            }
          })
        }
        const city = yield* RequestState.open(requestState, { operation }).pipe(
          Effect.provideContext(services),
          Effect.mapError((error) => new McpSchema.InvalidParams({ message: error.message }))
        )
        const { subject } = Context.get(services, Principal)
        return new McpSchema.CallToolResult({ content: [{ type: "text", text: `${subject} goes to ${city}` }] })
      })
  })
}))

it.live("SESS-06 request state of one principal is rejected from another, and its owner can still finish", () =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make()
    const Server = McpAuth.layerHttp({
      name: "trips",
      version: "1.0.0",
      path: "/mcp",
      protocols: [McpProtocol.v2026_07_28],
      registrations: PlanTrip
    }).pipe(
      Layer.provide(
        authLayer({
          resource: "https://server.test/mcp",
          authorizationServers: [issuer.issuer],
          scopes: ["trips"]
        })
      ),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
    )
    const { dispose, handler } = HttpRouter.toWebHandler(Server, { disableLogger: true })
    const call = (token: string, requestState?: string) =>
      Effect.promise(async () => {
        const response = await handler(
          new Request("https://server.test/mcp", {
            method: "POST",
            headers: {
              authorization: `Bearer ${token}`,
              "content-type": "application/json",
              accept: "application/json, text/event-stream",
              "mcp-protocol-version": "2026-07-28",
              "mcp-method": "tools/call",
              "mcp-name": "plan_trip"
            },
            body: JSON.stringify({
              jsonrpc: "2.0",
              id: 1,
              method: "tools/call",
              params: {
                name: "plan_trip",
                arguments: {},
                ...(requestState === undefined
                  ? {}
                  : { requestState, inputResponses: { name: { action: "decline" } } }),
                _meta: {
                  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
                  "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" }
                }
              }
            })
          })
        )
        return await response.json() as {
          readonly result?: {
            readonly requestState?: string
            readonly content?: ReadonlyArray<{ readonly text: string }>
          }
          readonly error?: { readonly code: number }
        }
      })
    const alice = yield* issuer.mint({ subject: "alice" })
    const bob = yield* issuer.mint({ subject: "bob" })
    const state = (yield* call(alice)).result!.requestState!
    assert.strictEqual((yield* call(bob, state)).error?.code, McpSchema.INVALID_PARAMS_ERROR_CODE)
    assert.strictEqual((yield* call(alice, state)).result?.content?.[0]?.text, "alice goes to Lisbon")
    yield* Effect.promise(dispose)
  }))
