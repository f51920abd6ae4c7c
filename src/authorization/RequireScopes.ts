/**
 * Requires scopes of the callers of tools and effects. The types of the tools and effects contain the scopes, so the compiler
 * checks that the configuration offers them.
 *
 * @since 0.1.0
 */
import type * as Tool from "effect/ai/Tool"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { InsufficientScope } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import { Principal } from "../verification/Principal.ts"
import type { Unauthorized as UnauthorizedAnswer } from "./policy/OperationPolicy.ts"
import type { Literals } from "./policy/Policy.ts"
import { checkScopes } from "./policy/ScopeList.ts"
import { checkAnnotations } from "./RequiredPolicy.ts"
import { type Conditional, ConditionalScopes, RequiredScopes } from "./ScopeAnnotations.ts"

/**
 * The requirement that the configuration offers the scope `S`. `AuthLayer` provides it.
 *
 * **Details**
 *
 * The type is invariant, so a layer whose scopes have the wide type `string` provides none of these requirements.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequiredScope<in out S extends string> {
  readonly "~effect-mcp-auth/RequiredScope": (_: S) => S
}

/**
 * One `RequiredScope` for each member of a union of scopes.
 *
 * @category utility types
 * @since 0.1.0
 */
export type RequiredScopesOf<S extends string> = S extends string ? RequiredScope<S> : never

/**
 * Returns the key of the requirement of a scope.
 *
 * @category keys
 * @since 0.1.0
 */
export const requiredScope = <S extends string>(scope: S): Context.Service<RequiredScope<S>, S> =>
  // A reference, which has a default and needs no entry in the context: the requirement matters to the compiler only. Effect
  // copies the context of a server several times for each tool call, so a hundred scopes must not add a hundred services.
  Context.Reference<S>(`effect-mcp-auth/RequiredScope/${scope}`, {
    defaultValue: () => scope
  }) as unknown as Context.Service<RequiredScope<S>, S>

/**
 * The requirement that a tool is registered with `McpAuth.toolkit`. Only that function provides it. A tool with scopes that is
 * registered with the `McpServer.toolkit` of Effect would run without a check, so it does not compile.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisterWithMcpAuthToolkit {
  readonly "~effect-mcp-auth/RegisterWithMcpAuthToolkit": unique symbol
}

/**
 * The key of `RegisterWithMcpAuthToolkit`.
 *
 * @category keys
 * @since 0.1.0
 */
export const registerWithMcpAuthToolkit: Context.Service<RegisterWithMcpAuthToolkit, void> = /*#__PURE__*/ Context
  .Service("effect-mcp-auth/RegisterWithMcpAuthToolkit")

/**
 * The annotation that selects the response to a caller without the required scopes of a tool, resource or prompt.
 *
 * **Details**
 *
 * - `"challenge"` (default): the server lists the operation, and answers a call with 403 and the scopes to request.
 * - `"deny"`: the server lists the operation, and answers a call with 403 without a challenge.
 * - `"hide"`: the server does not list the operation, answers a call as if its name did not exist, and sends no updates of it
 *   to subscribers.
 *
 * **Example** (A tool that is hidden from other callers)
 *
 * ```ts
 * import { requireScopes, Policy } from "effect-mcp-auth"
 * import { Schema } from "effect"
 * import { Tool } from "effect/ai"
 *
 * const Purge = requireScopes("todos:admin")(Tool.make("purge", { success: Schema.Void }))
 *   .annotate(Policy.Unauthorized, "hide")
 * ```
 *
 * @category annotations
 * @since 0.1.0
 */
export const Unauthorized: Context.Reference<UnauthorizedAnswer> = /*#__PURE__*/ Context.Reference<UnauthorizedAnswer>(
  "effect-mcp-auth/Unauthorized",
  { defaultValue: () => "challenge" }
)

/**
 * Returns the scopes that a call requires. `params` is the member of that name in the JSON-RPC message.
 *
 * @category getters
 * @since 0.1.0
 */
export const ofCall = (annotations: Context.Context<never>, params: unknown): ReadonlyArray<string> => {
  const always = Context.get(annotations, RequiredScopes)
  const conditional = Context.get(annotations, ConditionalScopes)
  if (conditional.length === 0) return always
  const readable = typeof params === "object" && params !== null
  const raw = readable && Object.hasOwn(params, "arguments") ? (params as { arguments: unknown }).arguments : undefined
  return ScopeToken.unique([
    ...always,
    ...conditional.flatMap(({ scopes, select }) => readable ? select(raw ?? {}) : scopes)
  ])
}

