/**
 * Reads the roles of a caller from the claims of its token.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"

/**
 * Describes a claim that contains roles: a path through nested objects, such as `["realm_access", "roles"]`, or a function that
 * returns the roles of the claims.
 *
 * **Details**
 *
 * The value at a path is a list of roles or one role. Any other value, and any entry that is not a string, is ignored. A function
 * must be pure and fast. If it throws, the server answers 500.
 *
 * @category models
 * @since 0.1.0
 */
export type RoleSource =
  | readonly [string, ...ReadonlyArray<string>]
  | ((claims: Readonly<Record<string, unknown>>) => Iterable<string>)

/**
 * Returns the roles of all sources. A token without any of these claims has no roles.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readRoles = (
  claims: Readonly<Record<string, unknown>>,
  sources: ReadonlyArray<RoleSource>
): ReadonlySet<string> => {
  const roles = new Set<string>()
  for (const source of sources) {
    const value: unknown = typeof source === "function"
      ? [...source(claims)]
      : source.reduce<unknown>((value, name) => own(value, name), claims)
    for (const role of Array.isArray(value) ? value : [value]) {
      if (typeof role === "string" && role !== "") roles.add(role)
    }
  }
  return roles
}

/**
 * Checks the option `roles`. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkRoles: ConfigOption.Rule = (sources, option) => {
  const isSource = (source: unknown): boolean =>
    typeof source === "function" ||
    (Array.isArray(source) && source.length > 0 && source.every((name) => typeof name === "string" && name !== ""))
  if (Array.isArray(sources) && sources.every(isSource)) return
  throw ConfigOption.invalid(
    option,
    sources,
    "a list of paths or functions",
    "Write one path per claim, such as [[\"realm_access\", \"roles\"]], or a function from the claims to the roles"
  )
}
