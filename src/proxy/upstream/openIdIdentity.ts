import { type JsonObject, own } from "../../protocol/Json.ts"
import type { UpstreamIdentity } from "./Preset.ts"

/* Reads identities from the claims of OpenID Connect (Core §5.1). */

/** Returns a name for pages from the claims of a person. */
export const displayOf = (claims: JsonObject): string | undefined =>
  ["preferred_username", "email", "name"]
    .map((name) => own(claims, name))
    .find((value): value is string => typeof value === "string" && value !== "")

/** Identifies a person by `sub`, which an issuer never gives to another person (Core §2). */
export const bySubject = (claims: JsonObject): UpstreamIdentity | undefined => {
  const subject = own(claims, "sub")
  return typeof subject === "string" ? { id: subject, display: displayOf(claims) } : undefined
}
