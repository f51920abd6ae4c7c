/**
 * The gate on servers of `@modelcontextprotocol/sdk`: per-tool scopes, decided before the tool runs and answered with a
 * real 403.
 *
 * @since 0.1.0
 */
import type {
  McpServer,
  RegisteredPrompt,
  RegisteredResource,
  RegisteredResourceTemplate,
  RegisteredTool,
  ResourceMetadata,
  ResourceTemplate
} from "@modelcontextprotocol/sdk/server/mcp.js"
import type { HandleRequestOptions } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import {
  type AnySchema,
  normalizeObjectSchema,
  safeParseAsync,
  type SchemaOutput,
  type ShapeOutput,
  type ZodRawShapeCompat
} from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Variables } from "@modelcontextprotocol/sdk/shared/uriTemplate.js"
import type {
  CallToolResult,
  GetPromptResult,
  ReadResourceResult,
  ServerNotification,
  ServerRequest,
  ToolAnnotations
} from "@modelcontextprotocol/sdk/types.js"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Gate from "../../authorization/Gate.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type * as AuthLayer from "../effect/AuthLayer.ts"
import { check as checkOptions } from "../host/HostOptions.ts"
import { checkTenantOption } from "../host/HostPolicies.ts"
import * as node from "../host/NodeHost.ts"
import * as sdkHost from "../sdk/SdkHost.ts"
import { type Options, toLayer } from "../sdk/SdkOptions.ts"
import type {
  Addition,
  Anonymous,
  CallerOf,
  Endpoints,
  FetchOptions,
  FromLayerOptions,
  Middleware,
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
export type Extra<P> = RequestHandlerExtra<ServerRequest, ServerNotification> & Addition<P>

/**
 * The arguments of a handler, as its schema parses them.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Arguments<Input> = Input extends ZodRawShapeCompat ? ShapeOutput<Input>
  : Input extends AnySchema ? SchemaOutput<Input>
  : undefined

/**
 * A handler: it gets its arguments if it has a schema for them, and returns a result, a promise of it, or an effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<Input, P, Result, Env> = Input extends ZodRawShapeCompat | AnySchema
  ? (args: Arguments<Input>, extra: Extra<P>) => Outcome<Result, Env>
  : (extra: Extra<P>) => Outcome<Result, Env>

/**
 * The server that answers a request: one for all requests, or the one of the session that a request names.
 *
 * **Details**
 *
 * A function is asked for requests that hold messages. It may return `undefined` where it knows none; such a request
 * needs a valid token.
 *
 * @category models
 * @since 0.1.0
 */
export type Server =
  | McpServer
  | ((session: string | undefined) => McpServer | undefined | Promise<McpServer | undefined>)

/**
 * What `protect` may know beside the server.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectOptions {
  /**
   * Returns the tenant of a request, as the router of the host knows it: for `Tenants.fromRoute` on hosts without
   * `req.params`. Default: the parameter in `req.params`.
   */
  readonly tenant?: node.TenantOf | undefined
}

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
   * An effect may use `Principal`, `RequestState`, the services of the options' layer, and whatever `requireScopes` demands of the scopes
   * that are offered. What it fails with is the tool's error, as what a promise rejects with.
   *
   * **Gotchas**
   *
   * Tools of `server.experimental.tasks` are registered with the SDK itself: they need a valid token and no scope. A task
   * belongs to its session, or without sessions to its caller: the task store gets a name of the caller as `sessionId`. Use
   * `extra.taskStore` in handlers, and compare `sessionId` in a task store of your own. Without sessions this holds for
   * servers that `protect` knows or on which this gate registered something.
   *
   * An `InsufficientScope` inside of an effect comes too late for a 403: it is a tool error like any other.
   *
   * @since 0.1.0
   */
  readonly registerTool: <
    Output extends ZodRawShapeCompat | AnySchema,
    Input extends undefined | ZodRawShapeCompat | AnySchema = undefined,
    const Need extends Offered = never
  >(
    server: McpServer,
    name: string,
    config: {
      readonly title?: string
      readonly description?: string
      readonly inputSchema?: Input
      readonly outputSchema?: Output
      readonly annotations?: ToolAnnotations
      readonly _meta?: Record<string, unknown>
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
    Input extends undefined | ZodRawShapeCompat = undefined,
    const Need extends Offered = never
  >(
    server: McpServer,
    name: string,
    config: {
      readonly title?: string
      readonly description?: string
      readonly argsSchema?: Input
    } & Policy<Need, Arguments<Input>>,
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
    config: ResourceMetadata & Policy<Need, URL>,
    handler: T extends string ? (
        uri: URL,
        extra: Extra<CallerOf<Claims, N, Need>>
      ) => Outcome<ReadResourceResult, Services<Offered, R, N, Need>>
      : (
        uri: URL,
        variables: Variables,
        extra: Extra<CallerOf<Claims, N, Need>>
      ) => Outcome<ReadResourceResult, Services<Offered, R, N, Need>>
  ) => (T extends string ? RegisteredResource : RegisteredResourceTemplate) & Scoped<Need>
  /**
   * The gate in front of `StreamableHTTPServerTransport`, sessions or none: rejects a request, or lets it through with
   * `req.auth`, which the transport hands to handlers as `authInfo`, and `req.body`, which is what was judged.
   *
   * **Gotchas**
   *
   * Hand `req.body` to `transport.handleRequest` as its third argument: the request itself is read by then. Put this in
   * front of body parsers, so that nobody makes them work without a token; behind one it judges what the parser left.
   *
   * A session belongs to the caller who opened it. A stream that the server keeps open ends when the token does.
   *
   * @since 0.1.0
   */
  readonly protect: (server: Server, options?: ProtectOptions) => Middleware
  /**
   * The gate in front of `WebStandardStreamableHTTPServerTransport`: what `protect` is for `Request` and `Response`. Give
   * its `handleRequest` both arguments of the handler.
   *
   * @since 0.1.0
   */
  readonly protectFetch: (
    server: Server,
    handler: (request: Request, options: HandleRequestOptions) => Response | Promise<Response>
  ) => (request: Request, options?: FetchOptions) => Promise<Response>
}

const protectOptions: Readonly<Record<keyof ProtectOptions, true>> = { tenant: true }

/**
 * A gate for servers of the SDK, with the options of `AuthLayer.make`. A wrong option rejects with `AuthConfigError`.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. Nothing is fetched before the first token comes.
 *
 * **Example** (A tool that needs a scope, on Express)
 *
 * ```ts
 * import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
 * import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
 * import express from "express"
 * import { z } from "zod"
 *
 * const auth = await McpAuthSdk.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read", "todos:write"]
 * })
 *
 * const makeServer = () => {
 *   const server = new McpServer({ name: "todos", version: "1.0.0" })
 *   auth.registerTool(
 *     server,
 *     "add_todo",
 *     { inputSchema: { title: z.string() }, scopes: ["todos:write"] },
 *     async ({ title }, { principal }) => ({ content: [{ type: "text", text: `${title}, for ${principal.owner}` }] })
 *   )
 *   return server
 * }
 *
 * const app = express()
 * app.use(auth.metadataRouter())
 * app.post("/mcp", auth.protect(makeServer()), async (req, res) => {
 *   const transport = new StreamableHTTPServerTransport({})
 *   await makeServer().connect(transport as never)
 *   await transport.handleRequest(req, res, req.body)
 * })
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
 * Builds a gate from any layer that provides one, such as `AuthLayer.layerServices`, `AuthLayer.config` or
 * `AuthLayer.mock`. `make` is this with `AuthLayer.layerServices`.
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
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
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
  const { host, limits } = sdk
  return {
    ...sdk.register,
    ...sdk.endpoints,
    protectFetch: sdk.protectFetch,
    protect: (server, options = {}) => {
      const policies = sdk.policiesOfServer(server, "protect")
      checkOptions(options, "protect", protectOptions)
      const reading = node.reading(host, limits)
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protect.tenant")
      return async (req, res, next) => {
        const decided = node.decideCall(host, req, res, reading, policies, { tenantOf })
        const admitted = decided instanceof Promise ? await decided : decided
        if (admitted === undefined) return
        node.prepare(host, req, res, admitted)
        next()
      }
    }
  }
}

/** Parses arguments as the SDK does before it calls a handler. */
const parseArguments = (schema: AnySchema | ZodRawShapeCompat, given: unknown): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(
    Effect.tryPromise(() => safeParseAsync(normalizeObjectSchema(schema) ?? schema as AnySchema, given)),
    (parsed) => parsed.success ? Effect.succeed(parsed.data) : Effect.fail(parsed.error)
  )
