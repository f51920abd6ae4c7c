/**
 * An authorization server for MCP in front of an identity provider that does not speak MCP.
 *
 * **Details**
 *
 * Clients register, use PKCE, and request tokens for one resource. Most identity providers support neither. The proxy signs people in
 * through the provider with one confidential client, requires consent for each client, and issues its own tokens. Users and passwords
 * stay with the provider. This module is experimental until people outside the project have reviewed it.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as ProtectedResource from "../authorization/ProtectedResource.ts"
import type { Scopes } from "../composition/AuthOptions.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as AuthLayer from "../servers/effect/AuthLayer.ts"
import type * as McpAuthFetch from "../servers/fetch/McpAuthFetch.ts"
import type { NodeRequest, NodeResponse } from "../servers/host/NodeHost.ts"
import type * as McpAuthNode from "../servers/node/McpAuthNode.ts"
import type { RecordStore } from "../store/records/RecordStore.ts"
import * as effectRoutes from "./front/EffectRoutes.ts"
import * as GrantAdministration from "./grants/GrantAdministration.ts"
import { type GateOptions, makeProxy, named } from "./makeProxy.ts"
import * as proxyOptions from "./ProxyOptions.ts"
import type { Options as ProxyOptions } from "./ProxyOptions.ts"
import { UpstreamAccess } from "./upstream/UpstreamAccess.ts"
import type { UpstreamToken } from "./upstream/UpstreamLeg.ts"

export type { Messages } from "./front/Messages.ts"
export type { RegisteredClient } from "./front/RegisteredClients.ts"
export type { GateOptions } from "./makeProxy.ts"
export type { Options, PageOptions, PassedOptions, SecretOption, SecretsOption } from "./ProxyOptions.ts"

/**
 * Provides the gate, the endpoints of the proxy and the administration of grants, for servers on the `HttpRouter` of Effect.
 *
 * **Details**
 *
 * The gate is that of `AuthLayer.make`, with the keys of the proxy, so it fetches nothing. It accepts a token only while the grant of
 * the token exists. Handlers can use `UpstreamAccess`, which contains the upstream token of the caller.
 *
 * The store is the option `store`, or else a `RecordStore` that is provided to the layer. Without either, the layer keeps all grants in
 * memory and loses them when the process ends; if the issuer is not on loopback, the log warns of this. If an option is wrong, the layer
 * fails with `AuthConfigError`, and with `ConfigError` if a `Config` has no value. The log names the callback URL to register at the
 * upstream.
 *
 * **Example** (A server whose people sign in with GitHub)
 *
 * ```ts
 * import { Config } from "effect"
 * import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
 * import { SqliteStore } from "effect-mcp-auth/store-node"
 *
 * const Proxy = OAuthProxy.layer({
 *   resource: Config.String("RESOURCE_URL"),
 *   scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
 *   upstream: Upstream.github({
 *     clientId: Config.String("GITHUB_ID"),
 *     clientSecret: Config.Redacted("GITHUB_SECRET"),
 *     scopes: { "todos:read": [], "todos:write": ["repo"] }
 *   }),
 *   admit: Admit.githubOrganization("acme"),
 *   secret: Config.Redacted("PROXY_SECRET"),
 *   store: SqliteStore.layer({ file: "/var/lib/todos/grants.db" })
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const S extends Scopes, R = never, ES = never, RS = never>(
  options: LayerOptions<S, R, ES, RS>
): Layer.Layer<
  | AuthLayer.Provided<ProtectedResource.OfferedOf<S>, UpstreamAccess>
  | GrantAdministration.GrantAdministration,
  AuthConfigError | Config.ConfigError | ES,
  HttpRouter.HttpRouter | R | RS
> => {
  const owner = "OAuthProxy.layer"
  const separated = ConfigOption.attempt(() => proxyOptions.separate(options))
  if (Result.isFailure(separated)) return Layer.effectDiscard(Effect.fail(named(owner)(separated.failure))) as never
  const { others, store } = separated.success
  const made = Layer.unwrap(
    Effect.map(makeProxy(others as unknown as ProxyOptions<S, R>, owner), (proxy) =>
      Layer.mergeAll(
        AuthLayer.make({
          ...proxy.gate,
          claims: { service: UpstreamAccess, decode: (claims: unknown) => Result.succeed(proxy.accessFor(claims)) }
        } as never),
        effectRoutes.layer(proxy.routes),
        Layer.succeed(
          GrantAdministration.GrantAdministration,
          GrantAdministration.make(proxy.grants, proxy.subjectOf)
        )
      ))
  ).pipe(Layer.provide(Fetcher.layer))
  return (store === undefined ? made : Layer.provide(made, store)) as never
}

/**
 * The options of `layer`.
 *
 * @category models
 * @since 0.1.0
 */
