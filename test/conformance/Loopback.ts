/**
 * Servers for the length of a test, on the loopback interface.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

/** How many requests a server has seen. */
export interface Requests {
  withCredentials: number
  withoutCredentials: number
}

/** A server that listens. */
export interface Server {
  readonly origin: string
  readonly requests: Requests
}

const counted = (): { readonly node: ReturnType<typeof createServer>; readonly requests: Requests } => {
  const requests: Requests = { withCredentials: 0, withoutCredentials: 0 }
  const node = createServer()
  // Counted on arrival, before any code under test.
  node.prependListener("request", (request) => {
    requests[request.headers.authorization === undefined ? "withoutCredentials" : "withCredentials"]++
  })
  return { node, requests }
}

const originOf = (node: ReturnType<typeof createServer>) => `http://localhost:${(node.address() as AddressInfo).port}`

/**
 * Starts a server on a free port, until the scope closes. The app can depend on its origin, which is known only
 * once the port is.
 */
export const serve = Effect.fnUntraced(function*<A, E>(
  routes: (origin: string) => Layer.Layer<A, E, HttpRouter.HttpRouter>
) {
  const { node, requests } = counted()
  const listening = yield* Layer.build(
    NodeHttpServer.layer(() => node, { host: "localhost", port: 0, gracefulShutdownTimeout: "1 second" })
  )
  const origin = originOf(node)
  yield* Layer.build(
    HttpRouter.serve(routes(origin), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(Layer.succeedContext(listening))
    )
  )
  const server: Server = { origin, requests }
  return server
})

/** The same for a listener of `node:http`. */
export const listen = Effect.fnUntraced(function*(
  make: (origin: string) => Promise<{ readonly listener: RequestListener; readonly dispose: () => Promise<void> }>
) {
  const { node, requests } = counted()
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void node.listen(0, "localhost", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        node.close(() => resume(Effect.void))
        node.closeAllConnections()
      })
  )
  const origin = originOf(node)
  const { listener } = yield* Effect.acquireRelease(
    Effect.promise(() => make(origin)),
    ({ dispose }) => Effect.promise(dispose)
  )
  node.on("request", listener)
  const server: Server = { origin, requests }
  return server
})
