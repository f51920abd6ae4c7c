import * as Result from "effect/Result"
import { AuthConfigError } from "./AuthError.ts"

/**
 * Rejects members that do not exist: a misspelled one, from JavaScript or a file, would leave its check out. `names` lists
 * every member; the compiler rejects a list that lacks one.
 */
export const check = <Name extends string>(
  options: object,
  option: string,
  names: Readonly<Record<Name, true>>
): Result.Result<void, AuthConfigError> => {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name))
  const known = Object.keys(names).join(", ")
  return unknown === undefined
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: `${option}.${unknown}`,
        fix: `there is no such option; correct its name or leave it out. The options are ${known}`
      })
    )
}
