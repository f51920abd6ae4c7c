/**
 * Checks lists of scopes that the author of a server writes.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"

/**
 * Checks a list of scopes, which can be empty. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkScopeList: ConfigOption.Rule = ConfigOption.listOf(ScopeToken.isScopeToken, {
  entry: "a scope",
  entries: "scopes",
  advice: "Write one scope per entry, in ASCII without space, quote and backslash, such as \"todos:write\"",
  example: "todos:write"
})

/**
 * Checks the scopes of an operation, and returns them without duplicates. Throws `AuthConfigError`, also for an empty list.
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
