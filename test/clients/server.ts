/** The todo manager, for clients on this machine and in a page. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, References, type Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol } from "effect/ai"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { scopes } from "../../examples/todo-manager/Scopes.ts"
import * as Todos from "../../examples/todo-manager/Todos.ts"
import * as TodoStore from "../../examples/todo-manager/TodoStore.ts"
import { freePort } from "../program.ts"

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

/** Starts the todo manager and an authorization server, and returns the URL of the todo manager. */
export const serve: (options: Options) => Effect.Effect<string, never, Scope.Scope> = Effect.fnUntraced(
  function*({ deviceAuthorization = false, lazy, origin, refreshTokens }) {
    const { issuer } = yield* Effect.orDie(AuthorizationServer.make({ scopes, refreshTokens, deviceAuthorization }))
    const port = yield* freePort
    const resource = `http://127.0.0.1:${port}/mcp`
    const Auth = AuthLayer.make({
      resource,
      authorizationServers: [issuer],
      scopes,
      allowedOrigins: [origin],
      anonymous: lazy ? "allow-unscoped" : "deny"
    })
    const App = McpAuth.layerHttp({
      name: "todo-manager",
      version: "1.0.0",
      path: "/mcp",
      protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18],
      registrations: McpAuth.toolkit(Todos.Todos).pipe(Layer.provide(Todos.layer), Layer.provide(TodoStore.layer))
    }).pipe(Layer.provide(Auth))
    // A page reads the challenge and the session only if these headers are exposed.
    const Cors = HttpRouter.cors({ allowedOrigins: [origin], exposedHeaders: ["WWW-Authenticate", "Mcp-Session-Id"] })
    yield* Layer.build(
      HttpRouter.serve(Layer.mergeAll(App, Cors), { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(
          NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
        ),
        Layer.provide(Layer.succeed(References.MinimumLogLevel, "Warn"))
      )
    ).pipe(Effect.orDie)
    return resource
  }
)
