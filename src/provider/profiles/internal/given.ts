import { AuthConfigError } from "../../../protocol/AuthError.ts"
import * as Audience from "../../../verification/claims/Audience.ts"

type Values = readonly [string, ...ReadonlyArray<string>]

/** One audience, or several of which a token needs one. */
export type Audiences = string | Values

/**
 * Reads the options of one profile. A profile is data, so its maker does not throw: what is wrong is kept as an issue,
 * which fails the layer.
 */
export interface Given {
  readonly issues: ReadonlyArray<AuthConfigError>
  /** The https origin of a host name; an https origin is taken as well. */
  readonly origin: (name: string, value: unknown, example: string) => string
  /** A URL without a final slash, for a provider that one runs oneself. */
  readonly url: (name: string, value: unknown, example: string) => string
  /** A value that becomes one segment of a URL or one claim. */
  readonly id: (name: string, value: unknown, example: string, grammar?: RegExp) => string
  readonly ids: (name: string, values: unknown, example: string) => Values
}

export const read = (profile: string): Given => {
  const issues: Array<AuthConfigError> = []
  const issue = (name: string, value: unknown, example: string) => {
    issues.push(
      new AuthConfigError({
        reason: value === undefined || value === "" ? "missing" : "malformed",
        option: `Profiles.${profile}.${name}`,
        fix: `${value === undefined ? "nothing is given" : `${JSON.stringify(value)} does not fit`}; write ${example}`
      })
    )
  }
  const given: Given = {
    issues,
    origin: (name, value, example) => {
      const text = typeof value === "string" ? value.replace(/^https:\/\//, "").replace(/\/$/, "") : ""
      const url = `https://${text}`
      if (!URL.canParse(url) || new URL(url).origin !== url) {
        issue(name, value, `the host alone, such as ${example}`)
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
    }
  }
  return given
}

/** The audience that the user names; the resource itself where nothing is named. */
export const audience = (given: Audiences | undefined): Audience.Audience =>
  given === undefined ? Audience.resource : Audience.oneOf(typeof given === "string" ? [given] : given)
