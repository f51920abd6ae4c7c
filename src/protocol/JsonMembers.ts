import { isRecord } from "./Json.ts"

/*
 * Finds members of JSON that change or hide the prototype of an object. `JSON.parse` creates an ordinary member `__proto__`. Code that
 * later copies members by assignment, as some parsers of schemas do, turns it into the prototype of the copy. Its members then
 * look like members of the copy, so the gate and the MCP server would read different names and arguments.
 */

/**
 * Tells whether the text of JSON can have a member `__proto__`. A member can also be written with escapes of its characters. If the
 * result is `false`, there is certainly none.
 */
export const mayHavePrototype = (text: string): boolean => text.includes("__proto__") || text.includes("\\u")

/**
 * Tells whether every object in a parsed value has only members with other names than `__proto__`, and inherits no member that a
 * loop finds. Visits each object once. The nesting of the value must be limited.
 */
export const hasPlainMembers = (value: unknown): boolean => {
  const seen = new Set<unknown>([value])
  for (const current of seen) {
    if (Array.isArray(current)) {
      for (const item of current) seen.add(item)
    } else if (isRecord(current)) {
      for (const name in current) {
        if (name === "__proto__" || !Object.hasOwn(current, name)) return false
        const member = current[name]
        if (typeof member === "object") seen.add(member)
      }
    }
  }
  return true
}
