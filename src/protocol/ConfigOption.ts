/**
 * Checks options against tables. A table lists every option of an object, each with the rule for its value.
 *
 * Checks throw `AuthConfigError`, and `attempt` turns the error into a failure. Each error names the option and the value, and
 * states what to write instead.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { AuthConfigError } from "./AuthError.ts"
import * as OptionValue from "./OptionValue.ts"

/**
 * Checks the value of one option. `option` is the path of the option in errors.
 *
 * @category models
 * @since 0.1.0
 */
export type Rule = (value: unknown, option: string) => void

/**
 * A rule that contains the default of its option. Code takes the default from the rule, and errors and documents state it.
 *
 * @category models
 * @since 0.1.0
 */
export interface WithDefault<A> extends Rule {
  readonly default: A
}

/**
 * The rules of all options of an object, by name. `true` marks an option that is checked where it is used. A table that lacks
 * one of the names does not compile.
 *
 * @category models
 * @since 0.1.0
 */
export type Table<Name extends PropertyKey> = Readonly<Record<Name, Rule | true>>

/** Collects the property names of all members of a union. */
export type NamesOf<O> = O extends unknown ? keyof O : never

/**
 * Checks an object of options. Throws `AuthConfigError` for a value that is not a plain object, for an option that is not in
 * the table, and for a value that breaks the rule of its option. Unknown options are errors, because a misspelled option would
 * have no effect. Getters and instances of classes are errors, because code that reads a value after the check could get a
 * different value. `path` is the path of the object in errors, or `""` for the outermost one. `advice` is the advice for a value
 * that is not an object.
 *
 * @category guards
 * @since 0.1.0
 */
export const check = <Name extends PropertyKey>(
  options: unknown,
  path: string,
  table: Table<Name>,
  advice?: string
): void => {
  const names = Reflect.ownKeys(table)
  const whole = path || "options"
  if (!OptionValue.isObject(options)) {
    throw invalid(whole, options, "an object", advice ?? `Give one; its options are ${list(names)}`)
  }
  const prototype = Object.getPrototypeOf(options)
  // A plain object can come from another realm. Then its prototype is not this `Object.prototype`, but also has no prototype.
  if (prototype !== null && (Object.getPrototypeOf(prototype) !== null || names.some((name) => name in prototype))) {
    const { name } = Object(prototype.constructor)
    throw error(
      whole,
      notPlain(name && name !== "Object" ? `an instance of ${name}` : "an object that inherits options")
    )
  }
  for (const name of Reflect.ownKeys(options)) {
    const option = `${path}${path === "" || typeof name === "symbol" ? "" : "."}${toText(name)}`
    const rule = Object.hasOwn(table, name) ? table[name as Name] : undefined
    if (rule === undefined) {
      throw error(option, OptionValue.noSuchOption(toText(name), names.map(toText)))
    }
    const { get, value } = Object.getOwnPropertyDescriptor(options, name)!
    if (get !== undefined) throw error(option, notPlain("a getter"))
    if (rule !== true && value !== undefined) rule(value, option)
  }
}

/**
 * Checks that an object of options is plain and has no unknown options. Use it before code copies the object, because a copy
 * lacks inherited options. `names` are the names of all options. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkNames = (options: unknown, path: string, names: ReadonlyArray<PropertyKey>, advice?: string): void =>
  check(options, path, Object.fromEntries(names.map((name) => [name, true as const])), advice)

const notPlain = (kind: string): string => `the value is ${kind}. Write the values in a plain object`

const list = (names: ReadonlyArray<PropertyKey>): string => names.map(toText).join(", ")

/**
 * Writes a symbol as the path of its constant in brackets, such as `[AuthLayer.allowPrivateEndpoints]`. The symbol's
 * description is this path after the prefix `effect-mcp-auth/`.
 */
const toText = (name: PropertyKey): string =>
  typeof name === "symbol" ? `[${name.description?.replace("effect-mcp-auth/", "")}]` : String(name)

/**
 * Creates the error of an option. `fix` states what is wrong and what to write instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const error = (
  option: string,
  fix: string,
  reason: AuthConfigError["reason"] = "malformed"
): AuthConfigError => new AuthConfigError({ reason, option, fix })

/**
 * Creates the error of an option whose value is not the expected one. The value must not be a secret.
 *
 * @category constructors
 * @since 0.1.0
 */
export const invalid = (
  option: string,
  value: unknown,
  expected: string,
  advice: string,
  reason?: AuthConfigError["reason"]
): AuthConfigError => error(option, `${OptionValue.isNot(value, expected)}. ${advice}`, reason)

/**
 * Returns the result of checks, or the `AuthConfigError` that one of them throws.
 *
 * @category guards
 * @since 0.1.0
 */
export const attempt = <A>(checks: () => A): Result.Result<A, AuthConfigError> => {
  try {
    return Result.succeed(checks())
  } catch (thrown) {
    if (thrown instanceof AuthConfigError) return Result.fail(thrown)
    throw thrown
  }
}

/**
 * Accepts values for which `isValid` returns `true`.
 *
 * @category rules
 * @since 0.1.0
 */
