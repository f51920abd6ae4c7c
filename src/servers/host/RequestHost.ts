/**
 * Lists every host (a host name with an optional port) that a request names. The gate admits a request only if it allows all of
 * these hosts, so it does not matter which of them a framework, a proxy or a handler reads. `X-Forwarded-Host` and `Forwarded`
 * do not count, because a malicious web page can set them. Such a page cannot send a `Host` header that differs from the URL.
 */

/**
 * Returns the hosts of a Node request: the value of each `Host` header line, `:authority` of HTTP/2, and the authority of a
 * request target in absolute form. That authority takes precedence over `Host` (RFC 9112 §3.2.2).
 */
export const ofRaw = (rawHeaders: ReadonlyArray<unknown>, target: unknown): ReadonlyArray<string> => {
  const hosts: Array<string> = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if ((name.length === 4 && name.toLowerCase() === "host") || name === ":authority") {
      hosts.push(String(rawHeaders[i + 1]))
    }
  }
  const authority = typeof target === "string" && target[0] !== "/" ? authorityOf(target) : undefined
  if (authority !== undefined) hosts.push(authority)
  return hosts
}

/**
 * Returns the hosts of a `Request`: the host of its URL, and the value of the `Host` header if there is one. Neither is enough:
 * a server can build the URL with a configured host, and a `Request` that a program created has no `Host` header.
 */
export const ofFetch = (url: string, headers: Headers): ReadonlyArray<string> => {
  const ofUrl = authorityOf(url) ?? ""
  const host = headers.get("host")
  return host === null ? [ofUrl] : [ofUrl, host]
}

const authorityOf = (url: string): string | undefined => absolute.exec(url)?.[1]

const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#\\]*)/
