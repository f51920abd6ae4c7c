/**
 * Text from a document, a token, a request or an answer, made fit for a log, a terminal and a page.
 *
 * Such text may hold what commands a terminal (ESC sequences), what looks like another log line (line breaks) and what
 * shows its characters in another order (bidirectional controls).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"

/**
 * The longest text that `sanitize` returns by default, in characters.
 *
 * @category constants
 * @since 0.1.0
 */
export const maximumLength = 256

// C0 and C1 controls with DEL; ALM, zero-width characters and bidirectional controls; line and paragraph separators;
// invisible operators and the byte order mark; language tags; lone surrogates.
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u

/**
 * Replaces control, bidirectional and invisible characters and lone surrogates by escapes such as `\u001b`, and cuts the
 * text with `…` so that it has at most `length` characters (default: 256).
 *
 * **Details**
 *
 * A text that needs neither is returned as it is. A sanitized text stays the same when it is sanitized again.
 *
 * **Example** (An ESC sequence)
 *
 * ```ts
 * import { RemoteText } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * assert.strictEqual(RemoteText.sanitize("\u001b[2Jhttps://issuer.example"), "\\u001b[2Jhttps://issuer.example")
 * ```
 *
 * @category encoding
 * @since 0.1.0
 */
export const sanitize = (text: string, length: number = maximumLength): string => {
  if (text.length <= length && !unsafe.test(text)) return text
  let safe = ""
  /** The characters that stay of a text that is cut: the rest is for the mark. */
  let kept = 0
  for (const character of text) {
    safe += unsafe.test(character) ? escape(character) : character
    if (safe.length > length) return `${safe.slice(0, kept)}…`
    if (safe.length < length) kept = safe.length
  }
  return safe
}

/**
 * Sanitizes each line of a text of several lines, such as the rendering of a cause.
 *
 * @category encoding
 * @since 0.1.0
 */
export const sanitizeLines = (text: string, length: number = 16_384): string =>
  text.slice(0, length).split("\n").map((line) => sanitize(line, length)).join("\n")

/** Longer messages are cut. */
const longestMessage = 1_024

/**
 * Makes a cause fit for a log: each message is one line of at most 1,024 characters, and stack traces keep the lines that
 * name a place in the code. Errors of other code may quote a claim, a request or an answer.
 *
 * @category encoding
 * @since 0.1.0
 */
export const sanitizeCause = (cause: Cause.Cause<unknown>): Cause.Cause<never> =>
  Cause.fromReasons(Cause.prettyErrors(cause).map((error) => Cause.makeDieReason(sanitizeError(error))))

const sanitizeError = ({ cause, message, name, stack = "" }: Error): Error => {
  const safe = new Error(
    sanitize(message, longestMessage),
    cause instanceof Error ? { cause: sanitizeError(cause) } : undefined
  )
  safe.name = sanitize(name)
  // The message is part of a stack, with its line breaks.
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "))
  safe.stack = [`${safe.name}: ${safe.message}`, sanitizeLines(frames.join("\n"))].join("\n").trimEnd()
  return safe
}

const escape = (character: string): string => {
  const code = character.codePointAt(0)!
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`
}
