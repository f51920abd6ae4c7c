import * as Duration from "effect/Duration"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"

/** How long a running answer to a POST may outlive the token that asked for it. */
export const graceOfAnswers: Duration.Duration = Duration.minutes(5)

/** Tells when the stream of an answer must end: one that the server keeps open ends with the token. */
export const endOfStream = (
  principal: Principal | undefined,
  method: string,
  operations: ReadonlyArray<Operation>
): number | undefined => {
  if (principal === undefined) return undefined
  const end = principal.expiresAt * 1000
  const keptOpen = method === "GET" || operations.some((_) => _.method === "subscriptions/listen")
  return keptOpen ? end : end + Duration.toMillis(graceOfAnswers)
}

export const isEventStream = (contentType: string | null | undefined): boolean =>
  contentType?.split(";")[0]!.trim().toLowerCase() === "text/event-stream"
