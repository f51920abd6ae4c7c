/** Deeper than any token or document that means something. What walks a value later may do so by recursion. */
export const maximumDepth = 32

/** Tells whether a parsed value nests no deeper than `levels`. Looks no deeper than that itself. */
export const isShallow = (value: unknown, levels: number = maximumDepth): boolean => {
  if (typeof value !== "object" || value === null) return true
  if (levels === 0) return false
  if (Array.isArray(value)) return value.every((item) => isShallow(item, levels - 1))
  for (const key of Object.keys(value)) {
    if (!isShallow((value as Readonly<Record<string, unknown>>)[key], levels - 1)) return false
  }
  return true
}
