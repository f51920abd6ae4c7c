/**
 * Reads access tokens from another header than `Authorization`. A proxy in front of the server signs users in and sets the header.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { type AuthConfigError, MalformedRequest, MissingCredentials } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as Credentials from "../../protocol/Credentials.ts"
import * as CustomHeader from "../../protocol/CustomHeader.ts"

/**
 * The options of `make`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the header, such as `cf-access-jwt-assertion`. Headers with another meaning, such as `cookie`, are not allowed. */
  readonly name: string
  /**
   * The trusted party that sets the header and removes the value that a client sends, such as `"Cloudflare Access"`. The log line
   * about a request without the header names it.
   */
  readonly setBy: string
}

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/TokenHeader"

/** The part of a request that contains its headers. */
type Headed = { readonly header: (name: string) => string | undefined }

/**
 * The value of the option `tokenHeader`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism {
  readonly [TypeId]: typeof TypeId
  readonly setBy: string
  /** The lower-case name of the header. */
  readonly name: string
  /**
   * Checks the options, also together with other options of the gate. `keyHeader` is the header of API keys, or `undefined` if they
   * are in `Authorization`. Fails with `AuthConfigError`.
   */
  readonly check: (others: {
    readonly dpop?: unknown
    readonly apiKeys?: { readonly header: string | undefined } | undefined
  }) => Result.Result<void, AuthConfigError>
  /** Returns the token as the lines of an `Authorization` header. An empty header counts as absent. */
  readonly linesOf: (request: Headed) => ReadonlyArray<string>
  /** Parses the token. */
  readonly parse: (
    request: Headed,
    grammar: Credentials.Grammar | undefined
  ) => Result.Result<Credentials.Credentials, MissingCredentials | MalformedRequest>
}

const table = {
  name: CustomHeader.check,
  setBy: ConfigOption.rule(
    (_) => typeof _ === "string" && _.trim() !== "",
    "a text that is not empty",
    "Name the party that sets the header, such as \"Cloudflare Access\""
  )
} satisfies ConfigOption.Table<keyof Options>

const conflict = (option: string, fix: string) => ConfigOption.error(option, fix, "conflict")

/**
 * Reads access tokens from a header that a trusted party sets. The value is a token without a scheme.
 *
 * **Details**
 *
 * The token is verified like any other: signature, issuer, audience and times. So a client that reaches the server without the proxy
 * gains nothing unless it has a valid token. The `Authorization` header is ignored, because it is meant for the proxy. A request
 * without the header has no credentials. Two values, or a value with a scheme, are rejected with 400.
 *
 * Tokens that are bound to a key of the client are rejected, and the option `dpop` is not allowed, because the proxy does not have
 * that key. If an option is wrong, the layer fails with `AuthConfigError`.
 *
 * **Example** (Behind oauth2-proxy)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { TokenHeader } from "effect-mcp-auth/token-header"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   tokenHeader: TokenHeader.make({ name: "x-forwarded-access-token", setBy: "oauth2-proxy" })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Mechanism => {
  const checked = ConfigOption.attempt(() => {
    ConfigOption.check(options, "tokenHeader", table, "Give one with name and setBy")
    for (const name of ["name", "setBy"] as const) table[name](options[name], `tokenHeader.${name}`)
  })
  const { name: given, setBy } = Result.isSuccess(checked) ? options : { name: "", setBy: "" }
  const name = given.toLowerCase()
  const linesOf: Mechanism["linesOf"] = (request) => {
    const value = request.header(name)
    return value === undefined || value === "" ? [] : [`Bearer ${value}`]
  }
  return {
    [TypeId]: TypeId,
    name,
    setBy,
    check: ({ apiKeys, dpop }) =>
      Result.flatMap(checked, () =>
        ConfigOption.attempt(() => {
          if (dpop !== undefined) {
            throw conflict(
              "tokenHeader",
              "it cannot be combined with dpop: the party that sets the header does not have the key of the client. Remove one of them"
            )
          }
          if (apiKeys !== undefined && (apiKeys.header === undefined || apiKeys.header === name)) {
            throw conflict(
              apiKeys.header === undefined ? "apiKeys.scheme" : "apiKeys.header",
              "with tokenHeader, API keys need a separate header, because Authorization is ignored. Write one such as " +
                "header: \"x-api-key\""
            )
          }
        })),
    linesOf,
    parse: (request, grammar) => {
      const lines = linesOf(request)
      if (lines.length === 0) return missing
      const parsed = Credentials.parse(lines, grammar)
      return Result.isSuccess(parsed) ? parsed : malformed
    }
  }
}

const missing = Result.fail(new MissingCredentials({ reason: "no-token-header" }))
// The errors of `Credentials.parse` describe the `Authorization` header.
const malformed = Result.fail(new MalformedRequest({ reason: "token-header" }))

/**
 * Reads the application token that Cloudflare Access adds to each request: `Cf-Access-Jwt-Assertion`. Use it with
 * `Profiles.cloudflareAccess`.
 *
 * @category constants
 * @since 0.1.0
 */
export const cloudflareAccess: Mechanism = /*#__PURE__*/ make({
  name: "cf-access-jwt-assertion",
  setBy: "Cloudflare Access"
})

/**
 * Reads the token that Google Identity-Aware Proxy adds to each request: `X-Goog-Iap-Jwt-Assertion`. Use it with
 * `Profiles.googleIap`.
 *
 * @category constants
 * @since 0.1.0
 */
export const googleIap: Mechanism = /*#__PURE__*/ make({
  name: "x-goog-iap-jwt-assertion",
  setBy: "Google Identity-Aware Proxy"
})

/**
 * Reads the access token that oauth2-proxy adds with `--pass-access-token`: `X-Forwarded-Access-Token`. The token is that of the
 * provider of oauth2-proxy, so use the profile of this provider.
 *
 * @category constants
 * @since 0.1.0
 */
export const oauth2Proxy: Mechanism = /*#__PURE__*/ make({ name: "x-forwarded-access-token", setBy: "oauth2-proxy" })
