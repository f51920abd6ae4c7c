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
import * as AuthLayer from "../servers/effect/AuthLayer.ts"
import type * as McpAuthFetch from "../servers/fetch/McpAuthFetch.ts"
import type { NodeRequest, NodeResponse } from "../servers/host/NodeHost.ts"
import type * as McpAuthNode from "../servers/node/McpAuthNode.ts"
import type { RecordStore } from "../store/records/RecordStore.ts"
import * as effectRoutes from "./front/EffectRoutes.ts"
import * as GrantAdministration from "./grants/GrantAdministration.ts"
import { type GateOptions, makeProxy } from "./makeProxy.ts"
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
 * The layer requires a `RecordStore`. `MemoryStore.layer()` of `effect-mcp-auth/store` loses all grants when the process ends. If an option is
 * wrong, the layer fails with `AuthConfigError`.
 *
 * **Example** (A server whose people sign in with GitHub)
 *
 * ```ts
 * import { Config, Layer } from "effect"
 * import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
 * import { MemoryStore } from "effect-mcp-auth/store"
 *
 * const Proxy = OAuthProxy.layer({
 *   resource: "https://todos.example.com/mcp",
 *   scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
 *   upstream: Upstream.github({
 *     clientId: "Iv1.0123456789abcdef",
 *     clientSecret: Config.Redacted("GITHUB_SECRET"),
 *     scopes: { "todos:read": [], "todos:write": ["repo"] }
 *   }),
 *   admit: Admit.githubOrganization("acme"),
 *   secret: Config.Redacted("PROXY_SECRET")
 * }).pipe(Layer.provide(MemoryStore.layer()))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const S extends Scopes, R = never>(
  options: ProxyOptions<S, R>
): Layer.Layer<
  | AuthLayer.Provided<ProtectedResource.OfferedOf<S>, UpstreamAccess>
  | GrantAdministration.GrantAdministration,
  AuthConfigError | Config.ConfigError,
  HttpRouter.HttpRouter | RecordStore | R
> =>
  Layer.unwrap(
    Effect.map(makeProxy(options), (proxy) =>
      Layer.mergeAll(
        AuthLayer.make({
          ...proxy.gate,
          claims: { service: UpstreamAccess, decode: (claims: unknown) => Result.succeed(proxy.accessFor(claims)) }
        } as never),
        effectRoutes.layer(proxy.routes),
        Layer.succeed(GrantAdministration.GrantAdministration, GrantAdministration.make(proxy.grants))
      ))
  ).pipe(Layer.provide(Fetcher.layer)) as never

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
}

/**
 * A proxy for servers outside Effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface OAuthProxy<S extends Scopes> extends AsyncDisposable {
  readonly issuer: string
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
