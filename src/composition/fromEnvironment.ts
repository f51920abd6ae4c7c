/**
 * Reads the options that differ between deployments from environment variables, for programs that do not use `Config`.
 *
 * @since 0.1.0
 */
import { AuthConfigError } from "../protocol/AuthError.ts"

/**
 * The options that environment variables contain.
 *
 * @category models
 * @since 0.1.0
 */
export interface EnvironmentOptions {
  /** `MCP_AUTH_RESOURCE`: the resource identifier. */
  readonly resource: string
  /** `MCP_AUTH_AUTHORIZATION_SERVERS`: issuers, separated by commas. */
  readonly authorizationServers: readonly [string, ...ReadonlyArray<string>]
  /** `MCP_AUTH_ALLOWED_ORIGINS`: origins, separated by commas. Default: none. */
  readonly allowedOrigins?: ReadonlyArray<string>
  /** `MCP_AUTH_ALLOWED_HOSTS`: host names, separated by commas. Default: none. */
  readonly allowedHosts?: ReadonlyArray<string>
}

/**
 * Reads `resource`, `authorizationServers`, `allowedOrigins` and `allowedHosts` from environment variables, as options of
 * `make`.
 *
 * **Details**
 *
 * | variable                         | option                 |                                  |
 * | -------------------------------- | ---------------------- | -------------------------------- |
 * | `MCP_AUTH_RESOURCE`              | `resource`             | required                         |
 * | `MCP_AUTH_AUTHORIZATION_SERVERS` | `authorizationServers` | required; a list                 |
 * | `MCP_AUTH_ALLOWED_ORIGINS`       | `allowedOrigins`       | a list                           |
 * | `MCP_AUTH_ALLOWED_HOSTS`         | `allowedHosts`         | a list                           |
 *
 * Commas separate the entries of a list. Spaces around entries and empty entries are ignored. An empty variable counts as not
 * set. Throws one `AuthConfigError` that names all missing and malformed variables. The error does not contain their values,
 * because a URL can contain a password.
 *
 * `environment` contains the variables. Default: `process.env`. Workers pass their `env`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromEnvironment = (
  environment: Readonly<Record<string, unknown>> | undefined = platformEnvironment()
): EnvironmentOptions => {
  if (typeof environment !== "object" || environment === null) {
    throw environment === undefined
      ? problem("missing", "environment", "this platform has no process.env. Give an object with the variables")
      : problem("malformed", "environment", "the value is not an object. Give one with the variables, or leave it out")
  }
  const read = (name: string): ReadonlyArray<string> => {
    const value = environment[name]
    return typeof value === "string" ? value.split(",").map((_) => _.trim()).filter((_) => _ !== "") : []
  }
  const text = environment[resourceName]
  const resource = typeof text === "string" ? text.trim() : ""
  const issuers = read(issuersName)
  const missing = [
    ...(resource === "" ? [[resourceName, "resource"]] : []),
    ...(issuers.length === 0 ? [[issuersName, "authorizationServers"]] : [])
  ]
  const malformed = [
    ...(resource !== "" && !isUrl(resource) ? [[resourceName, "resource"]] : []),
    ...(issuers.every(isUrl) ? [] : [[issuersName, "authorizationServers"]])
  ]
  if (missing.length > 0 || malformed.length > 0) {
    throw problem(
      missing.length > 0 ? "missing" : "malformed",
      [...missing, ...malformed].map(([, option]) => option).join(", "),
      [
        ...missing.map(([name, option]) => `the environment variable ${name} (${option}) is not set`),
        ...malformed.map(([name, option]) =>
          `the environment variable ${name} (${option}) is not an absolute https URL`
        )
      ].join("; ") + ". Write URLs such as https://todos.example.com/mcp"
    )
  }
  const [first, ...others] = issuers
  const allowedOrigins = read("MCP_AUTH_ALLOWED_ORIGINS")
  const allowedHosts = read("MCP_AUTH_ALLOWED_HOSTS")
  return {
    resource,
    authorizationServers: [first!, ...others],
    ...(allowedOrigins.length === 0 ? {} : { allowedOrigins }),
    ...(allowedHosts.length === 0 ? {} : { allowedHosts })
  }
}

// Text such as `user:password` is a URL too, of a scheme `user`.
const isUrl = (text: string): boolean => URL.canParse(text) && /^https?:/i.test(text)

const resourceName = "MCP_AUTH_RESOURCE"
const issuersName = "MCP_AUTH_AUTHORIZATION_SERVERS"

const platformEnvironment = (): Readonly<Record<string, unknown>> | undefined =>
  (globalThis as { readonly process?: { readonly env?: Readonly<Record<string, unknown>> } }).process?.env

const problem = (reason: AuthConfigError["reason"], option: string, fix: string) =>
  new AuthConfigError({ reason, option, fix })
