import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as Orders from "./Orders.ts"
import * as OrdersTool from "./OrdersTool.ts"

const port = Number(process.env["PORT"] ?? 3000)
const ordersPort = Number(process.env["ORDERS_PORT"] ?? 3001)
const resource = process.env["RESOURCE_URL"] ?? `http://127.0.0.1:${port}/mcp`
const orders = `http://127.0.0.1:${ordersPort}/orders`
const [issuer = "http://127.0.0.1:4000", ...others] = process.env["AUTHORIZATION_SERVERS"]?.split(",") ?? []
const authorizationServers = [issuer, ...others] as const
const clientSecret = Redacted.make(process.env["CLIENT_SECRET"] ?? "orders-tools-secret")

const serve = <E>(app: Layer.Layer<never, E, HttpRouter.HttpRouter>, port: number) =>
  HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port }))
  )

// In a real system, the API is a separate program.
const Servers = Layer.mergeAll(
  serve(OrdersTool.layer({ resource, authorizationServers, orders, clientSecret }), port),
  serve(Orders.layer({ resource: orders, authorizationServers }), ordersPort)
)

const Main = Layer.effectDiscard(Console.log(`listening on http://127.0.0.1:${port}/mcp`)).pipe(Layer.provide(Servers))

NodeRuntime.runMain(Layer.launch(Main))
