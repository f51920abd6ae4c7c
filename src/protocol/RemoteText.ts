/**
 * Sanitizes text from documents, tokens, requests and responses for logs, terminals and web pages.
 *
 * Such text may contain commands to a terminal (ESC sequences), fake log lines (line breaks) and characters that change the
 * order in which text is displayed (bidirectional controls).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"

/**
 * The default limit for the length of the text that `sanitize` returns, in characters.
 *
 * @category constants
 * @since 0.1.0
 */
export const maximumLength = 256

// C0 and C1 controls with DEL; the Arabic letter mark, zero-width characters and bidirectional controls; line and paragraph
// separators; invisible operators and the byte order mark; language tags; lone surrogates.
const unsafe = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u

/**
 * Replaces control, bidirectional and invisible characters and lone surrogates by escapes such as `\u001b`, and cuts the text
 * with `…` so that it has at most `length` characters (default: 256).
 *
 * **Details**
 *
 * A short text without such characters is returned unchanged. Sanitizing a text twice has the same result as sanitizing it
 * once.
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
  /** The length to keep if the text must be cut. It leaves room for `…`. */
  let kept = 0
  for (const character of text) {
    safe += unsafe.test(character) ? escape(character) : character
    if (safe.length > length) return `${safe.slice(0, kept)}…`
    if (safe.length < length) kept = safe.length
  }
  return safe
}

/**
 * Sanitizes a URL, and replaces its user, its query and its fragment by `…`, because each of them can contain a secret. A text
 * before `@` counts as a user even if the URL is not valid.
 *
 * **Example** (A key in a query)
 *
 * ```ts
 * import { RemoteText } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * assert.strictEqual(RemoteText.sanitizeUrl("https://auth.example.com/keys?key=secret"), "https://auth.example.com/keys?…")
 * ```
 *
 * @category encoding
 * @since 0.1.0
 */
export const sanitizeUrl = (url: string): string =>
  sanitize(url.replace(/^([a-z][a-z0-9+.-]*:[\\/]+)?.*@/is, "$1…@").replace(/([?#]).*/s, "$1…"))

/**
 * Sanitizes each line of a multi-line text, such as a rendered cause. First cuts the text to `length` characters (default:
 * 16,384). Escapes can make the result longer.
 *
 * @category encoding
 * @since 0.1.0
 */
export const sanitizeLines = (text: string, length: number = 16_384): string =>
  text.slice(0, length).split("\n").map((line) => sanitize(line, length)).join("\n")

/** The maximum length of the message of an error, in characters. */
const longestMessage = 1_024

/**
 * Sanitizes a cause for a log: each message becomes one line of at most 1,024 characters, and stack traces keep only the lines
 * that name a location in the code. The message of an error can quote remote text, such as a claim, a request or a response.
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
  // The stack begins with the message and its line breaks, so only the frames are kept.
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "))
  safe.stack = [`${safe.name}: ${safe.message}`, sanitizeLines(frames.join("\n"))].join("\n").trimEnd()
  return safe
}

const escape = (character: string): string => {
  const code = character.codePointAt(0)!
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`
}
