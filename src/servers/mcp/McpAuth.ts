/**
 * The gate on Effect's own MCP server: per-tool scopes, decided before the tool runs and answered with a real 403.
 *
 * Each function stands for one of the same name in `McpServer` of `effect/ai`, and takes the same options.
 *
 * @since 0.1.0
 */
import type * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as ByteSize from "effect/ByteSize"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Caller from "../../authorization/Caller.ts"
import * as Decision from "../../authorization/Decision.ts"
import { AuthLayer } from "../../authorization/Gate.ts"
import {
  check,
  isHiddenFrom,
  type Literals,
  ofAnyCall,
  type Policy,
  type RegisterWithMcpAuthToolkit,
  type RequiredScope,
  RequiredScopes,
  type RequiredScopesOf,
  type ScopeList,
  Unauthorized
} from "../../authorization/Policy.ts"
import { AuthConfigError, InsufficientScope, type MalformedRequest } from "../../protocol/AuthError.ts"
import * as Operation from "../../protocol/Operation.ts"
import { Principal } from "../../verification/Principal.ts"
import * as body from "../host/Body.ts"
import { BodyDeadlines } from "../host/BodyDeadlines.ts"
import * as effectRequest from "../host/EffectRequest.ts"
import * as effectStream from "../host/EffectStream.ts"
import * as effectBody from "./internal/effectBody.ts"
import * as Registry from "./internal/registry.ts"

/* ---------------------------------------------------------------------------------------------------------------------
 * Registering: the fence around each call
 * ------------------------------------------------------------------------------------------------------------------ */

class ScopeRejected extends Schema.Error<ScopeRejected>("ScopeRejected")({
  ...McpSchema.McpErrorBase.fields,
  _tag: Schema.tag("ScopeRejected"),
  code: Schema.tag(-32001)
}) {}

/** What a call of `target` needs; without `payload`, what every call needs. */
type PolicyOf = (target: string, payload?: { readonly params: unknown }) => Policy | undefined

/**
 * The second fence, inside dispatch, for calls that did not come through `layerHttp` of this module: the stock
 * `McpServer.layerHttp`, stdio, a server in memory. Over HTTP a pre-response handler still makes it a real 403.
 */
const fence = (policyOf: PolicyOf) =>
  McpServer.middleware((effect, { payload, target }) => {
    // A list has no payload, and runs nothing.
    const required = policyOf(target, payload === undefined ? undefined : { params: payload })?.scopes ?? []
    return required.length === 0 ? effect : Effect.withFiber((fiber) => {
      const services = fiber.context as Context.Context<any>
      const principal = Context.getOrUndefined(services, Principal)
      if (principal !== undefined && required.every((scope) => principal.scopes.has(scope))) return effect
      const rejected = Effect.fail(new ScopeRejected({ message: "Insufficient scope" }))
      const request = Context.getOrUndefined(services, HttpServerRequest.HttpServerRequest)
      const inFront = request === undefined ? undefined : effectRequest.gateContextOf(request)
      // An anonymous caller gets the JSON-RPC error alone.
      if (request === undefined || inFront?.caller.principal === undefined) return rejected
      const { caller, gate } = inFront
      const error = new InsufficientScope({ reason: "missing-scope", required })
      return gate.reject(Caller.make(caller.request, principal, caller.timing), error).pipe(
        Effect.catch((rejection) => {
          HttpEffect.appendPreResponseHandlerUnsafe(
            fiber.context,
            () => Effect.succeed(effectRequest.respondWith(gate, request, rejection))
          )
          return rejected
        })
      )
    })
  })

/** Leaves what is hidden out of lists, and makes calls to it fail as if it did not exist. Outside the fence. */
const curtain = (policyOf: PolicyOf) =>
  McpServer.visibility(({ target }) => {
    const policy = policyOf(target)
    return policy === undefined || policy.unauthorized !== "hide" || policy.scopes.length === 0
      ? Effect.succeed(true)
      : Effect.withFiber((fiber) => {
        const principal = Context.getOrUndefined(fiber.context as Context.Context<any>, Principal)
        return Effect.succeed(principal !== undefined && policy.scopes.every((scope) => principal.scopes.has(scope)))
      })
  })

