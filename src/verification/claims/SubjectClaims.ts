import * as ConfigOption from "../../protocol/ConfigOption.ts"

/* Checks the options `subjectClaims` and `machineMarks`. If several people had the same value of a subject claim, they would be
 * one owner. */

const isName = (value: unknown): value is string => typeof value === "string" && value !== ""

/**
 * Claims whose values several people can have: claims about the token, the client and the user profile (OpenID Connect Core
 * §5.7).
 */
const shared = new Set(
  ("iss aud exp nbf iat jti typ azp client_id cid appid scope scp roles groups token_type token_use ver tid " +
    "name given_name family_name middle_name nickname preferred_username email email_verified phone_number profile " +
    "picture website gender birthdate zoneinfo locale address").split(" ")
)

/** Checks that every claim can identify a person. Throws `AuthConfigError`. */
export const checkSubjectClaims: ConfigOption.Rule = (claims, option) => {
  if (!Array.isArray(claims) || claims.length === 0 || !claims.every(isName)) {
    throw ConfigOption.invalid(option, claims, "a list of claim names", "Write one such as [\"sub\"]")
  }
  const wrong = claims.find((_) => shared.has(_))
  if (wrong === undefined) return
  throw ConfigOption.error(
    option,
    `${
      JSON.stringify(wrong)
    } does not identify a person: two people may have the same value. Name a claim that the issuer ` +
      `keeps unique to a person, such as "sub"`,
    "insecure"
  )
}

const isMark = (mark: { readonly claim?: unknown; readonly values?: unknown } | null | undefined): boolean =>
  typeof mark === "object" && mark !== null && isName(mark.claim) && mark.claim !== "iss" && mark.claim !== "aud" &&
  Array.isArray(mark.values) && mark.values.length > 0 && mark.values.every(isName)

/** Checks the list of claims that mark a token as issued to a program for itself. Throws `AuthConfigError`. */
export const checkMachineMarks: ConfigOption.Rule = ConfigOption.rule(
  (marks) => Array.isArray(marks) && marks.every(isMark),
  "a list of { claim, values } with claims other than \"iss\" and \"aud\", which every token has",
  "Write one such as [{ claim: \"idtyp\", values: [\"app\"] }]"
)
