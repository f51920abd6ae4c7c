/**
 * Results that only the caller may cache (`cacheScope`, MCP 2026-07-28): a shared cache would give what depends on a
 * caller, or needs a scope, to the next one.
 */

/** Further methods whose results carry a cache scope: they look no registration up. */
export const others: ReadonlyArray<string> = [
  "server/discover",
  "skills/list",
  "skills/get",
  "resources/directory/read"
]

/** The methods whose results carry a cache scope. */
export const methods: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  ...others
])

/** The same result, or promise of one, with no cache scope but `"private"`. */
export const of = (result: unknown): unknown => result instanceof Promise ? result.then(privately) : privately(result)

/**
 * The SDK reads the scope of the result itself, and then that of the hint that the author configured, which it attaches to
 * the result under a symbol.
 */
const privately = (result: unknown): unknown => {
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
