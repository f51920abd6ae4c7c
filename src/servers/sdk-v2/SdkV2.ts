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
  type ResourceMetadata,
  type ResourceTemplate,
  type ServerContext,
  type StandardSchemaWithJSON,
  type Variables
} from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { AuthLayer } from "../../authorization/Gate.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import { checkConfig } from "../host/HostOptions.ts"
import * as node from "../host/NodeHost.ts"
import * as web from "../host/WebHost.ts"
import * as sdkHost from "../sdk/SdkHost.ts"
import * as sdkGate from "../sdk/SdkPolicies.ts"
import type {
  Addition,
  Anonymous,
  CallerOf,
  Demands,
  HostOptions,
  OfferedBy,
  Outcome,
  Scoped,
  Services
} from "../sdk/SdkTypes.ts"

export type {
  /**
   * A request of `node:http`, Connect or Express.
   *
   * @category models
   * @since 0.1.0
   */
  NodeRequest,
  /**
   * A response of `node:http`, Connect or Express.
   *
   * @category models
   * @since 0.1.0
   */
  NodeResponse
} from "../host/NodeHost.ts"
export type {
  /**
   * Whether requests without credentials may use what needs no scopes.
   *
   * @category models
   * @since 0.1.0
   */
  Anonymous,
  /**
   * Who calls, with claims as the Schema of the options decodes them.
   *
   * @category models
   * @since 0.1.0
   */
  Caller,
  /**
   * What a tool, a prompt or a resource demands of its callers.
   *
   * @category models
   * @since 0.1.0
   */
  Demands,
  /**
   * What a layer does not tell.
   *
   * @category models
   * @since 0.1.0
   */
  HostOptions,
  /**
   * A registration, and the scopes that stand behind it.
   *
   * @category models
   * @since 0.1.0
   */
  Scoped,
  /**
   * State that travels through the client, sealed for its owner.
   *
   * @category models
   * @since 0.1.0
   */
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

/**
 * Middleware for `node:http`, Connect, Express 4 and 5.
 *
 * @category models
 * @since 0.1.0
 */
export type Middleware = (
  req: node.NodeRequest,
  res: node.NodeResponse,
  next: (error?: unknown) => void
) => Promise<void>

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
export interface McpAuthSdk<Offered extends string, Claims, R, N extends Anonymous> extends AsyncDisposable {
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
    } & Demands<Need, Arguments<Input>>,
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
    config: Config<"registerPrompt"> & { readonly argsSchema?: Input } & Demands<Need, Arguments<Input>>,
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
    config: Parameters<McpServer["registerResource"]>[2] & Demands<Need, URL>,
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
  /**
   * Answers with the metadata documents, and passes on every other request.
   *
   * @since 0.1.0
   */
  readonly metadataRouter: () => Middleware
  /**
   * The metadata document that a request asks for; `undefined` for every other request.
   *
   * @since 0.1.0
   */
  readonly metadata: (request: Request) => Promise<Response> | undefined
  /**
   * Closes what the layers opened. Requests under way are answered with 503, and so are all later ones.
   *
   * @since 0.1.0
   */
  readonly dispose: () => Promise<void>
}

