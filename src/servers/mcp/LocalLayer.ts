/**
 * Provides a fixed caller to registrations of Effect's MCP server, for transports without HTTP.
 *
 * @since 0.1.0
 */
import * as McpServer from "effect/ai/McpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import type { PerRequest, RequiredScopesOf } from "../../authorization/Policy.ts"
import * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import * as RequestState from "../../authorization/RequestState.ts"
import type { LiteralScopes, Scopes } from "../../composition/AuthOptions.ts"
import * as localCaller from "../../composition/localCaller.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { Principal } from "../../verification/Principal.ts"
import { type Claims, toDecoded } from "../effect/SchemaClaims.ts"
import { LocalServices, OfferedScopes } from "./internal/registry.ts"

/**
 * The options of `layerLocal`.
 *
 * @category models
 * @since 0.1.0
 */
export interface LocalOptions<S extends Scopes, C = never, A = unknown>
  extends Omit<localCaller.LocalOptions<ProtectedResource.OfferedOf<S>>, "scopes">
{
  /** The scopes that the registrations may require, as in the options of `AuthLayer`. */
  readonly scopes: S & LiteralScopes<S>
  /** The scopes of the caller. Default: all `scopes`. */
  readonly granted?: ReadonlyArray<ProtectedResource.OfferedOf<S>> | undefined
  /**
   * The option `claims` of `AuthLayer`: a service, and the schema that decodes the claims of the caller for it. Default: none, so
   * policies and handlers cannot use typed claims.
   */
  readonly claimsService?: Claims<C, A> | undefined
  /** The resource identifier. Default: `http://localhost/mcp`. */
  readonly resource?: string | undefined
}

const adviceOnOptions = "Give one such as { subject: \"alice\", scopes: [\"todos:read\"] }"

const table: ConfigOption.Table<keyof LocalOptions<Scopes>> = {
  subject: true,
  scopes: true,
  granted: true,
  resource: true,
  issuer: true,
  clientId: true,
  roles: true,
  claims: true,
  claimsService: true
}

/** The services that each call of the registrations can use. */
type Provided<S extends Scopes, C> =
  | Principal
  | RequestState.RequestState
  | C
  | ([C] extends [never] ? never : PerRequest<C>)
  | RequiredScopesOf<ProtectedResource.OfferedOf<S>>

/**
 * Provides a fixed caller to registrations, for `McpServer.layerStdio` and in-memory transports. The same toolkits then serve
 * local programs and HTTP.
 *
 * **Details**
 *
 * Each call of the registrations has this caller. A call that its policy does not admit fails, and hidden registrations stay hidden.
 * The server sends updates only of resources whose policy admits the caller.
 * `roles`, `claims` and `claimsService` state what policies read. Registrations that require other scopes than `scopes` do not compile.
 * Throws `AuthConfigError` if an option is wrong, or if the claims do not match `claimsService`.
 *
 * **Gotchas**
 *
 * Provide it only to servers without HTTP, because every client is this caller. With stdio, send logs to the standard error
 * stream: the standard output is the transport.
 *
 * **Example** (A server on stdio)
 *
 * ```ts
 * import { Effect, Layer, Logger } from "effect"
 * import { requireScopes } from "effect-mcp-auth"
 * import { McpAuth } from "effect-mcp-auth/mcp"
 * import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
 *
 * const Todos = Toolkit.make(requireScopes("todos:read")(Tool.make("count_todos")))
 * const TodosLive = Todos.toLayer({ count_todos: () => Effect.void })
 *
 * const Server = McpServer.layerStdio({
 *   name: "todos",
 *   version: "1.0.0",
 *   protocols: [McpProtocol.v2026_07_28],
 *   registrations: McpAuth.toolkit(Todos).pipe(
 *     Layer.provide(TodosLive),
 *     Layer.provide(McpAuth.layerLocal({ subject: "alice", scopes: ["todos:read"] }))
 *   )
 * }).pipe(Layer.provide(Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLocal = <const S extends Scopes, C = never, A = unknown>(
  options: LocalOptions<S, C, A>
): Layer.Layer<McpServer.McpRequest.From<"Requires", Provided<S, C>>, AuthConfigError> => {
  ConfigOption.check(options, "McpAuth.layerLocal", table, adviceOnOptions)
  const { claimsService, granted, resource: identifier = "http://localhost/mcp", scopes, ...caller } = options
  const resource = Result.getOrThrow(
    ProtectedResource.make({ resource: identifier, scopes } as ProtectedResource.Options, [
      localCaller.localIssuer
    ])
  )
  const principal = localCaller.make(
    resource,
    { ...caller, scopes: granted ?? [...resource.offered] },
    "McpAuth.layerLocal"
  )
  const makeServices = Effect.map(
    Effect.all([RequestState.make(undefined, resource.resource), decode(claimsService, principal)]),
    ([state, claims]) =>
      Context.make(Principal, principal).pipe(
        Context.add(RequestState.RequestState, state),
        Context.merge(claims)
      ) as Context.Context<never>
  )
  const middleware = McpServer.middleware<{ provides: Provided<S, C> }>()(
    Effect.map(LocalServices, (services) => (effect) =>
      // A `RequiredScope` and a `PerRequest` exist only in the types.
      Effect.provideContext(effect, services as unknown as Context.Context<Provided<S, C>>))
  )
  const services = Layer.effect(LocalServices, makeServices)
  return Layer.mergeAll(
    Layer.provide(middleware.layer, services),
    services,
    Layer.succeed(OfferedScopes, resource)
  ) as Layer.Layer<
    McpServer.McpRequest.From<"Requires", Provided<S, C>>,
    AuthConfigError
  >
}

/** Decodes the claims of the caller once, because they never change. */
const decode = <C, A>(
  claimsService: Claims<C, A> | undefined,
  principal: Principal
): Effect.Effect<Context.Context<never>, AuthConfigError> => {
  const read = ClaimsDecoder.reader(toDecoded(claimsService))
  if (read === undefined) return Effect.succeed(Context.empty())
  const reading = read(principal)
  return Effect.mapError(
    Effect.isEffect(reading) ? reading : Effect.fromResult(reading),
    (error) =>
      ConfigOption.error(
        "McpAuth.layerLocal.claims",
        `they do not fit claimsService.schema: ${ClaimsDecoder.describeFailure(error)}. Give claims that fit`
      )
  )
}
