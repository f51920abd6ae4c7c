/**
 * Protects Effect's own MCP server. Each tool requires its own scopes, which are checked before the tool runs. If a scope is
 * missing, the server answers 403.
 *
 * Each function replaces the function of the same name in `McpServer` of `effect/ai`, and accepts nearly the same options.
 *
 * @since 0.1.0
 */
import type * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { AuthLayer, type Gate } from "../../authorization/Gate.ts"
import type { PerRequest, RequiredScope, RequiredScopesOf } from "../../authorization/Policy.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as body from "../host/Body.ts"
import { BodyDeadlines } from "../host/BodyDeadlines.ts"
import * as ToolList from "../host/ToolList.ts"
import { makeDispatch } from "./internal/dispatch.ts"
import * as Registry from "./internal/registry.ts"
import { layerObserver } from "./internal/scopeGuard.ts"

export * from "./LocalLayer.ts"
export * from "./Registrations.ts"

type Markers<R> = R extends HttpRouter.Request<"Requires", infer T>
  // Two conditions, because the two inferred types have different constraints.
  ? T extends RequiredScope<infer _> ? HttpRouter.Request<"Requires", T>
  : T extends PerRequest<infer _> ? HttpRouter.Request<"Requires", T>
  : never
  : never
type PerRequestOf<R> = R extends HttpRouter.Request<"Requires", infer T>
  ? T extends PerRequest<infer C> ? HttpRouter.Request<"Requires", C> : never
  : never
type ScopesOf<R> = R extends HttpRouter.Request<"Requires", infer T>
  ? T extends RequiredScope<infer S> ? RequiredScopesOf<S> : never
  : never

/**
 * The options of `McpServer.layerHttp`, without `allowedOrigins`. Allowed origins are an option of `AuthLayer`, because the
 * gate checks the origin before the token.
 *
 * @category models
 * @since 0.1.0
 */
export type HttpOptions<
  P extends readonly [McpProtocol.ProtocolAdapter, ...ReadonlyArray<McpProtocol.ProtocolAdapter>],
  RA,
  RE,
  RR
> = Omit<Parameters<typeof McpServer.layerHttp<P, RA, RE, RR>>[0], "allowedOrigins"> & {
  /**
   * The maximum number of operations in a body. Bodies with more are rejected with 400. Each message of a batch and each URI of
   * a `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** The maximum time for reading a body. Slower bodies are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * Whether `tools/list` contains the security schemes of each tool, from its policy (`"list"`), or not (`"omit"`). ChatGPT reads
   * them, and shows before a call which tools need a sign-in. Default: `"list"`.
   */
  readonly securitySchemes?: "list" | "omit" | undefined
}