export type LayerOptions<S extends Scopes, R = never, ES = never, RS = never> = ProxyOptions<S, R> & {
  /**
   * The store of grants and of upstream tokens. Default: a provided `RecordStore`, or else a store in memory, which loses all grants when
   * the process ends.
   */
  readonly store?: Layer.Layer<RecordStore, ES, RS> | undefined
}

/**
 * The options of `make`.
 *
 * @category models
 * @since 0.1.0
 */
export type HostOptions<S extends Scopes> = ProxyOptions<S> & {
  /**
   * The store of grants and of upstream tokens. Default: a store in memory, which loses all grants when the process ends.
   */
  readonly store?: Layer.Layer<RecordStore, unknown> | undefined
  /**
   * The environment variables from which each `Config` of the options reads its value. Workers pass their `env`. Values other than texts are
   * ignored. Default: those of the process.
   */
  readonly environment?: Readonly<Record<string, unknown>> | undefined
}

/**
 * A proxy for servers outside Effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface OAuthProxy<S extends Scopes> extends AsyncDisposable {
  readonly issuer: string
  /** The callback URLs to register at the upstream: one for each upstream. */
  readonly callbackUrls: ReadonlyArray<string>
  /** The URL below which the API of the upstream lies, without a final slash, as `UpstreamAccess` has it. */
  readonly upstreamApiUrl: string
  /**
   * Returns middleware that answers the requests to the endpoints of the proxy and for the metadata of the resource. Use it at the root
   * of the application. The promise resolves to `true` if the middleware answered the request, and to `false` if it called `next`.
   */
  readonly router: () => (
    req: NodeRequest,
    res: NodeResponse,
    next?: (error?: unknown) => unknown
  ) => Promise<boolean>
  /** Answers a request to an endpoint of the proxy or for the metadata of the resource. Returns `undefined` for every other request. */
  readonly fetch: (request: Request) => Promise<Response> | undefined
  /** Protects an MCP endpoint on Node, as `protect` of `McpAuthNode` does. */
  readonly protect: McpAuthNode.McpAuthNode<ProtectedResource.OfferedOf<S>>["protect"]
  /** Protects handlers of requests and responses of Node. */
  readonly node: McpAuthNode.McpAuthNode<ProtectedResource.OfferedOf<S>>
  /** Protects handlers that take a `Request` and return a `Response`. */
  readonly web: McpAuthFetch.McpAuthFetch<ProtectedResource.OfferedOf<S>>
  /** The options of the gate, for `make` of any other adapter, such as those for the official SDKs. */
  readonly gateOptions: GateOptions<S>
  /**
   * Returns the upstream token of a caller, which is a principal or has its claims. Rejects with `UpstreamFailure`: `ended` if the grant
   * of the caller has ended.
   */
  readonly upstreamToken: (caller: { readonly claims: unknown }) => Promise<UpstreamToken>
  /** Lists and ends grants. */
  readonly grants: {
    /** Returns the subject of the person with an id at the upstream, such as the number of an account at GitHub. */
    readonly subjectOf: (id: string) => string
    /** Lists the grants of a person, the most recently used first. `subject` is the `sub` of the access tokens. */
    readonly list: (
      subject: string
    ) => Promise<Effect.Success<ReturnType<GrantAdministration.GrantAdministration["Service"]["list"]>>>
    /** Ends a grant. Returns whether it existed. */
    readonly revoke: (grantId: string) => Promise<boolean>
    /** Ends all grants of a person. Returns how many ended. */
    readonly revokeAll: (subject: string) => Promise<number>
  }
  /** Releases the resources of the proxy. */
  readonly dispose: () => Promise<void>
}

