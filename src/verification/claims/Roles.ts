/**
 * Reads the roles of a caller from the claims of its token.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import { sanitizeCause } from "../../protocol/RemoteText.ts"

/**
 * Describes a claim that contains roles: a path through nested objects, such as `["realm_access", "roles"]`, or a function that
 * returns the roles of the claims.
 *
 * **Details**
 *
 * The value at a path, or the result of a function, must be a list of roles or one role. With any other value, or if the function
 * throws, the source gives no role: the server logs this once, and the caller has only the roles of the other sources. An entry that is
 * not a string is ignored. A function must be pure and fast.
 *
 * @category models
 * @since 0.1.0
 */
export type RoleSource =
  | readonly [string, ...ReadonlyArray<string>]
  | ((claims: Readonly<Record<string, unknown>>) => Iterable<string>)

/**
 * Receives what is wrong with a source of roles: text without any value of a claim, and the error that a function threw.
 *
 * @category models
 * @since 0.1.0
 */
export type ReportRoles = (message: string, error?: unknown) => void

/** The maximum number of messages of one report, because the profiles of tenants can have any number of sources. */
const maximumMessages = 100

/**
 * Creates a report that logs each message once, for any number of tokens.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeReport: Effect.Effect<ReportRoles> = /*#__PURE__*/ Effect.contextWith((context) => {
  const logged = new Set<string>()
  const fork = Effect.runForkWith(context)
  return Effect.succeed<ReportRoles>((message, error) => {
    if (logged.has(message) || logged.size >= maximumMessages) return
    logged.add(message)
    fork(error === undefined ? Effect.logWarning(message) : Effect.logError(message, sanitizeCause(Cause.die(error))))
  })
})

/**
 * Returns the roles of all sources. A token without any of these claims has no roles. `report` receives what is wrong with a source, for
 * each token again.
 *
 * @category decoding
 * @since 0.1.0
 */
export const readRoles = (
  claims: Readonly<Record<string, unknown>>,
  sources: ReadonlyArray<RoleSource>,
  report: ReportRoles = () => {}
): ReadonlySet<string> => {
  const roles = new Set<string>()
  for (const source of sources) {
    const listed = readSource(claims, source, report)
    for (const role of listed) if (isRole(role)) roles.add(role)
    if (!listed.every(isRole)) report(`${nameOf(source)}: an entry of the list is not a text, and is ignored`)
  }
  return roles
}

const isRole = (role: unknown): role is string => typeof role === "string" && role !== ""

/** Returns the roles of one source, before each is checked. */
const readSource = (
  claims: Readonly<Record<string, unknown>>,
  source: RoleSource,
  report: ReportRoles
): ReadonlyArray<unknown> => {
  let value: unknown
  try {
    if (typeof source === "function") {
      value = OptionValue.ignoreFailure<unknown>(source(claims))
      // The roles of a list that fails in the middle do not count.
      if (typeof value === "object" && value !== null && Symbol.iterator in value) {
        return [...value as Iterable<unknown>]
      }
    } else {
      value = source.reduce<unknown>((value, name) => own(value, name), claims)
      if (value === undefined || value === null) return []
    }
  } catch (error) {
    report(`${nameOf(source)}: the function failed, so callers have no role from it`, error)
    return []
  }
  if (Array.isArray(value)) return value
  if (typeof value === "string") return [value]
  const kind = value === undefined
    ? "undefined"
    : typeof value === "object"
    ? OptionValue.describe(value)
    : `a ${typeof value}`
  report(`${nameOf(source)}: the value is ${kind}, not a list of texts, so callers have no role from it`)
  return []
}

const nameOf = (source: RoleSource): string =>
  typeof source === "function"
    ? `Roles from the function ${source.name === "" ? "without a name" : source.name}`
    : `Roles from the claim ${source.join(".")}`

/**
 * Checks the roles of a caller that the author of a program writes. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkRoleNames: ConfigOption.Rule = /*#__PURE__*/ ConfigOption.listOf((_) => _ !== "", {
  entry: "a role",
  entries: "roles",
  advice: "Write one role per entry, such as \"admin\"",
  example: "admin"
})

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
