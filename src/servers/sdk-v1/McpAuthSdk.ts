/**
 * Protects servers of `@modelcontextprotocol/sdk`. Each tool requires its own scopes, which are checked before the tool runs.
 * If a scope is missing, the server answers 403.
 *
 * @since 0.1.0
 */
import type {
  McpServer,
  RegisteredPrompt,
  RegisteredResource,
  RegisteredResourceTemplate,
  RegisteredTool,
  ResourceMetadata
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
import type { RequestHandlerExtra, RequestTaskStore } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Variables } from "@modelcontextprotocol/sdk/shared/uriTemplate.js"
import type {
  CallToolResult,
  CreateTaskResult,
  GetPromptResult,
  ReadResourceResult,
  ServerNotification,
  ServerRequest,
  ToolAnnotations
} from "@modelcontextprotocol/sdk/types.js"
import * as Effect from "effect/Effect"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { Scopes, Servers, ServicesOf } from "../../composition/AuthOptions.ts"
import type { CoveredBy } from "../../composition/GateLayer.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { HonoContext } from "../host/HonoContext.ts"
import { checkTenantOption } from "../host/HostPolicies.ts"
import * as node from "../host/NodeHost.ts"
import { optionsV1 } from "../sdk/Register.ts"
import * as sdkHost from "../sdk/SdkHost.ts"
import { type MockOptions, type Options, toLayer, toMockLayer } from "../sdk/SdkOptions.ts"
import type {
  Addition,
  Anonymous,
  CallerOf,
  Endpoints,
  FetchOptions,
  Fits,
  LocalOptions,
  McpServerLike,
  Middleware,
  Needed,
  Outcome,
  Policies,
  Policy,
  ResourceTemplateLike,
  Scoped,
  Services
} from "../sdk/SdkTypes.ts"
import { storeAdmitted } from "../sdk/TransportGuard.ts"

export { exposedHeaders } from "../../authorization/Rejection.ts"
/**
 * Reads options of `make` from environment variables.
 *
 * **Example** (A server without an address in its code)
 *
 * ```ts
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
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
export type Extra<P> = RequestHandlerExtra<ServerRequest, ServerNotification> & Addition<P>

/**
 * The arguments of a handler: the output of its schema.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Arguments<Input> = Input extends ZodRawShapeCompat ? ShapeOutput<Input>
  : Input extends AnySchema ? SchemaOutput<Input>
  : undefined

/**
 * A handler of a tool or a prompt. It receives arguments if the registration has a schema for them. It returns a result, a
 * promise of a result, or an effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<Input, P, Result, Env> = Input extends ZodRawShapeCompat | AnySchema
  ? (args: Arguments<Input>, extra: Extra<P>) => Outcome<Result, Env>
  : (extra: Extra<P>) => Outcome<Result, Env>

/**
 * The last argument of a handler that creates a task: the context of the SDK with its task store, and with `principal` and
 * `state` in addition.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskExtra<P> = Extra<P> & { readonly taskStore: RequestTaskStore }

/**
 * A handler that creates a task. It receives arguments if the registration has a schema for them. It returns the task, a promise
 * of the task, or an effect.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskHandler<Input, P, Env> = Input extends ZodRawShapeCompat | AnySchema
  ? (args: Arguments<Input>, extra: TaskExtra<P>) => Outcome<CreateTaskResult, Env>
  : (extra: TaskExtra<P>) => Outcome<CreateTaskResult, Env>

/**
 * The policy of a tool whose calls create tasks. Either `scopes` or `policy` is set, not both. The scopes cannot depend on the
 * arguments, because later requests for the task have none.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskPolicy<Need extends string, P = never> {
  /** The required scopes: the caller needs all of them, also for the tasks of the tool. Default: none. */
  readonly scopes?: ReadonlyArray<Need> | undefined
  /**
   * A policy of `effect-mcp-auth/policy`. It applies to the call that creates a task, and to every later request for the task. A
   * check of the call (`Policy.check`) runs only when the task is created. For later requests it counts as passed. Default: `scopes`
   * decides.
   */
  readonly policy?: P
  /**
   * Decides the answer if the caller is not admitted. `"challenge"`: the server answers 403, and names scopes if they would help.
   * `"deny"`: the server answers 403 without a challenge. `"hide"`: the server answers as if the tool and its tasks did not exist.
   * Default: `"challenge"`.
   */
  readonly unauthorized?: "challenge" | "deny" | "hide" | undefined
}

