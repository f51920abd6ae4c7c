import * as Result from "effect/Result"
import * as HttpUri from "../../protocol/HttpUri.ts"

/* Recognizes the URLs of Client ID Metadata Documents. Servers load this file at the start, and the code that reads a document on demand. */

/** The longest URL of a document, in characters. */
const maximumUrl = 512

/**
 * Tells whether a client id has the form of a document's URL (§3): https, with a path, in normalized form, without user name, query
 * and fragment. The host is ASCII, so a name that looks like another one appears in its ASCII form.
 */
export const isUrl = (id: string): boolean => {
  if (!id.startsWith("https://") || id.length > maximumUrl) return false
  const parsed = HttpUri.parse(id)
  // Normalization accepts upper case in the host, but a client id is compared as a text.
  return Result.isSuccess(parsed) && parsed.success.pathname !== "/" && parsed.success.href === id &&
    !/%(?:2e|2f|5c)/i.test(parsed.success.pathname)
}
