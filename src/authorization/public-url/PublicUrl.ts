/**
 * Describes the public URLs of a server, for the option `resource`: behind a reverse proxy that changes the path of requests,
 * with metadata at another URL, under several host names, and with http in a closed network.
 *
 * A server whose proxy forwards every path unchanged needs none of this: its `resource` is the public URL.
 *
 * @since 0.1.0
 */
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import type * as Result from "effect/Result"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as uri from "../../protocol/UriNormalization.ts"
import * as UrlOption from "../../protocol/UrlOption.ts"
import type { Verifier } from "../../verification/TokenVerifier.ts"
import type { Gate } from "../Gate.ts"
import * as ProtectedResource from "../ProtectedResource.ts"
import * as gatesByHost from "./internal/gatesByHost.ts"

/**
 * Allows a public URL with http on a host that is not loopback. Use it only in a closed network, such as the network between
 * containers. Anyone in that network can read access tokens and use them. The server logs a warning when it starts.
 *
 * **Example** (A server in a private network without TLS)
 *
 * ```ts
 * import { PublicUrl } from "effect-mcp-auth/public-url"
 *
 * const resource = PublicUrl.make({ url: "http://tools:3000/mcp", [PublicUrl.allowInsecureHttp]: true })
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowInsecureHttp: unique symbol = Symbol.for("effect-mcp-auth/PublicUrl.allowInsecureHttp")

/**
 * Describes one public URL.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The resource identifier: the URL at which clients reach the server, in canonical form. It must be https, except on loopback,
   * or if `[PublicUrl.allowInsecureHttp]` is set.
   */
  readonly url: string
  /**
   * The beginning of the public path that the proxy replaces by `internalPrefix`, such as `/tools` if the proxy maps
   * `https://api.example.com/tools/mcp` to `http://app:3000/mcp`. The path of `url` must begin with it. Default: the proxy
   * removes nothing.
   */
  readonly publicPrefix?: string | undefined
  /**
   * The beginning of the path that the proxy adds, such as `/app` if the proxy maps `https://tools.example.com/mcp` to
   * `http://app:3000/app/mcp`. No DPoP proof is accepted for a request whose path does not begin with it. Default: the proxy adds
   * nothing.
   */
  readonly internalPrefix?: string | undefined
  /**
   * The URL in challenges at which clients find the metadata, if the proxy does not forward the well-known URL. It must have the
   * origin of `url`. The server publishes the metadata at the path that the proxy makes of this URL, and at the well-known path.
   * This path must not be that of the resource on this server.
   * Default: the well-known URL (RFC 9728 §3.1).
   */
  readonly metadataUrl?: string | undefined
  /**
   * Accepts an http `url` on a host that is not loopback. The server then logs a warning when it starts, and rejects every
   * `Host` header with another name than that of `url`, unless `allowedHosts` lists it.
   */
  readonly [allowInsecureHttp]?: true | undefined
}

/**
 * Identifies the values of `PublicUrl`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/PublicUrl"

/**
 * The value of the option `resource` that describes one or more public URLs.
 *
 * @category models
 * @since 0.1.0
 */
export interface PublicUrl {
  readonly [TypeId]: typeof TypeId
  /** Checks that the other options of the gate can be used with this value, and returns the public URLs. */
  readonly addressesFor: (
    options: { readonly allowedHosts?: unknown; readonly tenants?: unknown }
  ) => Result.Result<Addresses, AuthConfigError>
  /**
   * Gives each gate separate objects as principals. The verifier of the author may return one object for requests to several
   * public URLs, but a principal belongs to the gate that verified it.
   */
  readonly withSeparatePrincipals: (verifier: Verifier) => Verifier
  /** Combines the gates of the public URLs. */
  readonly combine: (gates: readonly [Gate, ...ReadonlyArray<Gate>]) => Gate
}

/**
 * The public URLs of a server: at least one.
 *
 * @category models
 * @since 0.1.0
 */
export type Addresses = readonly [ProtectedResource.Address, ...ReadonlyArray<ProtectedResource.Address>]

