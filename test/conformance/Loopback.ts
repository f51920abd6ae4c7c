/**
 * Starts servers on the loopback interface for the duration of a test.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

/** How many requests a server has received, with and without an `Authorization` header. */
export interface Requests {
  withCredentials: number
  withoutCredentials: number
}

/** A running server. */
export interface Server {
  readonly origin: string
  readonly requests: Requests
}

const counted = (): { readonly node: ReturnType<typeof createServer>; readonly requests: Requests } => {
  const requests: Requests = { withCredentials: 0, withoutCredentials: 0 }
  const node = createServer()
  // This listener runs first, so that requests are counted even if the code under test rejects them.
  node.prependListener("request", (request) => {
    requests[request.headers.authorization === undefined ? "withoutCredentials" : "withCredentials"]++
  })
  return { node, requests }
}

const originOf = (node: ReturnType<typeof createServer>) => `http://localhost:${(node.address() as AddressInfo).port}`

/**
 * Starts an Effect server on a free port. It runs until the scope closes. The routes are created when the port is known,
 * because they can depend on the origin.
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

/** Starts a server as `serve` does, but with a listener of `node:http`. */
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
