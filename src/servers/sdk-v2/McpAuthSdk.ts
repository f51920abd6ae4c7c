/**
 * Protects servers of `@modelcontextprotocol/server`, for clients of the 2025 and the 2026 versions of MCP. Each tool requires
 * its own scopes, which are checked before the tool runs. If a scope is missing, the server answers 403.
 *
 * @since 0.1.0
 */
import {
  type CallToolResult,
  createMcpHandler,
  type CreateMcpHandlerOptions,
  type GetPromptResult,
  type InputRequiredResult,
  isLegacyRequest,
  type McpHttpHandler,
  type McpRequestContext,
  McpServer,
  type McpServerFactory,
  type ReadResourceResult,
  type RegisteredPrompt,
  type RegisteredResource,
  type RegisteredResourceTemplate,
  type RegisteredTool,
  type ServerContext,
  type StandardSchemaWithJSON,
  type Variables
} from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Scopes, Servers, ServicesOf } from "../../composition/AuthOptions.ts"
import type { CoveredBy } from "../../composition/GateLayer.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type * as Operation from "../../protocol/Operation.ts"
import { type HonoContext, open as openContext } from "../host/HonoContext.ts"
import { readOptions } from "../sdk/FetchArguments.ts"
import { optionsV2 } from "../sdk/Register.ts"
import * as sdkHost from "../sdk/SdkHost.ts"
import { type MockOptions, type Options, toLayer, toMockLayer } from "../sdk/SdkOptions.ts"
import { isServer } from "../sdk/SdkPolicies.ts"
import type {
  Addition,
  Anonymous,
  CallerOf,
  Endpoints,
  FetchOptions,
  Fits,
  LocalOptions,
  McpServerLike,
  Needed,
  Outcome,
  Policies,
  Policy,
  ResourceTemplateLike,
  Scoped,
  Services
} from "../sdk/SdkTypes.ts"

export { exposedHeaders } from "../../authorization/Rejection.ts"
/**
 * Reads options of `make` from environment variables.
 *
 * **Example** (A server without an address in its code)
 *
 * ```ts
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
 *
 * const environment = {
 *   MCP_AUTH_RESOURCE: "https://todos.example.com/mcp",
 *   MCP_AUTH_AUTHORIZATION_SERVERS: "https://auth.example.com"
 * }
 *
 * // Without an argument, the variables of the process are read.
 * const auth = await McpAuthSdk.make({ ...McpAuthSdk.fromEnvironment(environment), scopes: ["todos:read"] })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export { fromEnvironment } from "../../composition/fromEnvironment.ts"
export type { EnvironmentOptions } from "../../composition/fromEnvironment.ts"

/**
 * The context that Hono passes to handlers. A protected handler accepts it in place of the request. The gate then merges the CORS
 * headers of its rejections with those of Hono's `cors`, which otherwise overwrites them.
 *
 * @category models
 * @since 0.1.0
 */
export type { HonoContext } from "../host/HonoContext.ts"
export type { Claims, ListOptions, MockOptions, Options } from "../sdk/SdkOptions.ts"
export type {
  Anonymous,
  BodyLimits,
  Caller,
  Endpoints,
  FetchOptions,
  LocalOptions,
  McpServerLike,
  Middleware,
  NodeRequest,
  NodeResponse,
  Policy,
  ResourceTemplateLike,
  Scoped,
  State
} from "../sdk/SdkTypes.ts"

/**
 * The last argument of a handler: the context of the SDK, with `principal` and `state` in addition.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlerContext<P> = ServerContext & Addition<P>

/**
 * The arguments of a handler: the output of its schema.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Arguments<Input> = Input extends StandardSchemaWithJSON ? StandardSchemaWithJSON.InferOutput<Input>
  : undefined

/**
 * A handler of a tool or a prompt. It receives arguments if the registration has a schema for them. It returns a result, a
 * promise of a result, or an effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<Input, P, Result, Env> = Input extends StandardSchemaWithJSON
  ? (args: Arguments<Input>, context: HandlerContext<P>) => Outcome<Result | InputRequiredResult, Env>
  : (context: HandlerContext<P>) => Outcome<Result | InputRequiredResult, Env>

/**
 * An `McpServer` of `@modelcontextprotocol/server`, as `import` and `require` declare it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SdkServer extends McpServerLike {
  /** Servers of this SDK lack this member of the other SDK, so the compiler rejects servers of the other SDK. */
  readonly tool?: never
}

