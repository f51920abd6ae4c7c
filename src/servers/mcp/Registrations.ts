/**
 * Registers tools, resources and prompts with their policies.
 *
 * @since 0.1.0
 */
import type * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import type * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { AuthLayer } from "../../authorization/Gate.ts"
import {
  type AnyPolicy,
  type ArgsOf,
  type CheckService,
  isPolicy,
  type Literals,
  type OpenPolicy,
  type PerRequest,
  type RegisterWithMcpAuthToolkit,
  RequiredPolicy,
  RequiredScopes,
  type RequiredScopesOf,
  type ScopeList,
  type ScopesOf,
  type ServicesOf,
  Unauthorized as UnauthorizedAnnotation
} from "../../authorization/Policy.ts"
import type { BoundPolicy, Decode, Server, Unauthorized } from "../../authorization/policy/OperationPolicy.ts"
import { toScopes } from "../../authorization/policy/PolicyValue.ts"
import { checkScopes } from "../../authorization/policy/ScopeList.ts"
import { BoundRule, policyOf, unknownServer } from "../../authorization/RequirePolicy.ts"
import type { AnnotatedTool } from "../../authorization/RequireScopes.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"
import { findMissingRoles } from "../host/MissingRoles.ts"
import { OfferedScopes } from "./internal/registry.ts"
import { guard, layerObserver, type PolicyForCall, policyFromAnnotations } from "./internal/scopeGuard.ts"
import { withTemplateTarget } from "./internal/templateTarget.ts"

/** Removes the requirement of `toolkit`, and turns the services of checks into requirements of the layer or of each request. */
type Registered<R> = R extends McpServer.McpRequest<"Requires", infer T> ? T extends RegisterWithMcpAuthToolkit ? never
  : T extends CheckService<infer X> ? ServiceOfCheck<X>
  : R
  : R

/** Turns a service of a check into a requirement of each request, or of the layer. */
type ServiceOfCheck<X> = X extends PerRequest<infer _> ? McpServer.McpRequest<"Requires", X>
  : X extends Scope.Scope | HttpServerRequest.HttpServerRequest | McpSchema.McpRequestContext ? UnavailableToChecks<X>
  : X

/**
 * The requirement of a check that uses a service which no layer can provide to it. Nothing provides this requirement, so such a server
 * does not compile.
 *
 * **Details**
 *
 * Checks run before the server dispatches the call, with the services of the layer. A `Scope` would be that of the layer, which never
 * closes while the server runs, and a check has no HTTP request. Handle the `Scope` inside the check with `Effect.scoped`, and read
 * the caller and the call from its arguments.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnavailableToChecks<in out R> {
  readonly "~effect-mcp-auth/UnavailableToChecks": (_: R) => R
}

/**
 * Registers a toolkit whose tools can require scopes.
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
 * @see {@link McpServer.toolkit} for the function that this one replaces
 *
 * @category layers
 * @since 0.1.0
 */
export const toolkit = <Tools extends Record<string, Tool.Any>>(
  self: Toolkit.Toolkit<Tools>
): Layer.Layer<never, never, Registered<McpServer.ToolkitRequirements<Tools>>> => {
  const tools = Object.values(self.tools as Record<string, Tool.Any>)
  if (
    tools.every(({ annotations }) => Context.get(annotations as Context.Context<never>, RequiredPolicy) === undefined)
  ) {
    return registerToolkit(self) as never
  }
  // One toolkit can be part of several servers with different services, so each server binds the policies for itself.
  return Layer.unwrap(Effect.map(
    registrationContext,
    ({ server, services }) => registerToolkit(Toolkit.make(...tools.map((tool) => bindTool(tool, server, services))))
  )) as never
}

const registerToolkit = (self: Toolkit.Any): Layer.Layer<never, never, any> => {
  const annotations = new Map(
    Object.values(self.tools as Record<string, Tool.Any>).map((tool) =>
      [tool.name, tool.annotations as Context.Context<never>] as const
    )
  )
  const policyFor: PolicyForCall = (name, payload) => {
    const known = annotations.get(name)
    return known === undefined ? undefined : policyFromAnnotations(known, payload)
  }
  const hides = [...annotations.values()].some((_) => Context.get(_, UnauthorizedAnnotation) === "hide")
  return McpServer.toolkit(self as Toolkit.Toolkit<any>).pipe(
    Layer.provide(guard([...annotations.values()], policyFor, hides)),
    Layer.provide(layerObserver())
  )
}

