/**
 * Scopes that include others. The MCP text: servers MUST account for it.
 *
 * @since 0.1.0
 */

/**
 * Which scopes a scope implies, directly: `{ "todos:admin": ["todos:write"], "todos:write": ["todos:read"] }`.
 *
 * @category models
 * @since 0.1.0
 */
export type ScopeHierarchy = Readonly<Record<string, ReadonlyArray<string>>>

/**
 * Prepares the expansion of granted scopes to those in effect. Cycles do no harm.
 *
 * @category decisions
 * @since 0.1.0
 */
export const compile = (hierarchy: ScopeHierarchy): (granted: ReadonlySet<string>) => ReadonlySet<string> => {
  const implied = new Map(Object.entries(hierarchy))
  if (implied.size === 0) return (granted) => granted
  return (granted) => {
    const effective = new Set(granted)
    // A set iterates over what is added while it is walked.
    for (const scope of effective) {
      for (const other of implied.get(scope) ?? []) effective.add(other)
    }
    return effective
  }
}
