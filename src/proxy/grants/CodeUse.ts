import * as constantTime from "../../crypto/ConstantTime.ts"
import type { CodeRecord } from "./GrantRecord.ts"
import type { GrantRejected, Redemption } from "./Grants.ts"

/*
 * Decides what happens when a client presents a code. Pure: the caller has computed the challenge of the verifier, and writes the
 * result.
 */

/** The time after its first use in which a second use of a code is a lost race of two requests of the client, in milliseconds. */
export const raceWindow = 10_000

/**
 * The decision about a code: `use` it, `end` its grant because it was replayed, or reject the request for a reason without effect.
 */
export type CodeDecision = "use" | "end" | GrantRejected["reason"]

/** Decides about a code. `challenge` is the challenge of the verifier, or `undefined` for a malformed one. `now` is in milliseconds. */
export const decide = (
  record: CodeRecord,
  { clientId, redirectUri, resource }: Omit<Redemption, "code" | "verifier">,
  challenge: string | undefined,
  now: number
): CodeDecision => {
  // Only the owner of the code passes these checks. Everyone else must neither change nor learn anything (RFC 9700 §4.5).
  if (record.clientId !== clientId) return "client"
  if (record.redirectUri !== redirectUri) return "redirect"
  if (challenge === undefined || !constantTime.isEqual(record.challenge, challenge)) return "verifier"
  if (record.usedAt !== undefined) return now - record.usedAt < raceWindow ? "replayed" : "end"
  if (now >= record.expiresAt) return "unknown"
  return resource === undefined || resource === record.resource ? "use" : "resource"
}
