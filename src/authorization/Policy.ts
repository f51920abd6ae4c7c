/**
 * Scopes in the types: what a tool or an effect demands of its caller, and what the configuration must offer for it.
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
import { check } from "./OperationPolicy.ts"

export * from "./OperationPolicy.ts"

/**
 * The requirement "the configuration must offer the scope `S`", which `AuthLayer` meets.
 *
 * **Details**
 *
 * Invariant: a layer whose scopes have the wide type `string` meets none of them.
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
 * The key under which a scope's requirement stands in a context.
 *
 * @category keys
 * @since 0.1.0
 */
export const requiredScope = <S extends string>(scope: S): Context.Service<RequiredScope<S>, S> =>
  // Required by the types alone. Effect copies the context of a server several times for each tool call, with every
  // service in it: a server of a hundred scopes has no hundred entries there.
  Context.Reference<S>(`effect-mcp-auth/RequiredScope/${scope}`, {
    defaultValue: () => scope
  }) as unknown as Context.Service<RequiredScope<S>, S>

/**
 * The requirement "register this tool with `McpAuth.toolkit`". Only that function meets it: a tool with scopes that is
 * registered with the stock `McpServer.toolkit` would run unguarded, so it does not compile.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisterWithMcpAuthToolkit {
  readonly "~effect-mcp-auth/RegisterWithMcpAuthToolkit": unique symbol
}

/**
 * The key of that requirement.
 *
 * @category keys
 * @since 0.1.0
 */
export const registerWithMcpAuthToolkit: Context.Service<RegisterWithMcpAuthToolkit, void> = /*#__PURE__*/ Context
  .Service("effect-mcp-auth/RegisterWithMcpAuthToolkit")

/**
 * The annotation of a tool, resource or prompt that names its scopes. Absent means none.
 *
 * **When to use**
 *
 * `requireScopes` writes it; read it where an adapter of your own has to know what a tool needs.
 *
 * @category annotations
 * @since 0.1.0
 */
export const RequiredScopes: Context.Reference<ReadonlyArray<string>> = /*#__PURE__*/ Context.Reference<
  ReadonlyArray<string>
>(
  "effect-mcp-auth/RequiredScopes",
  { defaultValue: () => [] }
)

/**
 * The annotation of a tool, resource or prompt that says what a caller without its scopes meets.
 *
 * **Details**
 *
 * `"challenge"` (default): it is listed, and a call is answered with 403 and the scopes to ask for. `"hide"`: it is not
 * listed, and a call is answered as one to a name that does not exist. A subscription sends no update of it.
 *
 * **Example** (A tool that others do not see)
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
export const Unauthorized: Context.Reference<"challenge" | "hide"> = /*#__PURE__*/ Context.Reference<
  "challenge" | "hide"
>(
  "effect-mcp-auth/Unauthorized",
  { defaultValue: () => "challenge" }
)

/**
 * Scopes of a tool that depend on the arguments of a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Conditional {
  /** Every scope that may be needed. */
  readonly scopes: ReadonlyArray<string>
  /** What the raw arguments of a call need; all of `scopes` where they cannot be read. */
  readonly select: (raw: unknown) => ReadonlyArray<string>
}

/**
 * The annotation of a tool that names its scopes beyond `RequiredScopes`, each for some calls.
 *
 * @category annotations
 * @since 0.1.0
 */
export const ConditionalScopes: Context.Reference<ReadonlyArray<Conditional>> = /*#__PURE__*/ Context.Reference<
  ReadonlyArray<Conditional>
>(
  "effect-mcp-auth/ConditionalScopes",
  { defaultValue: () => [] }
)

