import * as OptionValue from "../../protocol/OptionValue.ts"

/* Checks the options that identify the subject of a token. If several people shared a claim value, they would be one owner. */

const isName = (value: unknown): value is string => typeof value === "string" && value !== ""

/** Claims that are not unique to a person: of the token, of the client, and of the user profile (OpenID Connect Core §5.7). */
const shared = new Set(
  ("iss aud exp nbf iat jti typ azp client_id cid appid scope scp roles groups token_type token_use ver tid " +
    "name given_name family_name middle_name nickname preferred_username email email_verified phone_number profile " +
    "picture website gender birthdate zoneinfo locale address").split(" ")
)

/** Returns what to write instead, or `undefined` if the claims can identify a person. */
export const checkSubjectClaims = (
  claims: unknown
): { readonly reason: "malformed" | "insecure"; readonly fix: string } | undefined => {
  if (!Array.isArray(claims) || claims.length === 0 || !claims.every(isName)) {
    return {
      reason: "malformed",
      fix: `${OptionValue.isNot(claims, "a list of claim names")}. Write one such as ["sub"]`
    }
  }
  const wrong = claims.find((_) => shared.has(_))
  return wrong === undefined ? undefined : {
    reason: "insecure",
    fix:
      `${
        JSON.stringify(wrong)
      } does not identify a person: two people may have the same value. Name a claim that the ` +
      `issuer keeps unique to a person, such as "sub"`
  }
}

/** Returns what to write instead, or `undefined` if the marks can show that a token was issued to a program for itself. */
export const checkMachineMarks = (marks: unknown): string | undefined => {
  const fits = Array.isArray(marks) &&
    marks.every((mark: { readonly claim?: unknown; readonly values?: unknown } | null | undefined) =>
      typeof mark === "object" && mark !== null && isName(mark.claim) && mark.claim !== "iss" && mark.claim !== "aud" &&
      Array.isArray(mark.values) && mark.values.length > 0 && mark.values.every(isName)
    )
  return fits
    ? undefined
    : `expected a list of { claim, values } with claims other than "iss" and "aud", which every token has. Write one ` +
      `such as [{ claim: "idtyp", values: ["app"] }]`
}
