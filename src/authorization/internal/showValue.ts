import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"

/* Shows values of unverified tokens and requests in explanations. `explanations.ts` sanitizes and cuts the whole text. */

/** The longest entry of a list, in characters, and the most entries. */
const longest = 256
export const mostEntries = 10

/** Quotes a text. A longer text is cut before it is quoted. */
const quote = (text: string): string => JSON.stringify(text.slice(0, longest))

/** Shows a text, or a list of texts. Of any other value, shows only the type. */
export const show = (value: unknown): string =>
  typeof value === "string"
    ? quote(value)
    : Array.isArray(value) && value.every((_) => typeof _ === "string")
    ? listOf(value)
    : typeOf(value)

/** Shows a `NumericDate` as a time. */
export const showTime = (value: unknown): string =>
  typeof value === "number" && Math.abs(value) <= 8.64e12 ? new Date(value * 1000).toISOString() : typeOf(value)

/** Shows a list of texts. */
export const listOf = (values: ReadonlyArray<string> | undefined): string => {
  if (values === undefined || values.length === 0) return "none"
  const shown = values.slice(0, mostEntries).map((_) => quote(_)).join(", ")
  return values.length > mostEntries ? `${shown} and ${values.length - mostEntries} more` : shown
}

/** Names the type of a value. */
export const typeOf = (value: unknown): string =>
  value === undefined
    ? "missing"
    : value === null
    ? "null"
    : Array.isArray(value)
    ? "a list"
    : typeof value === "object"
    ? "an object"
    : `a ${typeof value}`

/** Returns the value at a path through nested objects. */
export const at = (claims: JsonObject, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, name) => isRecord(value) ? own(value, name) : undefined, claims)
