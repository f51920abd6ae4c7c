import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as Algorithm from "./Algorithm.ts"

/** Checks a list of algorithms. Throws `AuthConfigError` if it is empty, or has a member that is not in `Algorithm.all`. */
export const checkAlgorithms: ConfigOption.Rule = (algorithms, option) => {
  const advice = `Name at least one of ${Algorithm.all.join(", ")}`
  if (!Array.isArray(algorithms) || algorithms.length === 0) {
    throw ConfigOption.invalid(option, algorithms, "a list of algorithms", advice, "insecure")
  }
  const foreign: unknown = algorithms.find((_) => !Algorithm.isAlgorithm(_))
  if (foreign === undefined && !algorithms.includes(undefined)) return
  const reason = typeof foreign === "string" && foreign.startsWith("HS")
    ? "; a shared secret cannot verify tokens of an authorization server"
    : ""
  throw ConfigOption.error(
    option,
    `${OptionValue.describe(foreign)} is not an accepted algorithm${reason}. ${advice}`,
    "insecure"
  )
}
