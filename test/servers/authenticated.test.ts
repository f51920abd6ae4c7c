import { layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { AuthLayer, Policy, Principal } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { expectAdmitted, expectChallenge, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"

const Tools = Toolkit.make(
  Tool.make("open", { success: Schema.String }),
  Tool.make("mine", { success: Schema.String, dependencies: [Principal] }).annotate(Policy.Authenticated, true)
)

const resource = "https://server.test/mcp"

const Server = McpAuth.layerHttp({
  name: "notes",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28],
  registrations: McpAuth.toolkit(Tools).pipe(
    Layer.provide(Tools.toLayer({
      open: () => Effect.succeed("for all"),
      mine: () => Effect.map(Principal, (caller) => `of ${caller.subject}`)
    }))
  )
}).pipe(
  Layer.provide(AuthLayer.make({
    resource,
    authorizationServers: ["https://issuer.test"],
    scopes: ["notes"],
    anonymous: "allow-unscoped"
  }))
)

layer(TestClient.layer(Server).pipe(Layer.provideMerge(TestIssuer.layer({ resource }))))(
  "a tool without scopes",
  (it) => {
    it.effect("is open to all callers, unless it requires authentication: then an anonymous caller is challenged", () =>
      Effect.gen(function*() {
        const client = yield* TestClient.TestClient
        yield* client.callTool("open").pipe(expectAdmitted)
        yield* client.callTool("mine").pipe(expectChallenge({ scope: ["notes"], error: null }))
        yield* client.callTool("mine").pipe(TestClient.as({ subject: "alice" }), expectAdmitted)
      }))
  }
)
