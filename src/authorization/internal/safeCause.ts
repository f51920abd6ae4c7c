import * as Cause from "effect/Cause"
import { sanitize, sanitizeLines } from "../../protocol/RemoteText.ts"

/** Longer messages are cut. */
const longestMessage = 1_024

/** Makes a cause fit for a log: the errors of a function of the user's may quote a claim, a request or an answer. */
export const safeCause = (cause: Cause.Cause<unknown>): Cause.Cause<never> =>
  Cause.fromReasons(Cause.prettyErrors(cause).map((error) => Cause.makeDieReason(safeError(error))))

const safeError = ({ cause, message, name, stack = "" }: Error): Error => {
  const safe = new Error(
    sanitize(message, longestMessage),
    cause instanceof Error ? { cause: safeError(cause) } : undefined
  )
  safe.name = sanitize(name)
  // The message is part of a stack, with its line breaks.
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "))
  safe.stack = [`${safe.name}: ${safe.message}`, sanitizeLines(frames.join("\n"))].join("\n").trimEnd()
  return safe
}
