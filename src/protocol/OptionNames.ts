import * as Result from "effect/Result"
import { AuthConfigError } from "./AuthError.ts"
import * as OptionValue from "./OptionValue.ts"

/** Collects the property names of all members of a union. */
export type NamesOf<O> = O extends unknown ? Extract<keyof O, string> : never

/**
 * Rejects unknown options. A misspelled option, for example from JavaScript or a file, would otherwise have no effect.
 * `names` lists every option; if one is missing, the code does not compile.
 */
export const check = <Name extends string>(
  options: object,
  option: string,
  names: Readonly<Record<Name, true>>,
  symbols: ReadonlyArray<string> = []
): Result.Result<void, AuthConfigError> => {
  const known = [...Object.keys(names), ...symbols]
  const fail = (option: string, fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option, fix }))
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return fail(option, `${OptionValue.isNot(options, "an object")}. Give one; its options are ${known.join(", ")}`)
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name))
  return unknown === undefined
    ? Result.succeed(undefined)
    : fail(`${option}.${unknown}`, OptionValue.noSuchOption(known))
}
