import * as OptionValue from "../protocol/OptionValue.ts"
import * as Algorithm from "./Algorithm.ts"

/** Describes a list of algorithms that is empty, or that has a member that cannot be used. */
export const problemOf = (algorithms: unknown): string => {
  const expected = `Name at least one of ${Algorithm.all.join(", ")}`
  if (!Array.isArray(algorithms) || algorithms.length === 0) {
    return `${OptionValue.isNot(algorithms, "a list of algorithms")}. ${expected}`
  }
  const foreign: unknown = algorithms.find((_) => !Algorithm.isAlgorithm(_))
  const reason = typeof foreign === "string" && foreign.startsWith("HS")
    ? "; a shared secret cannot verify tokens of an authorization server"
    : ""
  return `${OptionValue.describe(foreign)} is not an accepted algorithm${reason}. ${expected}`
}
