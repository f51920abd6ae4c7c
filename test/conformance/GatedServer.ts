/**
 * The server of `EverythingServer.ts` behind the gate. Each tool of its toolkit requires a scope, so that a call goes through
 * every check: the gate verifies the token, and checks the scope before the dispatch and again inside it.
 */
import { Layer } from "effect"
import { AuthLayer, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Toolkit } from "effect/ai"
import * as EverythingServer from "./EverythingServer.ts"

/** The scope that a token needs. */
export const scope = "everything:call"

/** The audience of the tokens. */
export const resource = (origin: string) => `${origin}${EverythingServer.path}`

const Tools = Toolkit.make(...Object.values(EverythingServer.tools).map((tool) => requireScopes(scope)(tool)))

/** The complete server. It requires an `HttpRouter` and the URL of a running issuer. */
export const layer = (origin: string, issuer: string) =>
  McpAuth.layerHttp({
    ...EverythingServer.options,
    registrations: Layer.mergeAll(
      McpAuth.toolkit(Tools).pipe(Layer.provide(EverythingServer.ToolsLive)),
      EverythingServer.stock
    )
  }).pipe(
    Layer.provide(AuthLayer.make({
      resource: resource(origin),
      authorizationServers: [issuer],
      scopes: [scope]
    }))
  )
