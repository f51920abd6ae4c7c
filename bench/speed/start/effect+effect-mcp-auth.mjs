import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { AuthLayer, Principal } from "effect-mcp-auth"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"

const [issuer, resource] = process.argv.slice(2)
const Auth = AuthLayer.make({ resource, authorizationServers: [issuer], scopes: ["todos:read"] })
const Route = HttpRouter.add("GET", "/mcp", Effect.map(Principal, () => HttpServerResponse.text("in")))

const server = createServer().on("listening", () => process.send(server.address().port))
HttpRouter.serve(Layer.provide(Route, Auth), { disableListenLog: true, disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })),
  Layer.launch,
  NodeRuntime.runMain
)
