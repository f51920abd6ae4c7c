/**
 * Decides which pages may send requests from a browser (MCP Streamable HTTP, security warning), by their `Origin` header.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"

/**
 * The option `allowedOrigins`: a list of origins, or a function that returns whether an origin is allowed.
 *
 * **Details**
 *
 * The function is called for each request with an `Origin` that is not the origin of the resource. It receives one well-formed
 * origin of at most 512 characters, and never `null`. If it throws or returns anything other than a boolean, the gate answers 500.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = ReadonlyArray<string> | ((origin: string) => boolean)

/**
 * Returns whether an origin is allowed. Throws what the function of the author throws, or an `AuthConfigError` if that function
 * returns anything other than a boolean.
 *
 * @category models
 * @since 0.1.0
 */
export type AllowedOrigins = (origin: string) => boolean

/** The maximum length of an origin, in characters. A host name has at most 253. */
const longest = 512

// A scheme, a host and an optional port (RFC 6454 §6.1). The ids of some extensions are in capitals.
const form = /^[a-z][a-z0-9+.-]*:\/\/(?:[A-Za-z0-9._~-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

const isWellFormed = (origin: string): boolean => origin.length <= longest && form.test(origin)

/**
 * Makes the check of origins. `own` is the origin of the resource, which is always allowed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (own: string, allowed: Input = [], allowsNull = false): AllowedOrigins => {
  const isListed = typeof allowed !== "function"
  const known = new Set([own, ...(isListed ? allowed : []), ...(allowsNull ? ["null"] : [])])
  return (origin) => {
    if (known.has(origin)) return true
    if (isListed || !isWellFormed(origin)) return false
    const isAllowed: unknown = OptionValue.ignoreFailure(allowed(origin))
    if (typeof isAllowed === "boolean") return isAllowed
    throw ConfigOption.invalid(
      "allowedOrigins",
      isAllowed,
      "a boolean",
      "Return true or false from the function, and no promise",
      "malformed"
    )
  }
}

const example = "https://app.example.com"

/** Returns what is wrong with an entry of the list, or `undefined`. */
const problemOf = (entry: unknown): string | undefined => {
  if (typeof entry !== "string") return `is not an origin. Write one such as ${example}`
  if (entry === "null") {
    return "is the origin of every sandboxed frame and every local file. To allow them, set allowNullOrigin: true"
  }
  if (entry.includes("*")) {
    return "contains *, which is not a wildcard here. List each origin, or write a function such as " +
      String.raw`(origin) => /^https:\/\/[a-z0-9-]+\.example\.com$/.test(origin)`
  }
  if (isWellFormed(entry) && (!/^(?:https?|wss?|ftp|file):/.test(entry) || isWebOrigin(entry))) return undefined
  const origin = URL.canParse(entry) ? new URL(entry).origin : example
  return `is not an origin. Write scheme, host and port of one origin only, such as ${
    isWebOrigin(origin) && isWellFormed(origin) ? origin : example
  } or tauri://localhost`
}

/** Tells whether a browser writes the origin of a web page in this way. */
const isWebOrigin = (text: string): boolean =>
  /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text

/**
 * Checks the option `allowedOrigins`. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const check: ConfigOption.Rule = (value, option) => {
  if (typeof value === "function") return
  if (!Array.isArray(value)) {
    throw ConfigOption.invalid(
      option,
      value,
      "a list of origins or a function",
      `Write ["${example}"], or a function from an origin to a boolean`
    )
  }
  // `Array.from` also visits the holes of a list.
  for (const entry of Array.from<unknown>(value)) {
    const problem = problemOf(entry)
    if (problem !== undefined) throw ConfigOption.error(option, `${OptionValue.describe(entry)} ${problem}`)
  }
}
