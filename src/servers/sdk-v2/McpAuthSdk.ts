/**
 * The gate on servers of `@modelcontextprotocol/server`: per-tool scopes, decided before the tool runs and answered with
 * a real 403, in both eras of the protocol.
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
  type McpServer,
  type ReadResourceResult,
  type RegisteredPrompt,
  type RegisteredResource,
  type RegisteredResourceTemplate,
  type RegisteredTool,
  type ResourceTemplate,
  type ServerContext,
  type StandardSchemaWithJSON,
  type Variables
} from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Gate from "../../authorization/Gate.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type * as AuthLayer from "../effect/AuthLayer.ts"
import * as sdkHost from "../sdk/SdkHost.ts"
import { type Options, toLayer } from "../sdk/SdkOptions.ts"
import type {
  Addition,
  Anonymous,
  CallerOf,
  Endpoints,
  FetchOptions,
  FromLayerOptions,
  OfferedBy,
  Outcome,
  Policy,
  Scoped,
  Services
} from "../sdk/SdkTypes.ts"

export type { Claims, Options } from "../sdk/SdkOptions.ts"
export type {
  Anonymous,
  Caller,
  Endpoints,
  FetchOptions,
  FromLayerOptions,
  Middleware,
  NodeRequest,
  NodeResponse,
  Policy,
  Scoped,
  State
} from "../sdk/SdkTypes.ts"

/**
 * What a handler gets beside its arguments: all that the SDK gives, and who calls.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlerContext<P> = ServerContext & Addition<P>

/**
 * The arguments of a handler, as its schema parses them.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Arguments<Input> = Input extends StandardSchemaWithJSON ? StandardSchemaWithJSON.InferOutput<Input>
  : undefined

/**
 * A handler: it gets its arguments if it has a schema for them, and returns a result, a promise of it, or an effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<Input, P, Result, Env> = Input extends StandardSchemaWithJSON
  ? (args: Arguments<Input>, context: HandlerContext<P>) => Outcome<Result | InputRequiredResult, Env>
  : (context: HandlerContext<P>) => Outcome<Result | InputRequiredResult, Env>

/**
 * Makes the server of one request. `context` tells its era and, as `authInfo`, its caller.
 *
 * @category models
 * @since 0.1.0
 */
export type Factory = (context: McpRequestContext) => McpServer | Promise<McpServer>

type Config<T extends "registerTool" | "registerPrompt"> = Omit<
  Parameters<McpServer[T]>[1],
  "inputSchema" | "outputSchema" | "argsSchema"
>

/**
 * One gate for the servers of a program: registers what needs scopes, and stands in front of it.
 *
 * **Details**
 *
 * `Offered` are the scopes of the configuration: a registration that needs another one does not compile.
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
   * The options are those of `McpServer.registerTool`, and what the tool demands of its callers. Scopes that depend on
   * the arguments are told by a function; it sees them as the handler does, and runs before it. Arguments that the schema
   * rejects need a caller, no scope, and are rejected by the SDK.
   *
   * An effect may use `Principal`, `RequestState`, the services of the options' layer, and whatever `requireScopes`
   * demands of the scopes that are offered. What it fails with is the tool's error, as what a promise rejects with.
   *
   * **Gotchas**
   *
   * The SDK's own `requireScopes` lets a call through that has no `authInfo`. Nothing that is registered here does.
   *
   * A `requestState` travels through the client as it is. Seal it with `state.seal`, and open what comes back with
   * `state.open`: both know the caller and the tool.
   *
   * An `InsufficientScope` inside of an effect comes too late for a 403: it is a tool error like any other.
   *
   * @since 0.1.0
   */
  readonly registerTool: <
    Output extends StandardSchemaWithJSON,
    Input extends StandardSchemaWithJSON | undefined = undefined,
    const Need extends Offered = never
  >(
    server: McpServer,
    name: string,
    config: Config<"registerTool"> & {
      readonly inputSchema?: Input
      readonly outputSchema?: Output
    } & Policy<Need, Arguments<Input>>,
    handler: Handler<Input, CallerOf<Claims, N, Need>, CallToolResult, Services<Offered, R, N, Need>>
  ) => RegisteredTool & Scoped<Need>
  /**
   * Registers a prompt. Its scopes are those of completing its arguments, too; where they depend on arguments, completing
   * needs a caller.
   *
   * @since 0.1.0
   */
  readonly registerPrompt: <
    Input extends StandardSchemaWithJSON | undefined = undefined,
    const Need extends Offered = never
  >(
    server: McpServer,
    name: string,
    config: Config<"registerPrompt"> & { readonly argsSchema?: Input } & Policy<Need, Arguments<Input>>,
    handler: Handler<Input, CallerOf<Claims, N, Need>, GetPromptResult, Services<Offered, R, N, Need>>
  ) => RegisteredPrompt & Scoped<Need>
  /**
   * Registers a resource or a template of resources. Scopes may depend on the URI.
   *
   * @since 0.1.0
   */
  readonly registerResource: <
    const T extends string | ResourceTemplate,
    const Need extends Offered = never
  >(
    server: McpServer,
    name: string,
    uriOrTemplate: T,
    config: Parameters<McpServer["registerResource"]>[2] & Policy<Need, URL>,
    handler: T extends string ? (
        uri: URL,
        context: HandlerContext<CallerOf<Claims, N, Need>>
      ) => Outcome<ReadResourceResult | InputRequiredResult, Services<Offered, R, N, Need>>
      : (
        uri: URL,
        variables: Variables,
        context: HandlerContext<CallerOf<Claims, N, Need>>
      ) => Outcome<ReadResourceResult | InputRequiredResult, Services<Offered, R, N, Need>>
  ) => (T extends string ? RegisteredResource : RegisteredResourceTemplate) & Scoped<Need>
  /**
   * The SDK's `createMcpHandler` behind the gate, with the same options.
   *
   * **Details**
   *
   * The factory is called once for each request that comes as far as its body: the server that is judged is the one that
   * answers. It may register by caller (`context.authInfo`). What is hidden from a caller is taken off the server before
   * the SDK gets it.
   *
   * Results for a caller have the cache scope `"private"`, also where a cache hint of the author is `"public"`: a shared
   * cache would give them to other callers.
   *
   * What comes back has the shape of the SDK's own, so `toNodeHandler` of `@modelcontextprotocol/node` takes it, too. An
   * `authInfo` that somebody hands over is not looked at: the gate tells who calls. A subscription ends when the token
   * does.
   *
   * **Gotchas**
   *
   * The era of 2025 is served without sessions, as the SDK does it. For sessions beside it, give `legacy: "reject"`, and
   * put `protectFetch` in front of a transport of your own.
   *
   * @since 0.1.0
   */
  readonly createMcpHandler: (factory: Factory, options?: CreateMcpHandlerOptions) => ProtectedMcpHandler
  /**
   * The gate in front of a transport of your own, such as the SDK's `WebStandardStreamableHTTPServerTransport`, sessions
   * or none. Give `handleRequest` both arguments of the handler.
   *
   * **Details**
   *
   * `server` is the one that answers, or finds the one of a session. A session belongs to the caller who opened it. A
   * stream that the server keeps open ends when the token does.
   *
   * @since 0.1.0
   */
  readonly protectFetch: (
    server: McpServer | ((session: string | undefined) => McpServer | undefined | Promise<McpServer | undefined>),
    handler: (request: Request, options: HandlerOptions) => Response | Promise<Response>
  ) => (request: Request, options?: FetchOptions) => Promise<Response>
}

