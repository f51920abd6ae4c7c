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

/** The handlers of the tools. `api` is the URL of GitHub's API. */
const toolsLayer = (api: string) =>
  Tools.toLayer(Effect.gen(function*() {
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
          const token = yield* (yield* UpstreamAccess).token
          const request = HttpClientRequest.get(`${api}/user`).pipe(
            HttpClientRequest.bearerToken(Redacted.value(token))
          )
          const response = yield* client.execute(request)
          return yield* HttpClientResponse.schemaBodyJson(Schema.Struct({ login: Schema.String }))(response)
        }).pipe(Effect.catch(({ _tag }) => Effect.fail({ reason: _tag })))
    }
  }))

export interface Options {
  /** The URL that clients use. */
  readonly resource: string
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  /** The organization whose members have access. */
  readonly organization: string
  /** The secret from which the keys of the proxy are derived. */
  readonly secret: Redacted.Redacted
  /** The origin of a GitHub server other than github.com. */
  readonly server?: string | undefined
}

export const layer = ({ clientId, clientSecret, organization, resource, secret, server }: Options) => {
  const Proxy = OAuthProxy.layer({
    resource,
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
    upstream: Upstream.github({
      clientId,
      clientSecret,
      server,
      // These tools need no permission at GitHub beyond the account itself.
      scopes: { "todos:read": [], "todos:write": [] }
    }),
    admit: Admit.githubOrganization(organization),
    secret,
    pages: { name: "Todos", scopes: { "todos:read": "read your todos", "todos:write": "add todos to your list" } }
  }).pipe(Layer.provide(MemoryStore.layer()))

  return McpAuth.layerHttp({
    name: "todos",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18],
    registrations: McpAuth.toolkit(Tools).pipe(
      Layer.provide(toolsLayer(server === undefined ? "https://api.github.com" : `${server}/api/v3`)),
      Layer.provide(FetchHttpClient.layer)
    )
  }).pipe(Layer.provide(Proxy))
}

/** Reads the options from the environment. */
export const layerConfig = (resource: string) =>
  Layer.unwrap(
    Effect.map(
      Config.all({
        clientId: Config.String("GITHUB_ID"),
        clientSecret: Config.Redacted("GITHUB_SECRET"),
        organization: Config.String("GITHUB_ORGANIZATION"),
        secret: Config.Redacted("PROXY_SECRET"),
        server: Config.String("GITHUB_SERVER").pipe(Config.withDefault(undefined))
      }),
      (options) => layer({ ...options, resource })
    )
  )
