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
 * exchanged yet. A person who is still at the upstream is admitted again: change the rule of admission first. The upstream tokens are
 * removed from the store when no grant uses them. If the person has no grant any more, they are revoked at the upstream, if it has an
 * endpoint for this.
 *
 * @category services
 * @since 0.1.0
 */
export class GrantAdministration extends Context.Service<GrantAdministration, {
  /** Lists the grants of a person, the most recently used first. `subject` is the `sub` of the access tokens. */
  readonly list: Grants["list"]
  /** Returns the subject of the person with an id at the upstream, such as the number of an account at GitHub. */
  readonly subjectOf: (id: string) => string
  /** Ends a grant. Returns whether it existed. `id` is the `sid` of the access tokens. */
  readonly revoke: Grants["revokeGrant"]
  /** Ends all grants of a person. Returns how many ended. */
  readonly revokeAll: Grants["revokeAll"]
}>()("effect-mcp-auth/proxy/Grants") {}

/**
 * Creates the service of the grants of a proxy. `subjectOf` is that of its upstream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  grants: Grants,
  subjectOf: (id: string) => string
): GrantAdministration["Service"] => ({
  subjectOf,
  list: grants.list,
  revoke: grants.revokeGrant,
  revokeAll: grants.revokeAll
})