/** The scopes of the server, and the services that are available where a layer of registrations is built. */
const registrationContext: Effect.Effect<{
  readonly server: Server | undefined
  readonly services: Context.Context<never>
}> = Effect.contextWith((services: Context.Context<never>) =>
  Effect.map(Effect.serviceOption(AuthLayer), (gate) => ({
    server: Context.get(services, OfferedScopes) ?? (gate._tag === "Some" ? gate.value.resource : undefined),
    services
  }))
)

/** Binds the policy of a tool. The result is a copy with the same id, by which its handler is found. */
const bindTool = (tool: Tool.Any, server: Server | undefined, services: Context.Context<never>): Tool.Any => {
  const annotations = tool.annotations as Context.Context<never>
  if (Context.get(annotations, RequiredPolicy) === undefined) return tool
  const policy = policyOf(annotations)!
  checkRoles(policy, server, `tool ${tool.name}`)
  const schema: unknown = tool.parametersSchema
  const decode = Schema.isSchema(schema)
    ? Schema.decodeUnknownEffect(schema as unknown as Schema.ConstraintDecoder<unknown>)
    : Effect.succeed
  const rule = policy.bind(server ?? unknownServer(policy), {
    services,
    decode: (raw) => decode(raw ?? {})
  })
  return (tool as AnnotatedTool).annotate(BoundRule, rule)
}

/**
 * The policy of a resource or a prompt: what it requires of its callers. Either `scopes` or `policy` is set, not both.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<S extends ScopeList, P = never> {
  /**
   * The required scopes: the caller needs all of them to read the resource, to get the prompt, or to complete an argument. Default:
   * `policy` decides.
   */
  readonly scopes?: (S & Literals<S>) | undefined
  /**
   * A policy of `effect-mcp-auth/policy`: scopes, roles, claims and checks. A check receives the decoded arguments of the prompt, or
   * the URI of the resource as `target`; for a template, with the parameters that the handler receives. The layer requires the services of the checks. For the completion of an argument, checks of
   * the call count as passed. Default: `scopes` decides.
   */
  readonly policy?: P
  /**
   * Decides the answer if the caller is not admitted. `"challenge"`: the server answers 403, and names scopes if they would help.
   * `"deny"`: the server answers 403 without a challenge. `"hide"`: the server answers as if the registration did not exist, lists it
   * nowhere and sends no update about it; with a policy, only if no call could be admitted. Default: `"challenge"`.
   */
  readonly unauthorized?: Unauthorized | undefined
}

/** Requires either scopes or a policy, and rejects policies whose checks read arguments that the registration does not have. */
type Fits<S extends ScopeList, P, Args> = [P] extends [never] ? { readonly scopes: S & Literals<S> }
  : [Args] extends [ArgsOf<P>] ? { readonly policy: P; readonly scopes?: never }
  : { readonly policy: { readonly "the policy reads arguments that this registration does not have": ArgsOf<P> } }

/** Rejects handlers that read a `Principal` although the policy also admits anonymous callers. */
type FitsContent<P, R> = [P] extends [never] ? unknown
  : P extends AnyPolicy ? unknown
  : Principal extends R ? { readonly policy: { readonly "an open policy admits callers without a Principal": P } }
  : unknown

/** The services that each call of a registration needs. */
type Needs<R, S extends ScopeList, P> =
  | R
  | ([P] extends [never] ? Principal : P extends AnyPolicy ? Principal : never)
  | RequiredScopesOf<S[number] | ScopesOf<P>>

/** The names of the options of `resource` and `prompt`, with those of Effect's functions. */
type Names = "scopes" | "policy" | "unauthorized" | "name" | "description" | "content"

const policyTable: ConfigOption.Table<Names> = {
  scopes: true,
  policy: true,
  unauthorized: ConfigOption.oneOf("challenge", "deny", "hide"),
  name: true,
  description: true,
  content: true
}

const resourceTable = { ...policyTable, mimeType: true, audience: true, priority: true } as const

/** A policy of any type. The signatures of `resource` and `prompt` check the types. */
type AnyValue = AnyPolicy | OpenPolicy<string>

