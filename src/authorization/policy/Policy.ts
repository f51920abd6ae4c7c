/**
 * Policies: what an operation requires of its caller, as values that combine.
 *
 * A policy consists of scopes, roles, claims and checks, which `anyOf` and `allOf` combine. One policy determines whether a call
 * runs, which scopes the challenge asks for, what lists show, and which security schemes the server publishes.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Answer, Call, Condition } from "./Condition.ts"
import { type Alternative, both, minimize, sorted } from "./internal/alternatives.ts"
import type { BoundPolicy, Registration, Server } from "./OperationPolicy.ts"
import { PolicyValue } from "./PolicyValue.ts"
import { checkScopes } from "./ScopeList.ts"

export type { Answer, Call } from "./Condition.ts"

/**
 * A policy: what an operation requires of its caller. Each policy requires a caller with a valid token.
 *
 * **Details**
 *
 * The type lists everything that the policy mentions: the scopes `S`, which the server must offer, the services `R` that its
 * checks use, and the arguments `Args` that its checks read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<out S extends string, out R = never, in Args = unknown> {
  readonly "~effect-mcp-auth/Policy": {
    readonly S: (_: never) => S
    readonly R: (_: never) => R
    readonly Args: (_: Args) => void
  }
  /** Every scope that the policy mentions, in the order of their names. */
  readonly scopes: ReadonlyArray<S>
  /** Prepares the policy for a server. Server adapters call it when an operation is registered. */
  readonly bind: (server: Server, registration?: Registration) => BoundPolicy
}

/**
 * A policy that also admits anonymous callers. It cannot be combined with others: a handler behind the combination could read a
 * `Principal` that does not exist.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpenPolicy<out S extends string> {
  readonly "~effect-mcp-auth/OpenPolicy": (_: never) => S
  /** Every scope that the policy mentions, in the order of their names. */
  readonly scopes: ReadonlyArray<S>
  /** Prepares the policy for a server. Server adapters call it when an operation is registered. */
  readonly bind: (server: Server, registration?: Registration) => BoundPolicy
}

/**
 * Any policy that can be combined.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyPolicy = Policy<string, unknown, never>

/**
 * The scopes that a policy mentions.
 *
 * @category utility types
 * @since 0.1.0
 */
export type ScopesOf<P> = P extends Policy<infer S, infer _R, infer _A> ? S : P extends OpenPolicy<infer S> ? S : never

/**
 * The services that the checks of a policy use.
 *
 * @category utility types
 * @since 0.1.0
 */
export type ServicesOf<P> = P extends Policy<infer _S, infer R, infer _A> ? R : never

/**
 * The arguments that the checks of a policy read. For a union of policies it is the intersection: the operation must have all
 * arguments that any member reads.
 *
 * @category utility types
 * @since 0.1.0
 */
export type ArgsOf<P> = (P extends Policy<infer _S, infer _R, infer A> ? (_: A) => void : (_: unknown) => void) extends
  (_: infer I) => void ? I
  : never

/**
 * A list with at least one member. An empty `allOf` would admit every caller.
 *
 * @category utility types
 * @since 0.1.0
 */
export type NonEmpty<A> = readonly [A, ...ReadonlyArray<A>]

/**
 * Rejects scopes of the wide type `string`, which the compiler cannot compare with the configuration.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Literals<S extends ReadonlyArray<string>> = string extends S[number]
  ? readonly ["scopes must be literals: a value of type string cannot be checked against what the server offers"]
  : unknown

/**
 * A service that exists only during a request, such as the decoded claims of the caller. A policy that uses it needs a server
 * that provides the service for each request.
 *
 * @category models
 * @since 0.1.0
 */
export interface PerRequest<in out R> {
  readonly "~effect-mcp-auth/PerRequest": (_: R) => R
}

/** Returns the value behind a policy. Throws `AuthConfigError`, because a program in JavaScript can pass any value. */
const valueOf = (policy: unknown, option: string): PolicyValue => {
  if (policy instanceof PolicyValue && !policy.isOpen) return policy
  throw policy instanceof PolicyValue
    ? ConfigOption.error(
      option,
      "Policy.anyone and Policy.optional also admit anonymous callers, so they cannot be combined. Use them alone",
      "conflict"
    )
    : ConfigOption.invalid(option, policy, "a policy", "Give one such as Policy.role(\"admin\")")
}

