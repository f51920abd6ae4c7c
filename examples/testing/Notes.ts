/** The server under test: two tools, two scopes and a custom claim. Notes belong to the tenant that the token names. */
import { Context, Effect, Layer, Schema } from "effect"
import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, Tool, Toolkit } from "effect/ai"

export const resource = "https://notes.example.com/mcp"
export const issuer = "https://auth.example.com"
export const scopes = { baseline: ["notes:read"], stepUp: ["notes:write"] } as const

export class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("notes/Tenant") {}
export const claims = { service: Tenant, schema: Schema.Struct({ tenant: Schema.String }) }

export const Tools = Toolkit.make(
  requireScopes("notes:read")(
    Tool.make("list_notes", { success: Schema.Struct({ notes: Schema.Array(Schema.String) }), dependencies: [Tenant] })
  ),
  requireScopes("notes:write")(
    Tool.make("add_note", {
      parameters: Schema.Struct({ text: Schema.String }),
      success: Schema.Struct({ note: Schema.String }),
      dependencies: [Tenant]
    })
  )
)

export const ToolsLive = Tools.toLayer(Effect.sync(() => {
  const stored = new Map<string, ReadonlyArray<string>>()
  return {
    list_notes: () => Effect.map(Tenant, ({ tenant }) => ({ notes: stored.get(tenant) ?? [] })),
    add_note: ({ text }) =>
      Effect.gen(function*() {
        const { tenant } = yield* Tenant
        const { subject } = yield* Principal
        const note = `${subject}: ${text}`
        stored.set(tenant, [...stored.get(tenant) ?? [], note])
        return { note }
      })
  }
}))

/** The MCP server. It requires an `AuthLayer`. */
export const App = McpAuth.layerHttp({
  name: "notes",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
  registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(ToolsLive))
})

/** The layer that is served and tested. */
export const Server = App.pipe(
  Layer.provide(AuthLayer.make({ resource, authorizationServers: [issuer], scopes, claims }))
)