/**
 * Creates the server of one request. `context` contains the protocol era of the request, and its caller as `authInfo`.
 *
 * @category models
 * @since 0.1.0
 */
export type Factory = (context: McpRequestContext) => SdkServer | Promise<SdkServer>

type Config<T extends "registerTool" | "registerPrompt"> = Omit<
  Parameters<McpServer[T]>[1],
  "inputSchema" | "outputSchema" | "argsSchema"
>

/**
 * Registers tools, prompts and resources with their policies, and authorizes the requests to the servers of a program.
 *
 * **Details**
 *
 * `Offered` is the union of the configured scopes. A registration that requires any other scope does not compile.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpAuthSdk<Offered extends string, Claims, R, N extends Anonymous> extends Endpoints {
  /**
   * Registers a tool.
   *
   * **Details**
   *
   * The options are those of `McpServer.registerTool` and the policy of the tool. If the scopes depend on the arguments, set
   * `scopes` to a function: it receives the arguments that the handler receives, and runs before the handler. If the schema
   * rejects the arguments of a call, the gate requires a valid token and no scope, and the SDK then rejects the call.
   *
   * A handler that returns an effect can use `Principal`, `RequestState`, the services of the option `layer`, and
   * `requireScopes` for the offered scopes. If the effect fails, or a promise that the handler returns rejects, the client
   * receives an error result of the tool.
   *
   * **Gotchas**
   *
   * The SDK's own `requireScopes` admits calls without `authInfo`. A tool that is registered with this gate rejects them,
   * unless it requires no scopes and anonymous requests are allowed.
   *
   * The client can read and change a `requestState`. Seal it with `state.seal`, and open the returned one with `state.open`. A
   * sealed state is bound to the caller and the tool.
   *
   * An `InsufficientScope` inside an effect comes too late for a 403. The client receives it as an error result of the tool.
   *
   * @since 0.1.0
   */
  readonly registerTool: <
    Output extends StandardSchemaWithJSON,
    Input extends StandardSchemaWithJSON | undefined = undefined,
    const Need extends Offered = never,
    P extends Policies<Offered, R> = never
  >(
    server: SdkServer,
    name: string,
    config:
      & Config<"registerTool">
      & {
        /** The schema of the arguments, as in the SDK. Default: no arguments. */
        readonly inputSchema?: Input
        /** The schema of the structured result, as in the SDK. Default: none. */
        readonly outputSchema?: Output
      }
      & Policy<Need, Arguments<Input>, P>
      & Fits<P, Arguments<Input>>,
    handler: Handler<Input, CallerOf<Claims, N, Need, P>, CallToolResult, Services<Offered, R, N, Need, P>>
  ) => RegisteredTool & Scoped<Needed<Need, P>>
  /**
   * Registers a prompt. A completion of its arguments requires the same scopes. If the scopes depend on the arguments, a
   * completion requires a valid token and no scope.
   *
   * @since 0.1.0
   */
  readonly registerPrompt: <
    Input extends StandardSchemaWithJSON | undefined = undefined,
    const Need extends Offered = never,
    P extends Policies<Offered, R> = never
  >(
    server: SdkServer,
    name: string,
    config:
      & Config<"registerPrompt">
      & { readonly argsSchema?: Input }
      & Policy<Need, Arguments<Input>, P>
      & Fits<P, Arguments<Input>>,
    handler: Handler<Input, CallerOf<Claims, N, Need, P>, GetPromptResult, Services<Offered, R, N, Need, P>>
  ) => RegisteredPrompt & Scoped<Needed<Need, P>>
  /**
   * Registers a resource or a resource template. The scopes can depend on the URI.
   *
   * @since 0.1.0
   */
  readonly registerResource: <
    const T extends string | ResourceTemplateLike,
    const Need extends Offered = never,
    P extends Policies<Offered, R> = never
  >(
    server: SdkServer,
    name: string,
    uriOrTemplate: T,
    config: Parameters<McpServer["registerResource"]>[2] & Policy<Need, URL, P> & Fits<P, undefined>,
    handler: T extends string ? (
        uri: URL,
        context: HandlerContext<CallerOf<Claims, N, Need, P>>
      ) => Outcome<ReadResourceResult | InputRequiredResult, Services<Offered, R, N, Need, P>>
      : (
        uri: URL,
        variables: Variables,
        context: HandlerContext<CallerOf<Claims, N, Need, P>>
      ) => Outcome<ReadResourceResult | InputRequiredResult, Services<Offered, R, N, Need, P>>
  ) => (T extends string ? RegisteredResource : RegisteredResourceTemplate) & Scoped<Needed<Need, P>>
  /**
   * Creates a handler with the SDK's `createMcpHandler` and protects it with the gate. The options are those of the SDK.
   *
   * **Details**
   *
   * The factory is called once for each request whose body is read. The gate reads the policies from the same server that
   * answers the request. The factory may register different tools for different callers (`context.authInfo`). Registrations
   * that are hidden from the caller are removed before the SDK receives the server.
   *
   * Results for a caller have the cache scope `"private"`, even if the author of the server sets a cache hint to `"public"`,
   * because a shared cache would return the results to other callers.
   *
   * The result has the type of the SDK's own handler, so `toNodeHandler` of `@modelcontextprotocol/node` accepts it. The
   * gate ignores an `authInfo` that is passed to the handler. A subscription ends when the token expires.
   *
   * **Gotchas**
   *
   * Requests of the 2025 versions of MCP are served without sessions, as in the SDK. To serve sessions as well, set
   * `legacy: "reject"` and protect your own transport with `protectFetch`.
   *
   * If only the handler of a call can reject it, the handler answers 403. If the response is an event stream, the client gets a
   * JSON-RPC error with the code -32001: `data.status` and `data.wwwAuthenticate` are the status and the challenge that the gate
   * would have sent.
   *
   * @since 0.1.0
   */
  readonly createMcpHandler: (factory: Factory, options?: HandlerSettings) => ProtectedMcpHandler
  /**
   * Protects your own transport, such as the SDK's `WebStandardStreamableHTTPServerTransport`, with or without sessions.
   * Pass both arguments of the handler to `handleRequest` of the transport.
   *
   * **Details**
   *
   * `server` is the server that answers, or a function that takes a session id and returns the server of that session. A
   * session belongs to the caller that opened it. Open streams end when the token expires.
   *
   * If the server that answers requires other scopes than `server`, its transport answers 403, or 401 for an anonymous caller,
   * and the log names the mistake.
   *
   * @since 0.1.0
   */
  readonly protectFetch: (
    server: SdkServer | ((session: string | undefined) => SdkServer | undefined | Promise<SdkServer | undefined>),
    handler: (request: Request, options: HandlerOptions) => Response | Promise<Response>
  ) => (request: Request | HonoContext, options?: FetchOptions) => Promise<Response>
  /**
   * Returns the server that the function given to `protectFetch` returned for a request. Returns `undefined` for a request
   * without messages, and if the gate received a server instead of a function.
   *
   * **When to use**
   *
   * Use it in the handler if the function creates a server for each request: connect this server to the transport, so that each
   * request creates one server, and the server that answers is the one that the gate read. The registrations may then depend on the
   * session.
   *
   * @since 0.1.0
   */
  readonly serverFor: (request: object) => McpServer | undefined
  /**
   * Gives servers a fixed caller, for stdio and in-memory transports. The same tools then serve local programs and HTTP.
   *
   * **Details**
   *
   * `local` checks the caller and returns a function that changes a server: each message that the server receives has this
   * caller, until the server is discarded. A tool whose scopes the caller lacks answers with an error result, and hidden
   * registrations stay hidden. Pass the changed
   * server to `connect`, or return it from the factory of `serveStdio`. Throws `AuthConfigError` if an option is wrong.
   *
   * **Gotchas**
   *
   * Such a server rejects HTTP transports, because every client would be the local caller.
   *
   * @since 0.1.0
   */
  readonly local: (options: LocalOptions<Offered>) => <S extends SdkServer>(server: S) => S
}

