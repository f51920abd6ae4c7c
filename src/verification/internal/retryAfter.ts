/** More than that is asked of nobody who waits: a server may be back long before. */
const longest = 300

/** The seconds of a `Retry-After` header (RFC 9110 §10.2.3); 1 where it says nothing, or names a date. */
export const retryAfterOf = (header: string | undefined): number => {
  const seconds = header !== undefined && /^\d{1,5}$/.test(header) ? Number(header) : 1
  return Math.min(Math.max(seconds, 1), longest)
}
