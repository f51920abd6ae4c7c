/**
 * Requires a policy of the callers of tools and effects.
 *
 * @since 0.1.0
 */
import type * as Tool from "effect/ai/Tool"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { AccessDenied, InsufficientScope } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { Principal } from "../verification/Principal.ts"
import { AuthLayer } from "./Gate.ts"
import { isOpen } from "./policy/OpenPolicy.ts"
import type { BoundPolicy, Server } from "./policy/OperationPolicy.ts"
import {
  allOf,
  type AnyPolicy,
  type ArgsOf,
  isPolicy,
  type OpenPolicy,
  type PerRequest,
  scopes as scopesPolicy,
  type ScopesOf,
  type ServicesOf
} from "./policy/Policy.ts"
import { toScopes } from "./policy/PolicyValue.ts"
import { checkAnnotations, openConflict, RequiredPolicy } from "./RequiredPolicy.ts"
import {
  type AnnotatedTool,
  checkTool,
  type RegisterWithMcpAuthToolkit,
  type RequiredScopesOf,
  requireOfEffect,
  requireOfTool,
  withRequirements
} from "./RequireScopes.ts"
import { RequiredScopes } from "./ScopeAnnotations.ts"

/**
 * The requirement that the registration of a tool provides the service `R` to the checks of its policy. `McpAuth.toolkit` turns it
 * into a requirement of the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface CheckService<in out R> {
  readonly "~effect-mcp-auth/CheckService": (_: R) => R
}

/**
 * One `CheckService` for each member of a union of services.
 *
 * @category utility types
 * @since 0.1.0
 */
export type CheckServicesOf<R> = R extends unknown ? CheckService<R> : never

/**
 * The requirements that a policy adds to a tool.
 *
 * @category utility types
 * @since 0.1.0
 */
export type RequirementsOf<P> =
  | (P extends AnyPolicy ? Principal : never)
  | RequiredScopesOf<ScopesOf<P>>
  | CheckServicesOf<ServicesOf<P>>
  | RegisterWithMcpAuthToolkit

type ServicesOfEffect<R> = R extends PerRequest<infer C> ? C : R

/**
 * The type of a tool or an effect to which `requirePolicy` was applied.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Protected<T, P> = T extends Tool.Dynamic<infer N, infer C, infer R>
  ? Tool.Dynamic<N, C, R | RequirementsOf<P>>
  : T extends Tool.Tool<infer N, infer C, infer R> ? Tool.Tool<N, C, R | RequirementsOf<P>>
  : T extends Effect.Effect<infer A, infer E, infer R> ? Effect.Effect<
      A,
      E | InsufficientScope | AccessDenied,
      R | Principal | RequiredScopesOf<ScopesOf<P>> | ServicesOfEffect<ServicesOf<P>>
    >
  : never

/**
 * Rejects tools that lack an argument that a check of the policy reads, effects with such a policy, and effects with a policy that
 * also admits anonymous callers.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Fits<T, P> = T extends Tool.Any ? [Tool.Parameters<T>] extends [ArgsOf<P>] ? unknown
  : { readonly "the policy reads arguments that this tool does not have": ArgsOf<P> }
  : P extends AnyPolicy ? [unknown] extends [ArgsOf<P>] ? unknown
    : { readonly "the policy reads arguments, which an effect does not have": ArgsOf<P> }
  : { readonly "an open policy requires nothing of the caller of an effect": P }

/**
 * The annotation for the policy of a registration, bound to its server. `McpAuth.toolkit` sets it. Default: no policy.
 *
 * @category annotations
 * @since 0.1.0
 */
export const BoundRule: Context.Reference<BoundPolicy | undefined> = /*#__PURE__*/ Context.Reference<
  BoundPolicy | undefined
>("effect-mcp-auth/BoundRule", { defaultValue: () => undefined })