/**
 * The options of `createMcpHandler`: those of the SDK, and the SDK's function itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerSettings extends CreateMcpHandlerOptions {
  /**
   * The `createMcpHandler` of the copy of the SDK that the program loads. A program of CommonJS modules must set it: `require`
   * loads another copy than this library does, and a copy serves only the servers that it created. Default: the function of the
   * copy that `import` loads.
   */
  readonly createMcpHandler?: ((factory: any, options?: any) => McpHttpHandler) | undefined
}

/**
 * A handler of the SDK that is protected by the gate.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectedMcpHandler extends McpHttpHandler {
  readonly fetch: (request: Request | HonoContext, options?: HandlerOptions & FetchOptions) => Promise<Response>
}

/**
 * The second argument of `handleRequest` of a transport.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlerOptions = NonNullable<Parameters<McpHttpHandler["fetch"]>[1]>

/**
 * Creates a gate for servers of the SDK, with the options of `AuthLayer.make`. Rejects with `AuthConfigError` if an option is
 * wrong.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. The gate fetches nothing before it receives the first token.
 *
 * **Example** (A tool that needs a scope, for Workers, Bun and Deno)
 *
 * ```ts
 * import { McpServer } from "@modelcontextprotocol/server"
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
 * import { z } from "zod"
 *
 * const auth = await McpAuthSdk.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const handler = auth.createMcpHandler(() => {
 *   const server = new McpServer({ name: "todos", version: "1.0.0" })
 *   auth.registerTool(
 *     server,
 *     "add_todo",
 *     { inputSchema: z.object({ title: z.string() }), scopes: ["todos:write"] },
 *     async ({ title }, { principal }) => ({ content: [{ type: "text", text: `${title}, for ${principal.owner}` }] })
 *   )
 *   return server
 * })
 *
 * export default {
 *   fetch: async (request: Request) => await auth.metadata(request) ?? await handler.fetch(request)
 * }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = async <
  const S extends Scopes,
  A = Readonly<Record<string, unknown>>,
  C = never,
  const N extends Anonymous = "deny",
  R = never,
  E = never,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  const I extends Servers = Servers,
  RS = never,
  RQ = never
>(
  options:
    & Options<S, A, C, N, R, E, RD, RT, RR, RK, I, RS, RQ>
    & CoveredBy<R, ServicesOf<I> | RD | RT | RR | RK | RS | RQ>
): Promise<McpAuthSdk<ProtectedResource.OfferedOf<S>, A, R | C, N>> => {
  return toGate(await sdkHost.make(toLayer(options), parseArguments, optionsV2))
}

/**
 * Creates a gate for tests: every request has the same caller, without tokens and without a network. Rejects with
 * `AuthConfigError` if an option is wrong.
 *
 * **Example** (A caller with one scope)
 *
 * ```ts
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
 *
 * const auth = await McpAuthSdk.mock({ subject: "alice", scopes: ["todos:read"] })
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mock = async <
  const S extends Scopes,
  A = Readonly<Record<string, unknown>>,
  C = never,
  R = never,
  E = never
>(
  options: MockOptions<S, A, C, R, E>
): Promise<McpAuthSdk<ProtectedResource.OfferedOf<S>, A, R | C, "deny">> => {
  return toGate(await sdkHost.make(toMockLayer(options), parseArguments, optionsV2))
}

/** Creates the public gate. Its types are `any`, because `make` and `mock` declare the types for their options. */
const toGate = (sdk: sdkHost.SdkHost): McpAuthSdk<any, any, any, any> => ({
  registerTool: sdk.register.registerTool,
  registerPrompt: sdk.register.registerPrompt,
  registerResource: sdk.register.registerResource,
  ...sdk.endpoints,
  local: sdk.local,
  protectFetch: sdk.protectFetch,
  serverFor: sdk.serverFor as McpAuthSdk<any, any, any, any>["serverFor"],
  createMcpHandler: (factory, handlerOptions) => protectHandler(sdk, factory, handlerOptions)
})

