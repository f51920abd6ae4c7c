/**
 * Parses absolute http and https URIs of configuration and metadata: issuers (RFC 8414 §2), resources (RFC 8707 §2) and
 * endpoints.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { sanitizeUrl } from "./RemoteText.ts"

/**
 * Lists the parts that a URI may have in addition to scheme, host, port and path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Allowed {
  /** RFC 8414 §2 forbids a query in an issuer; an endpoint may have one. Default: `false`. */
  readonly query?: boolean | undefined
}

/**
 * Parses a URI, and rejects a URI that the `URL` parser would change. Fails with the second part of a sentence, for example
 * `has a fragment, which is not allowed`. The first part of the sentence is the URI.
 *
 * **Details**
 *
 * `URL` repairs invalid URIs (line breaks, backslashes, `https:host`, dot segments) and drops empty parts (`?`, `#`, `@`,
 * `:`). Identifiers are compared as strings, so a URI that needs a repair is rejected. Three differences are accepted:
 * upper case in the scheme or the host name, a default port, and a missing path.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (value: string, allowed: Allowed = {}): Result.Result<URL, string> => {
  if (!URL.canParse(value)) return Result.fail("is not an absolute URL")
  const url = new URL(value)
  if (url.protocol !== "https:" && url.protocol !== "http:") return Result.fail("is not an https URL")
  if (value.includes("#")) return Result.fail("has a fragment, which is not allowed")
  const parts = /^(https?):\/\/([^/?#\\]+)([^?#]*)(\?.*)?$/i.exec(value)
  if (parts === null) return Result.fail("is not an absolute URL")
  const [, scheme, authority, path, query] = parts as unknown as readonly [string, string, string, string, string?]
  if (query !== undefined && allowed.query !== true) return Result.fail("has a query, which is not allowed")
  if (authority.includes("@")) return Result.fail("has a user name, which is not allowed")
  const host = authority.toLowerCase().replace(scheme.toLowerCase() === "https" ? /:443$/ : /:80$/, "")
  const isVerbatim = host === url.host && (path || "/") === url.pathname && (query ?? "") === url.search
  return isVerbatim
    ? Result.succeed(url)
    : Result.fail(`is not in its normalized form, which is ${sanitizeUrl(url.href)}`)
}

/**
 * Tells whether requests to a URL are protected in transit: `https`, or plain `http` to a loopback name or address.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSecure = (url: URL): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))

/**
 * Tells whether the `hostname` of a `URL` is a loopback name or address (RFC 8252 §8.3, RFC 6761 §6.3). `URL` has
 * already normalized every notation of an IPv4 address.
 *
 * @category guards
 * @since 0.1.0
 */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
  /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
