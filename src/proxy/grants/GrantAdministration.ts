/**
 * Lists and ends the grants of persons.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { Grants } from "./Grants.ts"

/**
 * Lists and ends grants, for administration and for programs that off-board people.
 *
 * **Details**
 *
 * A grant that was ended cannot be refreshed. The gate of each instance rejects its access tokens after a few seconds
 * (`livenessCache`), and the instance that ended it rejects them at once. `revokeAll` also blocks codes that were not
 * exchanged yet. A person who is still at the upstream is admitted again: change the rule of admission first.
 *
 * @category services
 * @since 0.1.0
 */
export class GrantAdministration extends Context.Service<GrantAdministration, {
  /** Lists the grants of a person, the most recently used first. `subject` is the `sub` of the access tokens. */
  readonly list: Grants["list"]
  /** Ends a grant. Returns whether it existed. `id` is the `sid` of the access tokens. */
  readonly revoke: Grants["revokeGrant"]
  /** Ends all grants of a person. Returns how many ended. */
  readonly revokeAll: Grants["revokeAll"]
}>()("effect-mcp-auth/proxy/Grants") {}

/**
 * Creates the service of the grants of a proxy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (grants: Grants): GrantAdministration["Service"] => ({
  list: grants.list,
  revoke: grants.revokeGrant,
  revokeAll: grants.revokeAll
})