/** The guard of registrations with these annotations, and the note that they have one. */
const guard = (
  annotations: ReadonlyArray<Context.Context<never>>,
  policyOf: PolicyOf,
  hides: boolean
): Layer.Layer<never> =>
  Layer.merge(
    (hides ? fence(policyOf).combine(curtain(policyOf)).layer : fence(policyOf).layer) as Layer.Layer<never>,
    Layer.succeed(Registry.Guarded, new Set(annotations)) as Layer.Layer<never>
  )

/** The same for a registration that was made with a stock function. */
const guardOf: Registry.GuardOf = (annotations) => {
  const hides = Context.get(annotations, Unauthorized) === "hide"
  return Effect.scoped(
    Layer.build(guard([annotations], (_, payload) => policyOfAnnotations(annotations, payload), hides))
  )
}

/** Observes the server, for registrations that are built after this layer. */
const observed = (): Layer.Layer<never, never, McpServer.McpServer> =>
  // A layer for each use: one constant would be built once, for the first of several servers.
  Layer.effectDiscard(Effect.map(McpServer.McpServer, (server) => Registry.observe(server, guardOf)))

const policyOfAnnotations = (
  annotations: Context.Context<never>,
  payload?: { readonly params: unknown }
): Policy =>
  payload === undefined
    ? { scopes: Context.get(annotations, RequiredScopes), unauthorized: Context.get(annotations, Unauthorized) }
    : Registry.policyOfCall(annotations, payload.params)

type Registered<R> = Exclude<R, McpServer.McpRequest<"Requires", RegisterWithMcpAuthToolkit>>

/**
 * Registers a toolkit; its tools may carry scopes.
 *
 * **Example** (Tools behind the gate)
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { requireScopes } from "effect-mcp-auth"
 * import { McpAuth } from "effect-mcp-auth/mcp"
 * import { Tool, Toolkit } from "effect/ai"
 *
 * const Tools = Toolkit.make(requireScopes("hello")(Tool.make("hello", { success: Schema.String })))
 *
 * const Registered = McpAuth.toolkit(Tools).pipe(
 *   Layer.provide(Tools.toLayer({ hello: () => Effect.succeed("Hello") }))
 * )
 * ```
 *
 * @see {@link McpServer.toolkit} for the function that this one stands for
 *
 * @category layers
 * @since 0.1.0
 */
export const toolkit = <Tools extends Record<string, Tool.Any>>(
  self: Toolkit.Toolkit<Tools>
): Layer.Layer<never, never, Registered<McpServer.ToolkitRequirements<Tools>>> => {
  const annotations = new Map(
    Object.values(self.tools as Record<string, Tool.Any>).map((tool) =>
      [tool.name, tool.annotations as Context.Context<never>] as const
    )
  )
  const policyOf: PolicyOf = (name, payload) => {
    const known = annotations.get(name)
    return known === undefined ? undefined : policyOfAnnotations(known, payload)
  }
  const hides = [...annotations.values()].some((_) => Context.get(_, Unauthorized) === "hide")
  return McpServer.toolkit(self).pipe(
    Layer.provide(guard([...annotations.values()], policyOf, hides)),
    Layer.provide(observed())
  ) as never
}

/**
 * The scopes of a resource or a prompt.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScopeOptions<S extends ScopeList> {
  /** Every one of them is needed to read, to get, and to complete an argument. */
  readonly scopes: S & Literals<S>
  /** What a caller without them meets. Default: `"challenge"`. */
  readonly unauthorized?: "challenge" | "hide" | undefined
}

type Needs<R, S extends ScopeList> = Exclude<R | Principal | RequiredScopesOf<S[number]>, never>

const guarded = <S extends ScopeList>(
  option: string,
  { scopes, unauthorized = "challenge" }: ScopeOptions<S>,
  register: (annotations: Context.Context<never>) => Effect.Effect<void, never, any>
): Layer.Layer<never, never, any> => {
  const policy: Policy = { scopes: check(scopes as ReadonlyArray<string>, option), unauthorized }
  const annotations = Context.make(RequiredScopes, policy.scopes).pipe(Context.add(Unauthorized, unauthorized))
  return Layer.effectDiscard(register(annotations as Context.Context<never>)).pipe(
    Layer.provide(guard([annotations as Context.Context<never>], () => policy, unauthorized === "hide")),
    Layer.provide(observed())
  )
}

