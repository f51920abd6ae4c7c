/**
 * Sets the cache scope of results to `"private"` (`cacheScope`, MCP 2026-07-28). A result may depend on its caller or require a
 * scope, and a shared cache would return it to other callers.
 */

/**
 * The methods that concern no registered tool, prompt or resource, but whose results have a cache scope. Their handlers look up
 * no registration.
 */
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

/**
 * Replaces the cache scope of a result, if it has one, by `"private"`. If `result` is a promise, returns a promise of the
 * changed result.
 */
export const toPrivate = (result: unknown): unknown => mapResult(result, withPrivateScope)

/** Changes the result of a handler, which can be a promise. */
export const mapResult = (result: unknown, change: (result: unknown) => unknown): unknown =>
  result instanceof Promise ? result.then(change) : change(result)

// The SDK uses the cache scope of the result. If the result has none, the SDK uses the scope of the cache hint that the author
// of the server set. The SDK stores this hint in the result, under a symbol. Both scopes are changed.
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