const valuesOf = (policies: ReadonlyArray<unknown>, option: string): ReadonlyArray<PolicyValue> => {
  if (policies.length > 0) return policies.map((policy) => valueOf(policy, option))
  throw ConfigOption.error(option, "the list of policies is empty. Give at least one", "missing")
}

/**
 * Returns whether a value is a policy, open or not.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPolicy = (value: unknown): value is AnyPolicy | OpenPolicy<string> => value instanceof PolicyValue

/**
 * Requires all of these scopes. `requireScopes("a", "b")` is the same as `requirePolicy(Policy.scopes("a", "b"))`.
 *
 * Throws `AuthConfigError` for an empty list and for text that is not a scope token (RFC 6749 §3.3).
 *
 * @category constructors
 * @since 0.1.0
 */
export const scopes = <const S extends NonEmpty<string>>(...scopes: S & Literals<S>): Policy<S[number]> => {
  const all = sorted(checkScopes(scopes as ReadonlyArray<string>, "Policy.scopes"))
  return new PolicyValue([{ scopes: all, conditions: [] }], all) as unknown as Policy<S[number]>
}

/**
 * Requires at least one of these policies.
 *
 * **Details**
 *
 * If the caller satisfies none of them, the challenge asks for the smallest additional set of scopes that would suffice. Among
 * the policies that scopes can satisfy, it prefers, in this order:
 *
 * 1. the fewest missing scopes
 * 2. the fewest missing scopes outside the baseline
 * 3. the least power: the fewest implied scopes, then the earliest place in the list of the server
 *
 * So one scope with much power can be preferred to two with little power. To prevent that, give the powerful scope a role or a
 * check, or require it with a policy of another operation.
 *
 * Throws `AuthConfigError` if the policy has more than 64 alternatives.
 *
 * **Example** (Either the scope for all todos, or the scope for one's own)
 *
 * ```ts
 * import { Policy } from "effect-mcp-auth/policy"
 *
 * const canEdit = Policy.anyOf(
 *   Policy.scopes("todos:admin"),
 *   Policy.allOf(Policy.scopes("todos:write"), Policy.role("editor"))
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const anyOf = <const P extends NonEmpty<AnyPolicy>>(
  ...policies: P
): Policy<ScopesOf<P[number]>, ServicesOf<P[number]>, ArgsOf<P[number]>> => {
  const all = valuesOf(policies, "Policy.anyOf")
  return combined(minimize(all.flatMap(({ alternatives }) => alternatives), "Policy.anyOf"), all)
}

/**
 * Requires all of these policies.
 *
 * Throws `AuthConfigError` if the policy has more than 64 alternatives.
 *
 * **Example** (A scope and a role)
 *
 * ```ts
 * import { Policy } from "effect-mcp-auth/policy"
 *
 * const canPurge = Policy.allOf(Policy.scopes("todos:admin"), Policy.role("operator"))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const allOf = <const P extends NonEmpty<AnyPolicy>>(
  ...policies: P
): Policy<ScopesOf<P[number]>, ServicesOf<P[number]>, ArgsOf<P[number]>> => {
  const all = valuesOf(policies, "Policy.allOf")
  const [first, ...others] = all.map(({ alternatives }) => alternatives)
  return combined(
    others.reduce((left, right) => minimize(products(left, right), "Policy.allOf"), first!),
    all
  )
}

function* products(left: ReadonlyArray<Alternative>, right: ReadonlyArray<Alternative>): Generator<Alternative> {
  for (const a of left) for (const b of right) yield both(a, b)
}

// The types of `anyOf` and `allOf` state what the value is.
const combined = (alternatives: ReadonlyArray<Alternative>, policies: ReadonlyArray<PolicyValue>): any =>
  new PolicyValue(alternatives, sorted(policies.flatMap(({ scopes }) => scopes)))

const fromCondition = (condition: Condition): any => new PolicyValue([{ scopes: [], conditions: [condition] }], [])

/**
 * Requires a role. `Principal.roles` lists the roles of a caller: the profile of the authorization server, or the option `roles`,
 * names the claims that they come from.
 *
 * @category constructors
 * @since 0.1.0
 */
export const role = (name: string): Policy<never> =>
  fromCondition({
    key: `role ${checkName(name, "Policy.role")}`,
    label: `role ${name}`,
    dependsOn: "token",
    test: ({ roles }) => roles.has(name)
  })

