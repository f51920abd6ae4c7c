/** The MCP server: the tools, behind the authorization layer. */
import { Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol } from "effect/ai"
import { scopes } from "./Scopes.ts"
import * as Todos from "./Todos.ts"
import * as TodoStore from "./TodoStore.ts"

export { scopes } from "./Scopes.ts"

export interface Identity {
  /** The URL that clients use. */
  readonly resource: string
  readonly authorizationServers: readonly [string, ...ReadonlyArray<string>]
}

/** The server without its authorization layer. */
export const server = McpAuth.layerHttp({
  name: "todo-manager",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18],
  registrations: McpAuth.toolkit(Todos.Todos).pipe(Layer.provide(Todos.layer), Layer.provide(TodoStore.layer))
})

export const layer = ({ authorizationServers, resource }: Identity) =>
  server.pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes })))