/**
 * An `McpServer` of `@modelcontextprotocol/sdk`, as `import` and `require` declare it.
 *
 * @category models
 * @since 0.1.0
 */
export interface SdkServer extends McpServerLike {
  /** Registers a tool. Only servers of this SDK have this member, so the compiler rejects those of the other SDK. */
  readonly tool: (name: string, handler: any) => any
}

/**
 * The server that answers requests: one `McpServer` for all requests, or a function that takes a session id and returns the
 * server of that session.
 *
 * **Details**
 *
 * The function is called once for each request that contains messages. Without sessions, it may be the factory of the servers:
 * `serverFor` then returns the server of the request. If it returns `undefined`, the request requires a valid token.
 *
 * @category models
 * @since 0.1.0
 */
export type Server =
  | SdkServer
  | ((session: string | undefined) => SdkServer | undefined | Promise<SdkServer | undefined>)

/**
 * The options of `protect`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectOptions {
  /**
   * Returns the tenant that the router of the application found in a request. Set it for `Tenants.fromRoute` if the framework
   * has no `req.params`. Default: the parameter in `req.params`.
   */
  readonly tenant?: node.TenantOf | undefined
}

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
   * The options are those of `McpServer.registerTool` and the policy of the tool. If the scopes depend on the arguments, write
   * `scopes` as a function. The function receives the arguments that the handler receives, and runs before the handler. If the
   * schema rejects the arguments of a call, the call requires a valid token and no scope, and the SDK rejects the call.
   *
   * A handler that returns an effect can use `Principal`, `RequestState`, the services of the option `layer`, and
   * `requireScopes` for the offered scopes. If the effect fails, or a promise rejects, the client receives an error result of
   * the tool.
   *
   * **Gotchas**
   *
   * Tools of `server.experimental.tasks` are registered with the SDK itself. They require a valid token and no scope. Use
   * `registerToolTask` to give them a policy.
   *
   * An `InsufficientScope` inside an effect comes too late for a 403. The client receives it as an error result of the tool.
   *
   * @since 0.1.0
   */
  readonly registerTool: <
    Output extends ZodRawShapeCompat | AnySchema,
    Input extends undefined | ZodRawShapeCompat | AnySchema = undefined,
    const Need extends Offered = never,
    P extends Policies<Offered, R> = never
  >(
    server: SdkServer,
    name: string,
    config:
      & {
        /** The name that clients show to people. Default: none. */
        readonly title?: string
        /** The description that clients show to models and people. Default: none. */
        readonly description?: string
        /** The schemas of the arguments, as in the SDK. Default: no arguments. */
        readonly inputSchema?: Input
        /** The schemas of the structured result, as in the SDK. Default: none. */
        readonly outputSchema?: Output
        /** Hints about the tool, as in the SDK. Default: none. */
        readonly annotations?: ToolAnnotations
        /** Further members of the tool, as in the SDK. Default: none. */
        readonly _meta?: Record<string, unknown>
      }
      & Policy<Need, Arguments<Input>, P>
      & Fits<P, Arguments<Input>>,
    handler: Handler<Input, CallerOf<Claims, N, Need, P>, CallToolResult, Services<Offered, R, N, Need, P>>
  ) => RegisteredTool & Scoped<Needed<Need, P>>
  /**
   * Registers a tool whose calls create tasks. The server needs a `taskStore`, and the capability `tasks`.
   *
   * **Details**
   *
   * The options are those of `server.experimental.tasks.registerToolTask` and the policy of the tool. The handler creates a task
   * in `extra.taskStore`, and returns it. Default of `execution.taskSupport`: `"required"`.
   *
   * A task belongs to the principal that created it, in every session and on every instance that shares the store. For every
   * other caller it does not exist. The policy of the tool applies to `tasks/get`, `tasks/result` and `tasks/cancel` as well:
   * a caller that has lost a scope receives the challenge of the tool. Scopes, roles, claims and `Policy.checkCaller` are evaluated
   * for each request. `Policy.check` is evaluated when the task is created, and counts as passed later. `tasks/list` contains the
   * caller's own tasks of the tools that it may use. A call with `task`, and every method of tasks, requires a valid token, also if
   * anonymous requests are allowed.
   *
   * **Gotchas**
   *
   * The task store receives a name of the caller and the tool as `sessionId`. A custom store must return a task only for the
   * `sessionId` that created it. A task that the store returns for another `sessionId` does not exist for any caller, and the log
   * names the mistake. The same is true for a task that a program creates in the store without `sessionId`. The SDK passes no
   * `sessionId` to a message queue.
   *
   * If a tool is renamed or no longer registered, its tasks do not exist any more. A tool that is not registered for tasks cannot
   * create one.
   *
   * **Example** (A report that takes long)
   *
   * ```ts
   * import { InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
   * import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
   * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
   *
   * const auth = await McpAuthSdk.mock({ subject: "alice", scopes: ["reports:create"] })
   * const server = new McpServer({ name: "reports", version: "1.0.0" }, {
   *   capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
   *   taskStore: new InMemoryTaskStore()
   * })
   * auth.registerToolTask(server, "create_report", { scopes: ["reports:create"] }, async ({ principal, taskStore }) => {
   *   const task = await taskStore.createTask({ ttl: 60_000 })
   *   const content = [{ type: "text", text: `The report of ${principal.subject}` }]
   *   await taskStore.storeTaskResult(task.taskId, "completed", { content })
   *   return { task: await taskStore.getTask(task.taskId) }
   * })
   * ```
   *
   * @since 0.1.0
   */
  readonly registerToolTask: <
    Output extends ZodRawShapeCompat | AnySchema,
    Input extends undefined | ZodRawShapeCompat | AnySchema = undefined,
    const Need extends Offered = never,
    P extends Policies<Offered, R> = never
  >(
    server: SdkServer,
    name: string,
    config:
      & {
        readonly title?: string
        readonly description?: string
        readonly inputSchema?: Input
        readonly outputSchema?: Output
        readonly annotations?: ToolAnnotations
        readonly execution?: { readonly taskSupport: "required" | "optional" }
        readonly _meta?: Record<string, unknown>
      }
      & TaskPolicy<Need, P>
      & Fits<P, Arguments<Input>>,
    handler: TaskHandler<Input, CallerOf<Claims, N, Need, P>, Services<Offered, R, N, Need, P>>
  ) => RegisteredTool & Scoped<Needed<Need, P>>
  /**
   * Registers a prompt. Completing its arguments requires the same scopes. If the scopes depend on the arguments, completing
   * requires a valid token and no scope.
   *
   * @since 0.1.0
   */
  readonly registerPrompt: <
    Input extends undefined | ZodRawShapeCompat = undefined,
    const Need extends Offered = never,
    P extends Policies<Offered, R> = never
  >(
    server: SdkServer,
    name: string,
    config:
      & {
        readonly title?: string
        readonly description?: string
        readonly argsSchema?: Input
      }
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
    config: ResourceMetadata & Policy<Need, URL, P> & Fits<P, undefined>,
    handler: T extends string ? (
        uri: URL,
        extra: Extra<CallerOf<Claims, N, Need, P>>
      ) => Outcome<ReadResourceResult, Services<Offered, R, N, Need, P>>
      : (
        uri: URL,
        variables: Variables,
        extra: Extra<CallerOf<Claims, N, Need, P>>
      ) => Outcome<ReadResourceResult, Services<Offered, R, N, Need, P>>
  ) => (T extends string ? RegisteredResource : RegisteredResourceTemplate) & Scoped<Needed<Need, P>>
  /**
   * Creates middleware for `StreamableHTTPServerTransport`, with or without sessions. It rejects a request, or sets `req.auth`
   * and `req.body` and calls `next`. The transport passes `req.auth` to handlers as `authInfo`. `req.body` is the body that was
   * authorized.
   *
   * **Gotchas**
   *
   * Pass `req.body` to `transport.handleRequest` as the third argument: the stream of the request has been read. Put this
   * middleware in front of body parsers, so that they parse no body of a request without a valid token. If a body parser runs
   * before it, the gate authorizes the parsed body.
   *
   * A session belongs to the caller that opened it. Open streams end when the token expires.
   *
   * If the server that answers requires other scopes than the server that `protect` received, its transport answers 403, or 401
   * for an anonymous caller, and the log names the mistake. A call that only its handler can reject, because the scopes depend
   * on the arguments, gets a JSON-RPC error with the code -32001: `data.status` and `data.wwwAuthenticate` are the status and the
   * challenge that the gate would have sent.
   *
   * @since 0.1.0
   */
  readonly protect: (server: Server, options?: ProtectOptions) => Middleware
  /**
   * Protects a `WebStandardStreamableHTTPServerTransport`, as `protect` does on Node. Pass both arguments of the handler to
   * `handleRequest` of the transport.
   *
   * @since 0.1.0
   */
  readonly protectFetch: (
    server: Server,
    handler: (request: Request, options: HandleRequestOptions) => Response | Promise<Response>
  ) => (request: Request | HonoContext, options?: FetchOptions) => Promise<Response>
  /**
   * Returns the server that the function given to `protect` or `protectFetch` returned for a request. Returns `undefined` for a request
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
   * server to `connect`. Throws `AuthConfigError` if an option is wrong.
   *
   * **Gotchas**
   *
   * Such a server rejects HTTP transports, because every client would be the local caller.
   *
   * @since 0.1.0
   */
  readonly local: (options: LocalOptions<Offered>) => <S extends SdkServer>(server: S) => S
}

