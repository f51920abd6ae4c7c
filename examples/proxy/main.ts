/** Runs the server of `Todos.ts` next to an upstream that stands in for GitHub, and prints what to do next. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Logger, Redacted } from "effect"
import { TestUpstream } from "effect-mcp-auth/testing"
import { HttpRouter, HttpServer } from "effect/http"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import * as Todos from "./Todos.ts"

const ports = Config.all({
  port: Config.Int("PORT").pipe(Config.withDefault(3000)),
  upstream: Config.Int("ISSUER_PORT").pipe(Config.withDefault(4000))
})

const listener = (port: number) => NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })

/** Binds the port before it builds the server, because the URL contains the port, and port 0 stands for a free one. */
const App = Layer.unwrap(Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const upstream = yield* TestUpstream.TestUpstream
  const resource = `${HttpServer.formatAddress(address)}/mcp`
  const server = Todos.layer({
    resource,
    clientId: upstream.clientId,
    clientSecret: Redacted.make(upstream.clientSecret),
    organization: "acme",
    secret: Redacted.make(randomBytes(32).toString("base64")),
    server: upstream.origin
  })
  const next = [
    `listening on ${resource}`,
    `Add this URL to an MCP client, for example: claude mcp add --transport http todos ${resource}`,
    "Your browser shows two pages: allow the client, then select a person. alice is a member of the organization acme, mallory is not.",
    `${upstream.origin} stands in for GitHub. All data is lost when you press Ctrl-C.`
  ]
  return Layer.effectDiscard(Console.log(next.join("\n"))).pipe(Layer.provideMerge(server))
}))

const Main = Layer.unwrap(
  Effect.map(ports, ({ port, upstream }) =>
    HttpRouter.serve(App, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(TestUpstream.serve({ form: "github", login: "page" }).pipe(Layer.provide(listener(upstream)))),
      Layer.provide(listener(port))
    ))
)

Layer.launch(Main).pipe(Effect.provideService(Logger.LogToStderr, true), NodeRuntime.runMain)
