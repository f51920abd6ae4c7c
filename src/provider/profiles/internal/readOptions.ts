import * as Redacted from "effect/Redacted"
import { AuthConfigError } from "../../../protocol/AuthError.ts"
import * as OptionValue from "../../../protocol/OptionValue.ts"
import * as Audience from "../../../verification/claims/Audience.ts"

type Values = readonly [string, ...ReadonlyArray<string>]

/**
 * One audience, or several. A token must have one of them.
 *
 * @category models
 * @since 0.1.0
 */
export type Audiences = string | Values

/**
 * Reads the options of one profile. An invalid option does not throw, because a profile is data. The errors are collected as
 * issues, and the layer that uses the profile fails with them.
 */
export interface OptionReader {
  readonly issues: ReadonlyArray<AuthConfigError>
  /** Reads a host name or an https origin. Returns the https origin. */
  readonly origin: (name: string, value: unknown, example: string) => string
  /** Reads the URL of an instance of the provider. Removes a final slash. */
  readonly url: (name: string, value: unknown, example: string) => string
  /** Reads a value that becomes a segment of a URL or the value of a claim. */
  readonly id: (name: string, value: unknown, example: string, grammar?: RegExp) => string
  readonly ids: (name: string, values: unknown, example: string) => Values
  /** Accepts only a non-empty `Redacted` string. The error about any other value does not quote the value. */
  readonly secret: (name: string, value: unknown) => void
  /** Rejects a value that is not one of the choices. A missing value is accepted, and means the first choice. */
  readonly choice: (name: string, value: unknown, choices: Values) => void
}

type Names<O> = O extends unknown ? Extract<keyof O, string> : never

export const readOptions = <O extends object>(
  profile: string,
  options: O,
  names: Readonly<Record<Names<O>, true>>
): OptionReader => {
  const known = Object.keys(names)
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    // Throws, because without an options object no profile can be created.
    throw new AuthConfigError({
      reason: "missing",
      option: `Profiles.${profile}`,
      fix: `${OptionValue.isNot(options, "an object")}. Give one; its options are ${known.join(", ")}`
    })
  }
  const issues: Array<AuthConfigError> = Object.keys(options).filter((name) => !Object.hasOwn(names, name)).map((
    name
  ) =>
    new AuthConfigError({
      reason: "malformed",
      option: `Profiles.${profile}.${name}`,
      fix: OptionValue.noSuchOption(name, known)
    })
  )
  const issue = (name: string, value: unknown, example: string) => {
    issues.push(
      new AuthConfigError({
        reason: value === undefined || value === "" ? "missing" : "malformed",
        option: `Profiles.${profile}.${name}`,
        fix: `${
          value === undefined ? "the value is missing" : `${OptionValue.describe(value)} is not valid`
        }. Write ${example}`
      })
    )
  }
  const reader: OptionReader = {
    issues,
    origin: (name, value, example) => {
      const text = typeof value === "string" ? value.replace(/^https:\/\//, "").replace(/\/$/, "") : ""
      const url = `https://${text}`
      if (!URL.canParse(url) || new URL(url).origin !== url) {
        issue(name, value, `the host only, such as ${example}`)
        return "https://invalid.invalid"
      }
      return url
    },
    url: (name, value, example) => {
      const fits = typeof value === "string" && URL.canParse(value) && /^https?:\/\/[^?#]+$/.test(value)
      if (!fits) issue(name, value, `a URL, such as ${example}`)
      return fits ? value.replace(/\/$/, "") : "https://invalid.invalid"
    },
    id: (name, value, example, grammar = /^[^\s/?#%]+$/) => {
      const fits = typeof value === "string" && grammar.test(value)
      if (!fits) issue(name, value, example)
      return fits ? value : "invalid"
    },
    ids: (name, values, example) => {
      const fits = Array.isArray(values) && values.length > 0 && values.every((_) => typeof _ === "string" && _ !== "")
      if (!fits) issue(name, values, `a list with at least one value, such as ["${example}"]`)
      return fits ? values as unknown as Values : ["invalid"]
    },
    secret: (name, value) => {
      const text = Redacted.isRedacted(value) ? Redacted.value(value) : undefined
      if (typeof text === "string" && text !== "") return
      issues.push(
        new AuthConfigError({
          reason: value === undefined ? "missing" : "malformed",
          option: `Profiles.${profile}.${name}`,
          fix: `the value is ${value === undefined ? "missing" : "not a Redacted text"}. Write Redacted.make(secret)`
        })
      )
    },
    choice: (name, value, choices) => {
      if (value === undefined || choices.includes(value as string)) return
      const quoted = choices.map((_) => _.startsWith("{") ? _ : JSON.stringify(_))
      issue(name, value, `${quoted.join(" or ")}, or leave it out for ${quoted[0]}`)
    }
  }
  return reader
}

/** Returns the rule for the configured audiences. Default: the resource. */
export const toAudience = (audiences: Audiences | undefined): Audience.Audience =>
  audiences === undefined ? Audience.resource : Audience.oneOf(typeof audiences === "string" ? [audiences] : audiences)
