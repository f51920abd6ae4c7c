/**
 * The names under which a server may be addressed, against DNS rebinding (MCP Streamable HTTP, security warning).
 *
 * A page whose domain resolves to this machine sends requests that a browser does not treat as cross-origin. Only the
 * `Host` header tells them apart.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as HttpUri from "../protocol/HttpUri.ts"

/**
 * Tells whether a host, with or without a port, may be addressed.
 *
 * @category models
 * @since 0.1.0
 */
export type AllowedHosts = (host: string) => boolean

/**
 * Makes the check for a resource. Returns `undefined` if every host is accepted: the resource is not on a loopback host,
 * and `allowedHosts` is absent.
 *
 * **Details**
 *
 * A loopback resource accepts `localhost`, `*.localhost`, `127.0.0.0/8` and `[::1]`, and the hosts of the list. Any other
 * resource accepts its own host and those of the list. Ports are not compared.
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

// A pattern for the text of the header, because `URL` would correct text that is not a host.
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
