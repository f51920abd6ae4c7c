/**
 * Protects handlers that take a `Request` and return a `Response`, such as those of Hono, Bun, Deno, Workers and the route
 * handlers of Next.js.
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
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import { type Admission, forHandler } from "../host/Admission.ts"
import type { Requirement } from "../host/BindPolicy.ts"
import * as body from "../host/Body.ts"
import * as honoContext from "../host/HonoContext.ts"
import * as hosts from "../host/Host.ts"
import { checkTenantOption, policiesFrom, policyForRoute } from "../host/HostPolicies.ts"
import * as webHost from "../host/WebHost.ts"

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
 * The context that Hono passes to handlers. A protected handler accepts it in place of the request. The gate then merges the CORS
 * headers of its rejections with those of Hono's `cors`, which otherwise overwrites them.
 *
 * @category models
 * @since 0.1.0
 */
export type { HonoContext } from "../host/HonoContext.ts"

/**
 * Describes what an operation requires. By default, it requires neither scopes nor a principal.
 *
 * @category models
 * @since 0.1.0
 */
export type { PolicyInput } from "../../authorization/policy/OperationPolicy.ts"

/**
 * Reads options of `make` from environment variables.
 *
 * **Example** (A server without an address in its code)
 *
 * ```ts
 * import { McpAuthFetch } from "effect-mcp-auth/fetch"
 *
 * const environment = {
 *   MCP_AUTH_RESOURCE: "https://todos.example.com/mcp",
 *   MCP_AUTH_AUTHORIZATION_SERVERS: "https://auth.example.com"
 * }
 *
 * // Without an argument, the variables of the process are read.
 * const auth = await McpAuthFetch.make({ ...McpAuthFetch.fromEnvironment(environment), scopes: ["todos:read"] })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export { fromEnvironment } from "../../composition/fromEnvironment.ts"
export type { EnvironmentOptions } from "../../composition/fromEnvironment.ts"

/**
 * Configures the protection of an MCP endpoint: what its operations require, and how its bodies are read.
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
  /** The maximum length of a body, in bytes. Longer bodies are rejected with 413. Default: 4 MiB. */
  readonly maximumBody?: number | undefined
  /**
   * The maximum number of operations in a body. Bodies with more are rejected with 400. Each message of a batch and each URI of
   * a `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** The maximum time for reading a body. Slower bodies are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * Returns the parsed body, if a framework has read it. The handler must then use `admission.body`, which the gate has checked.
   * Default: the gate reads the body of the request.
   */
  readonly parsedBody?: ((request: Request, ...rest: Rest) => unknown) | undefined
  /**
   * Returns the tenant that your router found in a request, for `Tenants.fromRoute`. It receives the request and the further
   * arguments of the handler. On Hono, pass `c.req.param("tenant")` as such an argument. Without this option, a gate with
   * `Tenants.fromRoute` rejects every request.
   */
  readonly tenant?: ((request: Request, ...rest: Rest) => string | undefined) | undefined
  /**
   * Whether the wrapper also answers requests for the metadata documents. Set it if you wrap a whole application. Default:
   * `false`.
   */
  readonly metadata?: boolean | undefined
  /**
   * Answers preflights from allowed origins. A preflight has no token, so this function does not know the caller. Default: the
   * gate answers preflights with 204, and allows the headers that MCP clients send.
   */
  readonly preflight?: ((request: Request, ...rest: Rest) => Response | Promise<Response>) | undefined
}

/**
 * Configures the protection of a route that is not an MCP endpoint. The gate does not read the body of its requests.
 *
 * @category models
 * @since 0.1.0
 */
export interface RouteOptions<Offered extends string, Rest extends ReadonlyArray<unknown> = []> {
  /** The required scopes: the caller needs all of them. Default: none, so that any valid token is enough. */
  readonly scopes?: ReadonlyArray<Offered> | undefined
  /** Returns the tenant of a request, as in `ProtectOptions`. */
  readonly tenant?: ((request: Request, ...rest: Rest) => string | undefined) | undefined
  /**
   * Answers preflights from allowed origins. A preflight has no token, so this function does not know the caller. Default: the
   * gate answers preflights with 204, and allows the headers that MCP clients send.
   */
  readonly preflight?: ((request: Request, ...rest: Rest) => Response | Promise<Response>) | undefined
}

/**
 * Protects fetch handlers.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpAuthFetch<Offered extends string, A = unknown, R = never> extends AsyncDisposable {
  /**
   * Protects an MCP endpoint.
   *
   * **Details**
   *
   * The handler receives a request whose body is unread, the admission, and the further arguments of the platform, such as the
   * environment of a Worker. If the gate has read the body, the request is a copy. Preflights do not reach the handler: the
   * gate answers them, or the option `preflight` does. Pages of allowed origins may read the responses of the gate. For the
   * responses of the handler, the application sets the CORS headers. On Hono, pass the context in place of the request, because
   * `cors` of Hono overwrites the CORS headers of responses.
   *
   * An event stream ends when the token expires or is revoked. A stream that answers a POST may continue for at most five
   * minutes after its token has expired. A session that the handler opens (`Mcp-Session-Id`) belongs to the caller.
   */
  readonly protect: <Rest extends ReadonlyArray<unknown> = []>(
    handler: (request: Request, admission: Admission<A>, ...rest: Rest) => Response | Promise<Response>,
    options?: ProtectOptions<Offered, Rest, R>
  ) => (request: Request | honoContext.HonoContext, ...rest: Rest) => Promise<Response>
  /**
   * Protects a route that is not an MCP endpoint: requires a principal, and does not read the body. Event streams end as with
   * `protect`. A WebSocket that the handler opens does not end with the token.
   */
  readonly protectRoute: <Rest extends ReadonlyArray<unknown> = []>(
    handler: (
      request: Request,
      admission: Admission<A> & { readonly principal: Principal },
      ...rest: Rest
    ) => Response | Promise<Response>,
    options?: RouteOptions<Offered, Rest>
  ) => (request: Request | honoContext.HonoContext, ...rest: Rest) => Promise<Response>
  /** Answers a request for a public metadata document. Returns `undefined` for every other request. */
  readonly metadata: (request: Request) => Promise<Response> | undefined
  readonly gate: Gate
  /** Releases the resources of the layers. Waiting requests and all later ones are answered with 503. */
  readonly dispose: () => Promise<void>
}

