/**
 * The requirement of one operation. Hosts need no more of `Policy`, whose other parts load `effect/Schema`.
 *
 * @since 0.1.0
 */
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import type { Principal } from "../verification/Principal.ts"

/**
 * The requirement of an operation: what its caller needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<S extends string = string> {
  /** The caller needs all of them. */
  readonly scopes: ReadonlyArray<S>
  /** The answer to a caller without them: a challenge, or the answer for an operation that does not exist. */
  readonly unauthorized: "challenge" | "hide"
  /** Whether the operation needs a principal even without scopes. Default: `false`. */
  readonly authenticated?: boolean | undefined
}

/**
 * The policy of an operation, as the author of a host writes it. Default: no scopes, and no principal.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyInput<S extends string = string>
  extends Partial<{ readonly [K in "scopes" | "authenticated"]: Policy<S>[K] | undefined }>
{}

/**
 * Returns whether a policy hides its operation from a caller, for whom it does not exist then.
 *
 * @category guards
 * @since 0.1.0
 */
export const isHiddenFrom = (policy: Policy, principal: Principal | undefined): boolean =>
  policy.unauthorized === "hide" && policy.scopes.some((scope) => principal?.scopes.has(scope) !== true)

/**
 * Checks a list of scopes that stands in code. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const check = (scopes: ReadonlyArray<string>, option: string): ReadonlyArray<string> => {
  if (!Array.isArray(scopes)) {
    throw new AuthConfigError({
      reason: "malformed",
      option,
      fix: `${OptionValue.isNot(scopes, "a list of scopes")}. Write one such as ["todos:write"]`
    })
  }
  if (scopes.length === 0) {
    throw new AuthConfigError({
      reason: "missing",
      option,
      fix: "no scope is named, so any caller would be admitted. Name at least one scope, such as \"todos:write\""
    })
  }
  const foreign = scopes.findIndex((_) => typeof _ !== "string" || !ScopeToken.isScopeToken(_))
  if (foreign !== -1) {
    throw new AuthConfigError({
      reason: "malformed",
      option,
      fix:
        `${
          OptionValue.describe(scopes[foreign])
        } is not a scope. Write each scope as separate text, in ASCII without space, ` +
        "quote and backslash, such as \"todos:write\""
    })
  }
  return ScopeToken.unique(scopes)
}
