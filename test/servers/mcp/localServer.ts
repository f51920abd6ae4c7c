/** A server of Effect over stdio, with a local caller. */
import { NodeRuntime, NodeStdio } from "@effect/platform-node"
import { Effect, Layer, Logger, Schema } from "effect"
import { Policy, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"

const Tools = Toolkit.make(
  requireScopes("read")(Tool.make("whoami", { success: Schema.String })),
  requireScopes("write")(Tool.make("add", { success: Schema.String })),
  requireScopes("write")(Tool.make("purge", { success: Schema.String })).annotate(
    Policy.Unauthorized,
    "hide"
  )
)
const ToolsLive = Tools.toLayer({
  whoami: () => Effect.map(Principal, ({ owner }) => owner),
  add: () => Effect.succeed("added"),
  purge: () => Effect.succeed("purged")
})

McpServer.layerStdio({
  name: "test",
  version: "1.0.0",
  protocols: [McpProtocol.v2025_11_25],
  registrations: McpAuth.toolkit(Tools).pipe(
    Layer.provide(ToolsLive),
    Layer.provide(McpAuth.layerLocal({ subject: "alice", scopes: ["read", "write"], granted: ["read"] }))
  )
}).pipe(
  Layer.provide(NodeStdio.layer),
  Layer.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])),
  Layer.launch,
  NodeRuntime.runMain
)
