/**
 * Keeps what a rejection is about, for the log of the operator. Errors themselves contain no claims, because programs may show
 * them to clients.
 *
 * @since 0.1.0
 */
import type { InvalidToken } from "../../protocol/AuthError.ts"
import type { Claims } from "./Claims.ts"

/** The rejected claims, and the error of the author's decoder if it rejected them. */
export interface Rejected {
  readonly claims: Claims
  readonly cause?: unknown
}

const rejected = new WeakMap<InvalidToken, Rejected>()

/** Attaches claims to an error. The error must not be shared between tokens. Returns the error. */
export const attach = (error: InvalidToken, about: Rejected): InvalidToken => {
  rejected.set(error, about)
  return error
}

/** Returns what was attached to an error. */
export const attachedTo = (error: InvalidToken): Rejected | undefined => rejected.get(error)
