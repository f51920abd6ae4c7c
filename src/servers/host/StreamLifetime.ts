import * as Duration from "effect/Duration"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"

/** How long the response to a POST request may continue after its token has expired. */
export const graceOfAnswers: Duration.Duration = Duration.minutes(5)

/**
 * Returns the time at which the stream of a response must end, in milliseconds since 1970. A stream that answers a GET request
 * or a `subscriptions/listen` ends when the token expires. Any other stream ends 5 minutes later. Returns `Infinity` for an
 * anonymous caller.
 */
export const endOfStream = (
  principal: Principal | undefined,
  method: string,
  operations: ReadonlyArray<Operation>
): number => {
  if (principal === undefined) return Number.POSITIVE_INFINITY
  const end = principal.expiresAt * 1000
  const keptOpen = method === "GET" || operations.some((_) => _.method === "subscriptions/listen")
  return keptOpen ? end : end + Duration.toMillis(graceOfAnswers)
}

/** Returns whether the media type of a `Content-Type` header is `text/event-stream`. */
export const isEventStream = (contentType: string | null | undefined): boolean =>
  typeof contentType === "string" && eventStream.test(contentType)

const eventStream = /^\s*text\/event-stream\s*(?:;|$)/i
