/**
 * Expands granted scopes by the scopes that they imply. MCP requires servers to account for such hierarchies.
 *
 * @since 0.1.0
 */

/**
 * The scopes that each scope implies directly, for example
 * `{ "todos:admin": ["todos:write"], "todos:write": ["todos:read"] }`.
 *
 * @category models
 * @since 0.1.0
 */
export type ScopeHierarchy = Readonly<Record<string, ReadonlyArray<string>>>

/**
 * Compiles a hierarchy into a function from granted scopes to effective scopes: the granted scopes and all that they imply,
 * directly or indirectly. Cycles are allowed.
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
