/** The authorization servers of the soak test, each on a port of the loopback interface. */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import { FaultProxy, TestIssuer } from "effect-mcp-auth/testing"
import type * as HttpServer from "effect/http/HttpServer"
import { createServer } from "node:http"

/** The issuer identifiers, as the protected server needs them. */
export interface Names {
  /** Its keys rotate, and it fails a third of the time. */
  readonly main: string
  /** Its tokens are opaque. */
  readonly opaque: string
  /** The authorization server of each tenant. */
  readonly tenants: Readonly<Record<Tenant, string>>
  /** Reloads of the configuration add and remove it. */
  readonly partner: string
}

export type Tenant = "acme" | "globex"

export type Issuer = TestIssuer.TestIssuer["Service"]

const serve = <A>(layer: Layer.Layer<A, never, HttpServer.HttpServer>) =>
  Effect.gen(function*() {
    const node = createServer()
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => {
      node.closeAllConnections()
      return Scope.close(scope, Exit.void)
    })
    return yield* layer.pipe(
      Layer.provide(
        NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
      ),
      Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")),
      Layer.build,
      Scope.provide(scope),
      Effect.orDie
    )
  })

/**
 * Starts all of them. Only the main one is behind the proxy. An outage of the introspection endpoint does reject good tokens once
 * their cached answers end, and no outage lets a gate start without keys, so the others never fail.
 */
export const start = Effect.fnUntraced(function*(resource: string) {
  const main = yield* serve(FaultProxy.serve({ resource }))
  const other = Effect.map(serve(TestIssuer.serve({ resource })), Context.get(TestIssuer.TestIssuer))
  const [opaque, acme, globex, partner] = yield* Effect.all([other, other, other, other])
  const issuers = {
    main: Context.get(main, TestIssuer.TestIssuer),
    opaque,
    tenants: { acme, globex },
    partner
  }
  const names: Names = {
    main: issuers.main.issuer,
    opaque: opaque.issuer,
    tenants: { acme: acme.issuer, globex: globex.issuer },
    partner: partner.issuer
  }
  return { ...issuers, names, proxy: Context.get(main, FaultProxy.FaultProxy) }
})

export type Issuers = Effect.Success<ReturnType<typeof start>>
