/**
 * The `must` cases of `cases.json` from which this library differs on purpose. `tools/reporter.ts` reads the list.
 */
export interface Difference {
  /** The id of the case. A case is listed here or has a test, never both. */
  readonly id: string
  /** The reason, for users who compare libraries. */
  readonly reason: string
}

export const differences: ReadonlyArray<Difference> = [
  {
    id: "JWT-29",
    reason:
      "The case expects 401 for a token whose first segment is `!!!notbase64!!!`. RFC 6750 §2.1 allows no `!` in a token, " +
      "so the header is malformed and the response is 400 invalid_request (§3.1). A segment of permitted characters that " +
      "is not base64url is answered with 401, and so is this one if tokenGrammar permits it. No response contains text of " +
      "a parser: see AuthLayer.test.ts."
  }
]
