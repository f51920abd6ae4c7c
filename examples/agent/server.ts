import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Schema } from "effect"
import { createServer } from "node:http"
import * as App from "./App.ts"
import * as Records from "./Records.ts"

const settings = Config.all({
  port: Config.Port("AGENT_PORT").pipe(Config.withDefault(5000)),
  issuer: Config.String("ISSUER").pipe(Config.withDefault("http://127.0.0.1:4000")),
  servers: Config.Array(Schema.String, "SERVERS").pipe(
    Config.withDefault(["http://127.0.0.1:3000/mcp", "http://127.0.0.1:3001/mcp"])
  )
})

const Main = Layer.unwrap(Effect.map(settings, ({ issuer, port, servers }) => {
  const origin = `http://127.0.0.1:${port}`
  const Server = App.layer({ origin, issuer, servers }).pipe(
    Layer.provide(Records.layer),
    Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port }))
  )
  return Layer.effectDiscard(Console.log(`agent ${origin}`)).pipe(Layer.provide(Server))
}))

NodeRuntime.runMain(Layer.launch(Main))
