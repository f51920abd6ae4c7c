/**
 * Protects servers of `node:http`, Connect and Express.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import type { Gate } from "../../authorization/Gate.ts"
import type { PolicyInput } from "../../authorization/Policy.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Options, Scopes, Servers, ServicesOf } from "../../composition/AuthOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import type { MockOptions } from "../../composition/mockGate.ts"
import * as mockGate from "../../composition/mockGate.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import { type Admission, type Admitted, forHandler } from "../host/Admission.ts"
import * as body from "../host/Body.ts"
import * as hosts from "../host/Host.ts"
import { checkTenantOption, policiesFrom, policyForRoute } from "../host/HostPolicies.ts"
import * as nodeHost from "../host/NodeHost.ts"

/**
 * Describes the caller in the shape that the official SDKs pass to their handlers. `token` is not enumerable.
 *
 * @category models
 * @since 0.1.0
 */
export type { AuthInfo } from "../host/AuthInfo.ts"

/**
 * Describes an admitted request: its caller, its operations, and the parsed body that was checked.
 *
 * @category models
 * @since 0.1.0
 */
export type { Admission } from "../host/Admission.ts"

/**
 * Describes what an operation requires. Default: no scopes, and no principal.
 *
 * @category models
 * @since 0.1.0
 */
export type { PolicyInput } from "../../authorization/Policy.ts"

/**
 * A request and a response of `node:http` or of a framework on it, as far as the gate reads them.
 *
 * @category models
 * @since 0.1.0
 */
export type { NodeRequest, NodeResponse } from "../host/NodeHost.ts"

/**
 * Configures the protection of an MCP endpoint: what its operations require, and the limits on its bodies.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectOptions<Offered extends string> {
  /**
   * Returns what an operation requires, or `undefined` for an unknown operation. An unknown tool, prompt or resource requires
   * a principal. The gate decides on the parsed body, before the handler runs. Default: every operation is unknown.
   */
  readonly policy?: ((operation: Operation) => PolicyInput<Offered> | undefined) | undefined
  /**
   * The longest body, in bytes. Longer bodies are rejected with 413. A body parser in front of the gate has a separate limit.
   * Default: 4 MiB.
   */
  readonly maximumBody?: number | undefined
  /**
   * The most operations in a body. Bodies with more are rejected with 400. Each message of a batch and each URI of a
   * `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** The longest time for reading a body. Slower bodies are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * Returns the tenant that the router of the host found in a request, for `Tenants.fromRoute` on hosts without `req.params`.
   * Default: the parameter in `req.params`.
   */
  readonly tenant?: nodeHost.TenantOf | undefined
  /**
   * Answers preflights from allowed origins. It runs without a caller, and `next` does not run. Default: the gate answers
   * them with 204, and allows the headers that MCP clients send.
   */
  readonly preflight?: ((req: nodeHost.NodeRequest, res: nodeHost.NodeResponse) => unknown) | undefined
}

/**
 * Configures the protection of a route that is not an MCP endpoint. Its body is not read.
 *
 * @category models
 * @since 0.1.0
 */
export interface RouteOptions<Offered extends string> {
  /** The required scopes: the caller needs all of them. Default: none, so that any valid token is enough. */
  readonly scopes?: ReadonlyArray<Offered> | undefined
  /** As in `ProtectOptions`. */
  readonly tenant?: nodeHost.TenantOf | undefined
  /**
   * Answers preflights from allowed origins. It runs without a caller, and `next` does not run. Default: the gate answers
   * them with 204, and allows the headers that MCP clients send.
   */
  readonly preflight?: ((req: nodeHost.NodeRequest, res: nodeHost.NodeResponse) => unknown) | undefined
}

/**
 * A middleware that answers a request or calls `next`. The promise resolves to the admission of an admitted request, and to
 * `undefined` for an answered one. It rejects only if `next` throws.
 *
 * @category models
 * @since 0.1.0
 */
export type Middleware<A> = (
  req: nodeHost.NodeRequest,
  res: nodeHost.NodeResponse,
  next?: (error?: unknown) => unknown
) => Promise<A | undefined>

/**
 * Protects handlers of requests and responses of Node.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpAuthNode<Offered extends string, A = unknown> extends AsyncDisposable {
  /**
   * Protects an MCP endpoint.
   *
   * **Details**
   *
   * The next handler finds the caller in `req.auth`, in the shape of the official SDKs, and the checked body in `req.body`.
   * Preflights do not reach it: the gate answers them, or `preflight` does. Pages of allowed origins may read the responses of
   * the gate. For the responses of the next handler, the application sets the CORS headers.
   *
   * An event stream ends when the token does, or at most five minutes later if it answers a POST. A session that the response
   * opens (`Mcp-Session-Id`) belongs to the caller.
   *
   * A stream of the older HTTP+SSE transport (`SSEServerTransport`) belongs to its caller as well: its first event names
   * the session, and a request whose query has `sessionId` or `session_id` is answered with 404 unless the caller opened
   * that stream.
   *
   * **Gotchas**
   *
   * The gate reads the stream of the request for every method, so execute `req.body`. A body parser may run before the gate,
   * which then checks its `req.body`, or after it, where the parser finds the body parsed.
   */
  readonly protect: (options?: ProtectOptions<Offered>) => Middleware<Admission<A>>
  /**
   * Protects any other route: it requires a principal, and its body is not read. The gate answers preflights. An event stream
   * ends as one behind `protect` does.
   */
  readonly protectRoute: (options?: RouteOptions<Offered>) => Middleware<Admission<A>>
  /**
   * Returns middleware for the root that answers requests for the public metadata documents. The promise resolves to whether it
   * answered the request.
   */
  readonly metadataRouter: () => (
    req: nodeHost.NodeRequest,
    res: nodeHost.NodeResponse,
    next?: (error?: unknown) => unknown
  ) => Promise<boolean>
  /** Returns the principal of an admitted request. `undefined` for an anonymous caller. */
  readonly principalOf: (req: nodeHost.NodeRequest) => Principal | undefined
  readonly gate: Gate
  /** Releases the resources of the layers. Waiting requests and all later ones are answered with 503. */
  readonly dispose: () => Promise<void>
}

