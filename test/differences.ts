/**
 * Where this library differs on purpose from a `must` of `cases.json`: the one list of them, read by `cases.test.ts`.
 */
export interface Difference {
  /** The id of the case. A case stands here or has a test, never both. */
  readonly id: string
  /** Why, for somebody who wants to know whether it matters to them. */
  readonly reason: string
}

export const differences: ReadonlyArray<Difference> = [
  {
    id: "JWT-29",
    reason:
      "The case wants 401 for a token whose first segment is `!!!notbase64!!!`. RFC 6750 §2.1 has no `!` in a token, " +
      "so the header is malformed and the answer is 400 invalid_request (§3.1). A segment of permitted characters that " +
      "is no base64url gets the 401, and so does this one where tokenGrammar permits it. No answer holds a word of a " +
      "parser: see AuthLayer.test.ts."
  }
]
