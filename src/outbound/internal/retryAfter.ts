/** The maximum of `retryAfterOf`, in seconds. Longer times are reduced to it, because the server may recover much earlier. */
const longest = 300

/**
 * Returns the seconds of a `Retry-After` header (RFC 9110 §10.2.3), from 1 to 300, or 1 if the header is missing or invalid.
 * A date is compared with the `Date` of the same response, because the clock of this machine may differ or step.
 */
export const retryAfterOf = (headers: Readonly<Record<string, string | undefined>>): number => {
  const header = headers["retry-after"]?.trim() ?? ""
  const seconds = /^\d+$/.test(header) ? Number(header) : (momentOf(header) - momentOf(headers["date"] ?? "")) / 1000
  return Number.isNaN(seconds) ? 1 : Math.min(Math.max(Math.ceil(seconds), 1), longest)
}

/** Parses an HTTP date (RFC 9110 §5.6.7) as milliseconds since 1970. Returns `NaN` for any other text. */
const momentOf = (text: string): number =>
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text) ? Date.parse(text) : Number.NaN
