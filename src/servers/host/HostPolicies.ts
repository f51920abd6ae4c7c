import * as Effect from "effect/Effect"
import type { Gate } from "../../authorization/Gate.ts"
import type { OperationPolicy, PolicyInput } from "../../authorization/policy/OperationPolicy.ts"
import { checkScopes } from "../../authorization/policy/ScopeList.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type * as Operation from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Policies, PolicyFor } from "./Admission.ts"
import * as bindPolicy from "./BindPolicy.ts"
import type { Host } from "./Host.ts"

/* Checks those options of server adapters that affect policies: `policy`, `scopes` and `tenant`. */

/** The option `policy` of an adapter. */
type PolicyOf = (
  operation: Operation.Operation,
  principal: Principal | undefined
) => PolicyInput | bindPolicy.AnyValue | undefined

/** Turns the option `policy` of an adapter into policies of the gate. Throws `AuthConfigError` if it is not a function. */
export const policiesFrom = (
  { gate, services }: Pick<Host, "gate" | "services">,
  policyOf: PolicyOf | undefined
): Policies => {
  if (policyOf === undefined) return () => undeclared
  if (typeof policyOf !== "function") {
    throw ConfigOption.error(
      "protect.policy",
      `${OptionValue.isNot(policyOf, "a function")}. Give one that takes an operation and returns what it ` +
        "requires, such as { scopes: [\"todos:write\"] }, or undefined"
    )
  }
  const bind = bindPolicy.make(gate.resource, services)
  const toOperationPolicy = (policy: PolicyInput | bindPolicy.AnyValue): OperationPolicy => {
    if (bindPolicy.isPolicy(policy)) {
      return { scopes: [], unauthorized: "challenge", rule: bind(policy, "protect.policy") }
    }
    const { authenticated, scopes = [] } = checkPolicy(policy)
    for (const scope of scopes) if (!gate.resource.offered.has(scope)) throw notOffered("protect.policy", scope)
    return { scopes, unauthorized: "challenge", authenticated }
  }
  return ({ principal }) =>
    Effect.succeed((operation) => {
      const policy = OptionValue.ignoreFailure(policyOf(operation, principal))
      return policy === undefined ? undefined : toOperationPolicy(policy)
    })
}

const undeclared = Effect.succeed<PolicyFor>(() => undefined)

// In JavaScript, the option `policy` of the author of the server can return any value. If `checkPolicy` accepted a promise or a
// misspelled member such as `scope`, the operation would require no scope.
const checkPolicy = (policy: PolicyInput): PolicyInput => {
  const isObject = typeof policy === "object" && policy !== null && !("then" in policy) &&
    !(Symbol.iterator in policy)
  if (!isObject) {
    throw ConfigOption.error(
      "protect.policy",
      `the function returned ${OptionValue.describe(policy)}; expected an object or undefined. Return what the ` +
        "operation requires, such as { scopes: [\"todos:write\"] } or a value of Policy, not a promise or an Effect"
    )
  }
  for (const name in policy) {
    if (name !== "scopes" && name !== "authenticated") {
      throw ConfigOption.error(
        `protect.policy: ${name}`,
        "the function returned this unknown member. The members are scopes and authenticated"
      )
    }
  }
  if (policy.scopes === undefined || Array.isArray(policy.scopes)) return policy
  throw ConfigOption.error(
    "protect.policy: scopes",
    `the function returned scopes that are ${OptionValue.describe(policy.scopes)}; expected a list of scopes. ` +
      "Return one such as [\"todos:write\"]"
  )
}

/** Returns the policy of a route. Throws `AuthConfigError` if a scope is not offered, because clients could not obtain it. */
export const policyForRoute = (gate: Gate, scopes: ReadonlyArray<string> | undefined): OperationPolicy => {
  const checked = scopes === undefined ? [] : checkScopes(scopes, "protectRoute.scopes")
  const missing = checked.find((scope) => !gate.resource.offered.has(scope))
  if (missing === undefined) return { scopes: checked, unauthorized: "challenge", authenticated: true }
  throw notOffered("protectRoute", missing)
}

const notOffered = (what: string, scope: string): AuthConfigError =>
  ConfigOption.error(
    "scopes",
    `${what} requires ${scope}, which the server does not offer. Add it to scopes (baseline or stepUp)`,
    "not-offered"
  )

/**
 * Checks the option `tenant` of an adapter. Throws `AuthConfigError` if it is not a function. Throws as well if the names of
 * tenants do not come from routes, because the option would have no effect.
 */
export const checkTenantOption = <F>(gate: Gate, tenantOf: F | undefined, option: string): F | undefined => {
  if (tenantOf === undefined) return undefined
  if (typeof tenantOf === "function" && gate.published.tenants?.fromRoute === true) return tenantOf
  throw ConfigOption.error(
    option,
    typeof tenantOf === "function"
      ? "it has no effect, because tenants do not come from routes. Use Tenants.fromRoute, or remove it"
      : `${
        OptionValue.isNot(tenantOf, "a function")
      }. Give one that takes a request and returns the name of its tenant`,
    "conflict"
  )
}