/**
 * Returns every scope that a call may require. The server must offer all of them.
 *
 * @category getters
 * @since 0.1.0
 */
export const ofAnyCall = (annotations: Context.Context<never>): ReadonlyArray<string> =>
  ScopeToken.unique([
    ...Context.get(annotations, RequiredScopes),
    ...Context.get(annotations, ConditionalScopes).flatMap(({ scopes }) => scopes)
  ])

/**
 * The annotation for a tool that requires no scopes, but whose handler reads `Principal`. Even if anonymous requests are
 * allowed, the server answers a call without credentials with 401. Tools with scopes always require a principal.
 *
 * **Example** (A tool for all callers with a valid token)
 *
 * ```ts
 * import { Principal, Policy } from "effect-mcp-auth"
 * import { Schema } from "effect"
 * import { Tool } from "effect/ai"
 *
 * const Mine = Tool.make("mine", { success: Schema.String, dependencies: [Principal] })
 *   .annotate(Policy.Authenticated, true)
 * ```
 *
 * @category annotations
 * @since 0.1.0
 */
export const Authenticated: Context.Reference<boolean> = /*#__PURE__*/ Context.Reference(
  "effect-mcp-auth/Authenticated",
  { defaultValue: () => false }
)

/**
 * A non-empty list of scopes with literal types.
 *
 * @category utility types
 * @since 0.1.0
 */
export type ScopeList = readonly [string, ...ReadonlyArray<string>]

/**
 * The type of a tool or an effect to which `requireScopes` was applied.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Scoped<T, S extends string> = T extends Tool.Dynamic<infer N, infer C, infer R>
  ? Tool.Dynamic<N, C, R | Principal | RequiredScopesOf<S> | RegisterWithMcpAuthToolkit>
  : T extends Tool.Tool<infer N, infer C, infer R>
    ? Tool.Tool<N, C, R | Principal | RequiredScopesOf<S> | RegisterWithMcpAuthToolkit>
  : T extends Effect.Effect<infer A, infer E, infer R>
    ? Effect.Effect<A, E | InsufficientScope, R | Principal | RequiredScopesOf<S>>
  : never

/**
 * Requires scopes of the caller of a tool or an effect.
 *
 * **When to use**
 *
 * Apply it to each tool of an MCP server before you add the tool to a toolkit, and to effects that a route or a handler runs.
 *
 * **Details**
 *
 * A tool gets the scopes as annotations and as requirements in its type. An effect fails with `InsufficientScope` if the
 * `Principal` lacks one of them. The HTTP middleware answers this error with a 403 challenge. If `requireScopes` is applied
 * twice, all scopes are required, and one challenge names all of them.
 *
 * Throws `AuthConfigError` for an empty list and for text that is not a scope token (RFC 6749 §3.3).
 *
 * **Example** (A tool that needs two scopes)
 *
 * ```ts
 * import { requireScopes } from "effect-mcp-auth"
 * import { Schema } from "effect"
 * import { Tool } from "effect/ai"
 *
 * const AddTodo = requireScopes("todos:read", "todos:write")(
 *   Tool.make("add_todo", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.Void })
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const requireScopes = <const S extends ScopeList>(
  ...scopes: S & Literals<S>
): <T extends Effect.Effect<any, any, any> | Tool.Any>(self: T) => Scoped<T, S[number]> => {
  const checked = checkScopes(scopes as ReadonlyArray<string>, "requireScopes")
  // One signature with a conditional result, because inside `.pipe` TypeScript selects the last of several overloads.
  return <T extends Effect.Effect<any, any, any> | Tool.Any>(self: T) =>
    (Effect.isEffect(self) ? requireOfEffect(self, checked) : requireOfTool(self as Tool.Any, checked)) as Scoped<
      T,
      S[number]
    >
}

/**
 * Requires scopes that depend on the arguments of a call.
 *
 * **When to use**
 *
 * Use it for a tool whose calls need different rights, for example one that lists either the todos of the caller or those of
 * all users. For scopes that every call requires, use `requireScopes`. Both can be applied to one tool.
 *
 * **Details**
 *
 * `scopes` lists every scope that a call may require. They are in the type of the tool, and the server must offer them.
 * `select` receives the decoded arguments before the tool runs, and returns the scopes that this call requires. One challenge
 * names all of them.
 *
 * **Gotchas**
 *
 * `select` must be pure and fast. If it throws, or the arguments do not decode, the call requires all of `scopes`.
 *
 * **Example** (Listing the todos of all users requires another scope)
 *
 * ```ts
 * import { Policy } from "effect-mcp-auth"
 * import { Schema } from "effect"
 * import { Tool } from "effect/ai"
 *
 * const ListTodos = Policy.requireScopesOf(
 *   Tool.make("list_todos", { parameters: Schema.Struct({ all: Schema.Boolean }), success: Schema.String }),
 *   ["todos:read", "todos:admin"],
 *   ({ all }) => all ? ["todos:read", "todos:admin"] : ["todos:read"]
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const requireScopesOf = <T extends Tool.Any, const S extends ScopeList>(
  tool: T,
  scopes: S & Literals<S>,
  select: (parameters: Tool.Parameters<T>) => ReadonlyArray<S[number]>
): Scoped<T, S[number]> => {
  checkTool(tool, "requireScopesOf")
  const all = checkScopes(scopes as ReadonlyArray<string>, "requireScopesOf")
  const decode = Schema.isSchema(tool.parametersSchema)
    ? Schema.decodeUnknownOption(tool.parametersSchema as unknown as Schema.ConstraintDecoder<unknown>)
    : Option.some
  const conditional: Conditional = {
    scopes: all,
    select: (raw) => {
      try {
        const decoded = decode(raw)
        return decoded._tag === "None" ? all : select(decoded.value as Tool.Parameters<T>)
      } catch {
        return all
      }
    }
  }
  const before = Context.get(tool.annotations as Context.Context<never>, ConditionalScopes)
  return withRequirements(
    (tool as AnnotatedTool).annotate(ConditionalScopes, [...before, conditional]),
    all
  ) as Scoped<T, S[number]>
}

/** Checks a tool at runtime, because a program in JavaScript can pass any value. Throws `AuthConfigError`. */
export const checkTool = (tool: unknown, option: string): void => {
  const isTool = (typeof tool === "object" || typeof tool === "function") && tool !== null && "addDependency" in tool
  if (isTool) return
  throw option !== "requireScopesOf"
    ? ConfigOption.invalid(option, tool, "a Tool or an Effect", "Apply it to a Tool or an Effect")
    : ConfigOption.invalid(option, tool, "a Tool", "Give a Tool as the first argument")
}

