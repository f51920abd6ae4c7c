/**
 * The policies of tools, prompts and resources: how they are checked, and where they are kept.
 */
import * as Effect from "effect/Effect"
import type { BoundPolicy, OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import { checkScopes } from "../../authorization/policy/ScopeList.ts"
import type { Verdict } from "../../authorization/policy/Verdict.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import { own } from "../../protocol/Json.ts"
import type { Operation } from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import { makeVisibility, type Viewer, type WithServices } from "./Visibility.ts"

/** The policy of a registration. Unlike an `OperationPolicy`, its scopes may depend on the arguments of a call. */
export interface RegistrationPolicy {
  readonly scopes: ReadonlyArray<string> | ((args: any) => ReadonlyArray<string>)
  readonly unauthorized: OperationPolicy["unauthorized"]
  /** A policy that is more than a list of scopes. `scopes` is then empty. */
  readonly rule?: BoundPolicy | undefined
}

/** Checks the policy of a registration. Throws `AuthConfigError` if it is wrong; the error names the registration by `what`. */
export const checkPolicy = (
  what: string,
  { rule, scopes, unauthorized }: RegistrationPolicy,
  offered: ReadonlySet<string>
): RegistrationPolicy => {
  if (unauthorized !== "challenge" && unauthorized !== "deny" && unauthorized !== "hide") {
    throw new AuthConfigError({
      reason: "malformed",
      option: `${what}.unauthorized`,
      fix: `${OptionValue.isNot(unauthorized, "\"challenge\", \"deny\" or \"hide\"")}. Leave it out for "challenge"`
    })
  }
  if (rule !== undefined) return { scopes: [], unauthorized, rule }
  if (typeof scopes === "function") {
    if (unauthorized !== "hide") return { scopes, unauthorized }
    throw new AuthConfigError({
      reason: "conflict",
      option: `${what}.unauthorized`,
      fix:
        "\"hide\" cannot be combined with scopes that depend on the arguments: a list is made without arguments. Give a " +
        "list of scopes, or remove unauthorized"
    })
  }
  if (!Array.isArray(scopes)) {
    throw new AuthConfigError({
      reason: "malformed",
      option: `${what}.scopes`,
      fix: `${OptionValue.isNot(scopes, "a list of scopes")}. Write one such as ["todos:write"]`
    })
  }
  const checked = scopes.length === 0 ? [] : checkScopes(scopes, `${what}.scopes`)
  const missing = checked.find((scope) => !offered.has(scope))
  if (missing === undefined) return { scopes: checked, unauthorized }
  throw new AuthConfigError({
    reason: "not-offered",
    option: "scopes",
    fix: `${what} requires ${missing}, which the server does not offer. Add it to scopes (baseline or stepUp)`
  })
}

/**
 * Evaluates the scopes of a call that depend on its arguments. Throws what the function throws, or an `AuthConfigError` if the
 * function returns no list.
 */
export const scopesFor = (
  scopes: (args: any) => ReadonlyArray<string>,
  args: unknown,
  operation: string
): ReadonlyArray<string> => {
  const needed: unknown = OptionValue.ignoreFailure(scopes(args))
  if (Array.isArray(needed)) return needed
  throw new AuthConfigError({
    reason: "malformed",
    option: "scopes",
    fix:
      `the function of ${operation} returned ${
        OptionValue.describe(needed)
      }; expected a list of scopes. Return one such as ` +
      "[\"todos:write\"], and no promise"
  })
}

/** The policy of operations for which the author of the server set no policy: any valid token is enough. */
export const needsCaller: OperationPolicy = { scopes: [], unauthorized: "challenge", authenticated: true }

/** Returns whether a caller has every scope of a list. An anonymous caller has none. */
export const hasScopes = (principal: Principal | undefined, scopes: ReadonlyArray<string>): boolean =>
  scopes.every((scope) => principal?.scopes.has(scope) === true)

/** Returns the verdict about a call that requires a list of scopes. `isDynamic`: the list depends on the arguments. */
export const evaluateScopes = (
  principal: Principal | undefined,
  required: ReadonlyArray<string>,
  isDynamic: boolean
): Verdict => {
  if (principal === undefined && (isDynamic || required.length > 0)) return { _tag: "SignIn", required }
  return hasScopes(principal, required)
    ? { _tag: "Granted", required }
    : { _tag: "MissingScopes", required, missing: required }
}

/** Returns the error of a call that its policy does not admit, and otherwise `undefined`. */
export type RejectUnlessGranted = (
  operation: string,
  unauthorized: OperationPolicy["unauthorized"],
  verdict: Verdict,
  caller: Principal | undefined,
  context: unknown
) => Promise<Error> | undefined

/** The policies of all registrations of one program. */
export interface RegistrationPolicies {
  readonly set: (registration: object, policy: RegistrationPolicy) => void
  /** Returns the policy of a registration, or `undefined` if the registration was made without this library. */
  readonly get: (registration: object) => RegistrationPolicy | undefined
  /**
   * Returns the verdict about an operation that names a registration: a completion, a subscription or the update of a resource.
   * Checks of the call count as passed for a completion, and scopes that depend on arguments as granted, because there are no
   * arguments. Returns `undefined` if the registration was made without this library.
   */
  readonly evaluateOperation: (
    registration: object,
    operation: Operation,
    viewer: Viewer
  ) => Verdict | Effect.Effect<Verdict> | undefined
  /**
   * Returns whether a caller may use the tasks that calls of a tool created. Checks of the call count as passed: they decided when
   * the task was created, and requests for a task have no arguments.
   */
  readonly isTaskAllowed: (registration: object, viewer: Viewer) => boolean | Effect.Effect<boolean>
  /**
   * Returns whether a registration is hidden from a caller. A registration whose checks have not been evaluated for this request is
   * hidden.
   */
  readonly isHidden: (registration: object, viewer: Viewer) => boolean
  /**
   * Returns the Effect that evaluates the checks on which `isHidden` of a registration depends, or `undefined` if there is nothing
   * to evaluate. A check that dies hides only its registration.
   */
  readonly evaluate: (registration: object, viewer: Viewer) => Effect.Effect<void> | undefined
  /** Returns whether `isHidden` of any registration can depend on checks. */
  readonly canEvaluate: () => boolean
  /** Returns whether any registration can be hidden. */
  readonly canHide: () => boolean
}

/** Creates an empty set of policies. `withServices` provides the services of a request to an Effect. */
export const makePolicies = (withServices: WithServices = (effect) => effect): RegistrationPolicies => {
  // The policy is a property of the registration object, so it remains when the SDK renames, replaces or removes the
  // registration. With a `WeakMap`, garbage collection would take more time than the whole gate takes, because most programs
  // create a server for each request.
  const key = Symbol("effect-mcp-auth/policy")
  type Registration = { [key]?: RegistrationPolicy }
  let canHide = false
  let canEvaluate = false
  const visibility = makeVisibility(withServices)
  const get = (registration: object): RegistrationPolicy | undefined => (registration as Registration)[key]
  return {
    set: (registration, policy) => {
      if (policy.unauthorized === "hide") {
        canHide = true
        if (policy.rule !== undefined) canEvaluate = true
      }
      ;(registration as Registration)[key] = policy
    },
    get,
    evaluateOperation: (registration, { method, params, target = "" }, { principal, request }) => {
      const policy = get(registration)
      if (policy === undefined) return undefined
      const { rule, scopes } = policy
      if (rule === undefined) {
        const isDynamic = typeof scopes === "function"
        return evaluateScopes(principal, isDynamic ? [] : scopes, isDynamic)
      }
      const evaluated = method === "completion/complete" ? rule.evaluator.withoutCallChecks(rule) : rule
      const call = { method, target, arguments: own(params, "arguments") }
      const verdict = rule.evaluator.evaluateCall(evaluated, principal, call, request)
      return Effect.isEffect(verdict) && principal !== undefined ? withServices(verdict, principal) : verdict
    },
    isTaskAllowed: (registration, viewer) => {
      const { rule, scopes = [] } = get(registration) ?? {}
      if (rule === undefined) return typeof scopes !== "function" && hasScopes(viewer.principal, scopes)
      // Tasks have no anonymous owner, also if an anonymous caller may call the tool.
      if (viewer.principal === undefined) return false
      const ofTask = rule.evaluator.withoutCallChecks(rule)
      const evaluated = visibility.evaluate(ofTask, viewer)
      const isAllowed = () => !visibility.isHidden(ofTask, viewer)
      return evaluated === undefined ? isAllowed() : Effect.map(evaluated, isAllowed)
    },
    isHidden: (registration, viewer) => {
      const policy = get(registration)
      if (policy?.unauthorized !== "hide") return false
      if (policy.rule !== undefined) return visibility.isHidden(policy.rule, viewer)
      return Array.isArray(policy.scopes) && !hasScopes(viewer.principal, policy.scopes)
    },
    evaluate: (registration, viewer) => {
      const policy = get(registration)
      return policy?.unauthorized === "hide" && policy.rule !== undefined
        ? visibility.evaluate(policy.rule, viewer)
        : undefined
    },
    canEvaluate: () => canEvaluate,
    canHide: () => canHide
  }
}
