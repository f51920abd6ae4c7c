/**
 * The policies of tools, prompts and resources: how they are checked, and where they are kept.
 */
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import { checkScopes } from "../../authorization/policy/ScopeList.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"

/** The policy of a registration. Unlike an `OperationPolicy`, its scopes may depend on the arguments of a call. */
export interface RegistrationPolicy {
  readonly scopes: ReadonlyArray<string> | ((args: any) => ReadonlyArray<string>)
  readonly unauthorized: OperationPolicy["unauthorized"]
}

/** Checks the policy of a registration. Throws `AuthConfigError` if it is wrong; the error names the registration by `what`. */
export const checkPolicy = (
  what: string,
  { scopes, unauthorized }: RegistrationPolicy,
  offered: ReadonlySet<string>
): RegistrationPolicy => {
  if (unauthorized !== "challenge" && unauthorized !== "hide") {
    throw new AuthConfigError({
      reason: "malformed",
      option: `${what}.unauthorized`,
      fix: `${OptionValue.isNot(unauthorized, "\"challenge\" or \"hide\"")}. Leave it out for "challenge"`
    })
  }
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

/** The policies of all registrations of one program. */
export interface RegistrationPolicies {
  readonly set: (registration: object, policy: RegistrationPolicy) => void
  /** Returns the policy of a registration, or `undefined` if the registration was made without this library. */
  readonly get: (registration: object) => RegistrationPolicy | undefined
  /** Returns whether a caller may use a registration whose policy does not depend on arguments. */
  readonly isAllowed: (registration: object, principal: Principal | undefined) => boolean
  /** Returns whether a registration is hidden from a caller. */
  readonly isHidden: (registration: object, principal: Principal | undefined) => boolean
  /** Returns whether any registration can be hidden. */
  readonly canHide: () => boolean
}

/** Creates an empty set of policies. */
export const makePolicies = (): RegistrationPolicies => {
  // The policy is a property of the registration object, so it remains when the SDK renames, replaces or removes the
  // registration. With a `WeakMap`, garbage collection would take more time than the whole gate takes, because most programs
  // create a server for each request.
  const key = Symbol("effect-mcp-auth/policy")
  type Registration = { [key]?: RegistrationPolicy }
  let canHide = false
  const get = (registration: object): RegistrationPolicy | undefined => (registration as Registration)[key]
  return {
    set: (registration, policy) => {
      if (policy.unauthorized === "hide") canHide = true
      ;(registration as Registration)[key] = policy
    },
    get,
    isAllowed: (registration, principal) => {
      const scopes = get(registration)?.scopes ?? []
      return typeof scopes !== "function" && hasScopes(principal, scopes)
    },
    isHidden: (registration, principal) => {
      const policy = get(registration)
      return policy?.unauthorized === "hide" && Array.isArray(policy.scopes) && !hasScopes(principal, policy.scopes)
    },
    canHide: () => canHide
  }
}