const registerGuarded = (
  option: "prompt" | "resource",
  options: Policy<ScopeList, AnyValue>,
  table: ConfigOption.Table<string>,
  decoder: () => Decode,
  register: (annotations: Context.Context<never>) => Effect.Effect<void, never, any>,
  adapt: (rule: BoundPolicy) => BoundPolicy = (rule) => rule
): Layer.Layer<never, never, any> => {
  ConfigOption.check(options, option, table, "Give one with name, scopes and content")
  const requirement = requirementOf(option, options)
  const unauthorized = Context.make(UnauthorizedAnnotation, options.unauthorized ?? "challenge")
  const registerWith = (required: Context.Context<never>) => {
    const annotations = Context.merge(required, unauthorized)
    return Layer.effectDiscard(register(annotations)).pipe(
      Layer.provide(
        guard(
          [annotations],
          (_, payload) => policyFromAnnotations(annotations, payload),
          options.unauthorized === "hide"
        )
      ),
      Layer.provide(layerObserver())
    )
  }
  if (!isPolicy(requirement)) return registerWith(Context.make(RequiredScopes, requirement))
  // One layer can be part of several servers with different services, so each server binds the policy for itself.
  return Layer.unwrap(Effect.map(registrationContext, ({ server, services }) => {
    checkRoles(requirement, server, `${option}.policy`)
    const rule = adapt(requirement.bind(server ?? unknownServer(requirement), { services, decode: decoder() }))
    return registerWith(Context.make(RequiredPolicy, requirement).pipe(Context.add(BoundRule, rule)))
  }))
}

/** Throws `AuthConfigError` if no caller of the server can satisfy a policy, because callers have no roles. */
const checkRoles = (policy: AnyValue, server: Server | undefined, what: string): void => {
  const error = server === undefined ? undefined : findMissingRoles(policy, server, what)
  if (error !== undefined) throw error
}

/** Returns the scopes, or the policy if it is more than a list of scopes. Throws `AuthConfigError`. */
const requirementOf = (
  option: "prompt" | "resource",
  { policy, scopes }: Policy<ScopeList, AnyValue>
): ReadonlyArray<string> | AnyValue => {
  if (policy === undefined) return checkScopes(scopes as ReadonlyArray<string>, `${option}.scopes`)
  if (!isPolicy(policy)) {
    throw ConfigOption.invalid(`${option}.policy`, policy, "a policy", "Give one such as Policy.role(\"admin\")")
  }
  if (scopes === undefined) return toScopes(policy) ?? policy
  throw ConfigOption.error(
    `${option}.policy`,
    "set either policy or scopes, not both. Add Policy.scopes(…) to the policy",
    "conflict"
  )
}

/** A read of a resource has no arguments. The client could send some. */
const withoutArguments = (): Decode => () => Effect.undefined

/**
 * Registers a resource, or a resource template, that requires scopes or a policy.
 *
 * **Details**
 *
 * Subscriptions to the resource, and completions of the arguments of the template, require the same. A check of the policy receives
 * the URI as `target`, as the client sent it, because the template is not matched before the check: parse it strictly, and return
 * `false` for any other spelling.
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
 * @see {@link McpServer.resource} for the function that this one replaces
 *
 * @category layers
 * @since 0.1.0
 */
