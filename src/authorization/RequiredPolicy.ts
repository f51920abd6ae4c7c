/**
 * The annotation for policies, and the check that annotations do not contradict each other.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { isOpen } from "./policy/OpenPolicy.ts"
import type { AnyPolicy, OpenPolicy } from "./policy/Policy.ts"
import { ConditionalScopes, RequiredScopes } from "./ScopeAnnotations.ts"

/**
 * The annotation for the policy of a tool, resource or prompt. Every call also requires the `RequiredScopes`. Default: no policy.
 *
 * **When to use**
 *
 * `requirePolicy` sets it. Read it in a custom adapter.
 *
 * @category annotations
 * @since 0.1.0
 */
export const RequiredPolicy: Context.Reference<AnyPolicy | OpenPolicy<string> | undefined> = /*#__PURE__*/ Context
  .Reference<AnyPolicy | OpenPolicy<string> | undefined>("effect-mcp-auth/RequiredPolicy", {
    defaultValue: () => undefined
  })

/**
 * Creates the error of a tool with an open policy and something that an open policy does not require.
 *
 * @category constructors
 * @since 0.1.0
 */
export const openConflict = (name: string): AuthConfigError =>
  ConfigOption.error(
    "requirePolicy",
    `an open policy admits anonymous callers, and ${name} has another policy or scopes as well. Remove one of them`,
    "conflict"
  )

/**
 * Checks the annotations of a registration together. Their order makes no difference. Throws `AuthConfigError` if one of them
 * would have no effect. `name` is the name of the registration in the error.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkAnnotations = (name: string, annotations: Context.Context<never>): void => {
  const policy = Context.get(annotations, RequiredPolicy)
  if (policy === undefined) return
  if (Context.get(annotations, ConditionalScopes).length > 0) {
    throw ConfigOption.error(
      "requirePolicy",
      `${name} also has requireScopesOf, which a policy replaces. Write a check that reads the arguments instead`,
      "conflict"
    )
  }
  if (isOpen(policy) && Context.get(annotations, RequiredScopes).length > 0) throw openConflict(name)
}
