import * as ConfigOption from "../../../protocol/ConfigOption.ts"

/** Accepts the path of a file. */
export const fileRule: ConfigOption.Rule = ConfigOption.rule(
  (value) => typeof value === "string" && value !== "" && !value.includes("\0"),
  "a path",
  "Write the path of a file"
)

/** Checks the options of a store in a file. Throws `AuthConfigError`. */
export const checkFileOptions = (options: unknown): void => {
  ConfigOption.check<"file">(options, "", { file: fileRule }, "Give one with file, a path")
  // An option that is missing does not reach its rule.
  fileRule((options as { readonly file?: unknown }).file, "file")
}
