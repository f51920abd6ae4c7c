import * as Context from "effect/Context"
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

/**
 * Copies the values of a context. Throws `TypeError` if a value contains anything other than plain data, dates, maps and sets,
 * because a copy of a class or a function would differ from the original.
 */
export const copy = (context: Context.Context<never>): Context.Context<never> =>
  Context.makeUnsafe(new Map([...context.mapUnsafe].map(([key, value]) => [key, copyValue(value)])))

const copyValue = (value: unknown): unknown => {
  const open: Array<unknown> = [value]
  const seen = new Set<unknown>()
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next === "function") throw notCopied
    if (typeof next !== "object" || next === null || seen.has(next)) continue
    seen.add(next)
    if (next instanceof Map || next instanceof Set) open.push(...[...next].flat())
    else if (!(next instanceof Date)) {
      const prototype: unknown = Object.getPrototypeOf(next)
      if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) throw notCopied
      open.push(...Object.values(next))
    }
  }
  return structuredClone(value)
}

const notCopied = new TypeError(
  "the asynchronous schema of the option claims returned a value that cannot be copied for each request. Return plain data, " +
    "dates, maps and sets"
)
