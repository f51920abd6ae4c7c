import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { isScopeToken } from "../../protocol/ScopeToken.ts"

/** Checks a list of scopes. Throws `AuthConfigError`. */
export const checkScopeList: ConfigOption.Rule = ConfigOption.listOf(isScopeToken, {
  entry: "a scope",
  entries: "scopes",
  advice: "Write one scope per entry, in ASCII without space, quote and backslash, such as \"todos:write\"",
  example: "todos:write"
})
