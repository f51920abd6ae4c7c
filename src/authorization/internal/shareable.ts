import { isSchema } from "../ClaimsDecoder.ts"

/**
 * Freezes a value that several requests share, down to its last member. `false` if that cannot be done, because it holds
 * more than plain objects, arrays, instances of a `Schema.Class` and primitives: such as a `Date`, which nothing freezes.
 */
export const freeze = (value: unknown): boolean => {
  // Without recursion: the issuer chooses how deep claims are nested.
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
