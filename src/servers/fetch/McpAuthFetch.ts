/**
 * Protects handlers from `Request` to `Response`: Hono, Bun, Deno, Workers, route handlers of Next.
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
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import { type Admission, forHandler } from "../host/Admission.ts"
import * as body from "../host/Body.ts"
import * as hosts from "../host/Host.ts"
import { checkTenantOption, policiesFrom, policyForRoute } from "../host/HostPolicies.ts"
import * as webHost from "../host/WebHost.ts"

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
 * How the endpoint of an MCP server is protected: what its operations need, and how its body is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectOptions<Offered extends string, Rest extends ReadonlyArray<unknown> = []> {
  /**
   * What an operation needs; `undefined` for one that is not known here. A tool, prompt or resource that is not known
   * needs a caller, whatever its scopes. Decided on the parsed body, before the handler runs.
   */
  readonly policy?: ((operation: Operation) => PolicyInput<Offered> | undefined) | undefined
  /** Bodies beyond so many bytes are rejected with 413. Default: 4 MiB. */
  readonly maximumBody?: number | undefined
  /**
   * Bodies that ask for more operations are rejected with 400: each message of a batch and each URI of a
   * `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** Bodies that take longer, from the time when the gate begins to read them, are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /** The parsed body, where a framework has read it before: the handler must then execute `admission.body`. */
  readonly parsedBody?: ((request: Request, ...rest: Rest) => unknown) | undefined
  /**
   * Returns the tenant of a request, as the router of the host knows it: for `Tenants.fromRoute`. Further arguments of the
   * handler are passed on, such as `c.req.param("tenant")` of Hono. Default: none, so every request is rejected.
   */
  readonly tenant?: ((request: Request, ...rest: Rest) => string | undefined) | undefined
  /** Also answers requests for the metadata documents: for a wrapper around a whole application. Default: `false`. */
  readonly metadata?: boolean | undefined
  /**
   * Answers preflights from allowed origins. It runs without a caller. Default: the gate answers them with 204, and allows
   * the headers that MCP clients send.
   */
  readonly preflight?: ((request: Request, ...rest: Rest) => Response | Promise<Response>) | undefined
}

/**
 * How any other route is protected. Its body is not read.
 *
 * @category models
 * @since 0.1.0
 */
export interface RouteOptions<Offered extends string, Rest extends ReadonlyArray<unknown> = []> {
  /** All of them are needed. Default: none, any valid token will do. */
  readonly scopes?: ReadonlyArray<Offered> | undefined
  /** As in `ProtectOptions`. */
  readonly tenant?: ((request: Request, ...rest: Rest) => string | undefined) | undefined
  /**
   * Answers preflights from allowed origins. It runs without a caller. Default: the gate answers them with 204, and allows
   * the headers that MCP clients send.
   */
  readonly preflight?: ((request: Request, ...rest: Rest) => Response | Promise<Response>) | undefined
}

/**
 * A gate for fetch handlers.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpAuthFetch<Offered extends string, A = unknown> extends AsyncDisposable {
  /**
   * Puts the gate in front of an MCP endpoint.
   *
   * **Details**
   *
   * The handler gets the admission, and a request with an unread body: the one that came if the gate did not read its
   * body, else one that is made of it and of what was read. Further arguments of the host (the
   * environment of a Worker) are passed on. Preflights do not reach it: the gate answers them, or `preflight` does. A page of
   * an allowed origin may read the answers of the gate; what the handler answers needs CORS headers from the application.
   *
   * An event stream that the handler answers with ends when the token does; one that answers a POST at most five minutes
   * later. A session that the handler opens (`Mcp-Session-Id`) belongs to the caller from then on.
   */
  readonly protect: <Rest extends ReadonlyArray<unknown> = []>(
    handler: (request: Request, admission: Admission<A>, ...rest: Rest) => Response | Promise<Response>,
    options?: ProtectOptions<Offered, Rest>
  ) => (request: Request, ...rest: Rest) => Promise<Response>
  /**
   * Puts the gate in front of any other route: it needs a caller, and its body is not read. An event stream that the
   * handler answers with ends as one of `protect` does. A WebSocket that it opens does not end with the token.
   */
  readonly protectRoute: <Rest extends ReadonlyArray<unknown> = []>(
    handler: (
      request: Request,
      admission: Admission<A> & { readonly principal: Principal },
      ...rest: Rest
    ) => Response | Promise<Response>,
    options?: RouteOptions<Offered, Rest>
  ) => (request: Request, ...rest: Rest) => Promise<Response>
  /** Answers a request for one of the public metadata documents; `undefined` for every other request. */
  readonly metadata: (request: Request) => Promise<Response> | undefined
  readonly gate: Gate
  /** Ends what runs in the background. Requests that still wait are answered with 503, as are later ones. */
  readonly dispose: () => Promise<void>
}

