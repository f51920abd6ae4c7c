import type { Condition } from "../../authorization/policy/Condition.ts"
import type { Server } from "../../authorization/policy/OperationPolicy.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"

/* Finds policies that no caller satisfies, because callers of the server have no roles. Only servers that know their operations at the start
 * load this file. */

/** The members of a policy that only this library reads. */
interface Alternatives {
  readonly isOpen: boolean
  readonly alternatives: ReadonlyArray<{ readonly conditions: ReadonlyArray<Condition> }>
}

/** Only roles have a text as their key. */
const isRole = ({ key }: Condition): boolean => typeof key === "string"

/**
 * Returns the error of a policy that requires a role in each of its alternatives, if callers of the server have no roles. Every call would
 * be denied. `what` names the operation or the option of the policy.
 */
export const findMissingRoles = (policy: object, { hasRoles }: Server, what: string): AuthConfigError | undefined => {
  const { alternatives, isOpen } = policy as Alternatives
  if (hasRoles !== false || isOpen) return undefined
  const roles = alternatives.map(({ conditions }) => conditions.find(isRole)?.label)
  return roles.includes(undefined) ? undefined : ConfigOption.error(
    "roles",
    `${what} requires the ${roles[0]}, and callers have no roles, because no claim for them is configured. ` +
      "Name the claim, such as [[\"roles\"]], or give the authorization server as a profile that names it",
    "missing"
  )
}
