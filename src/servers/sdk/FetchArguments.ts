import * as OptionValue from "../../protocol/OptionValue.ts"
import type { FetchOptions } from "./SdkTypes.ts"

/* Reads the second argument of a protected fetch handler. Platforms pass their own values there: Workers the environment, Bun the
 * server, Deno facts about the connection, and Hono the next handler. */

const none: FetchOptions = {}

/** The options of `FetchOptions`, and those of the SDK, which the gate ignores. */
const names: ReadonlySet<PropertyKey> = new Set(["parsedBody", "tenant", "authInfo"])

/**
 * Returns the options, or no options if the argument is a value of the platform: if another argument follows, as in a Worker, or if
 * the value is not a plain object that has only the members of options. A variable of a Worker must not name the tenant.
 */
export const readOptions = (rest: ReadonlyArray<unknown>): FetchOptions => {
  const [options] = rest
  if (rest.length > 1 || !OptionValue.isObject(options)) return none
  const prototype: unknown = Object.getPrototypeOf(options)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return none
  return Reflect.ownKeys(options).every((name) => names.has(name)) ? options : none
}
