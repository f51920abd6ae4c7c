/**
 * The security schemes of operations, which a server publishes in its list of tools.
 *
 * @since 0.1.0
 */
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import type { OperationPolicy, SecurityScheme } from "./OperationPolicy.ts"

/**
 * The settings of a server on which security schemes depend. A `Gate` has these members.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly resource: {
    readonly baseline: ReadonlyArray<string>
    /** Returns the names under which clients request scopes. */
    readonly requestedScopes: (scopes: ReadonlyArray<string>, issuer: string | undefined) => ReadonlyArray<string>
  }
  readonly published: {
    readonly anonymous: "deny" | "allow-unscoped"
    readonly unlisted: "allow" | "deny"
  }
}

/**
 * Returns the security schemes of an operation: `noauth` if the gate admits anonymous callers, and one `oauth2` with the scopes of the
 * challenge to sign in, if a sign-in makes a difference. Returns `undefined` if the gate rejects every call of the operation.
 *
 * **Details**
 *
 * The schemes are the same for each caller. They name only scopes that the 401 challenge names: the baseline, and the scopes of the
 * operation if its policy answers with challenges. Conditions, such as roles and checks, have no scheme.
 *
 * No published document defines the meaning of two `oauth2` entries, so there is at most one.
 *
 * @category getters
 * @since 0.1.0
 */
export type ToSchemes = (policy: OperationPolicy) => ReadonlyArray<SecurityScheme> | undefined

/**
 * Creates the function that returns the security schemes of operations of one server.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make =
  ({ published, resource }: Settings): ToSchemes => ({ authenticated, rule, scopes, unauthorized }) => {
    if (rule === undefined && scopes.length === 0 && published.unlisted === "deny") return undefined
    const isOpen = rule === undefined ? scopes.length === 0 && authenticated !== true : rule.isOpen
    const schemes: Array<SecurityScheme> = isOpen && published.anonymous === "allow-unscoped"
      ? [{ type: "noauth" }]
      : []
    // A caller who signs in gets nothing more.
    if (schemes.length > 0 && (rule === undefined || rule.alternatives.length === 0)) return schemes
    const ofOperation = rule === undefined ? scopes : rule.evaluator.scopesOfSignIn(rule)
    // The other policies keep their scopes secret. An open policy rejects no caller.
    const named = isOpen || unauthorized === "challenge" ? ofOperation : []
    const requested = resource.requestedScopes([...resource.baseline, ...named], undefined)
    return [...schemes, { type: "oauth2", scopes: ScopeToken.unique(requested) }]
  }