/**
 * Describes the public URL of a server behind a reverse proxy that changes the path of requests, or that does not forward the
 * well-known path of the metadata. Also allows http in a closed network. If an option is wrong, the layer fails with
 * `AuthConfigError`.
 *
 * **Details**
 *
 * The gate compares the public URL with `aud` of tokens, and the public URL of a request with `htu` of DPoP proofs. The headers
 * `Host`, `Forwarded` and `X-Forwarded-*` do not affect it. The prefixes apply to every protected route of the server.
 *
 * **Example** (A proxy that removes a prefix and does not forward the well-known paths of its root)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { PublicUrl } from "effect-mcp-auth/public-url"
 *
 * // The proxy maps https://api.example.com/tools/… to http://app:3000/…
 * const Auth = AuthLayer.make({
 *   resource: PublicUrl.make({
 *     url: "https://api.example.com/tools/mcp",
 *     publicPrefix: "/tools",
 *     metadataUrl: "https://api.example.com/tools/.well-known/oauth-protected-resource"
 *   }),
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): PublicUrl => ({
  [TypeId]: TypeId,
  addressesFor: () => ConfigOption.attempt(() => [check(options, "resource")]),
  withSeparatePrincipals: identity,
  combine: ([gate]) => gate
})

/**
 * Describes a server with several public URLs, such as an external and an internal name. Each URL is a separate resource: it has
 * its own metadata, its own challenges, and its own URL for DPoP proofs. A token for one URL is rejected at every other, unless the
 * option `audience` or a profile replaces the rule `Audience.resource`. API keys are accepted at every URL. If a URL is wrong, or two URLs have the same host name,
 * the layer fails with `AuthConfigError`.
 *
 * **Details**
 *
 * The `Host` header of a request selects the URL; its port is ignored. A proxy must therefore forward the `Host` header of the
 * client, as `proxy_set_header Host $host` of nginx does. The gate rejects a request with 403 if its host is none of the URLs, or
 * if it names several hosts that do not belong to one URL. `X-Forwarded-Host` is not read.
 *
 * The URLs share the sessions of callers. The option `allowedHosts` cannot be used, because the host names of the URLs are
 * the allowed ones, and neither can `tenants`. `Gate.resource` is the first URL.
 *
 * **Example** (An external and an internal name)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { PublicUrl } from "effect-mcp-auth/public-url"
 *
 * const Auth = AuthLayer.make({
 *   resource: PublicUrl.byHost([
 *     "https://todos.example.com/mcp",
 *     { url: "http://todos:3000/mcp", [PublicUrl.allowInsecureHttp]: true }
 *   ]),
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const byHost = (urls: readonly [string | Options, ...ReadonlyArray<string | Options>]): PublicUrl => ({
  [TypeId]: TypeId,
  addressesFor: (options) => ConfigOption.attempt(() => checkAll(urls, options)),
  withSeparatePrincipals: gatesByHost.withSeparatePrincipals,
  combine: gatesByHost.combine
})

const checkAll = (
  urls: unknown,
  options: { readonly allowedHosts?: unknown; readonly tenants?: unknown }
): Addresses => {
  if (!Array.isArray(urls) || urls.length === 0) {
    throw ConfigOption.invalid(
      "resource",
      urls,
      "a list of URLs",
      "Write one such as PublicUrl.byHost([\"https://todos.example.com/mcp\", \"https://todos.internal.example.com/mcp\"])"
    )
  }
  for (const name of ["allowedHosts", "tenants"] as const) {
    if (options[name] === undefined) continue
    throw ConfigOption.error(
      name,
      `${name} cannot be combined with PublicUrl.byHost, where the host name selects the resource. Remove ${name}`,
      "conflict"
    )
  }
  const addresses = Array.from(urls, (url: unknown, index) => {
    const option = `resource[${index}]`
    return check(typeof url === "string" ? { url } : url, option, typeof url === "string" ? option : undefined)
  })
  for (const [index, { url }] of addresses.entries()) {
    const other = addresses.slice(0, index).find((before) => gatesByHost.isAmbiguous(before.url, url))
    if (other !== undefined) {
      throw ConfigOption.error(
        `resource[${index}]`,
        `${url} has the host name of ${other.url}, so a Host header cannot select one of them. Remove one of the URLs`,
        "duplicate"
      )
    }
  }
  return addresses as unknown as Addresses
}

const prefix = ConfigOption.rule(
  (text) => Predicate.isString(text) && text !== "" && !text.endsWith("/") && uri.ofRequest(text) === text,
  "a path without a slash at its end",
  "Write one such as \"/tools\", or leave it out if the proxy does not change the beginning of the path"
)

const table: ConfigOption.Table<keyof Options> = {
  url: true,
  publicPrefix: prefix,
  internalPrefix: prefix,
  metadataUrl: true,
  [allowInsecureHttp]: ConfigOption.rule(
    (value) => value === true,
    "true",
    "Write true, or remove it to require https",
    "insecure"
  )
}

/** Checks one public URL. Throws `AuthConfigError`. */
const check = (given: unknown, option: string, urlOption = `${option}.url`): ProtectedResource.Address => {
  ConfigOption.check(given, option, table, "Give one such as { url: \"https://todos.example.com/mcp\" }")
  const options = given as Options
  const allowsHttp = options[allowInsecureHttp] === true
  const url = ProtectedResource.checkResource(options.url, urlOption, allowsHttp)
  const { internalPrefix = "", metadataUrl, publicPrefix = "" } = options
  if (!isBelow(publicPrefix, url.pathname)) {
    throw ConfigOption.error(
      `${option}.publicPrefix`,
      `the path of ${options.url} does not begin with ${publicPrefix}. Write the public URL as url, and the beginning of its ` +
        "path that the proxy replaces as publicPrefix",
      "conflict"
    )
  }
  const { toInternalPath, toPublicPath } = proxyPaths(url.pathname, publicPrefix, internalPrefix)
  return {
    url: options.url,
    toPublicPath: publicPrefix === "" && internalPrefix === "" ? identity : toPublicPath,
    ...(metadataUrl === undefined ? undefined : {
      metadata: {
        url: metadataUrl,
        path: metadataPath(metadataUrl, `${option}.metadataUrl`, url, allowsHttp, toInternalPath)
      }
    }),
    allowsHttp,
    ...(HttpUri.isSecure(url) ? undefined : { warning: warningAbout(options.url) })
  }
}