export const rule = (
  isValid: (value: any) => boolean,
  expected: string,
  advice: string,
  reason?: AuthConfigError["reason"]
): Rule =>
(value, option) => {
  if (!isValid(value)) throw invalid(option, value, expected, advice, reason)
}

/**
 * Accepts values for which `isValid` returns `true`, for an option with a default. Errors name the default, as the text `stated` if
 * it is given.
 *
 * @category rules
 * @since 0.1.0
 */
export const withDefault = <const A>(
  otherwise: A,
  isValid: (value: any) => boolean,
  expected: string,
  stated: string = typeof otherwise === "string" ? JSON.stringify(otherwise) : String(otherwise)
): WithDefault<A> => Object.assign(rule(isValid, expected, `Leave it out for ${stated}`), { default: otherwise })

/**
 * Accepts one of the listed values. The first one is the default.
 *
 * @category rules
 * @since 0.1.0
 */
export const oneOf = <const A extends readonly [unknown, ...ReadonlyArray<unknown>]>(
  ...values: A
): WithDefault<A[0]> => withDefault(values[0], (_) => values.includes(_), OptionValue.oneOf(values))

/**
 * Accepts a duration within bounds, both inclusive. `otherwise` is the default of the option.
 *
 * @category rules
 * @since 0.1.0
 */
export const duration = (
  minimum: Duration.Input & string,
  maximum: Duration.Input & string,
  otherwise: Duration.Input & string
): WithDefault<Duration.Input> =>
  withDefault(otherwise, isWithin(minimum, maximum), rangeOf(minimum, maximum), otherwise)

/**
 * Accepts a duration within bounds, both inclusive, for an option without a constant default. Errors show `example`.
 *
 * @category rules
 * @since 0.1.0
 */
export const durationSuchAs = (
  minimum: Duration.Input & string,
  maximum: Duration.Input & string,
  example: string,
  reason?: AuthConfigError["reason"]
): Rule => rule(isWithin(minimum, maximum), rangeOf(minimum, maximum), `Write one such as "${example}"`, reason)

const rangeOf = (minimum: string, maximum: string): string => `a duration from ${minimum} to ${maximum}`

const isWithin = (minimum: Duration.Input, maximum: Duration.Input) => (value: unknown): boolean => {
  const read = OptionValue.toDuration(value)
  if (read === undefined) return false
  const time = Duration.toMillis(read)
  return time >= millisOf(minimum) && time <= millisOf(maximum)
}

const millisOf = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

/**
 * Accepts a whole number within bounds, both inclusive. Errors name the default of the option, which is `otherwise`.
 *
 * @category rules
 * @since 0.1.0
 */
export const wholeNumber = (
  minimum: number,
  otherwise: number,
  maximum = Number.MAX_SAFE_INTEGER
): WithDefault<number> =>
  withDefault(
    otherwise,
    (value) => Number.isSafeInteger(value) && value >= minimum && value <= maximum,
    `a whole number from ${minimum}${maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`}`
  )

/**
 * Accepts a function. Errors contain the advice "Give one that …", which `returns` completes. An example of `returns` is
 * "returns a boolean".
 *
 * @category rules
 * @since 0.1.0
 */
export const functionThat = (returns: string): Rule =>
  rule((value) => typeof value === "function", "a function", `Give one that ${returns}`)

/**
 * Accepts objects that have a property whose name is the value of `mark`. Each such name identifies the values of one module,
 * for example the values that `Dpop` creates.
 *
 * @category rules
 * @since 0.1.0
 */
export const marked = (mark: string, expected: string, advice: string): Rule =>
  rule((value) => Predicate.hasProperty(value, mark), expected, advice)

/**
 * Accepts a list of strings. `entry` describes one string of the list in errors, for example "an origin".
 *
 * @category rules
 * @since 0.1.0
 */
export const listOf = (
  isEntry: (text: string) => boolean,
  { advice, entries, entry, example }: {
    readonly entry: string
    readonly entries: string
    readonly advice: string
    readonly example: string
  }
): Rule =>
(values, option) => {
  if (!Array.isArray(values)) throw invalid(option, values, `a list of ${entries}`, `Write one such as ["${example}"]`)
  const index = values.findIndex((value) => typeof value !== "string" || !isEntry(value))
  if (index !== -1) throw error(option, `${OptionValue.describe(values[index])} is not ${entry}. ${advice}`)
}

/**
 * Accepts an object of options.
 *
 * @category rules
 * @since 0.1.0
 */
export const object = <Name extends PropertyKey>(table: Table<Name>): Rule => (value, option) =>
  check(value, option, table)

/**
 * Accepts a `Redacted` text of 32 bytes or more. Its value does not appear in errors.
 *
 * @category rules
 * @since 0.1.0
 */
export const checkSecret: Rule = (secret, option) => {
  const text = Redacted.isRedacted(secret) ? Redacted.value(secret) : undefined
  if (typeof text !== "string") throw error(option, "the value is not a Redacted text. Write Redacted.make(secret)")
  if (new TextEncoder().encode(text).length < 32) {
    throw error(option, "the secret has fewer than 32 bytes. Give the output of: openssl rand -base64 32", "insecure")
  }
}
