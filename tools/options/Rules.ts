/**
 * Reads the options of a function and their rules from the errors of the function.
 */
import { type Entry, failureOf, options } from "./Functions.ts"

/** The rule of an option, as the error of an invalid value states it. */
export interface Rule {
  /** The description of valid values, such as `a whole number from 1 to 100000`. */
  readonly expected: string
  /** The default that the error names. */
  readonly otherwise: string | undefined
}

/** A value that no option accepts. */
const invalid = Symbol("value")

/** The name of an option that no function has. */
const unknown = "xyzzy"

/** Calls the function with one option changed, which can be an option inside another one. Returns the error. */
const errorOf = async ({ call, valid = options }: Entry, path: ReadonlyArray<string>, value: unknown) => {
  const [outermost, ...inner] = path
  const changed = inner.reduceRight((value, name): unknown => ({ [name]: value }), value)
  const failure = await failureOf(() => call({ ...valid, [outermost!]: changed } as never))
  const { _tag, detail, fix, option } = Object(failure) as {
    readonly [_ in "_tag" | "detail" | "fix" | "option"]?: string
  }
  if (_tag === "AuthConfigError") return { option: option!, fix: fix! }
  // The checks of servers have one text for the option and the fix.
  const [, name, rest] = /^Invalid configuration at ([^ ]+): (.*)$/s.exec(detail ?? "") ?? []
  return name === undefined ? undefined : { option: name, fix: rest! }
}

/** Returns the names of the options at a path, as the error of an unknown option lists them. */
export const namesOf = async (entry: Entry, path: ReadonlyArray<string> = []): Promise<ReadonlyArray<string>> => {
  const error = await errorOf(entry, [...path, unknown], undefined)
  if (error?.option.endsWith(unknown) !== true) return []
  return /The options are (.*)$/.exec(error.fix)?.[1]?.split(", ") ?? []
}

/** Returns the rule of the option at a path. Returns `undefined` if the function checks the value only when it is used. */
export const ruleOf = async (entry: Entry, path: ReadonlyArray<string>): Promise<Rule | undefined> => {
  const error = await errorOf(entry, path, invalid)
  // The error can be about another option, which the function checks first.
  if (error === undefined) return undefined
  const paths = [error.option, error.option.replace(/\[0\].*$/, "")]
  if (!paths.some((_) => _.endsWith(path.at(-1)!))) return undefined
  const [, expected, advice] = /(?:is not|expected) (.*?)\. (.*)$/.exec(error.fix) ?? []
  return expected === undefined
    ? undefined
    : { expected, otherwise: /^Leave it out for (.*?)(?:;.*)?$/.exec(advice!)?.[1] }
}
