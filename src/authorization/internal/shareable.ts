import { isSchema } from "../ClaimsDecoder.ts"

/**
 * Freezes a value that several requests share, including its members at any depth. If the value contains anything other than
 * plain objects, arrays, instances of a `Schema.Class` and primitives, returns `false` and freezes nothing. A `Date`, for
 * example, cannot be frozen.
 */
export const freeze = (value: unknown): boolean => {
  // Without recursion, because the issuer determines how deeply claims are nested.
  const open: Array<unknown> = [value]
  const seen = new Set<unknown>()
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next === "function") return false
    if (typeof next !== "object" || next === null || seen.has(next)) continue
    const prototype: unknown = Object.getPrototypeOf(next)
    if (!isData(prototype)) return false
    seen.add(next)
    for (const key of Reflect.ownKeys(next)) open.push((next as Record<PropertyKey, unknown>)[key])
  }
  for (const object of seen) Object.freeze(object)
  return true
}

const isData = (prototype: unknown): boolean =>
  prototype === Object.prototype || prototype === Array.prototype || prototype === null ||
  isSchema((prototype as { readonly constructor?: unknown }).constructor)