/**
 * Serves a protected MCP server on an `HttpRouter`.
 *
 * **Details**
 *
 * The layer requires the scopes of the registered tools, resources and prompts, and `AuthLayer` provides the offered scopes. A
 * server does not compile if any of these scopes is missing in its configuration, or if it has no `AuthLayer`. Without type
 * checking, the layer fails with `AuthConfigError` if a scope is not offered.
 *
 * The policies are read from the registrations at the time of each request. If a tool is added later and requires a scope that
 * is not offered, clients can never call it.
 *
 * Effect builds one `McpServer` for all servers of a program, so they share their registrations. Two servers with different
 * `AuthLayer`s therefore fail with `AuthConfigError`. Wrap each in `Layer.fresh`, which gives it separate registrations.
 *
 * A `subscriptions/listen` stream ends when its token expires. Any other response ends at most 5 minutes after its token has
 * expired. The maximum length of a body is 4 MiB, or `MaxBodySize` if that is provided.
 *
 * **Example** (A whole server)
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { AuthLayer, requireScopes } from "effect-mcp-auth"
 * import { McpAuth } from "effect-mcp-auth/mcp"
 * import { McpProtocol, Tool, Toolkit } from "effect/ai"
 *
 * const Hello = Toolkit.make(requireScopes("hello")(Tool.make("hello", { success: Schema.String })))
 *
 * const Server = McpAuth.layerHttp({
 *   name: "hello",
 *   version: "1.0.0",
 *   path: "/mcp",
 *   protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
 *   registrations: McpAuth.toolkit(Hello).pipe(
 *     Layer.provide(Hello.toLayer({ hello: () => Effect.succeed("Hello") }))
 *   )
 * }).pipe(Layer.provide(AuthLayer.make({
 *   resource: "https://hello.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["hello"]
 * })))
 * ```
 *
 * @see {@link McpServer.layerHttp} for the function that this one replaces
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = <
  const P extends readonly [McpProtocol.ProtocolAdapter, ...ReadonlyArray<McpProtocol.ProtocolAdapter>],
  RA = never,
  RE = never,
  RR = never
>(
  options: HttpOptions<P, RA, RE, RR>
): ReturnType<typeof McpServer.layerHttp<P, RA, RE, RR>> extends infer L extends Layer.Any ? Layer.Layer<
    Layer.Success<L>,
    Layer.Error<L> | AuthConfigError,
    | Exclude<Layer.Services<L>, Markers<Layer.Services<L>>>
    | ScopesOf<Layer.Services<L>>
    | PerRequestOf<Layer.Services<L>>
    | AuthLayer
    | HttpRouter.Request<"Requires", Principal>
  >
  : never =>
  Layer.unwrap(Effect.gen(function*() {
    const gate = yield* AuthLayer
    const limits = yield* Effect.fromResult(ConfigOption.attempt(() => {
      ConfigOption.check(options, "McpAuth.layerHttp", table, "Give one with name, version, path and protocols")
      return body.checkLimits({ bodyTimeout: options.bodyTimeout, maximumOperations: options.maximumOperations })
    }))
    const { allowsOrigin, resources = [] } = gate.published
    const { bodyTimeout: _, maximumOperations: __, securitySchemes, ...serverOptions } = options
    const deadlines = new BodyDeadlines(
      yield* Clock.Clock,
      Effect.runForkWith(yield* Effect.context<never>()),
      limits.timeout
    )
    let policyFor: Registry.PolicyFor = () => undefined
    const link = Layer.effectDiscard(Effect.gen(function*() {
      const server = yield* McpServer.McpServer
      if ((Registry.gates.get(server) ?? gate) !== gate) return yield* sharedRegistrations
      Registry.gates.set(server, gate)
      policyFor = Registry.makePolicyFor(server)
      yield* checkOffered(server, gate.resource.offered)
    }))
    const middleware = HttpRouter.middleware(
      makeDispatch(
        { limits, deadlines },
        (operation) => policyFor(operation),
        securitySchemes === "omit" ? undefined : changeToolList(gate, (operation) => policyFor(operation))
      )
    )
    return McpServer.layerHttp({
      ...serverOptions,
      // The server of Effect calls only `includes`. The gate has checked the origin before, with the same function.
      allowedOrigins: Object.assign([], {
        includes: (origin: string) => allowsOrigin(origin) || resources.some((_) => _.origin === origin)
      }),
      registrations: link.pipe(
        Layer.provideMerge(options.registrations ?? Layer.empty),
        Layer.provide(layerObserver()),
        Layer.provide(Layer.succeed(Registry.OfferedScopes, gate.resource))
      )
    }).pipe(Layer.provide(middleware.layer))
  })) as never

/** Creates the function that adds the security schemes to lists, by the policies that the gate enforces for calls. */
const changeToolList = (gate: Gate, policyFor: Registry.PolicyFor): (result: unknown) => unknown => {
  const addSchemes = ToolList.make(gate)
  return (result) =>
    addSchemes(result, ({ name }) =>
      policyFor({
        method: "tools/call",
        kind: "tool",
        target: String(name),
        params: undefined,
        isNotification: false
      }) ?? Registry.unlistedPolicy)
}

// Effect builds `McpServer.layer` once for a program. Two servers with two gates would share their registrations, and a token for one
// resource would run the tools of the other.
const sharedRegistrations = new AuthConfigError({
  reason: "conflict",
  option: "McpAuth.layerHttp",
  fix:
    "it shares its tools, prompts and resources with a server that another AuthLayer protects, because Effect builds one McpServer for " +
    "all servers of a program. Write Layer.fresh(McpAuth.layerHttp(…)) for each server, or provide one AuthLayer to both"
})

/** The options, of which `McpServer.layerHttp` checks its own. */
const table: ConfigOption.Table<keyof HttpOptions<any, never, never, never>> = {
  name: true,
  version: true,
  instructions: true,
  description: true,
  websiteUrl: true,
  icons: true,
  path: true,
  protocols: true,
  extensions: true,
  cacheHints: true,
  allowSessionTermination: true,
  allowSubscriptions: true,
  registrations: true,
  maximumOperations: true,
  bodyTimeout: true,
  securitySchemes: ConfigOption.oneOf("list", "omit")
}

/** Checks that every registered scope is offered. Type checking ensures the same, but not every program is type checked. */
const checkOffered = (
  server: McpServer.McpServer["Service"],
  offered: ReadonlySet<string>
): Effect.Effect<void, AuthConfigError> => {
  for (const { annotations, name } of Registry.entries(server)) {
    const missing = Registry.scopesOf(annotations).find((scope) => !offered.has(scope))
    if (missing !== undefined) {
      return Effect.fail(
        new AuthConfigError({
          reason: "not-offered",
          option: "scopes",
          fix: `${name} requires ${missing}, which the server does not offer. Add it to scopes (baseline or stepUp)`
        })
      )
    }
  }
  return Effect.void
}
