/** The todo manager on four platforms, and the authorization server that all of them use. */
import { Effect, Layer } from "effect"
import * as AuthorizationServer from "../../authorization-server/AuthorizationServer.ts"
import * as Serving from "../../shared/Serving.ts"
import * as OnHono from "../hono/TodoManager.ts"
import { scopes } from "../Scopes.ts"
import * as SdkV1 from "../sdk-v1/TodoManager.ts"
import * as SdkV2 from "../sdk-v2/TodoManager.ts"
import * as TodoManager from "../TodoManager.ts"

const settings = Effect.map(
  AuthorizationServer.AuthorizationServer,
  ({ issuer }) => ({ port: 0, authorizationServers: [issuer] })
)

const onListener = (serve: Serving.ListenerOptions["serve"]) =>
  Layer.unwrap(Effect.map(settings, (settings) => Serving.layerListener(settings, { scopes, serve })))

const onEffect = Layer.unwrap(
  Effect.map(settings, (settings) => Serving.layer(settings, { scopes, app: TodoManager.layer }))
)

/** `modern` is true for servers that support MCP 2026-07-28. The others get requests of MCP 2025-11-25 without a session. */
export const servers = [
  { name: "effect", modern: true, layer: onEffect },
  { name: "sdk-v1", modern: false, layer: onListener(SdkV1.serve) },
  { name: "sdk-v2", modern: true, layer: onListener(SdkV2.serve) },
  { name: "hono", modern: false, layer: onListener(OnHono.serve) }
]

export const issuer = AuthorizationServer.layer({ scopes })
