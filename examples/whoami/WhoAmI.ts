/** The smallest protected MCP server: one tool, which returns the identity of the caller. */
import { Effect, Layer, Schema } from "effect"
import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, Tool, Toolkit } from "effect/ai"

export const scopes = ["read:profile"] as const

const WhoAmI = requireScopes("read:profile")(Tool.make("whoami", {
  description: "Tells who is calling: the person, the program they use, and what it may do here",
  success: Schema.Struct({
    subject: Schema.optional(Schema.String),
    clientId: Schema.optional(Schema.String),
    scopes: Schema.Array(Schema.String),
    issuer: Schema.String
  })
}))

export const Tools = Toolkit.make(WhoAmI)

export const ToolsLive = Tools.toLayer({
  whoami: () =>
    Effect.map(Principal, (caller) => ({
      subject: caller.subject,
      clientId: caller.clientId,
      scopes: [...caller.scopes],
      issuer: caller.issuer
    }))
})

export interface Identity {
  /** The URL that clients use. */
  readonly resource: string
  readonly authorizationServers: readonly [string, ...ReadonlyArray<string>]
}

export const layer = ({ authorizationServers, resource }: Identity) =>
  McpAuth.layerHttp({
    name: "whoami",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18],
    registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(ToolsLive))
  }).pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes })))
