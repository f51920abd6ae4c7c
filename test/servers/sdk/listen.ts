/** Serves on `node:http` during a test, on a free port of the loopback interface. */
import { Effect } from "effect"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

/** Listens until the scope closes. `make` receives the origin, since the port is known only after the server listens. */
export const listen = Effect.fnUntraced(function*(
  make: (origin: string) => Effect.Effect<RequestListener>
) {
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer()
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  server.on("request", yield* make(origin))
  return origin
})
