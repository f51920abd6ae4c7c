/**
 * Writes the texts of errors about invalid option values. The texts quote strings, so do not pass secrets.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { sanitize, sanitizeUrl } from "./RemoteText.ts"

/** The maximum length of a quoted string, in characters. Longer strings are cut. */
const longest = 100

/**
 * Describes a value in a few words, on one line. Omits the members of objects and lists, the user and the password of a URL, and
 * its query and fragment, because each of them can be a secret.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describe = (value: unknown): string => {
  if (typeof value === "string") {
    return sanitize(JSON.stringify(/@|:\/\//.test(value) ? sanitizeUrl(value) : value), longest)
  }
  if (typeof value === "function") return "a function"
  if (typeof value !== "object" || value === null) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list"
  if (Redacted.isRedacted(value)) return "a Redacted value"
  if (Duration.isDuration(value)) return Duration.format(value)
  if (Effect.isEffect(value)) return "an Effect"
  return value instanceof Promise ? "a promise" : "an object"
}

/**
 * Returns a value that a function of the author of the server returned. If it is a promise, handles its failure: the gate rejects
 * the request at once, and Node would end the process if no code handled the failure later.
 *
 * @category combinators
 * @since 0.1.0
 */
export const ignoreFailure = <A>(value: A): A => {
  if (value instanceof Promise) value.catch(() => {})
  return value
}

/**
 * Returns the effect that a function of the author of the server returned. Any other value becomes a defect that names the function.
 * Without this check, Effect would end the fiber of the request without a response.
 *
 * @category combinators
 * @since 0.1.0
 */
export const toEffect = <A, E, R>(returned: Effect.Effect<A, E, R>, name: string): Effect.Effect<A, E, R> =>
  Effect.isEffect(returned as unknown)
    ? returned
    : Effect.die(new TypeError(`${name} returned ${describe(ignoreFailure(returned))}; expected an Effect`))

/**
 * Tells whether a value can be an object of options. Lists, promises, effects and `Redacted` values cannot.
 *
 * @category guards
 * @since 0.1.0
 */
export const isObject = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === "object" && describe(value) === "an object"

/**
 * Lists the values that an option accepts, for an error.
 *
 * @category encoding
 * @since 0.1.0
 */
export const oneOf = (values: ReadonlyArray<unknown>): string => {
  const texts = values.map((_) => JSON.stringify(_))
  return texts.length > 2 ? `one of ${texts.join(", ")}` : texts.join(" or ")
}

/**
 * Writes that a value is missing, or that it is not the expected value.
 *
 * @category encoding
 * @since 0.1.0
 */
export const isNot = (value: unknown, expected: string): string =>
  value === undefined ? `the value is missing; expected ${expected}` : `${describe(value)} is not ${expected}`

/**
 * Reads a duration. Returns `undefined` for an invalid value. `NaN` and objects without a unit are invalid, although
 * `Duration.fromInput` converts them to zero.
 *
 * @category decoding
 * @since 0.1.0
 */
export const toDuration = (input: unknown): Duration.Duration | undefined => {
  if (typeof input === "number" && Number.isNaN(input)) return undefined
  const isRecord = typeof input === "object" && input !== null && !Duration.isDuration(input)
  const parts = isRecord ? Object.entries(input).filter(([, value]) => value !== undefined) : []
  if (isRecord && (parts.length === 0 || !parts.every(([unit, value]) => isPart(unit, value)))) return undefined
  return Option.getOrUndefined(Duration.fromInput(input as Duration.Input))
}

const units = new Set([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds",
  // The indices of a duration that is written as `[seconds, nanos]`.
  "0",
  "1"
])

const isPart = (unit: string, value: unknown): boolean =>
  units.has(unit) && typeof value === "number" && !Number.isNaN(value)

/**
 * Writes that an option does not exist, names the option that was probably meant, and lists the options that exist.
 *
 * @category encoding
 * @since 0.1.0
 */
export const noSuchOption = (name: string, names: ReadonlyArray<string>): string => {
  const meant = closest(name.toLowerCase().replace(/^max(?!imum)/, "maximum"), names)
  return `there is no such option. ${meant === undefined ? "" : `The closest one is ${meant}. `}` +
    `Correct its name or remove it. The options are ${names.join(", ")}`
}

/** Names of options in other libraries, each with options of this library. The first option that exists is suggested. */
const renamed: ReadonlyArray<readonly [RegExp, ...ReadonlyArray<string>]> = [
  [/is+uer|^auth_?servers?/, "authorizationServers", "authorizationServer", "issuer"],
  [/^metadata_?ur[il]/, "metadataUrl", "authorizationServers[].metadataUrl"],
  [/audience|(resource|base|server)_?ur[il]/, "resource"],
  [/scope/, "scopes"],
  [/polic|^roles?$|permission/, "policy"],
  [/alg/, "algorithms", "authorizationServers[].algorithms"],
  [/jwks/, "jwksUri", "authorizationServers[].jwksUri"],
  [/client$|^fetch|agent$/, "httpClient", "fetch"],
  [/cors|origin/, "allowedOrigins"],
  [/leeway|skew/, "clockTolerance"],
  [/tokenage/, "verifier"]
]

/**
 * Returns the name that was probably meant: one with few other characters, or the name of this library for an option of another
 * one. Returns `undefined` if no name is similar. `name` is in lower case.
 *
 * @category decoding
 * @since 0.1.0
 */
export const closest = (name: string, names: ReadonlyArray<string>): string | undefined => {
  const ranked = names.map((known) => [distance(name, known.toLowerCase()), known] as const)
    .sort(([one], [other]) => one - other)
  const [edits, known] = ranked[0] ?? [Infinity]
  if (edits <= 2 && edits < name.length) return known
  const other = renamed.flatMap(([pattern, ...targets]) => pattern.test(name) ? targets : [])
    .find((target) => names.includes(target.split("[")[0]!))
  return other ?? (edits <= name.length / 2 ? known : undefined)
}

/** The longest name that is compared, in characters, because the time of the comparison grows with the length. */
const longestName = 64

/** Counts the characters that one name adds, removes or replaces to become another one. */
const distance = (from: string, to: string): number => {
  if (from.length > longestName) return Infinity
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1]
    for (let at = 0; at < to.length; at++) {
      next.push(Math.min(row[at]! + (character === to[at] ? 0 : 1), row[at + 1]! + 1, next[at]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
