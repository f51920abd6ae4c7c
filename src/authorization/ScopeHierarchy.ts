/**
 * Expands scopes that imply others. Servers must account for such scopes (MCP authorization).
 *
 * @since 0.1.0
 */

/**
 * The scopes that each scope implies directly: `{ "todos:admin": ["todos:write"], "todos:write": ["todos:read"] }`.
 *
 * @category models
 * @since 0.1.0
 */
export type ScopeHierarchy = Readonly<Record<string, ReadonlyArray<string>>>

/**
 * Compiles a hierarchy into a function that returns the effective scopes of granted ones. Cycles are allowed.
 *
 * @category decisions
 * @since 0.1.0
 */
export const compile = (hierarchy: ScopeHierarchy): (granted: ReadonlySet<string>) => ReadonlySet<string> => {
  const implied = new Map(Object.entries(hierarchy))
  if (implied.size === 0) return (granted) => granted
  return (granted) => {
    const effective = new Set(granted)
    // The iteration of a set includes members that are added during it.
    for (const scope of effective) {
      for (const other of implied.get(scope) ?? []) effective.add(other)
    }
    return effective
  }
}
