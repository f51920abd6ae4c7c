import * as Redacted from "effect/Redacted"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"

/* Checks the result of a verifier, because the author of the server can supply the verifier. */

export const noPrincipal = ConfigOption.error(
  "verifier",
  "verify succeeded without a principal that has a subject or a clientId. Use TokenVerifier.make and Principal.make. To reject " +
    "a token, fail with InvalidToken"
)

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

const isNameIfAny = (value: unknown): boolean => value === undefined || isName(value)

/** Returns whether a value is a complete principal. Later code uses every member, and an error there would not be recorded. */
export const isPrincipal = (value: unknown): value is Principal => {
  if (typeof value !== "object" || value === null) return false
  const { audience, claims, clientId, expiresAt, granted, issuer, key, owner, roles, scopes, subject, token } =
    value as Partial<Principal>
  // A principal needs a subject or a client id. If it had neither, all callers of the verifier would share one owner. `null` is
  // rejected for the same reason.
  return isNameIfAny(subject) && isNameIfAny(clientId) && isName(subject ?? clientId) &&
    typeof issuer === "string" && isName(owner) && isName(key) && scopes instanceof Set && granted instanceof Set &&
    roles instanceof Set &&
    Array.isArray(audience) && typeof expiresAt === "number" && !Number.isNaN(expiresAt) &&
    typeof claims === "object" && claims !== null && Redacted.isRedacted(token)
}
