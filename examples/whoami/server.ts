import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as WhoAmI from "./WhoAmI.ts"

const port = Number(process.env["PORT"] ?? 3000)
const resource = process.env["RESOURCE_URL"] ?? `http://127.0.0.1:${port}/mcp`
const [issuer = "http://127.0.0.1:4000", ...others] = process.env["AUTHORIZATION_SERVERS"]?.split(",") ?? []

const App = WhoAmI.layer({ resource, authorizationServers: [issuer, ...others] })

const Server = HttpRouter.serve(App, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port }))
)

const Main = Layer.effectDiscard(Console.log(`listening on http://127.0.0.1:${port}/mcp`)).pipe(Layer.provide(Server))

NodeRuntime.runMain(Layer.launch(Main))