/**
 * What a protected fetch handler takes beside the request.
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchOptions {
  /** The parsed body, where a framework has read it before. */
  readonly parsedBody?: unknown
  /** The tenant that the router of the host found in the request: for `Tenants.fromRoute`. Default: none. */
  readonly tenant?: string | undefined
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
  layer: Layer.Layer<AuthLayer | P, E, Fetcher>,
  options: HostOptions<Claims, N> = {}
): Promise<McpAuthSdk<OfferedBy<P>, Claims, P, N>> => {
  const sdk = await sdkHost.make(layer, options)
  const { host, registry } = sdk

  return {
    registerTool: (server, name, { scopes, unauthorized, ...config }, handler) =>
      sdk.register(
        server,
        `tool ${name}`,
        { scopes, unauthorized },
        handler as never,
        (wrapped) => server.registerTool(name, checkConfig(config, `tool ${name}`) as object, wrapped)
      ),
    registerPrompt: (server, name, { scopes, unauthorized, ...config }, handler) =>
      sdk.register(
        server,
        `prompt ${name}`,
        { scopes, unauthorized },
        handler as never,
        (wrapped) => server.registerPrompt(name, checkConfig(config, `prompt ${name}`) as object, wrapped)
      ),
    registerResource: (server, name, uriOrTemplate, { scopes, unauthorized, ...config }, handler) =>
      sdk.register(
        server,
        `resource ${name}`,
        { scopes, unauthorized },
        handler as never,
        (wrapped) =>
          server.registerResource(
            name,
            uriOrTemplate as string,
            checkConfig(config, `resource ${name}`) as ResourceMetadata,
            wrapped
          )
      ) as never,
    createMcpHandler: (factory, handlerOptions) => {
      /** Servers that were judged, and wait for the SDK to ask for them. */
      const judged = new WeakMap<Request, McpServer>()
      const build = async (context: McpRequestContext): Promise<McpServer> => {
        const server = await factory(context)
        registry.adopt(server)
        registry.conceal(server, sdk.callerOf(context))
        return server
      }
      const handler = createMcpHandler((context) => {
        const ready = context.requestInfo === undefined ? undefined : judged.get(context.requestInfo)
        if (ready === undefined) return build(context)
        judged.delete(context.requestInfo!)
        return ready
      }, handlerOptions)

      const fetch: ProtectedMcpHandler["fetch"] = (request, { parsedBody, tenant } = {}) => {
        const policies = sdkGate.make(registry, readArguments, async ({ authInfo: info, body, principal }) => {
          const { metadataUrl } = host.gate.published.resourceFor(principal)
          const authInfo = info && Object.assign(info, { resourceMetadataUrl: metadataUrl })
          const server = await build({
            era: await isLegacyRequest(request, body) ? "legacy" : "modern",
            ...(authInfo === undefined ? {} : { authInfo }),
            requestInfo: request
          })
          judged.set(request, server)
          return server
        })
        return sdk.serve(
          request,
          { parsedBody, tenant, limit: handlerOptions?.maxRequestBodySize, consumes: true },
          policies,
          (authInfo, body) => handler.fetch(request, transportOptions(authInfo, body))
        )
      }
      return { ...handler, fetch }
    },
    protectFetch: (server, handler) => {
      sdkGate.checkServer(server, "protectFetch")
      sdkGate.checkHandler(handler, "protectFetch")
      const policies = sdkGate.make(
        registry,
        readArguments,
        ({ session }) => typeof server === "function" ? server(session) : server
      )
      return (request, { parsedBody, tenant } = {}) =>
        sdk.serve(
          request,
          { parsedBody, tenant },
          policies,
          (authInfo, body, unread) => handler(unread, transportOptions(authInfo, body))
        )
    },
    metadataRouter: () => async (req, res, next) => {
      const answered = node.document(host, req, res)
      if (answered === undefined) next()
      else await answered
    },
    metadata: (request) => web.document(host, request),
    dispose: host.dispose,
    [Symbol.asyncDispose]: host.dispose
  }
}

const transportOptions = (authInfo: HandlerOptions["authInfo"] | undefined, body: unknown): HandlerOptions => ({
  ...(authInfo === undefined ? {} : { authInfo }),
  ...(body === undefined ? {} : { parsedBody: body })
})

/** As the SDK reads them before it calls a handler. */
const readArguments: sdkGate.ReadArguments = (registration, { kind, params, target }) => {
  if (kind === "resource") return Effect.try(() => new URL(target!))
  const { argsSchema, inputSchema } = registration as Partial<RegisteredTool & RegisteredPrompt>
  const schema = kind === "tool" ? inputSchema : argsSchema
  if (schema === undefined) return Effect.succeed(undefined)
  const given = (params as { readonly arguments?: unknown }).arguments ?? {}
  return Effect.flatMap(
    Effect.tryPromise(async () => schema["~standard"].validate(given)),
    (parsed) => parsed.issues === undefined ? Effect.succeed(parsed.value) : Effect.fail(parsed.issues)
  )
}