/**
 * Creates a proxy for Express, Hono, Workers and the official SDKs. Rejects with `AuthConfigError` if an option is wrong.
 *
 * **Example** (An MCP endpoint on Express)
 *
 * ```ts
 * import { Redacted } from "effect"
 * import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
 * import express from "express"
 *
 * const proxy = await OAuthProxy.make({
 *   resource: "https://todos.example.com/mcp",
 *   scopes: ["todos:read"],
 *   upstream: Upstream.github({
 *     clientId: "Iv1.0123456789abcdef",
 *     clientSecret: Redacted.make("the secret of the app"),
 *     scopes: { "todos:read": [] }
 *   }),
 *   admit: Admit.githubOrganization("acme"),
 *   secret: Redacted.make("uF9WcLZl8bVtTq3mP0yKx7sJd2hGaRnE5oiC1vQkYwM=")
 * })
 *
 * const app = express()
 * app.use(proxy.router())
 * app.all("/mcp", proxy.protect(), (req, res) => {
 *   res.json({ caller: proxy.node.principalOf(req)?.subject })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = async <const S extends Scopes>(options: HostOptions<S>): Promise<OAuthProxy<S>> =>
  // Loaded on demand, because programs on the router of Effect do not use the other hosts.
  (await import("./ProxyHost.ts")).make(options)

/**
 * A gate of an adapter, as `make` of `McpAuthSdk` returns it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Adapter {
  readonly dispose: () => Promise<void>
}

/**
 * A proxy whose gate is that of an adapter: the members of the adapter, and those of the proxy that the adapter lacks.
 *
 * @category models
 * @since 0.1.0
 */
export type Adapted<S extends Scopes, A extends Adapter> = A & Omit<OAuthProxy<S>, keyof A | "node" | "web">

/**
 * Creates a proxy whose gate is that of another adapter, such as `McpAuthSdk`. The result has the members of both: `protect` and
 * `registerTool` are those of the adapter, `router` and `grants` are those of the proxy, and `dispose` releases both.
 *
 * **Details**
 *
 * `adapter` receives the options of the gate, to which it can add its own. Rejects with `AuthConfigError` if an option is wrong.
 *
 * **Example** (Tools of the official SDK on Express)
 *
 * ```ts
 * import { Config } from "effect"
 * import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
 *
 * const environment = {
 *   RESOURCE_URL: "https://todos.example.com/mcp",
 *   GITHUB_ID: "Iv1.0123456789abcdef",
 *   GITHUB_SECRET: "the secret of the app",
 *   PROXY_SECRET: "uF9WcLZl8bVtTq3mP0yKx7sJd2hGaRnE5oiC1vQkYwM="
 * }
 *
 * const auth = await OAuthProxy.makeWith((gate) => McpAuthSdk.make(gate), {
 *   resource: Config.String("RESOURCE_URL"),
 *   scopes: ["todos:read"],
 *   upstream: Upstream.github({
 *     clientId: Config.String("GITHUB_ID"),
 *     clientSecret: Config.Redacted("GITHUB_SECRET")
 *   }),
 *   admit: Admit.githubOrganization("acme"),
 *   secret: Config.Redacted("PROXY_SECRET"),
 *   // Without this option, the variables of the process are read.
 *   environment
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeWith = async <const S extends Scopes, A extends Adapter>(
  adapter: (gate: GateOptions<S>) => Promise<A>,
  options: HostOptions<S>
): Promise<Adapted<S, A>> => (await import("./ProxyHost.ts")).makeWith(adapter, options)
