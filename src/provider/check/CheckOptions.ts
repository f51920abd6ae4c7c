/**
 * Checks the options of the checks of this folder, of `Doctor` and of `TokenReport`.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { revisions } from "../report/Rule.ts"

/** Returns what is wrong with an object of options, or `undefined` if nothing is. `owner` is the name of the function. */
export const findProblem = <Name extends string>(
  options: unknown,
  owner: string,
  table: ConfigOption.Table<Name>
): string | undefined => {
  const checked = ConfigOption.attempt(() => ConfigOption.check(options, owner, table))
  return Result.isFailure(checked) ? checked.failure.message : undefined
}

/** Accepts a revision of MCP that a check can use. */
export const revisionRule: ConfigOption.WithDefault<(typeof revisions)[0]> = ConfigOption.oneOf(...revisions)
