/**
 * Returns the path of a request target, without query and fragment. Removes the origin of an absolute target (RFC 9112 §3.2.2),
 * because a client can write any origin there, as in the `Host` header.
 */
export const of = (target: string): string => {
  const path = target.split(/[?#]/, 1)[0]!
  // A backslash ends the authority, because the `URL` parser treats the rest as the path.
  const origin = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/\\]*/.exec(path)
  return origin === null ? path : path.slice(origin[0].length) || "/"
}