const warningAbout = (url: string): string =>
  `INSECURE: the resource ${url} is http, because [PublicUrl.allowInsecureHttp] is set. Everything on the network between ` +
  "clients and this server can read access tokens and use them. Use it in a closed network only"

const isBelow = (prefix: string, path: string): boolean =>
  path.startsWith(prefix) && (prefix === "" || path.length === prefix.length || path[prefix.length] === "/")

const replacePrefix = (path: string, from: string, to: string): string | undefined =>
  isBelow(from, path) ? to + path.slice(from.length) : undefined

/**
 * Returns the functions between the paths that clients request and the paths that this server receives. They return `undefined`
 * for a path that the proxy does not forward.
 */
const proxyPaths = (resourcePath: string, publicPrefix: string, internalPrefix: string) => {
  // If the proxy replaces the whole path of the resource, its new path can be empty, and a request then has the path `/`.
  const isWhole = resourcePath === (publicPrefix || "/")
  const whole = internalPrefix || "/"
  return {
    toPublicPath: (path: string): string | undefined =>
      isWhole && path === whole ? resourcePath : replacePrefix(path, internalPrefix, publicPrefix) || undefined,
    toInternalPath: (path: string): string | undefined =>
      isWhole && path === resourcePath ? whole : replacePrefix(path, publicPrefix, internalPrefix)
  }
}

const checkMetadataUrl = (value: unknown, option: string, resource: URL, allowsHttp: boolean): URL => {
  const url = UrlOption.check(value, option, {
    allowsHttp,
    allowsQuery: false,
    advice:
      "Write the public URL of the metadata, such as https://api.example.com/tools/.well-known/oauth-protected-resource",
    adviceOnHttp: "Write the https URL",
    adviceOnParts: "Write it without user, query and fragment"
  })
  if (url.origin !== resource.origin) {
    throw ConfigOption.error(
      option,
      `${url.href} has another origin than the resource; expected ${resource.origin}, because clients must be able to trust ` +
        "metadata as much as the resource itself. Let the proxy serve the metadata at the origin of the resource",
      "conflict"
    )
  }
  if (url.href !== resource.href) return url
  throw ConfigOption.error(option, `${url.href} is the URL of the resource itself. Write another path`, "conflict")
}

/** Checks the URL of the metadata. Returns the path under which a request for the metadata reaches this server. */
const metadataPath = (
  metadataUrl: string,
  option: string,
  resource: URL,
  allowsHttp: boolean,
  toInternalPath: (path: string) => string | undefined
): string => {
  const { pathname } = checkMetadataUrl(metadataUrl, option, resource, allowsHttp)
  const path = toInternalPath(pathname) ?? pathname
  if (path !== toInternalPath(resource.pathname)) return path || "/"
  throw ConfigOption.error(
    option,
    `requests for ${metadataUrl} reach this server at ${path}, where the resource itself is. Write another path`,
    "conflict"
  )
}
