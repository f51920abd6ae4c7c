/**
 * Holds the alternatives of a policy, which its types do not show.
 *
 * @since 0.1.0
 */
import { bind } from "./Bind.ts"
import type { Alternative } from "./internal/alternatives.ts"
import type { BoundPolicy, Registration, Server } from "./OperationPolicy.ts"

/**
 * The value behind the types of policies.
 *
 * @category models
 * @since 0.1.0
 */
export class PolicyValue {
  readonly isOpen: boolean
  readonly alternatives: ReadonlyArray<Alternative>
  readonly scopes: ReadonlyArray<string>

  constructor(alternatives: ReadonlyArray<Alternative>, scopes: ReadonlyArray<string>, isOpen = false) {
    this.alternatives = alternatives
    this.scopes = scopes
    this.isOpen = isOpen
  }

  bind(server: Server, registration?: Registration): BoundPolicy {
    return bind(this, server, registration)
  }
}

/**
 * Returns the scopes of a policy that is only a list of scopes. For any other policy returns `undefined`.
 *
 * @category getters
 * @since 0.1.0
 */
export const toScopes = (policy: unknown): ReadonlyArray<string> | undefined => {
  if (!(policy instanceof PolicyValue) || policy.isOpen || policy.alternatives.length !== 1) return undefined
  const { conditions, scopes } = policy.alternatives[0]!
  return conditions.length === 0 && scopes.length === policy.scopes.length && scopes.length > 0 ? scopes : undefined
}
