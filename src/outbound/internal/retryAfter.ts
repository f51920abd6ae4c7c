/** In seconds. A server may be back long before a longer time is over. */
const longest = 300

/**
 * The seconds of a `Retry-After` header (RFC 9110 §10.2.3), 1 to 300; 1 if it says nothing that can be read. A date is
 * compared with the `Date` of the same response and not with the clock of this machine, which may differ or step.
 */
export const retryAfterOf = (headers: Readonly<Record<string, string | undefined>>): number => {
  const header = headers["retry-after"]?.trim() ?? ""
  const seconds = /^\d+$/.test(header) ? Number(header) : (momentOf(header) - momentOf(headers["date"] ?? "")) / 1000
  return Number.isNaN(seconds) ? 1 : Math.min(Math.max(Math.ceil(seconds), 1), longest)
}

/** An HTTP date (RFC 9110 §5.6.7) in milliseconds; `NaN` for anything else. */
const momentOf = (text: string): number =>
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text) ? Date.parse(text) : Number.NaN