const handlerTable: ConfigOption.Table<keyof HandlerSettings> = {
  createMcpHandler: ConfigOption.functionThat("takes a factory and returns an object with a fetch function"),
  legacy: ConfigOption.oneOf("stateless", "reject"),
  onerror: true,
  responseMode: true,
  bus: true,
  maxSubscriptions: true,
  keepAliveMs: true,
  maxRequestBodySize: true
}

const otherCopy = new AuthConfigError({
  reason: "conflict",
  option: "createMcpHandler",
  fix:
    "the factory returned an McpServer of another copy of @modelcontextprotocol/server than the one that this library " +
    "imports, such as the copy that require loads. Give the createMcpHandler of that copy as an option: " +
    "auth.createMcpHandler(factory, { createMcpHandler })"
})

const factoryAdvice = "Give a function that returns a new McpServer for each request"

const protectHandler = (
  { host, policiesFor, registry, serve, viewerOf }: sdkHost.SdkHost,
  factory: Factory,
  settings: HandlerSettings | undefined
): ProtectedMcpHandler => {
  if (typeof factory !== "function") {
    throw ConfigOption.invalid(
      "createMcpHandler",
      factory,
      "a function",
      factoryAdvice
    )
  }
  if (settings !== undefined) ConfigOption.check(settings, "createMcpHandler", handlerTable)
  const { createMcpHandler: createGiven, ...options } = settings ?? {}
  /** The server for each authorized request. The SDK takes the server when it calls the factory for that request. */
  const authorized = new WeakMap<Request, SdkServer>()
  /** `operations` are the operations of the request, if they are known. */
  const build = async (
    context: McpRequestContext,
    operations?: ReadonlyArray<Operation.Operation>
  ): Promise<SdkServer> => {
    const server = await factory(context)
    if (!isServer(server as unknown)) {
      throw ConfigOption.invalid("createMcpHandler", server, "an McpServer", factoryAdvice)
    }
    const isRecognized = registry.instrument(server)
    if (isRecognized && createGiven === undefined && !(server instanceof McpServer)) throw otherCopy
    const viewer = viewerOf(context)
    const waiting = registry.prepare(server, operations, viewer)
    if (waiting !== undefined) await host.runtime.runPromise(waiting)
    registry.removeHidden(server, viewer)
    return server
  }
  const take = (context: McpRequestContext): SdkServer | Promise<SdkServer> => {
    const ready = context.requestInfo === undefined ? undefined : authorized.get(context.requestInfo)
    if (ready === undefined) return build(context)
    authorized.delete(context.requestInfo!)
    return ready
  }
  const handler = (createGiven ?? createMcpHandler)(take as McpServerFactory, options)

  const fetch: ProtectedMcpHandler["fetch"] = (given, ...rest) => {
    const opened = openContext(given)
    const { request } = opened
    const { parsedBody, tenant } = readOptions(rest)
    const policies = policiesFor(async ({ authInfo: info, body, operations, principal }) => {
      const { metadataUrl } = host.gate.published.resourceFor(principal)
      const authInfo = info && Object.assign(info, { resourceMetadataUrl: metadataUrl })
      const server = await build({
        era: await isLegacyRequest(request, body) ? "legacy" : "modern",
        ...(authInfo === undefined ? {} : { authInfo }),
        requestInfo: request
      }, operations)
      authorized.set(request, server)
      return server
    })
    return serve(
      opened,
      { parsedBody, tenant, limit: options.maxRequestBodySize, consumes: true },
      policies,
      (_, transportOptions) => handler.fetch(request, transportOptions)
    )
  }
  return { ...handler, fetch }
}

/** Parses arguments as the SDK does before it calls a handler. */
const parseArguments = (schema: StandardSchemaWithJSON, given: unknown): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(
    Effect.tryPromise(async () => schema["~standard"].validate(given)),
    (parsed) => parsed.issues === undefined ? Effect.succeed(parsed.value) : Effect.fail(parsed.issues)
  )
