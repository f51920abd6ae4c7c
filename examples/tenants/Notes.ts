/** A server for several organisations, each with an authorization server. Organisations can be added while the server runs. */
import { Context, Effect, Layer, Schema } from "effect"
import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Tenants } from "effect-mcp-auth/tenants"
import { McpProtocol, Tool, Toolkit } from "effect/ai"

export const resource = "https://notes.example.com/mcp"
/** The authorization server at which every user signs in. It redirects each user to the one of their organisation. */
export const home = "https://auth.example.com"

/** The tenants and their authorization servers. In a real server, this is a table of a database. */
export class Directory extends Context.Service<Directory, {
  readonly issuerOf: (tenant: string) => Effect.Effect<string | undefined>
  readonly add: (tenant: string, issuer: string) => Effect.Effect<void>
}>()("tenants/Directory") {
  static readonly layer = Layer.sync(Directory, () => {
    const issuers = new Map<string, string>()
    return {
      issuerOf: (tenant) => Effect.sync(() => issuers.get(tenant)),
      add: (tenant, issuer) => Effect.sync(() => void issuers.set(tenant, issuer))
    }
  })
}

const Notes = Schema.Struct({ notes: Schema.Array(Schema.String) })

export const Tools = Toolkit.make(
  requireScopes("notes:write")(
    Tool.make("add_note", { parameters: Schema.Struct({ text: Schema.String }), success: Notes })
  )
)

export const ToolsLive = Tools.toLayer(Effect.sync(() => {
  const stored = new Map<string | undefined, ReadonlyArray<string>>()
  return {
    add_note: ({ text }) =>
      Effect.gen(function*() {
        // The tenant whose authorization server issued the token. The gate rejects a request without a tenant.
        const { tenant } = yield* Principal
        const notes = [...stored.get(tenant) ?? [], text]
        stored.set(tenant, notes)
        return { notes }
      })
  }
}))

const Auth = Layer.unwrap(Effect.map(Directory, (directory) =>
  AuthLayer.make({
    resource,
    authorizationServers: [home],
    scopes: ["notes:write"],
    tenants: Tenants.fromClaim("org_id", {
      authorizationServers: (tenant) =>
        Effect.map(directory.issuerOf(tenant), (issuer) => issuer === undefined ? [] : [issuer])
    })
  })))

export const Server = McpAuth.layerHttp({
  name: "notes",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
  registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(ToolsLive))
}).pipe(Layer.provide(Auth))
