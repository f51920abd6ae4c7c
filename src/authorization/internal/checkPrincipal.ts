import * as Equal from "effect/Equal"
import * as Redacted from "effect/Redacted"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"

/* Checks of the result of a verifier, which may be one of the author's. */

export const noPrincipal = ConfigOption.error(
  "verifier",
  "verify succeeded with a value other than { principal, reuse }, or with a principal that has neither a subject nor a " +
    "clientId. Return the result of another verifier, or use TokenVerifier.make and Principal.make. To reject a token, fail " +
    "with InvalidToken"
)

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

const isNameIfAny = (value: unknown): boolean => value === undefined || isName(value)

/** Returns whether a value is a whole principal. Each member is used later, where an error would have no decision event. */
export const isPrincipal = (value: unknown): value is Principal => {
  if (typeof value !== "object" || value === null) return false
  const { audience, claims, clientId, expiresAt, granted, issuer, key, owner, scopes, subject, token } =
    value as Partial<
      Principal
    >
  // Without a name, all callers of the verifier would share one owner. `null` would be such a name, too.
  return isNameIfAny(subject) && isNameIfAny(clientId) && isName(subject ?? clientId) &&
    typeof issuer === "string" && isName(owner) && isName(key) && scopes instanceof Set && granted instanceof Set &&
    Array.isArray(audience) && typeof expiresAt === "number" && !Number.isNaN(expiresAt) &&
    typeof claims === "object" && claims !== null && Redacted.isRedacted(token)
}

/** Returns whether a token that was verified again means the same. Only its end may have moved. */
export const isUnchanged = (before: Principal, again: Principal): boolean =>
  again.key === before.key && [...before.scopes].every((_) => again.scopes.has(_)) &&
  Equal.equals({ ...before.claims, exp: undefined }, { ...again.claims, exp: undefined })
