/** An MCP server with todos, behind an OAuth proxy: people sign in with GitHub. */
import { Config, Effect, Layer, Redacted, Ref, Schema } from "effect"
import { Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Admit, OAuthProxy, Upstream, UpstreamAccess } from "effect-mcp-auth/proxy"
import { MemoryStore } from "effect-mcp-auth/store"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"

const Titles = Schema.Struct({ todos: Schema.Array(Schema.String) })

const AccountUnavailable = Schema.Struct({ reason: Schema.String })

export const Tools = Toolkit.make(
  requireScopes("todos:read")(Tool.make("list_todos", { description: "Lists your todos", success: Titles })),
  requireScopes("todos:write")(Tool.make("add_todo", {
    description: "Adds a todo to your list",
    parameters: Schema.Struct({ title: Schema.String }),
    success: Titles
  })),
  requireScopes("todos:read")(Tool.make("github_account", {
    description: "Tells with which GitHub account you are signed in",
    success: Schema.Struct({ login: Schema.String }),
    failure: AccountUnavailable,
    dependencies: [UpstreamAccess]
  }))
)

const toolsLayer = Tools.toLayer(Effect.gen(function*() {
  const lists = yield* Ref.make<ReadonlyMap<string, ReadonlyArray<string>>>(new Map())
  const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
  return {
    list_todos: () =>
      Effect.gen(function*() {
        const { owner } = yield* Principal
        return { todos: (yield* Ref.get(lists)).get(owner) ?? [] }
      }),
    add_todo: ({ title }) =>
      Effect.gen(function*() {
        const { owner } = yield* Principal
        const all = yield* Ref.updateAndGet(lists, (map) => new Map(map).set(owner, [...map.get(owner) ?? [], title]))
        return { todos: all.get(owner) ?? [] }
      }),
    github_account: () =>
      Effect.gen(function*() {
        const { apiUrl, token } = yield* UpstreamAccess
        const request = HttpClientRequest.get(`${apiUrl}/user`).pipe(
          HttpClientRequest.bearerToken(Redacted.value(yield* token))
        )
        const response = yield* client.execute(request)
        return yield* HttpClientResponse.schemaBodyJson(Schema.Struct({ login: Schema.String }))(response)
      }).pipe(Effect.catch(({ _tag }) => Effect.fail({ reason: _tag })))
  }
}))

/** The scopes of this server. The compiler knows them, so no tool and no page can name another one. */
const scopes = { baseline: ["todos:read"], stepUp: ["todos:write"] } as const

/** The options that differ from one deployment to another. Each of them can be a `Config`. */
export interface Options {
  /** The URL that clients use. */
  readonly resource: string
  readonly clientId: string | Config.Config<string>
  readonly clientSecret: Redacted.Redacted | Config.Config<Redacted.Redacted>
  /** The organization whose members have access. */
  readonly organization: string
  /** The secret from which the keys of the proxy are derived. */
  readonly secret: Redacted.Redacted | Config.Config<Redacted.Redacted>
  /** The origin of a GitHub server other than github.com. */
  readonly server?: string | Config.Config<string | undefined> | undefined
}

export const layer = ({ clientId, clientSecret, organization, resource, secret, server }: Options) => {
  const Proxy = OAuthProxy.layer({
    resource,
    scopes,
    // These tools need no permission at GitHub beyond the account itself, so `scopes` of the upstream is left out.
    upstream: Upstream.github({ clientId, clientSecret, server }),
    admit: Admit.githubOrganization(organization),
    secret,
    store: MemoryStore.layer(),
    pages: { name: "Todos", scopes: { "todos:read": "read your todos", "todos:write": "add todos to your list" } }
  })

  return McpAuth.layerHttp({
    name: "todos",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18],
    registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(toolsLayer), Layer.provide(FetchHttpClient.layer))
  }).pipe(Layer.provide(Proxy))
}

/** Reads the options from the environment. */
export const layerConfig = (resource: string) =>
  Layer.unwrap(Effect.map(Config.String("GITHUB_ORGANIZATION"), (organization) =>
    layer({
      resource,
      organization,
      clientId: Config.String("GITHUB_ID"),
      clientSecret: Config.Redacted("GITHUB_SECRET"),
      secret: Config.Redacted("PROXY_SECRET"),
      server: Config.String("GITHUB_SERVER").pipe(Config.withDefault(undefined))
    })))