/**
 * Registers a resource, or a resource template, that needs scopes.
 *
 * **Example** (A template)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { McpSchema } from "effect/ai"
 * import { McpAuth } from "effect-mcp-auth/mcp"
 *
 * const todo = McpAuth.resource`todo://${McpSchema.param("id", Schema.String)}`({
 *   name: "todo",
 *   scopes: ["todos:read"],
 *   content: (_uri, id) => Effect.succeed(`todo ${id}`)
 * })
 * ```
 *
 * @see {@link McpServer.resource} for the function that this one stands for
 *
 * @category layers
 * @since 0.1.0
 */
export const resource: {
  <const S extends ScopeList, E, R>(
    options: ScopeOptions<S> & {
      readonly uri: string
      readonly name: string
      readonly description?: string | undefined
      readonly mimeType?: string | undefined
      readonly audience?: ReadonlyArray<"user" | "assistant"> | undefined
      readonly priority?: number | undefined
      readonly content: Effect.Effect<typeof McpSchema.ReadResourceResult.Type | string | Uint8Array, E, R>
    }
  ): Layer.Layer<never, never, McpServer.ResourceRequirements<Needs<R, S>>>
  <const Schemas extends ReadonlyArray<Schema.Constraint>>(segments: TemplateStringsArray, ...schemas: Schemas): <
    const S extends ScopeList,
    E,
    R,
    const Completions extends Partial<McpServer.ResourceCompletions<Schemas>> = {}
  >(
    options: ScopeOptions<S> & {
      readonly name: string
      readonly description?: string | undefined
      readonly mimeType?: string | undefined
      readonly audience?: ReadonlyArray<"user" | "assistant"> | undefined
      readonly priority?: number | undefined
      readonly completion?:
        | McpServer.ValidateCompletions<Completions, keyof McpServer.ResourceCompletions<Schemas>>
        | undefined
      readonly content: (
        uri: string,
        ...params: { readonly [K in keyof Schemas]: Schemas[K]["Type"] }
      ) => Effect.Effect<typeof McpSchema.ReadResourceResult.Type | string | Uint8Array, E, R>
    }
  ) => Layer.Layer<never, never, McpServer.ResourceTemplateRequirements<Schemas, Needs<R, S>, Completions>>
} = ((first: any, ...schemas: ReadonlyArray<any>) => {
  if (!Array.isArray(first)) {
    return guarded("resource.scopes", first, (annotations) => McpServer.registerResource({ ...first, annotations }))
  }
  return (options: any) =>
    guarded(
      "resource.scopes",
      options,
      (annotations) => (McpServer.registerResource as any)(first, ...schemas)({ ...options, annotations })
    )
}) as never

/**
 * Registers a prompt that needs scopes.
 *
 * **Example** (A prompt that needs a scope)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { McpAuth } from "effect-mcp-auth/mcp"
 *
 * const Plan = McpAuth.prompt({
 *   name: "plan_week",
 *   scopes: ["todos:read"],
 *   parameters: { week: Schema.String },
 *   content: ({ week }) => Effect.succeed(`Plan week ${week}.`)
 * })
 * ```
 *
 * @see {@link McpServer.prompt} for the function that this one stands for
 *
 * @category layers
 * @since 0.1.0
 */
export const prompt = <
  const S extends ScopeList,
  E,
  R,
  Params extends Schema.Struct.Fields = {},
  const Completions extends {
    readonly [K in keyof Params]?: (
      input: string,
      context: any
    ) => Effect.Effect<Array<Params[K]["Type"]>, any, any>
  } = {}
>(
  options: ScopeOptions<S> & {
    readonly name: string
    readonly title?: string | undefined
    readonly description?: string | undefined
    readonly parameters?: Params | undefined
    readonly completion?: McpServer.ValidateCompletions<Completions, Extract<keyof Params, string>> | undefined
    readonly content: (
      params: Schema.Struct.Type<Params>
    ) => Effect.Effect<Array<typeof McpSchema.PromptMessage.Type> | string, E, R>
  }
): Layer.Layer<never, never, McpServer.PromptRequirements<Params, Needs<R, S>, Completions>> =>
  guarded(
    "prompt.scopes",
    options as ScopeOptions<ScopeList>,
    (annotations) => McpServer.registerPrompt({ ...options, annotations } as any)
  ) as never

