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
 * The caller in the shape that the official SDKs hand to their handlers. `token` is not enumerable.
 *
 * @category models
 * @since 0.1.0
 */
export type { AuthInfo } from "../host/AuthInfo.ts"

/**
 * An admitted request: its caller, its operations, and the parsed body that was checked.
 *
 * @category models
 * @since 0.1.0
 */
export type { Admission } from "../host/Admission.ts"

/**
 * The policy of an operation, as the author of a host writes it. Default: no scopes, and no principal.
 *
 * @category models
 * @since 0.1.0
 */
export type { PolicyInput } from "../../authorization/Policy.ts"

/**
 * A request and a response of `node:http` or of a framework on it, as far as the gate looks at them.
 *
 * @category models
 * @since 0.1.0
 */
export type { NodeRequest, NodeResponse } from "../host/NodeHost.ts"

/**
 * How the endpoint of an MCP server is protected: what its operations need, and how large a body may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectOptions<Offered extends string> {
  /**
   * What an operation needs; `undefined` for one that is not known here. A tool, prompt or resource that is not known
   * needs a caller, whatever its scopes. Decided on the parsed body, before the handler runs.
   */
  readonly policy?: ((operation: Operation) => PolicyInput<Offered> | undefined) | undefined
  /** Bodies beyond so many bytes are rejected with 413. Default: 4 MiB. A body parser in front has its own limit. */
  readonly maximumBody?: number | undefined
  /**
   * Bodies that ask for more operations are rejected with 400: each message of a batch and each URI of a
   * `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** Bodies that take longer, from the time when the gate begins to read them, are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * Returns the tenant of a request, as the router of the host knows it: for `Tenants.fromRoute` on hosts without
   * `req.params`. Default: the parameter in `req.params`.
   */
  readonly tenant?: nodeHost.TenantOf | undefined
  /**
   * Answers preflights from allowed origins. It runs without a caller, and `next` does not run. Default: the gate answers
   * them with 204, and allows the headers that MCP clients send.
   */
  readonly preflight?: ((req: nodeHost.NodeRequest, res: nodeHost.NodeResponse) => unknown) | undefined
}

/**
 * How any other route is protected. Its body is not read.
 *
 * @category models
 * @since 0.1.0
 */
export interface RouteOptions<Offered extends string> {
  /** All of them are needed. Default: none, any valid token will do. */
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
 * A middleware: it answers the request, or lets it through to `next`. The promise gives the admission of a request that
 * came in and `undefined` for one that was answered; it never rejects by itself.
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
 * A gate for Node's requests and responses.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpAuthNode<Offered extends string, A = unknown> extends AsyncDisposable {
  /**
   * The gate in front of an MCP endpoint.
   *
   * **Details**
   *
   * Whoever runs after it finds the caller in `req.auth`, as the official SDKs want it, and the parsed body that was
   * judged in `req.body`. Preflights do not reach it: the gate answers them, or `preflight` does. A page of an allowed
   * origin may read the answers of the gate; what comes after it needs CORS headers from the application.
   *
   * An event stream of the answer ends when the token does; one that answers a POST at most five minutes later. A session
   * that is opened (`Mcp-Session-Id`) belongs to the caller from then on.
   *
   * A stream of the older HTTP+SSE transport (`SSEServerTransport`) belongs to its caller as well: its first event names
   * the session, and a request whose query has `sessionId` or `session_id` is answered with 404 unless the caller opened
   * that stream.
   *
   * **Gotchas**
   *
   * The stream of the request is read here, whatever its method: execute `req.body`. A body parser may run before (its
   * `req.body` is judged) or after (it finds its work done).
   */
  readonly protect: (options?: ProtectOptions<Offered>) => Middleware<Admission<A>>
  /**
   * The gate in front of any other route: it needs a caller, and its body is not read. Preflights are answered here. An event
   * stream of the answer ends as one behind `protect` does.
   */
  readonly protectRoute: (options?: RouteOptions<Offered>) => Middleware<Admission<A>>
  /** Answers requests for the public metadata documents; the promise tells whether it did. To be used at the root. */
  readonly metadataRouter: () => (
    req: nodeHost.NodeRequest,
    res: nodeHost.NodeResponse,
    next?: (error?: unknown) => unknown
  ) => Promise<boolean>
  /** The caller of a request that came in. */
  readonly principalOf: (req: nodeHost.NodeRequest) => Principal | undefined
  readonly gate: Gate
  /** Ends what runs in the background. Requests that still wait are answered with 503, as are later ones. */
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
 * A gate as `(req, res, next?)`, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
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
 *     res.json({ caller: auth.principalOf(req)?.subject, asked: req.body })
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
  // On the request itself: a `WeakMap` of all requests would be the dearest part of letting one in.
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
    // Whoever is let in at once goes on at once, in the same turn.
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
