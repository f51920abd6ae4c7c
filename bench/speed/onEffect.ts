/** Parts that the servers of this library share. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, References, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { createServer, type Server } from "node:http"

/** Creates a server. The caller starts the server if it does not listen yet. */
export type Make = (issuer: string, resource: string) => Server | Promise<Server>

export const options = (issuer: string, resource: string) => ({
  resource,
  authorizationServers: [issuer] as const,
  scopes: ["todos:read", "todos:write"] as const
})

export const quiet = Layer.succeed(References.MinimumLogLevel, "None")

export const onEffect = async <E>(app: Layer.Layer<never, E, HttpRouter.HttpRouter>): Promise<Server> => {
  const node = createServer()
  const Served = HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(quiet)
  )
  await Effect.runPromise(Scope.provide(Layer.build(Served), Effect.runSync(Scope.make())))
  return node
}