/* ---------------------------------------------------------------------------------------------------------------------
 * Serving: the gate in front of dispatch
 * ------------------------------------------------------------------------------------------------------------------ */

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, any, any>

/** Unless `MaxBodySize` says otherwise. */
const maximumBody = ByteSize.fromInputUnsafe(body.defaultLimit)

/** Reads which operations a request asks for. What the server parses is the very text that was judged here. */
const operationsOf = (
  request: HttpServerRequest.HttpServerRequest,
  limit: ByteSize.ByteSize,
  reading: effectBody.Reading
): Effect.Effect<ReadonlyArray<Operation.Operation>, MalformedRequest> => {
  if (request.method !== "POST") return Effect.succeed([])
  const { headers } = request
  if (!body.isJson(headers["content-type"])) return Effect.fail(body.contentTypeRejected)
  if (Number(headers["content-length"] ?? 0) > Number(limit)) return Effect.fail(body.tooLarge)
  return Effect.flatMap(
    effectBody.read(request, limit, reading),
    (text) => Effect.fromResult(Result.map(body.parseText(text, reading.limits), ({ operations }) => operations))
  )
}

/**
 * Leaves the resources that this caller cannot see out of a subscription, together with those that do not exist: the
 * server acknowledges the others alone, and sends updates of no resource that is registered only later.
 */
const withoutHidden = (
  request: HttpServerRequest.HttpServerRequest,
  policyOf: (operation: Operation.Operation) => Policy | undefined,
  operations: ReadonlyArray<Operation.Operation>,
  principal: Principal | undefined,
  app: App
): App => {
  let hidden: Set<string> | undefined
  for (const operation of operations) {
    if (operation.method !== Operation.listen || operation.target === undefined) continue
    const policy = policyOf(operation)
    if (policy !== undefined && policy !== Registry.unknown && !isHiddenFrom(policy, principal)) continue
    hidden ??= new Set()
    hidden.add(operation.target)
  }
  return hidden === undefined ? app : Effect.andThen(
    effectBody.rewrite(request, Operation.withoutWatched(hidden)),
    app
  )
}

/** Returns the caller that the middleware in front authenticated, with the principal that handlers see. */
const callerOf = (
  request: HttpServerRequest.HttpServerRequest,
  principal: Principal | undefined,
  fiber: Fiber.Fiber<unknown, unknown>
): Caller.Caller => {
  const known = effectRequest.gateContextOf(request)?.caller
  return known !== undefined && known.principal === principal ? known : Caller.make(
    effectRequest.toGateRequest(request, fiber),
    principal,
    known?.timing ?? Decision.startTiming(fiber)
  )
}

/** Inside the middleware of `AuthLayer`, so the caller is known; outside the server, so nothing has run yet. */
const beforeDispatch = (
  reading: effectBody.Reading,
  policyOf: (operation: Operation.Operation) => Policy | undefined
) =>
  Effect.map(AuthLayer, (gate) => (app: App): App => {
    const { sessions } = gate

    /** Dispatches an authorized request. */
    const run = (
      request: HttpServerRequest.HttpServerRequest,
      caller: Caller.Caller,
      session: string | undefined,
      operations: ReadonlyArray<Operation.Operation>,
      context: Context.Context<never>
    ): App =>
      Effect.map(withoutHidden(request, policyOf, operations, caller.principal, app), (response) => {
        // The server sets Mcp-Session-Id in a pre-response handler: only one appended after it sees the header.
        if (session === undefined && operations.some(isInitialize)) {
          HttpEffect.appendPreResponseHandlerUnsafe(context, (_, sent) => {
            const issued = sent.headers["mcp-session-id"]
            if (issued !== undefined) sessions.bind(issued, caller.principal)
            return Effect.succeed(sent)
          })
        }
        if (session !== undefined && request.method === "DELETE" && response.status === 204) sessions.release(session)
        return effectStream.endInTime(response, { gate, caller, operations })
      })

    const decided: App = Effect.withFiber((fiber) => {
      const { context } = fiber
      const request = Context.getUnsafe(context, HttpServerRequest.HttpServerRequest)
      const caller = callerOf(request, Context.getOrUndefined(context, Principal), fiber)
      const session = request.headers["mcp-session-id"]
      const limit = Context.get(context, HttpIncomingMessage.MaxBodySize) ?? maximumBody
      const authorized = Effect.flatMapEager(
        session === undefined ? Effect.void : sessions.check(caller, session),
        () => {
          const read = Effect.matchCauseEffectEager(operationsOf(request, limit, reading), {
            onFailure: (cause) => gate.reject(caller, cause),
            onSuccess: Effect.succeed
          })
          return Effect.flatMapEager(read, (operations) =>
            Effect.flatMapEager(gate.recheck(caller, !Exit.isExit(read)), (current) =>
              Effect.mapEager(gate.authorize(current, operations, policyOf), () =>
                operations)))
        }
      )
      return effectRequest.continueWith(
        gate,
        request,
        authorized,
        (operations): App =>
          run(request, caller, session, operations, context)
      )
    })
    effectRequest.decidesAboutAnonymous.add(decided)
    return decided
  })

