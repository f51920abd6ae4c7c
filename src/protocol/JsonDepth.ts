/** Deepest accepted nesting. No useful token or document nests deeper, and recursion over accepted values is safe. */
export const maximumDepth = 32

/** Tells whether a parsed value nests at most `levels` levels deep (default: 32). Never recurses deeper than that. */
export const isShallow = (value: unknown, levels: number = maximumDepth): boolean => {
  if (typeof value !== "object" || value === null) return true
  if (levels === 0) return false
  if (Array.isArray(value)) return value.every((item) => isShallow(item, levels - 1))
  for (const key of Object.keys(value)) {
    if (!isShallow((value as Readonly<Record<string, unknown>>)[key], levels - 1)) return false
  }
  return true
}
