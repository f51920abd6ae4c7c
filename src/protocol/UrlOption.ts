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
 * Describes which URLs an option accepts, and the advice in its errors.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kind {
  /** Whether plain http is accepted for hosts other than loopback hosts. */
  readonly allowsHttp: boolean
  readonly allowsQuery: boolean
  readonly advice: string
  readonly adviceOnHttp: string
  readonly adviceOnParts: string
}

/**
 * Checks that a value is an absolute https URL in normalized form, without user name and fragment. An http URL is accepted for
 * a loopback host, or if `kind.allowsHttp` is set. A query is accepted if `kind.allowsQuery` is set. Throws `AuthConfigError`.
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
 * Describes a URL for an error. A URL with an `@` is not quoted, because it can contain a password.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describe = (value: unknown): string =>
  typeof value === "string" && value.includes("@") ? "the URL" : OptionValue.describe(value)