const protectTable: ConfigOption.Table<keyof ProtectOptions> = { tenant: true }

/**
 * Creates a gate for servers of the SDK, with the options of `AuthLayer.make`. Rejects with `AuthConfigError` if an option is
 * wrong.
 *
 * **Details**
 *
 * The layers are built once, and live until `dispose`. The gate fetches nothing before it receives the first token.
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
 * app.post("/mcp", auth.protect(makeServer), async (req, res) => {
 *   const transport = new StreamableHTTPServerTransport({})
 *   // The server that `makeServer` returned for this request. A request without messages has none yet.
 *   const server = auth.serverFor(req) ?? makeServer()
 *   await server.connect(transport as never)
 *   await transport.handleRequest(req, res, req.body)
 * })
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
  return toGate(await sdkHost.make(toLayer(options), parseArguments, optionsV1))
}

/**
 * Creates a gate for tests: every request has the same caller, without tokens and without a network. Rejects with
 * `AuthConfigError` if an option is wrong.
 *
 * **Example** (A caller with one scope)
 *
 * ```ts
 * import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
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
  return toGate(await sdkHost.make(toMockLayer(options), parseArguments, optionsV1))
}

/** Creates the public gate. Its types are `any`, because `make` and `mock` declare the types for their options. */
const toGate = (sdk: sdkHost.SdkHost): McpAuthSdk<any, any, any, any> => {
  const { host, limits } = sdk
  return {
    ...sdk.register,
    ...sdk.endpoints,
    local: sdk.local,
    protectFetch: sdk.protectFetch,
    serverFor: sdk.serverFor as McpAuthSdk<any, any, any, any>["serverFor"],
    protect: (server, options = {}) => {
      const policies = sdk.policiesForServer(server, "protect")
      ConfigOption.check(options, "protect", protectTable)
      const reading = node.reading(host, limits)
      const tenantOf = checkTenantOption(host.gate, options.tenant, "protect.tenant")
      return async (req, res, next) => {
        if (typeof next !== "function") return node.rejectCall(host, req, res, withoutNext)
        const decided = node.decideCall(host, req, res, reading, policies, { tenantOf })
        const admitted = decided instanceof Promise ? await decided : decided
        if (admitted === undefined) return
        node.prepare(host, req, res, admitted)
        storeAdmitted(req, host, admitted)
        next()
      }
    }
  }
}

const withoutNext = ConfigOption.invalid(
  "protect",
  undefined,
  "a function as the third argument of the middleware",
  "Call it as (req, res, next), and let next run the transport"
)

/** Parses arguments as the SDK does before it calls a handler. */
const parseArguments = (schema: AnySchema | ZodRawShapeCompat, given: unknown): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(
    Effect.tryPromise(() => safeParseAsync(normalizeObjectSchema(schema) ?? schema as AnySchema, given)),
    (parsed) => parsed.success ? Effect.succeed(parsed.data) : Effect.fail(parsed.error)
  )
