/**
 * Absolute http and https URIs as configuration and metadata write them: issuers (RFC 8414 §2), resources (RFC 8707 §2) and
 * endpoints.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"

/**
 * The parts that a URI may have beside scheme, host, port and path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Allowed {
  /** RFC 8414 §2 forbids a query in an issuer; an endpoint may have one. Default: `false`. */
  readonly query?: boolean | undefined
}

/**
 * Parses a URI that is written as it is used, and fails with what is wrong, as the end of a sentence about it.
 *
 * **Details**
 *
 * `URL` repairs texts that are not URIs (line breaks, backslashes, `https:host`, dot segments) and drops empty parts (`?`, `#`,
 * `@`, `:`). Identifiers are compared as strings, so what it would repair is rejected. The case of the scheme and the host,
 * a port that is the default one, and a missing path stay as they are.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (value: string, allowed: Allowed = {}): Result.Result<URL, string> => {
  if (!URL.canParse(value)) return Result.fail("is not an absolute URL")
  const url = new URL(value)
  if (url.protocol !== "https:" && url.protocol !== "http:") return Result.fail("is not an https URL")
  if (value.includes("#")) return Result.fail("has a fragment, which it must not")
  const parts = /^(https?):\/\/([^/?#\\]+)([^?#]*)(\?.*)?$/i.exec(value)
  if (parts === null) return Result.fail("is not an absolute URL")
  const [, scheme, authority, path, query] = parts as unknown as readonly [string, string, string, string, string?]
  if (query !== undefined && allowed.query !== true) return Result.fail("has a query, which it must not")
  if (authority.includes("@")) return Result.fail("names a user, which it must not")
  const host = authority.toLowerCase().replace(scheme.toLowerCase() === "https" ? /:443$/ : /:80$/, "")
  const isVerbatim = host === url.host && (path || "/") === url.pathname && (query ?? "") === url.search
  return isVerbatim ? Result.succeed(url) : Result.fail(`is not written as it is used, which is ${url.href}`)
}

/**
 * Tells whether requests to a URL are protected on their way: `https`, or plain `http` to loopback.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSecure = (url: URL): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))

/**
 * Tells whether the `hostname` of a `URL`, which normalizes every spelling of an IPv4 address, is a loopback host (RFC 8252
 * §8.3, RFC 6761 §6.3).
 *
 * @category guards
 * @since 0.1.0
 */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
  /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
