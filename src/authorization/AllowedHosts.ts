/**
 * Protects against DNS rebinding (MCP Streamable HTTP, security warning): checks the host names under which clients address the
 * server.
 *
 * If the domain of an attacker's page resolves to this machine, a browser treats the requests of the page as same-origin. Only
 * their `Host` header differs from that of legitimate requests: it contains the attacker's domain.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as HttpUri from "../protocol/HttpUri.ts"

/**
 * Returns whether the server accepts a value of the `Host` header: a host name or an address, with or without a port.
 *
 * @category models
 * @since 0.1.0
 */
export type AllowedHosts = (host: string) => boolean

/**
 * Makes the check for a resource. Returns `undefined`, which means no check, if the host name of the resource is not
 * a loopback name and `allowedHosts` is absent.
 *
 * **Details**
 *
 * The check accepts the host name of the resource and the names in `allowedHosts`. If the host name of the resource is a
 * loopback name, it also accepts `localhost`, `*.localhost`, `127.0.0.0/8` and `[::1]`. It ignores ports.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  resource: string,
  allowedHosts: ReadonlyArray<string> | undefined
): AllowedHosts | undefined => {
  const { hostname } = new URL(resource)
  const isLocal = HttpUri.isLoopback(hostname)
  if (!isLocal && allowedHosts === undefined) return undefined
  const names = new Set([hostname, ...(allowedHosts ?? [])])
  return (host) => (isLocal && loopback.test(host)) || names.has(host.replace(/:\d{1,5}$/, "").toLowerCase())
}

/**
 * Returns the host names to pass to `make`. By default, a resource with http on a host other than loopback has only its own name:
 * a web page can reach such a server by DNS rebinding, as it can reach a server on loopback.
 *
 * @category getters
 * @since 0.1.0
 */
export const namesFor = (
  resource: string,
  allowedHosts: ReadonlyArray<string> | undefined
): ReadonlyArray<string> | undefined => {
  if (allowedHosts !== undefined) return allowedHosts
  const url = new URL(resource)
  return HttpUri.isSecure(url) ? undefined : [url.hostname]
}

// A pattern instead of `URL`, because `URL` accepts text that is not a host name, and rewrites it (`127.1` to `127.0.0.1`).
const loopback = /^(?:(?:[a-z0-9_-]+\.)*localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i

const isHostname = (name: string): boolean =>
  !name.includes("*") && URL.canParse(`http://${name}`) && new URL(`http://${name}`).hostname === name

/**
 * Checks the option `allowedHosts`. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const check: ConfigOption.Rule = ConfigOption.listOf(isHostname, {
  entry: "a host name",
  entries: "host names",
  advice:
    "Write the name only, in lower case and without scheme, port, path and wildcard, such as host.docker.internal",
  example: "host.docker.internal"
})
