/**
 * The names under which a server may be addressed, against DNS rebinding (MCP Streamable HTTP, security warning).
 *
 * A page whose domain resolves to this machine sends requests that a browser does not treat as cross-origin. Only the
 * `Host` header tells them apart.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as OptionValue from "../protocol/OptionValue.ts"

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

// As a header spells them: `URL` is not asked, since it would repair what is not a host.
const loopback = /^(?:(?:[a-z0-9_-]+\.)*localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i

/**
 * Checks the option `allowedHosts`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const check = (
  hosts: ReadonlyArray<string> | undefined
): Result.Result<ReadonlyArray<string> | undefined, AuthConfigError> => {
  const fail = (fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option: "allowedHosts", fix }))
  if (hosts === undefined) return Result.succeed(undefined)
  if (!Array.isArray(hosts)) {
    return fail(`${OptionValue.isNot(hosts, "a list of host names")}. Write one such as ["host.docker.internal"]`)
  }
  const wrong = (hosts as ReadonlyArray<unknown>).find((_) => typeof _ !== "string" || !isHostname(_))
  return wrong === undefined && !hosts.includes(undefined as never)
    ? Result.succeed(hosts)
    : fail(
      `${
        OptionValue.describe(wrong)
      } is not a host name. Write the name only, in lower case and without scheme, port, path and ` +
        "wildcard, such as host.docker.internal"
    )
}

const isHostname = (name: string): boolean =>
  !name.includes("*") && URL.canParse(`http://${name}`) && new URL(`http://${name}`).hostname === name