/**
 * Requires a claim of the token. `predicate` receives the value of the claim, which is not validated in any other way. A token
 * without the claim does not satisfy the policy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const claim = (name: string, predicate: (value: unknown) => boolean): Policy<never> => {
  checkFunction(predicate, "Policy.claim", "a value")
  return fromCondition({
    key: Symbol(),
    label: `claim ${checkName(name, "Policy.claim")}`,
    dependsOn: "token",
    test: ({ claims }) => Object.hasOwn(claims, name) && OptionValue.ignoreFailure(predicate(claims[name]))
  })
}

/**
 * Requires something of the typed claims of the caller: the service that the option `claims` of the server provides for each
 * request.
 *
 * @category constructors
 * @since 0.1.0
 */
export const claims = <I, A>(
  service: Context.Key<I, A>,
  predicate: (claims: A) => boolean
): Policy<never, PerRequest<I>> => {
  checkFunction(predicate, "Policy.claims", "claims")
  return fromCondition({
    key: Symbol(),
    label: `claims ${service.key}`,
    dependsOn: "caller",
    test: () =>
      Effect.contextWith((context: Context.Context<never>) =>
        Effect.sync(() => OptionValue.ignoreFailure(predicate(Context.getUnsafe(context, service))))
      )
  })
}

/**
 * Requires that a check of the call returns `true`. The check runs only if its result can change the answer, and after the checks
 * that cost less.
 *
 * **Details**
 *
 * `name` names the check in logs. The check receives the caller, and the call with its decoded arguments. It returns a boolean, a
 * promise or an Effect. Services that the Effect needs become requirements of the policy.
 *
 * **Gotchas**
 *
 * A check can run for callers who lack a scope, before the server asks them for it. Return `false` for data that does not exist
 * and for data of others alike, so that the answer does not reveal which data exists. A check that throws, dies or rejects makes
 * the server answer 500.
 *
 * **Example** (Only the owner)
 *
 * ```ts
 * import { Context, Effect } from "effect"
 * import { Policy } from "effect-mcp-auth/policy"
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
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = <R = never, Args = unknown>(
  name: string,
  test: (caller: Principal, call: Call<Args>) => Answer<R>
): Policy<never, R, Args> => {
  checkFunction(test, "Policy.check", "a caller and a call")
  return fromCondition({ key: Symbol(), label: `check ${checkName(name, "Policy.check")}`, dependsOn: "call", test })
}

/**
 * Requires that a check of the caller returns `true`. Unlike `check`, it does not depend on the call, so lists evaluate it as
 * well, at most once for each request.
 *
 * @category constructors
 * @since 0.1.0
 */
export const checkCaller = <R = never>(name: string, test: (caller: Principal) => Answer<R>): Policy<never, R> => {
  checkFunction(test, "Policy.checkCaller", "a caller")
  return fromCondition({
    key: Symbol(),
    label: `check ${checkName(name, "Policy.checkCaller")}`,
    dependsOn: "caller",
    test
  })
}

/**
 * Requires a caller with a valid token, and nothing else.
 *
 * @category constructors
 * @since 0.1.0
 */
export const authenticated: Policy<never> = /*#__PURE__*/ new PolicyValue(
  [{ scopes: [], conditions: [] }],
  []
) as unknown as Policy<never>

/**
 * Admits every caller, also anonymous ones if the server allows them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const anyone: OpenPolicy<never> = /*#__PURE__*/ new PolicyValue([], [], true) as unknown as OpenPolicy<never>

/**
 * Admits every caller, and announces that callers who sign in with `policy` get more. The handler reads whether there is a
 * `Principal`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const optional = <S extends string>(policy: Policy<S>): OpenPolicy<S> => {
  const { alternatives, scopes } = valueOf(policy, "Policy.optional")
  return new PolicyValue(alternatives, scopes, true) as unknown as OpenPolicy<S>
}

const checkName = (name: unknown, option: string): string => {
  if (typeof name === "string" && name.trim() !== "") return name
  throw ConfigOption.invalid(option, name, "a name", "Give a text that is not empty as the first argument")
}

const checkFunction = (test: unknown, option: string, takes: string): void => {
  if (typeof test === "function") return
  throw ConfigOption.invalid(option, test, "a function", `Give one that takes ${takes} as the second argument`)
}
