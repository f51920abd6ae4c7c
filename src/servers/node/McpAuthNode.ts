/**
 * Protects servers of `node:http`, Connect and Express.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import type { Gate } from "../../authorization/Gate.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Options, Scopes, Servers, ServicesOf } from "../../composition/AuthOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import type { MockOptions } from "../../composition/mockGate.ts"
import * as mockGate from "../../composition/mockGate.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import { type Admission, type Admitted, forHandler } from "../host/Admission.ts"
import type { Requirement } from "../host/BindPolicy.ts"
import * as body from "../host/Body.ts"
import * as hosts from "../host/Host.ts"
import { checkTenantOption, policiesFrom, policyForRoute } from "../host/HostPolicies.ts"
import * as nodeHost from "../host/NodeHost.ts"

export { exposedHeaders } from "../../authorization/Rejection.ts"

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
 * Describes what an operation requires. By default, it requires neither scopes nor a principal.
 *
 * @category models
 * @since 0.1.0
 */
export type { PolicyInput } from "../../authorization/policy/OperationPolicy.ts"

/**
 * A request and a response of `node:http`, or of a framework that is built on it. The types have only the members that the gate
 * uses.
 *
 * @category models
 * @since 0.1.0
 */
export type { NodeRequest, NodeResponse } from "../host/NodeHost.ts"

/**
 * Reads options of `make` from environment variables.
 *
 * **Example** (A server without an address in its code)
 *
 * ```ts
 * import { McpAuthNode } from "effect-mcp-auth/node"
 *
 * const environment = {
 *   MCP_AUTH_RESOURCE: "https://todos.example.com/mcp",
 *   MCP_AUTH_AUTHORIZATION_SERVERS: "https://auth.example.com"
 * }
 *
 * // Without an argument, the variables of the process are read.
 * const auth = await McpAuthNode.make({ ...McpAuthNode.fromEnvironment(environment), scopes: ["todos:read"] })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export { fromEnvironment } from "../../composition/fromEnvironment.ts"
export type { EnvironmentOptions } from "../../composition/fromEnvironment.ts"

/**
 * Configures the protection of an MCP endpoint: what its operations require, and the limits on its bodies.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectOptions<Offered extends string, Rest extends ReadonlyArray<unknown> = [], R = never> {
  /**
   * Returns what an operation requires: scopes, or a value of `Policy` (`effect-mcp-auth/policy`). Returns `undefined` for an
   * unknown operation. An unknown tool, prompt or resource requires a principal. The gate decides on the parsed body, before the
   * handler runs. Default: every operation is unknown.
   *
   * The function receives the principal of the caller as well. `principal` is `undefined` for an anonymous caller. Checks of a
   * policy can use the services of the option `layer`. Create a policy once, outside of this function. A check receives the
   * arguments of a call as the client sent them, because the gate does not know the schema of a tool: decode them in the check.
   */
  readonly policy?:
    | ((
      operation: Operation,
      principal: Principal | undefined
    ) => Requirement<Offered, R> | undefined)
    | undefined
  /**
   * The maximum length of a body, in bytes. Longer bodies are rejected with 413. A body parser in front of the gate has a
   * separate limit. Default: 4 MiB.
   */
  readonly maximumBody?: number | undefined
  /**
   * The maximum number of operations in a body. Bodies with more are rejected with 400. Each message of a batch and each URI of
   * a `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** The maximum time for reading a body. Slower bodies are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * Returns the body that a framework has read and does not store in `req.body`: a parsed value, its text, its bytes, or a
   * promise of one of them. It receives the request and the further arguments of the middleware. If it returns `undefined`, the
   * gate reads the stream of the request. The handler must then use `admission.body` or `req.body`, which the gate has checked.
   * Default: the gate reads the stream, and uses `req.body` if the stream has ended before.
   */
  readonly parsedBody?: ((req: nodeHost.NodeRequest, ...rest: Rest) => unknown) | undefined
  /**
   * Returns the tenant that the router of the application found in a request. It receives the request and the further arguments
   * of the middleware. Set it for `Tenants.fromRoute` if the framework has no `req.params`. Default: the parameter in
   * `req.params`.
   */
  readonly tenant?: ((req: nodeHost.NodeRequest, ...rest: Rest) => string | undefined) | undefined
  /**
   * Answers preflights from allowed origins. A preflight has no token, so this function does not know the caller. The
   * middleware does not call `next` for a preflight. Default: the gate answers preflights with 204, and allows the headers that
   * MCP clients send.
   */
  readonly preflight?: ((req: nodeHost.NodeRequest, res: nodeHost.NodeResponse, ...rest: Rest) => unknown) | undefined
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
  /** Returns the tenant of a request, as in `ProtectOptions`. */
  readonly tenant?: nodeHost.TenantOf | undefined
  /**
   * Answers preflights from allowed origins. A preflight has no token, so this function does not know the caller. The
   * middleware does not call `next` for a preflight. Default: the gate answers preflights with 204, and allows the headers that
   * MCP clients send.
   */
  readonly preflight?: ((req: nodeHost.NodeRequest, res: nodeHost.NodeResponse) => unknown) | undefined
}

/**
 * A middleware that answers a request or calls `next`. The promise resolves to the admission if the request was admitted, and
 * to `undefined` if the middleware answered it. The promise rejects only if `next` or the option `preflight` fails. The
 * functions of the options receive the further arguments, such as the context of Koa.
 *
 * @category models
 * @since 0.1.0
 */
export type Middleware<A, Rest extends ReadonlyArray<unknown> = []> = (
  req: nodeHost.NodeRequest,
  res: nodeHost.NodeResponse,
  next?: (error?: unknown) => unknown,
  ...rest: Rest
) => Promise<A | undefined>