export const resource: {
  <E, R, const S extends ScopeList = never, P extends AnyValue = never>(
    options: Policy<S, P> & Fits<S, P, undefined> & FitsContent<P, R> & {
      /** The URI of the resource. */
      readonly uri: string
      /** The name, which is unique among the registrations of its kind. */
      readonly name: string
      /** The description that clients show to models and people. Default: none. */
      readonly description?: string | undefined
      /** The media type of the content. Default: none. */
      readonly mimeType?: string | undefined
      /** The intended readers, as a hint for clients. Default: none. */
      readonly audience?: ReadonlyArray<"user" | "assistant"> | undefined
      /** The importance from 0 to 1, as a hint for clients. Default: none. */
      readonly priority?: number | undefined
      /** Returns the content. The gate checks the policy before it runs. */
      readonly content: Effect.Effect<typeof McpSchema.ReadResourceResult.Type | string | Uint8Array, E, R>
    }
  ): Layer.Layer<never, never, McpServer.ResourceRequirements<Needs<R, S, P>> | ServiceOfCheck<ServicesOf<P>>>
  <const Schemas extends ReadonlyArray<Schema.Constraint>>(segments: TemplateStringsArray, ...schemas: Schemas): <
    E,
    R,
    const S extends ScopeList = never,
    P extends AnyValue = never,
    const Completions extends Partial<McpServer.ResourceCompletions<Schemas>> = {}
  >(
    options: Policy<S, P> & Fits<S, P, undefined> & FitsContent<P, R> & {
      /** The name, which is unique among the registrations of its kind. */
      readonly name: string
      /** The description that clients show to models and people. Default: none. */
      readonly description?: string | undefined
      /** The media type of the content. Default: none. */
      readonly mimeType?: string | undefined
      /** The intended readers, as a hint for clients. Default: none. */
      readonly audience?: ReadonlyArray<"user" | "assistant"> | undefined
      /** The importance from 0 to 1, as a hint for clients. Default: none. */
      readonly priority?: number | undefined
      /** Functions that complete arguments. Default: none. */
      readonly completion?:
        | McpServer.ValidateCompletions<Completions, keyof McpServer.ResourceCompletions<Schemas>>
        | undefined
      /** Returns the content. The gate checks the policy before it runs. */
      readonly content: (
        uri: string,
        ...params: { readonly [K in keyof Schemas]: Schemas[K]["Type"] }
      ) => Effect.Effect<typeof McpSchema.ReadResourceResult.Type | string | Uint8Array, E, R>
    }
  ) => Layer.Layer<
    never,
    never,
    McpServer.ResourceTemplateRequirements<Schemas, Needs<R, S, P>, Completions> | ServiceOfCheck<ServicesOf<P>>
  >
} = // `any`: the two signatures above check the arguments.
  ((first: any, ...schemas: ReadonlyArray<any>) => {
    if (!isTemplate(first)) {
      return registerGuarded(
        "resource",
        first,
        { ...resourceTable, uri: true },
        withoutArguments,
        (annotations) => McpServer.registerResource({ ...first, annotations })
      )
    }
    const register = McpServer.registerResource(first, ...schemas)
    return (options: any) =>
      registerGuarded(
        "resource",
        options,
        { ...resourceTable, completion: true },
        withoutArguments,
        (annotations) => register({ ...options, annotations }),
        (rule) => withTemplateTarget(rule, first, schemas)
      )
  }) as never

const isTemplate = (first: object): first is TemplateStringsArray => Array.isArray(first) && "raw" in first

/**
 * Registers a prompt that requires scopes or a policy. Completions of its arguments require the same.
 *
 * **Example** (A prompt that requires a scope)
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
 * @see {@link McpServer.prompt} for the function that this one replaces
 *
 * @category layers
 * @since 0.1.0
 */
export const prompt = <
  E,
  R,
  const S extends ScopeList = never,
  P extends AnyValue = never,
  Params extends Schema.Struct.Fields = {},
  const Completions extends {
    readonly [K in keyof Params]?: (
      input: string,
      context: any
    ) => Effect.Effect<Array<Params[K]["Type"]>, any, any>
  } = {}
>(
  options: Policy<S, P> & Fits<S, P, Schema.Struct.Type<Params>> & FitsContent<P, R> & {
    /** The name, which is unique among the registrations of its kind. */
    readonly name: string
    /** The name that clients show to people. Default: none. */
    readonly title?: string | undefined
    /** The description that clients show to models and people. Default: none. */
    readonly description?: string | undefined
    /** The schemas of the arguments. Default: no arguments. */
    readonly parameters?: Params | undefined
    /** Functions that complete arguments. Default: none. */
    readonly completion?: McpServer.ValidateCompletions<Completions, Extract<keyof Params, string>> | undefined
    /** Returns the content. The gate checks the policy before it runs. */
    readonly content: (
      params: Schema.Struct.Type<Params>
    ) => Effect.Effect<Array<typeof McpSchema.PromptMessage.Type> | string, E, R>
  }
): Layer.Layer<
  never,
  never,
  McpServer.PromptRequirements<Params, Needs<R, S, P>, Completions> | ServiceOfCheck<ServicesOf<P>>
> =>
  registerGuarded(
    "prompt",
    options as Policy<ScopeList, AnyValue>,
    { ...policyTable, title: true, parameters: true, completion: true },
    () => decoderOf(options.parameters),
    (annotations) => McpServer.registerPrompt({ ...options, annotations } as never)
  ) as never

/** Returns the decoder of the arguments of a prompt. The server decodes them again for the content. */
const decoderOf = (parameters: Schema.Struct.Fields | undefined): Decode => {
  if (parameters === undefined) return () => Effect.succeed({})
  const decode = Schema.decodeUnknownEffect(
    Schema.Struct(parameters) as unknown as Schema.ConstraintDecoder<unknown>
  )
  return (raw) => decode(raw ?? {})
}