const checkHandler = (handler: unknown, option: string): void => {
  if (typeof handler === "function") return
  throw ConfigOption.error(
    option,
    `the first argument: ${
      OptionValue.isNot(handler, "a function")
    }. Give the handler first, a function that takes a ` +
      "request and returns a response, and the options second",
    "missing"
  )
}

const preflight = ConfigOption.functionThat("takes a request and returns the response to the preflight")

const protectTable: ConfigOption.Table<keyof ProtectOptions<string>> = {
  policy: true,
  maximumBody: true,
  maximumOperations: true,
  bodyTimeout: true,
  parsedBody: ConfigOption.functionThat("takes a request and returns its parsed body"),
  tenant: true,
  metadata: true,
  preflight
}

const routeTable: ConfigOption.Table<keyof RouteOptions<string>> = { scopes: true, tenant: true, preflight }

/**
 * A gate for fetch handlers, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
 *
 * In a Worker it may be made while the module loads. There no request waits for what another has started: each fetches
 * keys and metadata for itself where they are not at hand.
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
 *   (_request, { body, principal }) => Response.json({ caller: principal?.subject, asked: body }),
 *   { policy: ({ target }) => target === "add_todo" ? { scopes: ["todos:write"] } : undefined }
 * )
 *
 * const app = new Hono()
 * app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
 * app.all("/mcp", (c) => mcp(c.req.raw))
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
): Promise<McpAuthFetch<ProtectedResource.OfferedOf<S>, A>> =>
  fromHost(await hosts.make(GateLayer.layerHost<S, C, A, RD, RT, RR, I, R, E>(options)))

/**
 * Creates a gate for tests: every request has the same caller, without tokens and without a network. Rejects with
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
  options: MockOptions<S, ClaimsDecoder.Decoded<C, A>> & Pick<GateLayer.HostOptions<R, E>, "layer">
): Promise<McpAuthFetch<ProtectedResource.OfferedOf<S>, A>> =>
  fromHost(await hosts.make(mockGate.layer(options, "McpAuthFetch.mock")))

const fromHost = <Offered extends string, A>(host: hosts.Host<A>): McpAuthFetch<Offered, A> => {
  return {
    gate: host.gate,
    protect: (handler, options = {}) => {
      checkHandler(handler, "protect")
      ConfigOption.check(options, "protect", protectTable)
      const limits = body.checkLimits(options)
      const policies = policiesFrom(options.policy)
      const { metadata = false, parsedBody, preflight } = options
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protect.tenant")
      return (request, ...rest) =>
        (metadata ? webHost.document(host, request) : undefined) ??
          webHost.serve(
            host,
            request,
            {
              reading: { limits, parsedBody: parsedBody && (() => parsedBody(request, ...rest)) },
              policies,
              tenantOf: tenantOf && (() => tenantOf(request, ...rest)),
              preflight: preflight && (() => preflight(request, ...rest))
            },
            (admitted, unread) => handler(unread, forHandler(admitted), ...rest)
          )
    },
    protectRoute: (handler, options = {}) => {
      checkHandler(handler, "protectRoute")
      ConfigOption.check(options, "protectRoute", routeTable)
      const policy = policyForRoute(host.gate, options.scopes)
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protectRoute.tenant")
      const { preflight } = options
      return (request, ...rest) =>
        webHost.serveRoute(
          host,
          request,
          {
            policy,
            tenantOf: tenantOf && (() => tenantOf(request, ...rest)),
            preflight: preflight && (() => preflight(request, ...rest))
          },
          (admitted) => handler(request, { ...forHandler(admitted), principal: admitted.principal! }, ...rest)
        )
    },
    metadata: (request) => webHost.document(host, request),
    dispose: host.dispose,
    [Symbol.asyncDispose]: host.dispose
  }
}