/**
 * The SDK's own handler, behind the gate.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectedMcpHandler extends McpHttpHandler {
  readonly fetch: (request: Request, options?: HandlerOptions & FetchOptions) => Promise<Response>
}

/**
 * What a transport takes beside the request.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlerOptions = NonNullable<Parameters<McpHttpHandler["fetch"]>[1]>

/**
 * A gate for servers of the SDK, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
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
export const make = <
  const S extends AuthLayer.Scopes,
  A = Readonly<Record<string, unknown>>,
  C = never,
  const N extends Anonymous = "deny",
  R = never,
  E = never
>(
  options: Options<S, A, C, N, R, E>
): Promise<McpAuthSdk<ProtectedResource.OfferedOf<S>, A, R | C, N>> => {
  const made = toLayer(options)
  return fromLayer(made.layer, made.options) as never
}

/**
 * Builds a gate from any layer that provides one, such as `AuthLayer.layerServices` or `AuthLayer.mock`. `make` is this
 * with `AuthLayer.layerServices`.
 *
 * **Details**
 *
 * Rejects with the layer's error, `AuthConfigError` for a wrong option. Effects of handlers may use whatever else the
 * layer provides.
 *
 * **Example** (In a test)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
 *
 * const auth = await McpAuthSdk.fromLayer(AuthLayer.mock({ subject: "alice", scopes: ["todos:read"] }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromLayer = async <P, E, Claims = Readonly<Record<string, unknown>>, const N extends Anonymous = "deny">(
  layer: Layer.Layer<Gate.AuthLayer | P, E, Fetcher>,
  options: FromLayerOptions<Claims, N> = {}
): Promise<McpAuthSdk<OfferedBy<P>, Claims, P, N>> => {
  const sdk = await sdkHost.make(layer, options, parseArguments)
  return {
    ...sdk.register,
    ...sdk.endpoints,
    protectFetch: sdk.protectFetch,
    createMcpHandler: (factory, handlerOptions) => protectHandler(sdk, factory, handlerOptions)
  }
}

const protectHandler = (
  { callerOf, host, policiesOf, registry, serve }: sdkHost.SdkHost,
  factory: Factory,
  options: CreateMcpHandlerOptions | undefined
): ProtectedMcpHandler => {
  /** Servers of authorized requests, until the SDK calls the factory. */
  const authorized = new WeakMap<Request, McpServer>()
  const build = async (context: McpRequestContext): Promise<McpServer> => {
    const server = await factory(context)
    registry.instrument(server)
    registry.removeHidden(server, callerOf(context))
    return server
  }
  const handler = createMcpHandler((context) => {
    const ready = context.requestInfo === undefined ? undefined : authorized.get(context.requestInfo)
    if (ready === undefined) return build(context)
    authorized.delete(context.requestInfo!)
    return ready
  }, options)

  const fetch: ProtectedMcpHandler["fetch"] = (request, { parsedBody, tenant } = {}) => {
    const policies = policiesOf(async ({ authInfo: info, body, principal }) => {
      const { metadataUrl } = host.gate.published.resourceFor(principal)
      const authInfo = info && Object.assign(info, { resourceMetadataUrl: metadataUrl })
      const server = await build({
        era: await isLegacyRequest(request, body) ? "legacy" : "modern",
        ...(authInfo === undefined ? {} : { authInfo }),
        requestInfo: request
      })
      authorized.set(request, server)
      return server
    })
    return serve(
      request,
      { parsedBody, tenant, limit: options?.maxRequestBodySize, consumes: true },
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