/**
 * Requires a policy of the caller of a tool or an effect.
 *
 * **When to use**
 *
 * Apply it to each tool of an MCP server before you add the tool to a toolkit, and to effects that a route or a handler runs. For a
 * list of scopes, `requireScopes` is shorter.
 *
 * **Details**
 *
 * The scopes of the policy, and the services of its checks, become requirements in the type of the tool. `McpAuth.toolkit` turns
 * the services into requirements of the layer. If `requirePolicy` and `requireScopes` are applied to one tool, the caller must
 * satisfy all of them.
 *
 * An effect fails with `InsufficientScope` or `AccessDenied`. The HTTP middleware answers these errors with 403.
 *
 * Throws `AuthConfigError` for a value that is not a policy, and for a combination with `requireScopesOf`: write a check instead.
 *
 * **Example** (An administrator, or the owner of the todo)
 *
 * ```ts
 * import { Context, Effect, Schema } from "effect"
 * import { Policy, requirePolicy } from "effect-mcp-auth"
 * import { Tool } from "effect/ai"
 *
 * class Todos extends Context.Service<Todos, { readonly ownerOf: (id: string) => Effect.Effect<string | undefined> }>()(
 *   "app/Todos"
 * ) {}
 *
 * const isOwner = Policy.check("owner", (caller, call: Policy.Call<{ readonly id: string }>) =>
 *   Effect.gen(function*() {
 *     const todos = yield* Todos
 *     return (yield* todos.ownerOf(call.arguments.id)) === caller.owner
 *   }))
 *
 * const EditTodo = requirePolicy(
 *   Policy.anyOf(Policy.scopes("todos:admin"), Policy.allOf(Policy.scopes("todos:write"), isOwner))
 * )(Tool.make("edit_todo", { parameters: Schema.Struct({ id: Schema.String }), success: Schema.Void }))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const requirePolicy = <P extends AnyPolicy | OpenPolicy<string>>(
  policy: P
): <T extends Effect.Effect<any, any, any> | Tool.Any>(self: T & Fits<T, P>) => Protected<T, P> => {
  if (!isPolicy(policy)) {
    throw ConfigOption.invalid("requirePolicy", policy, "a policy", "Give one such as Policy.role(\"admin\")")
  }
  const scopes = toScopes(policy)
  return (self) => {
    const made = Effect.isEffect(self)
      ? scopes === undefined ? requireOfAnyEffect(self, policy) : requireOfEffect(self, scopes)
      : scopes === undefined
      ? requireOfAnyTool(self as Tool.Any, policy)
      : requireOfTool(self as Tool.Any, scopes, "requirePolicy")
    return made as Protected<typeof self, P>
  }
}

const requireOfAnyTool = (tool: Tool.Any, policy: AnyPolicy | OpenPolicy<string>): Tool.Any => {
  checkTool(tool, "requirePolicy")
  const annotations = tool.annotations as Context.Context<never>
  const before = Context.get(annotations, RequiredPolicy)
  if (before !== undefined && (isOpen(policy) || isOpen(before))) throw openConflict(`the tool ${tool.name}`)
  const both = before === undefined ? policy : allOf(before as AnyPolicy, policy as AnyPolicy)
  const annotated = (tool as AnnotatedTool).annotate(RequiredPolicy, both)
  return withRequirements(annotated, policy.scopes, !isOpen(policy))
}

/**
 * Returns the policy of a registration: its scopes and its policy together. Returns `undefined` if it has only scopes, or neither.
 * Throws `AuthConfigError` if its annotations contradict each other.
 *
 * @category getters
 * @since 0.1.0
 */
export const policyOf = (annotations: Context.Context<never>): AnyPolicy | OpenPolicy<string> | undefined => {
  const policy = Context.get(annotations, RequiredPolicy)
  const [first, ...others] = Context.get(annotations, RequiredScopes)
  checkAnnotations("the registration", annotations)
  return policy === undefined || first === undefined
    ? policy
    : allOf(scopesPolicy(...([first, ...others] as never)), policy as AnyPolicy)
}

/**
 * Returns the scopes of a server that is not known: those of the policy, without a hierarchy.
 *
 * @category getters
 * @since 0.1.0
 */
export const unknownServer = ({ scopes }: { readonly scopes: ReadonlyArray<string> }): Server => ({
  baseline: [],
  offered: new Set(scopes),
  effectiveScopes: (granted) => granted
})

const requireOfAnyEffect = (self: Effect.Effect<any, any, any>, policy: AnyPolicy | OpenPolicy<string>) => {
  if (isOpen(policy)) {
    throw ConfigOption.error(
      "requirePolicy",
      "an open policy requires nothing of the caller of an effect. Remove it",
      "conflict"
    )
  }
  return Effect.flatMap(
    Effect.all([Principal, Effect.serviceOption(AuthLayer)]),
    ([principal, gate]): Effect.Effect<any, any, any> => {
      const rule = policy.bind(gate._tag === "Some" ? gate.value.resource : unknownServer(policy))
      const evaluated = rule.evaluator.evaluateCall(rule, principal, noCall, undefined)
      return Effect.flatMap(Effect.isEffect(evaluated) ? evaluated : Effect.succeed(evaluated), (verdict) => {
        switch (verdict._tag) {
          case "Granted":
            return self
          case "MissingScopes":
            return Effect.fail(new InsufficientScope({ reason: "missing-scope", required: verdict.required }))
          default:
            return Effect.fail(
              new AccessDenied({ reason: "denied", failed: verdict._tag === "Denied" ? verdict.failed : [] })
            )
        }
      })
    }
  )
}

const noCall = { method: "", target: "", arguments: undefined }