/**
 * The scopes that a call with these raw arguments needs. `params` are those of the JSON-RPC message.
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
 * Every scope that some call may need: what a server must offer.
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
 * The annotation of a tool without scopes whose handler reads `Principal`: where anonymous requests are allowed, a call
 * without credentials is asked to sign in. Tools with scopes need a caller anyway.
 *
 * **Example** (A tool for whoever has signed in)
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
 * Rejects the wide type `string`, of which no configuration could be checked.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Literals<S extends ReadonlyArray<string>> = string extends S[number]
  ? readonly ["scopes must be literals: a value of type string cannot be checked against what the server offers"]
  : unknown

/**
 * What `requireScopes` makes of a tool or an effect.
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
 * Demands scopes of whoever calls a tool or runs an effect.
 *
 * **When to use**
 *
 * On each tool of an MCP server, before it goes into a toolkit; on any effect that a route or a handler runs.
 *
 * **Details**
 *
 * A tool gets the scopes as annotations and as requirements in its type. An effect fails with `InsufficientScope` when
 * the `Principal` lacks one of them; the HTTP middleware answers that with a 403 challenge. Applied twice, the scopes add
 * up, and a caller is asked for all of them at once.
 *
 * Throws `AuthConfigError` for an empty list and for what is no scope token (RFC 6749 §3.3).
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
  const checked = check(scopes as ReadonlyArray<string>, "requireScopes")
  // One signature with a conditional result: inside `.pipe` TypeScript would take the last of several overloads.
  return <T extends Effect.Effect<any, any, any> | Tool.Any>(self: T) =>
    (Effect.isEffect(self) ? requireOfEffect(self, checked) : requireOfTool(self as Tool.Any, checked)) as Scoped<
      T,
      S[number]
    >
}

/**
 * Demands scopes that depend on the arguments of a call.
 *
 * **When to use**
 *
 * Where one tool does harmless and harmful things, such as a listing of one's own entries or of everybody's. Scopes that
 * every call needs are `requireScopes`; both may be applied.
 *
 * **Details**
 *
 * `scopes` names all that may be needed: it stands in the type of the tool, and the server must offer it. `select` gets
 * the decoded arguments before the tool runs and gives what this call needs, all of which is asked for in one challenge.
 *
 * **Gotchas**
 *
 * `select` must be pure and quick. Where it throws, or the arguments do not decode, the call needs every one of `scopes`.
 *
 * **Example** (Everybody's todos need more than one's own)
 *
 * ```ts
 * import { Policy } from "effect-mcp-auth"
 * import { Schema } from "effect"
 * import { Tool } from "effect/ai"
 *
 * const ListTodos = Policy.requireScopesOf(
 *   Tool.make("list_todos", { parameters: Schema.Struct({ everybody: Schema.Boolean }), success: Schema.String }),
 *   ["todos:read", "todos:admin"],
 *   ({ everybody }) => everybody ? ["todos:read", "todos:admin"] : ["todos:read"]
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
  const all = check(scopes as ReadonlyArray<string>, "requireScopesOf")
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
  return demand((tool as any).annotate(ConditionalScopes, [...before, conditional]), all) as Scoped<T, S[number]>
}

/** From JavaScript it may be anything. */
const checkTool = (tool: unknown, option: string): void => {
  const isTool = (typeof tool === "object" || typeof tool === "function") && tool !== null && "addDependency" in tool
  if (isTool) return
  throw option === "requireScopes"
    ? ConfigOption.invalid(option, tool, "a Tool or an Effect", "Apply it to a Tool or an Effect")
    : ConfigOption.invalid(option, tool, "a Tool", "Give a Tool as the first argument")
}

const requireOfTool = (tool: Tool.Any, scopes: ReadonlyArray<string>): Tool.Any => {
  checkTool(tool, "requireScopes")
  const all = ScopeToken.unique([...Context.get(tool.annotations, RequiredScopes), ...scopes])
  return demand((tool as any).annotate(RequiredScopes, all), all)
}

const demand = (tool: Tool.Any, scopes: ReadonlyArray<string>): Tool.Any =>
  [Principal, registerWithMcpAuthToolkit, ...scopes.map(requiredScope)].reduce(
    (self: Tool.Any, key) => (self as any).addDependency(key),
    tool
  )

/** What was wrapped before, so that a second wrapping asks for everything in one challenge. */
const wrapped = new WeakMap<
  object,
  { readonly inner: Effect.Effect<any, any, any>; readonly scopes: ReadonlyArray<string> }
>()

const requireOfEffect = (self: Effect.Effect<any, any, any>, scopes: ReadonlyArray<string>) => {
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
