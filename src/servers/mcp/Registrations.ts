/**
 * Registers tools, resources and prompts that require scopes.
 *
 * @since 0.1.0
 */
import type * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import type * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { AuthLayer } from "../../authorization/Gate.ts"
import {
  type CheckService,
  type Literals,
  type PerRequest,
  type RegisterWithMcpAuthToolkit,
  RequiredPolicy,
  RequiredScopes,
  type RequiredScopesOf,
  type ScopeList,
  Unauthorized
} from "../../authorization/Policy.ts"
import type { OperationPolicy, Server } from "../../authorization/policy/OperationPolicy.ts"
import { checkScopes } from "../../authorization/policy/ScopeList.ts"
import { BoundRule, policyOf, unknownServer } from "../../authorization/RequirePolicy.ts"
import type { AnnotatedTool } from "../../authorization/RequireScopes.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"
import { OfferedScopes } from "./internal/registry.ts"
import { guard, layerObserver, type PolicyForCall, policyFromAnnotations } from "./internal/scopeGuard.ts"

/** Removes the requirement of `toolkit`, and turns the services of checks into requirements of the layer or of each request. */
type Registered<R> = R extends McpServer.McpRequest<"Requires", infer T> ? T extends RegisterWithMcpAuthToolkit ? never
  : T extends CheckService<infer X> ? X extends PerRequest<infer _> ? McpServer.McpRequest<"Requires", X> : X
  : R
  : R

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
  const hides = [...annotations.values()].some((_) => Context.get(_, Unauthorized) === "hide")
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
 * The policy of a resource or a prompt: what it requires of its callers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<S extends ScopeList> {
  /** The required scopes: the caller needs all of them to read the resource, to get the prompt, or to complete an argument. */
  readonly scopes: S & Literals<S>
  /**
   * Decides the answer if the caller lacks a scope. `"challenge"`: the server answers 403 with the missing scopes. `"hide"`:
   * the server answers as if the registration did not exist, and lists it nowhere. Default: `"challenge"`.
   */
  readonly unauthorized?: "challenge" | "hide" | undefined
}

type Needs<R, S extends ScopeList> = Exclude<R | Principal | RequiredScopesOf<S[number]>, never>

/** The names of the options of `resource` and `prompt`, with those of Effect's functions. */
type Names = "scopes" | "unauthorized" | "name" | "description" | "content"

const policyTable: ConfigOption.Table<Names> = {
  scopes: true,
  unauthorized: ConfigOption.oneOf("challenge", "hide"),
  name: true,
  description: true,
  content: true
}

const resourceTable = { ...policyTable, mimeType: true, audience: true, priority: true } as const

const registerGuarded = <S extends ScopeList>(
  option: "prompt" | "resource",
  options: Policy<S>,
  table: ConfigOption.Table<string>,
  register: (annotations: Context.Context<never>) => Effect.Effect<void, never, any>
): Layer.Layer<never, never, any> => {
  ConfigOption.check(options, option, table, "Give one with name, scopes and content")
  const { scopes, unauthorized = "challenge" } = options
  const policy: OperationPolicy = {
    scopes: checkScopes(scopes as ReadonlyArray<string>, `${option}.scopes`),
    unauthorized
  }
  const annotations = Context.make(RequiredScopes, policy.scopes).pipe(Context.add(Unauthorized, unauthorized))
  return Layer.effectDiscard(register(annotations)).pipe(
    Layer.provide(guard([annotations], () => policy, unauthorized === "hide")),
    Layer.provide(layerObserver())
  )
}

/**
 * Registers a resource, or a resource template, that requires scopes.
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
  <const S extends ScopeList, E, R>(
    options: Policy<S> & {
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
      /** Returns the content. The gate checks the scopes before it runs. */
      readonly content: Effect.Effect<typeof McpSchema.ReadResourceResult.Type | string | Uint8Array, E, R>
    }
  ): Layer.Layer<never, never, McpServer.ResourceRequirements<Needs<R, S>>>
  <const Schemas extends ReadonlyArray<Schema.Constraint>>(segments: TemplateStringsArray, ...schemas: Schemas): <
    const S extends ScopeList,
    E,
    R,
    const Completions extends Partial<McpServer.ResourceCompletions<Schemas>> = {}
  >(
    options: Policy<S> & {
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
      /** Returns the content. The gate checks the scopes before it runs. */
      readonly content: (
        uri: string,
        ...params: { readonly [K in keyof Schemas]: Schemas[K]["Type"] }
      ) => Effect.Effect<typeof McpSchema.ReadResourceResult.Type | string | Uint8Array, E, R>
    }
  ) => Layer.Layer<never, never, McpServer.ResourceTemplateRequirements<Schemas, Needs<R, S>, Completions>>
} = // `any`: the two signatures above check the arguments.
  ((first: any, ...schemas: ReadonlyArray<any>) => {
    if (!isTemplate(first)) {
      return registerGuarded(
        "resource",
        first,
        { ...resourceTable, uri: true },
        (annotations) => McpServer.registerResource({ ...first, annotations })
      )
    }
    const register = McpServer.registerResource(first, ...schemas)
    return (options: any) =>
      registerGuarded(
        "resource",
        options,
        { ...resourceTable, completion: true },
        (annotations) => register({ ...options, annotations })
      )
  }) as never

const isTemplate = (first: object): first is TemplateStringsArray => Array.isArray(first) && "raw" in first

/**
 * Registers a prompt that requires scopes.
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
  options: Policy<S> & {
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
    /** Returns the content. The gate checks the scopes before it runs. */
    readonly content: (
      params: Schema.Struct.Type<Params>
    ) => Effect.Effect<Array<typeof McpSchema.PromptMessage.Type> | string, E, R>
  }
): Layer.Layer<never, never, McpServer.PromptRequirements<Params, Needs<R, S>, Completions>> =>
  registerGuarded(
    "prompt",
    options as Policy<ScopeList>,
    { ...policyTable, title: true, parameters: true, completion: true },
    (annotations) => McpServer.registerPrompt({ ...options, annotations })
  ) as never