const preflight = ConfigOption.functionThat("takes the request and the response and answers the preflight")

const protectTable: ConfigOption.Table<keyof ProtectOptions<string>> = {
  policy: true,
  maximumBody: true,
  maximumOperations: true,
  bodyTimeout: true,
  tenant: true,
  preflight
}

const routeTable: ConfigOption.Table<keyof RouteOptions<string>> = { scopes: true, tenant: true, preflight }

/**
 * Creates a gate for handlers of `(req, res, next?)`, with the options of `AuthLayer.make`. Rejects with `AuthConfigError` if an
 * option is wrong.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. The gate fetches nothing before it receives the first token.
 *
 * **Example** (An MCP endpoint on Express)
 *
 * ```ts
 * import { McpAuthNode } from "effect-mcp-auth/node"
 * import express from "express"
 *
 * const auth = await McpAuthNode.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const app = express()
 * app.use(auth.metadataRouter())
 * app.all(
 *   "/mcp",
 *   auth.protect({ policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined }),
 *   (req, res) => {
 *     res.json({ caller: auth.principalOf(req)?.subject, body: req.body })
 *   }
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = async <
  const S extends Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  const I extends Servers = Servers,
  R = never,
  E = never
>(
  options:
    & Options<S, C, A, RD, RT, RR, I>
    & GateLayer.HostOptions<R, E>
    & GateLayer.CoveredBy<R, ServicesOf<I> | RD | RT | RR>
): Promise<McpAuthNode<ProtectedResource.OfferedOf<S>, A>> =>
  fromHost(await hosts.make(GateLayer.layerHost<S, C, A, RD, RT, RR, I, R, E>(options)))

/**
 * Creates a gate for tests: every request has the same caller, without tokens and without a network. Rejects with
 * `AuthConfigError` if an option is wrong.
 *
 * **Example** (A caller with one scope)
 *
 * ```ts
 * import { McpAuthNode } from "effect-mcp-auth/node"
 *
 * const auth = await McpAuthNode.mock({ subject: "alice", scopes: ["todos:read"] })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mock = async <const S extends Scopes, C = never, A = unknown, R = never, E = never>(
  options: MockOptions<S, ClaimsDecoder.Decoded<C, A>> & Pick<GateLayer.HostOptions<R, E>, "layer">
): Promise<McpAuthNode<ProtectedResource.OfferedOf<S>, A>> =>
  fromHost(await hosts.make(mockGate.layer(options, "McpAuthNode.mock")))

const fromHost = <Offered extends string, A>(host: hosts.Host<A>): McpAuthNode<Offered, A> => {
  // A property of the request, because a `WeakMap` costs more than the rest of an admission.
  const caller = Symbol("effect-mcp-auth/principal")
  type Caller = { [caller]?: Principal | undefined }

  const middleware = (
    decide: (
      req: nodeHost.NodeRequest,
      res: nodeHost.NodeResponse
    ) => Admitted<A> | undefined | Promise<Admitted<A> | undefined>
  ): Middleware<Admission<A>> =>
  async (req, res, next) => {
    ;(req as Caller)[caller] = undefined
    const decided = decide(req, res)
    // A request that is admitted without waiting continues in the same turn.
    const admitted = decided instanceof Promise ? await decided : decided
    if (admitted === undefined) return undefined
    ;(req as Caller)[caller] = admitted.principal
    nodeHost.prepare(host, req, res, admitted)
    next?.()
    return forHandler(admitted)
  }

  return {
    gate: host.gate,
    protect: (options = {}) => {
      ConfigOption.check(options, "protect", protectTable)
      const reading = nodeHost.reading(host, body.checkLimits(options))
      const policies = policiesFrom(options.policy)
      const { preflight } = options
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protect.tenant")
      return middleware((req, res) => nodeHost.decideCall(host, req, res, reading, policies, { tenantOf, preflight }))
    },
    protectRoute: (options = {}) => {
      ConfigOption.check(options, "protectRoute", routeTable)
      const { preflight } = options
      const policy = policyForRoute(host.gate, options.scopes)
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protectRoute.tenant")
      return middleware((req, res) => nodeHost.decideRoute(host, req, res, policy, { tenantOf, preflight }))
    },
    metadataRouter: () => async (req, res, next) => {
      const answered = nodeHost.document(host, req, res)
      await answered
      if (answered === undefined) next?.()
      return answered !== undefined
    },
    principalOf: (req) => (req as Caller)[caller],
    dispose: host.dispose,
    [Symbol.asyncDispose]: host.dispose
  }
}
