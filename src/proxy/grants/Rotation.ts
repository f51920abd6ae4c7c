import type { GrantRecord, Retired } from "./GrantRecord.ts"

/*
 * Decides what happens to a grant when a client presents one of its refresh tokens. Pure: the caller has verified the token, and
 * writes the result.
 *
 * Refresh tokens of a grant are numbered. The token of a number is a function of the grant, so a grant never has two live
 * successors, and each retry gets the same one.
 */

/**
 * The decision about a refresh token.
 *
 * - `retry`: the token was replaced a short time ago. The client gets the current one.
 * - `rotate`: the token is the current one, or a later one that the store has lost. The client gets its successor.
 * - `end`: the token was replaced before the retry window. Two parties use the grant, so it ends (RFC 9700 §4.14.2).
 */
export type RotationDecision = "retry" | "rotate" | "end"

/** The number of replaced tokens that a record lists. */
const mostRetired = 8

/** Decides about the refresh token of a generation. `now` and `retryWindow` are in milliseconds. */
export const decide = (
  record: Pick<GrantRecord, "generation" | "retired">,
  generation: number,
  now: number,
  retryWindow: number
): RotationDecision => {
  if (generation >= record.generation) return "rotate"
  const retired = record.retired.find(([each]) => each === generation)
  return retired !== undefined && now - retired[1] < retryWindow ? "retry" : "end"
}

/**
 * Returns the record after the rotation of a token. `kid` is the id of the secret of the next token.
 *
 * If the store lost its last writes, `generation` is higher than the one of the record. Then the lost generations are retired as
 * well, because another process of the client may still use one.
 */
export const rotate = (
  record: GrantRecord,
  generation: number,
  kid: string,
  now: number,
  retryWindow: number
): GrantRecord => {
  const first = Math.max(record.generation, generation - mostRetired + 1)
  const replaced = Array.from({ length: generation - first + 1 }, (_, index): Retired => [first + index, now])
  return {
    ...record,
    generation: generation + 1,
    kid,
    usedAt: now,
    retired: [...record.retired, ...replaced].filter(([, at]) => now - at < retryWindow).slice(-mostRetired)
  }
}
