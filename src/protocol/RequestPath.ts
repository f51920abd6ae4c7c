/**
 * The path of a request target, as it came in: without query and fragment, and without the origin of an absolute one
 * (RFC 9112 §3.2.2), which says as little about this server as `Host` does.
 */
export const of = (target: string): string => {
  const path = target.split(/[?#]/, 1)[0]!
  // A backslash ends an authority, as it does in a URL: what follows is the path to whoever parses one.
  const origin = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/\\]*/.exec(path)
  return origin === null ? path : path.slice(origin[0].length) || "/"
}
