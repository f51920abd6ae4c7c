import { sanitizeUrl } from "../protocol/RemoteText.ts"
import { Mismatch } from "./ClientError.ts"

/**
 * Returns the error for a redirect, which a client does not follow. A server can repeat a code or a token of the request in the query of
 * the target, so the error contains no query.
 */
export const redirected = (url: string, location: string | undefined): Mismatch =>
  new Mismatch({
    what: "redirect",
    expected: sanitizeUrl(url),
    found: location === undefined ? "another URL" : sanitizeUrl(location)
  })
