/** Starts Redis servers for tests. */
import { NodeRedis } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Redis } from "effect/persistence"
import { freePort, start } from "./program.ts"

/** A connection to a new server on a free port. Both end with the scope. */
export const redis = Effect.suspend(() => Effect.flatMap(server, ({ connection }) => connection))

/** A server that a test can stop and start again, on the same port and without its data. */
export const server = Effect.gen(function*() {
  const port = yield* freePort
  let scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Effect.suspend(() => Scope.close(scope, Exit.void)))
  const run = Effect.suspend(() =>
    Scope.provide(start("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""], port), scope)
  )
  yield* run
  const url = `redis://127.0.0.1:${port}`
  return {
    url,
    /** Opens a connection, which ends with the scope. */
    connection: Effect.map(
      Layer.build(NodeRedis.layer({ url })),
      (context) => Context.get(context, Redis.Redis)
    ).pipe(Effect.orDie),
    stop: Effect.suspend(() => Scope.close(scope, Exit.void)),
    startAgain: Effect.gen(function*() {
      scope = yield* Scope.make()
      yield* run
    })
  }
})