/** Sessions begin with it, and with nothing else: one that a server gave away otherwise would belong to nobody. */
const isInitialize = ({ method }: Operation.Operation): boolean => method === "initialize"

type ScopeMarkers<R> = R extends HttpRouter.Request<"Requires", RequiredScope<infer S>>
  ? HttpRouter.Request<"Requires", RequiredScope<S>>
  : never
type ScopesOf<R> = R extends HttpRouter.Request<"Requires", infer T>
  ? T extends RequiredScope<infer S> ? RequiredScopesOf<S> : never
  : never

/**
 * The options of `McpServer.layerHttp`, without `allowedOrigins`: `AuthLayer` has them, since an origin is looked at
 * before a token is.
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
   * Bodies that ask for more operations are rejected with 400: each message of a batch and each URI of a
   * `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** Bodies that take longer, from the time when the gate begins to read them, are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
}

/**
 * Serves a protected MCP server on an `HttpRouter`.
 *
 * **Details**
 *
 * The scopes of the registered tools, resources and prompts become requirements of the layer, which `AuthLayer` meets: a
 * server whose configuration does not offer one of them, or that forgets the layer, does not compile. They are read from
 * what is registered at the time of a request. A tool added later with a scope that is not offered can never be called.
 *
 * A `subscriptions/listen` stream ends when its token does, any other answer at most 5 minutes later. A request body is limited to 4 MiB unless `MaxBodySize` is
 * provided.
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
 * @see {@link McpServer.layerHttp} for the function that this one stands for
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
    | Exclude<Layer.Services<L>, ScopeMarkers<Layer.Services<L>>>
    | ScopesOf<Layer.Services<L>>
    | AuthLayer
    | HttpRouter.Request<"Requires", Principal>
  >
  : never =>
  Layer.unwrap(Effect.gen(function*() {
    const gate = yield* AuthLayer
    const { bodyTimeout, maximumOperations, ...serverOptions } = options
    const limits = yield* Effect.try({
      try: () => body.checkLimits({ bodyTimeout, maximumOperations }),
      catch: (error) => error as AuthConfigError
    })
    const deadlines = new BodyDeadlines(
      yield* Clock.Clock,
      Effect.runForkWith(yield* Effect.context<never>()),
      limits.timeout
    )
    let policyOf: (operation: Operation.Operation) => Policy | undefined = () => undefined
    const link = Layer.effectDiscard(Effect.gen(function*() {
      const server = yield* McpServer.McpServer
      policyOf = Registry.policyOf(server)
      yield* checkOffered(server, gate.resource.offered)
    }))
    const middleware = HttpRouter.middleware(
      beforeDispatch({ limits, deadlines }, (operation) => policyOf(operation)) as never
    )
    return McpServer.layerHttp({
      ...serverOptions,
      allowedOrigins: gate.published.allowedOrigins,
      registrations: link.pipe(
        Layer.provideMerge((options.registrations ?? Layer.empty) as Layer.Layer<any, any, any>),
        Layer.provide(observed())
      )
    } as any).pipe(Layer.provide((middleware as any).layer as Layer.Layer<never>))
  })) as never

/** What the types promise, checked again for programs that the compiler did not see. */
const checkOffered = (
  server: McpServer.McpServer["Service"],
  offered: ReadonlySet<string>
): Effect.Effect<void, AuthConfigError> => {
  for (const { annotations, name } of Registry.entries(server)) {
    const missing = ofAnyCall(annotations).find((scope) => !offered.has(scope))
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