const checkHandler = (handler: unknown, option: string): void => {
  if (typeof handler === "function") return
  throw ConfigOption.error(
    option,
    `the first argument: ${OptionValue.isNot(handler, "a function")}. Give the handler first, and the options second`,
    "missing"
  )
}

const preflight = ConfigOption.functionThat("takes a request and returns the response to the preflight")

const protectTable = {
  policy: true,
  maximumBody: true,
  maximumOperations: true,
  bodyTimeout: true,
  parsedBody: ConfigOption.functionThat("takes a request and returns its parsed body"),
  tenant: true,
  metadata: ConfigOption.oneOf(false, true),
  preflight
} satisfies ConfigOption.Table<keyof ProtectOptions<string>>

const routeTable: ConfigOption.Table<keyof RouteOptions<string>> = { scopes: true, tenant: true, preflight }

/**
 * Creates a gate for fetch handlers, with the options of `AuthLayer.make`. Rejects with `AuthConfigError` if an option is
 * wrong.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. The gate fetches nothing before it receives the first token.
 *
 * In a Worker, you can create the gate while the module loads. A request in a Worker cannot wait for a fetch that another
 * request started. So each request fetches keys and metadata itself until they are cached.
 *
 * **Example** (An MCP endpoint on Hono)
 *
 * ```ts
 * import { McpAuthFetch } from "effect-mcp-auth/fetch"
 * import { Hono } from "hono"
 *
 * const auth = await McpAuthFetch.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const mcp = auth.protect(
 *   (_request, { body, principal }) => Response.json({ caller: principal?.subject, body }),
 *   { policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined }
 * )
 *
 * const app = new Hono()
 * app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
 * app.all("/mcp", (c) => mcp(c))
 * ```
 *
 * **Example** (Claims that a schema of zod decodes)
 *
 * ```ts
 * import { McpAuthFetch } from "effect-mcp-auth/fetch"
 * import { z } from "zod"
 *
 * const auth = await McpAuthFetch.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   claims: z.object({ org: z.string() })
 * })
 *
 * const whoami = auth.protectRoute((_request, { claims }) => Response.json({ org: claims?.org }))
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
): Promise<McpAuthFetch<ProtectedResource.OfferedOf<S>, A, R | C>> =>
  fromHost(await hosts.make(GateLayer.layerHost<S, C, A, RD, RT, RR, RK, I, R, E, RS, RQ>(options)))

/**
 * Creates a gate for tests, without tokens and without a network. Every request has the same caller. Rejects with
 * `AuthConfigError` if an option is wrong.
 *
 * **Example** (A caller with one scope)
 *
 * ```ts
 * import { McpAuthFetch } from "effect-mcp-auth/fetch"
 *
 * const auth = await McpAuthFetch.mock({ subject: "alice", scopes: ["todos:read"] })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mock = async <const S extends Scopes, C = never, A = unknown, R = never, E = never>(
  options: MockOptions<S, ClaimsDecoder.Claims<C, A>> & Pick<GateLayer.HostOptions<R, E>, "layer">
): Promise<McpAuthFetch<ProtectedResource.OfferedOf<S>, A, R | C>> =>
  fromHost(await hosts.make(mockGate.layer(options, "McpAuthFetch.mock")))

const fromHost = <Offered extends string, A, R>(host: hosts.Host<A>): McpAuthFetch<Offered, A, R> => {
  return {
    gate: host.gate,
    protect: (handler, options = {}) => {
      checkHandler(handler, "protect")
      ConfigOption.check(options, "protect", protectTable)
      const limits = body.checkLimits(options)
      const policies = policiesFrom(host, options.policy)
      const { metadata = protectTable.metadata.default, parsedBody, preflight } = options
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protect.tenant")
      return (given, ...rest) => {
        const { context, request } = honoContext.open(given)
        return (metadata ? webHost.document(host, request) : undefined) ??
          webHost.serve(
            host,
            request,
            {
              reading: { limits, parsedBody: parsedBody && (() => parsedBody(request, ...rest)) },
              policies,
              tenantOf: tenantOf && (() => tenantOf(request, ...rest)),
              preflight: preflight && (() => preflight(request, ...rest)),
              context
            },
            (admitted, unread) => handler(unread, forHandler(admitted), ...rest)
          )
      }
    },
    protectRoute: (handler, options = {}) => {
      checkHandler(handler, "protectRoute")
      ConfigOption.check(options, "protectRoute", routeTable)
      const policy = policyForRoute(host.gate, options.scopes)
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protectRoute.tenant")
      const { preflight } = options
      return (given, ...rest) => {
        const { context, request } = honoContext.open(given)
        return webHost.serveRoute(
          host,
          request,
          {
            policy,
            tenantOf: tenantOf && (() => tenantOf(request, ...rest)),
            preflight: preflight && (() => preflight(request, ...rest)),
            context
          },
          (admitted) => handler(request, { ...forHandler(admitted), principal: admitted.principal! }, ...rest)
        )
      }
    },
    metadata: (request) => webHost.document(host, request),
    dispose: host.dispose,
    [Symbol.asyncDispose]: host.dispose
  }
}
