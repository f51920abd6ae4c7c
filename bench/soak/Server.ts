/**
 * The protected server. It runs in a separate process, so that its heap can be measured: `node --expose-gc Server.ts <issuer>
 * <resource> <refresh in seconds>`. It sends its port to the parent process at the start, and its heap and CPU time on request.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Duration, Effect, Layer, References, Schema } from "effect"
import { AuthLayer, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Freshness } from "effect-mcp-auth/verification"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface State {
  /** Heap in use after a garbage collection, in MiB. */
  readonly heap: number
  /** CPU time since the start of the process, in seconds. */
  readonly cpu: number
}

const [issuer = "", resource = "", refresh = ""] = process.argv.slice(2)
const seconds = Duration.seconds(Number(refresh))

const Todos = Toolkit.make(
  requireScopes("todos:write")(
    Tool.make("add_todo", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.String })
  )
)

const Server = McpAuth.layerHttp({
  name: "todos",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28],
  registrations: McpAuth.toolkit(Todos).pipe(
    Layer.provide(Todos.toLayer({ add_todo: ({ title }) => Effect.succeed(`added ${title}`) }))
  )
}).pipe(
  Layer.provide(
    AuthLayer.make({ resource, authorizationServers: [issuer], scopes: ["todos:read", "todos:write"] })
  )
)

// The cooldown is in proportion to the refresh interval, and backoffs are short, so that a short run has as many refreshes as a
// long run.
const times = Layer.effect(
  Freshness.Freshness,
  Effect.map(Freshness.Freshness, (usual) => ({
    ...usual,
    refresh: seconds,
    shortest: seconds,
    longest: seconds,
    unknownKidCooldown: Duration.seconds(Math.max(0.25, Number(refresh) / 10)),
    minBackoff: Duration.millis(100),
    maxBackoff: Duration.millis(400)
  }))
)

// Keeps idle connections open. If the server closed one while the client writes, the test would count a failed request.
const node = createServer({ keepAliveTimeout: 0 })
node.on("listening", () => process.send!((node.address() as AddressInfo).port))

process.on("message", () => {
  const { gc } = globalThis as { readonly gc?: () => void }
  gc!()
  const { system, user } = process.cpuUsage()
  const state: State = { heap: process.memoryUsage().heapUsed / 1024 / 1024, cpu: (user + system) / 1_000_000 }
  process.send!(state)
})
process.on("disconnect", () => process.exit())

HttpRouter.serve(Server, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
  Layer.provide(times),
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
  Layer.launch,
  NodeRuntime.runMain
)
