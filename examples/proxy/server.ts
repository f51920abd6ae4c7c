/** Serves `Todos.ts`. The environment contains the settings of the GitHub app. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as Todos from "./Todos.ts"

const port = Number(process.env["PORT"] ?? 3000)
const resource = process.env["RESOURCE_URL"] ?? `http://127.0.0.1:${port}/mcp`

const Server = HttpRouter.serve(Todos.layerConfig(resource), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port }))
)

const Main = Layer.effectDiscard(Console.log(`listening on ${resource}`)).pipe(Layer.provide(Server))

NodeRuntime.runMain(Layer.launch(Main))
