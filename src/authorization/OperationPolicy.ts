/**
 * The policy of an operation, as the gate enforces it. This module is separate from `Policy.ts`, so that server adapters for
 * platforms without Effect do not load `effect/Schema`.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import type { Principal } from "../verification/Principal.ts"
import { checkScopeList } from "./internal/scopeList.ts"

/**
 * The policy of an operation: what it requires of its caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface OperationPolicy<S extends string = string> {
  /** The required scopes. The caller needs all of them. */
  readonly scopes: ReadonlyArray<S>
  /**
   * The response to a caller without these scopes: a challenge (`"challenge"`), or the response for an operation that does not
   * exist (`"hide"`).
   */
  readonly unauthorized: "challenge" | "hide"
  /** Whether the operation needs a principal even without scopes. Default: `false`. */
  readonly authenticated?: boolean | undefined
}

/**
 * The policy of an operation, as an option. By default an operation requires no scopes and no principal.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyInput<S extends string = string>
  extends Partial<{ readonly [K in "scopes" | "authenticated"]: OperationPolicy<S>[K] | undefined }>
{}

/**
 * Returns whether a policy hides its operation from a caller. For that caller the operation does not exist.
 *
 * @category guards
 * @since 0.1.0
 */
export const isHiddenFrom = (policy: OperationPolicy, principal: Principal | undefined): boolean =>
  policy.unauthorized === "hide" && policy.scopes.some((scope) => principal?.scopes.has(scope) !== true)

/**
 * Checks the scopes of an operation, and returns them without duplicates. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkScopes = (scopes: ReadonlyArray<string>, option: string): ReadonlyArray<string> => {
  checkScopeList(scopes, option)
  if (scopes.length === 0) {
    throw ConfigOption.error(
      option,
      "no scope is named, so any caller would be admitted. Name at least one scope, such as \"todos:write\"",
      "missing"
    )
  }
  return ScopeToken.unique(scopes)
}
