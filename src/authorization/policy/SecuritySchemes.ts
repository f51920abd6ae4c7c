/**
 * The security schemes of an operation, which a server publishes in its list of tools.
 *
 * @since 0.1.0
 */
import { scopesOfSignIn } from "./Evaluate.ts"
import type { BoundPolicy, SecurityScheme } from "./OperationPolicy.ts"

/**
 * Returns the security schemes of a policy: `noauth` if it admits anonymous callers, and one `oauth2` with the scopes that the
 * 401 challenge names for the operation.
 *
 * **Details**
 *
 * No published document defines the meaning of two `oauth2` entries, and clients ignore an empty list of scopes. So there is one
 * entry, and an operation that requires no scopes lists the baseline.
 *
 * @category getters
 * @since 0.1.0
 */
export const securitySchemes = (policy: BoundPolicy): ReadonlyArray<SecurityScheme> => {
  const { alternatives, baseline, isOpen } = policy
  const schemes: Array<SecurityScheme> = isOpen ? [{ type: "noauth" }] : []
  if (alternatives.length === 0) return schemes
  const scopes = scopesOfSignIn(policy)
  return [...schemes, { type: "oauth2", scopes: scopes.length > 0 ? scopes : [...baseline] }]
}
