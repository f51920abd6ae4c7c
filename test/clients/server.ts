/** The todo manager, for clients on this machine and in a page. */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, References, type Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { OAuthProxy } from "effect-mcp-auth/proxy"
import { MemoryStore } from "effect-mcp-auth/store"
import { TestUpstream } from "effect-mcp-auth/testing"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { scopes } from "../../examples/todo-manager/Scopes.ts"
import * as TodoManager from "../../examples/todo-manager/TodoManager.ts"
import { freePort } from "../program.ts"
import { secret } from "../proxy/front/world.ts"
import { admits, type UpstreamForm, upstreamOf } from "../proxy/upstreams.ts"

export interface Options {
  /** The origin of the page. */
  readonly origin: string
  /** Whether a client can connect without a token, so that it signs in when a tool requires a scope. */
  readonly lazy: boolean
  /** The clients that get a refresh token. */
  readonly refreshTokens: "offline_access" | "always"
  /** Whether people can sign in on another device. Default: `false`. */
  readonly deviceAuthorization?: boolean
}

/** Serves the todo manager behind a gate, and returns its URL. */
const serveBehind = <E>(
  port: number,
  origin: string,
  App: Layer.Layer<never, E, HttpRouter.HttpRouter>
): Effect.Effect<string, never, Scope.Scope> => {
  // A page reads the challenge and the session only if these headers are exposed.
  const Cors = HttpRouter.cors({ allowedOrigins: [origin], exposedHeaders: ["WWW-Authenticate", "Mcp-Session-Id"] })
  const Served = HttpRouter.serve(Layer.mergeAll(App, Cors), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(
      NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
    ),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Warn"))
  )
  return Layer.build(Served).pipe(Effect.orDie, Effect.as(resourceAt(port)))
}

const resourceAt = (port: number): string => `http://127.0.0.1:${port}/mcp`

/** Starts the todo manager and an authorization server, and returns the URL of the todo manager. */
export const serve: (options: Options) => Effect.Effect<string, never, Scope.Scope> = Effect.fnUntraced(
  function*({ deviceAuthorization = false, lazy, origin, refreshTokens }) {
    const { issuer } = yield* Effect.orDie(AuthorizationServer.make({ scopes, refreshTokens, deviceAuthorization }))
    const port = yield* freePort
    const Auth = AuthLayer.make({
      resource: resourceAt(port),
      authorizationServers: [issuer],
      scopes,
      allowedOrigins: [origin],
      anonymous: lazy ? "allow-unscoped" : "deny"
    })
    return yield* serveBehind(port, origin, TodoManager.server.pipe(Layer.provide(Auth)))
  }
)

export interface ProxyOptions {
  /** The origin of the page. */
  readonly origin: string
  /** The provider that the upstream imitates. It signs alice in without a page. */
  readonly form: UpstreamForm
}

/** Starts the todo manager behind an OAuth proxy, and its upstream. Returns the URL of the todo manager. */
export const serveBehindProxy: (options: ProxyOptions) => Effect.Effect<string, never, Scope.Scope> = Effect.fnUntraced(
  function*({ form, origin }) {
    const services = yield* Layer.build(
      TestUpstream.serve({ form }).pipe(
        Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
    ).pipe(Effect.orDie)
    const upstream = Context.get(services, TestUpstream.TestUpstream)
    const port = yield* freePort
    const Proxy = OAuthProxy.layer({
      resource: resourceAt(port),
      scopes,
      upstream: upstreamOf(form, upstream, { reads: scopes.baseline, writes: scopes.stepUp }),
      admit: admits[form],
      secret,
      grants: { accessTokenLifetime: "5 minutes" },
      gate: { allowedOrigins: [origin] }
    }).pipe(Layer.provide(MemoryStore.layer()))
    return yield* serveBehind(port, origin, TodoManager.server.pipe(Layer.provide(Proxy)))
  }
)