/**
 * Protects handlers of requests and responses of Node.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpAuthNode<Offered extends string, A = unknown, R = never> extends AsyncDisposable {
  /**
   * Protects an MCP endpoint.
   *
   * **Details**
   *
   * The next handler finds the caller in `req.auth`, in the shape of the official SDKs, and the checked body in `req.body`.
   * Preflights do not reach that handler: the gate answers them, or the option `preflight` does. Pages of allowed origins can
   * read the responses of the gate. The application sets the CORS headers of the responses of the next handler.
   *
   * An event stream ends when the token expires, or at most five minutes later if the stream answers a POST request. A session
   * that the response opens (`Mcp-Session-Id`) belongs to the caller.
   *
   * A stream of the older HTTP+SSE transport (`SSEServerTransport`) belongs to its caller as well. The first event of such a
   * stream contains the session id. If the query of a request contains `sessionId` or `session_id`, the gate answers 404 unless
   * the caller opened the stream with this session id.
   *
   * **Gotchas**
   *
   * The gate reads the stream of the request for every method, so handlers must use `req.body`. If a body parser runs before
   * the gate, the gate checks the `req.body` of that parser, or the result of the option `parsedBody`. If neither exists, the
   * gate answers 500 and logs the reason.
   *
   * The body parser of Express finds the body already parsed if it runs after the gate. Any other parser that runs after the
   * gate and listens for `data` receives the bytes again. A parser that asks first whether the stream has ended, such as that of
   * Koa, reports an error: give it `admission.body`.
   */
  readonly protect: <Rest extends ReadonlyArray<unknown> = []>(
    options?: ProtectOptions<Offered, Rest, R>
  ) => Middleware<Admission<A>, Rest>
  /**
   * Protects a route that is not an MCP endpoint. It requires a principal, and does not read the body. Preflights are answered,
   * and event streams end, as in `protect`.
   */
  readonly protectRoute: (options?: RouteOptions<Offered>) => Middleware<Admission<A>>
  /**
   * Returns middleware that answers requests for the public metadata documents. Use it at the root of the application, not
   * below a mount point. The promise resolves to `true` if the middleware answered the request, and to `false` if it called
   * `next`.
   */
  readonly metadataRouter: () => (
    req: nodeHost.NodeRequest,
    res: nodeHost.NodeResponse,
    next?: (error?: unknown) => unknown
  ) => Promise<boolean>
  /** Returns the principal of an admitted request, or `undefined` for an anonymous caller. */
  readonly principalOf: (req: nodeHost.NodeRequest) => Principal | undefined
  readonly gate: Gate
  /** Releases the resources of the layers. Requests that wait for a decision, and all later ones, are answered with 503. */
  readonly dispose: () => Promise<void>
}

const preflight = ConfigOption.functionThat("takes the request and the response and answers the preflight")

const protectTable: ConfigOption.Table<keyof ProtectOptions<string>> = {
  policy: true,
  maximumBody: true,
  maximumOperations: true,
  bodyTimeout: true,
  parsedBody: ConfigOption.functionThat("takes a request and returns its parsed body"),
  tenant: true,
  preflight
}

const routeTable: ConfigOption.Table<keyof RouteOptions<string>> = { scopes: true, tenant: true, preflight }

/**
 * Creates a gate for handlers of `(req, res, next?)`, with the options of `AuthLayer.make`. Rejects with `AuthConfigError` if
 * an option is wrong.
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
  RK = never,
  const I extends Servers = Servers,
  R = never,
  E = never,
  RS = never,
  RQ = never
>(
  options:
    & Options<S, C, A, RD, RT, RR, RK, I, RS, RQ>
    & GateLayer.HostOptions<R, E>
    & GateLayer.CoveredBy<R, ServicesOf<I> | RD | RT | RR | RK | RS | RQ>
): Promise<McpAuthNode<ProtectedResource.OfferedOf<S>, A, R | C>> =>
  fromHost(await hosts.make(GateLayer.layerHost<S, C, A, RD, RT, RR, RK, I, R, E, RS, RQ>(options)))

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
  options: MockOptions<S, ClaimsDecoder.Claims<C, A>> & Pick<GateLayer.HostOptions<R, E>, "layer">
): Promise<McpAuthNode<ProtectedResource.OfferedOf<S>, A, R | C>> =>
  fromHost(await hosts.make(mockGate.layer(options, "McpAuthNode.mock")))

const fromHost = <Offered extends string, A, R>(host: hosts.Host<A>): McpAuthNode<Offered, A, R> => {
  // The key of a property of the request. A `WeakMap` would cost more time than the rest of an admission.
  const caller = Symbol("effect-mcp-auth/principal")
  type Caller = { [caller]?: Principal | undefined }

  const middleware = <Rest extends ReadonlyArray<unknown>>(
    decide: (
      req: nodeHost.NodeRequest,
      res: nodeHost.NodeResponse,
      rest: Rest
    ) => Admitted<A> | undefined | Promise<Admitted<A> | undefined>
  ): Middleware<Admission<A>, Rest> =>
  async (req, res, next, ...rest) => {
    ;(req as Caller)[caller] = undefined
    const decided = decide(req, res, rest)
    // `await` would delay `next` even if there is nothing to wait for.
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
      const policies = policiesFrom(host, options.policy)
      const { parsedBody, preflight } = options
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protect.tenant")
      return middleware((req, res, rest) =>
        nodeHost.decideCall(host, req, res, reading, policies, {
          parsedBody: parsedBody && (() => parsedBody(req, ...rest)),
          tenantOf: tenantOf && ((req) => tenantOf(req, ...rest)),
          preflight: preflight && ((req, res) => preflight(req, res, ...rest))
        })
      )
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
