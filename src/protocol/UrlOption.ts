/**
 * Checks options that are URLs.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as ConfigOption from "./ConfigOption.ts"
import * as HttpUri from "./HttpUri.ts"
import * as OptionValue from "./OptionValue.ts"

/**
 * Describes which URLs an option accepts, and what errors advise.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kind {
  /** Whether plain http is accepted on other hosts than loopback. */
  readonly allowsHttp: boolean
  readonly allowsQuery: boolean
  readonly advice: string
  readonly adviceOnHttp: string
  readonly adviceOnParts: string
}

/**
 * Checks that a value is an absolute https URL, or an http URL on loopback, in the form that `URL` would produce and without
 * user and fragment. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const check = (value: unknown, option: string, kind: Kind): URL => {
  if (typeof value !== "string" || !URL.canParse(value)) {
    throw ConfigOption.invalid(option, value, "an absolute URL", kind.advice)
  }
  const url = new URL(value)
  if (!HttpUri.isSecure(url) && !(kind.allowsHttp && url.protocol === "http:")) {
    throw ConfigOption.error(
      option,
      `${describe(value)} must be https; plain http is accepted on loopback only. ${kind.adviceOnHttp}`,
      "insecure"
    )
  }
  const parsed = HttpUri.parse(value, { query: kind.allowsQuery })
  if (Result.isSuccess(parsed)) return parsed.success
  throw ConfigOption.error(option, `${describe(value)} ${parsed.failure}. ${kind.adviceOnParts}`)
}

/**
 * Describes a URL, without its value if it has a user name, because it may contain a password.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describe = (value: unknown): string =>
  typeof value === "string" && value.includes("@") ? "the URL" : OptionValue.describe(value)
