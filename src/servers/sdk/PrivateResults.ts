/**
 * Sets the cache scope of results to `"private"` (`cacheScope`, MCP 2026-07-28). A shared cache would return a result that depends
 * on its caller, or requires a scope, to another caller.
 */

/** The methods whose results have a cache scope and that look up no registration. */
export const others: ReadonlyArray<string> = [
  "server/discover",
  "skills/list",
  "skills/get",
  "resources/directory/read"
]

/** The methods whose results have a cache scope. */
export const methods: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  ...others
])

/** Returns a result, or a promise of one, with the cache scope `"private"` if it had another one. */
export const toPrivate = (result: unknown): unknown =>
  result instanceof Promise ? result.then(withPrivateScope) : withPrivateScope(result)

// The SDK reads the scope of the result, and then the scope of the author's cache hint, which it attaches under a symbol.
const withPrivateScope = (result: unknown): unknown => {
  if (typeof result !== "object" || result === null) return result
  let changed: object = isShared(result) ? { ...result, cacheScope: "private" } : result
  for (const symbol of Object.getOwnPropertySymbols(result)) {
    const hint: unknown = Reflect.get(result, symbol)
    if (isShared(hint)) changed = { ...changed, [symbol]: { ...hint, cacheScope: "private" } }
  }
  return changed
}

const isShared = (value: unknown): value is object =>
  typeof value === "object" && value !== null && "cacheScope" in value && value.cacheScope !== "private"