/** Adds required scopes to a tool. */
export const requireOfTool = (tool: Tool.Any, scopes: ReadonlyArray<string>, option = "requireScopes"): Tool.Any => {
  checkTool(tool, option)
  const all = ScopeToken.unique([...Context.get(tool.annotations, RequiredScopes), ...scopes])
  return withRequirements((tool as AnnotatedTool).annotate(RequiredScopes, all), all)
}

/** A tool with the two methods that the type `Tool.Any` does not have. */
export interface AnnotatedTool extends Tool.Any {
  readonly annotate: <A>(key: Context.Key<never, A>, value: A) => AnnotatedTool
  readonly addDependency: (key: Context.Key<any, any>) => AnnotatedTool
}

/**
 * Adds `Principal`, the requirement of `McpAuth.toolkit` and one requirement per scope to a tool. Throws `AuthConfigError` if the
 * annotations of the tool contradict each other.
 */
export const withRequirements = (
  tool: AnnotatedTool,
  scopes: ReadonlyArray<string>,
  needsPrincipal = true
): Tool.Any => {
  checkAnnotations(`the tool ${tool.name}`, tool.annotations as Context.Context<never>)
  return [...(needsPrincipal ? [Principal] : []), registerWithMcpAuthToolkit, ...scopes.map(requiredScope)].reduce(
    (self: AnnotatedTool, key) => self.addDependency(key),
    tool
  )
}

/**
 * The effects that `requireScopes` returned, with their scopes. If `requireScopes` is applied again, it adds its scopes to the
 * earlier ones, so one challenge names all of them.
 */
const wrapped = new WeakMap<
  object,
  { readonly inner: Effect.Effect<any, any, any>; readonly scopes: ReadonlyArray<string> }
>()

/** Adds required scopes to an effect. */
export const requireOfEffect = (self: Effect.Effect<any, any, any>, scopes: ReadonlyArray<string>) => {
  const before = wrapped.get(self)
  const inner = before?.inner ?? self
  const required = ScopeToken.unique([...(before?.scopes ?? []), ...scopes])
  const effect = Effect.flatMap(
    Principal,
    (principal): Effect.Effect<any, any, any> =>
      required.every((scope) => principal.scopes.has(scope))
        ? inner
        : Effect.fail(new InsufficientScope({ reason: "missing-scope", required }))
  )
  wrapped.set(effect, { inner, scopes: required })
  return effect
}
