/**
 * Checks the configuration of an authorization server.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Algorithm from "../../crypto/Algorithm.ts"
import { checkAlgorithms } from "../../crypto/AlgorithmNames.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as Metadata from "../../protocol/AuthorizationServerMetadata.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import * as UrlOption from "../../protocol/UrlOption.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"
import { apiKeyIssuer } from "../Principal.ts"
import * as OpaqueTokens from "./OpaqueTokens.ts"
import * as Profile from "./Profile.ts"

/**
 * Allows plain http URLs for one authorization server, even if their host name is not loopback. Use it only in a closed
 * network, such as the network between containers. Anyone in that network can then read and forge tokens and keys.
 *
 * **Example** (A provider in another container)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * const server: AuthLayer.AuthorizationServer = {
 *   issuer: "http://keycloak:8080/realms/todos",
 *   [AuthLayer.allowInsecureHttp]: true
 * }
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowInsecureHttp: unique symbol = Symbol.for("effect-mcp-auth/AuthLayer.allowInsecureHttp")

/**
 * Allows the metadata of one public authorization server to name endpoints on loopback and private addresses. Use it for an
 * authorization server that has a public name and serves its keys inside your network.
 *
 * **Gotchas**
 *
 * The authorization server can then direct the requests of your server to machines in your network.
 *
 * **Example** (Keys that are served inside the network)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * const server: AuthLayer.AuthorizationServer = {
 *   issuer: "https://auth.example.com",
 *   [AuthLayer.allowPrivateEndpoints]: true
 * }
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowPrivateEndpoints: unique symbol = Symbol.for("effect-mcp-auth/AuthLayer.allowPrivateEndpoints")

/**
 * Configures an authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> {
  /** The issuer, exactly as in its metadata. It is compared as a string, so a final slash matters. */
  readonly issuer: string
  /** Always absent, because an `id` distinguishes a profile from these options. */
  readonly id?: undefined
  /** The `iss` values of its tokens, if they differ from the issuer (Entra ID v1, ADFS). Default: the issuer. */
  readonly tokenIssuers?: readonly [string, ...ReadonlyArray<string>] | undefined
  /**
   * The URL of its metadata, if this server reaches it by another name than clients do, as in a split network. The metadata must
   * contain exactly `issuer`. The URL is the choice of the operator, so it may be on a private address, and its metadata may then
   * name endpoints on private addresses. It must be https, except on loopback or with `allowInsecureHttp`. Default: the
   * well-known URLs of the issuer.
   */
  readonly metadataUrl?: string | undefined
  /** Its metadata, for a server that publishes none. No metadata is fetched then. */
  readonly metadata?: Metadata.AuthorizationServerMetadata | undefined
  /**
   * The URL of its key set, if this server reaches it by another name than `jwks_uri` of its metadata. It may be on a private
   * address. It must be https, except on loopback or with `allowInsecureHttp`. Default: `jwks_uri` of its metadata.
   */
  readonly jwksUri?: string | undefined
  /** Its key set, with public keys only, for a server that publishes none. No keys are fetched then. */
  readonly jwks?: { readonly keys: ReadonlyArray<Readonly<Record<string, unknown>>> } | undefined
  /** The accepted signature algorithms. Default: `Algorithm.all`. */
  readonly algorithms?: readonly [Algorithm.Algorithm, ...ReadonlyArray<Algorithm.Algorithm>] | undefined
  /** Describes how its tokens differ from RFC 9068. The other options override the profile. */
  readonly profile?: Profile.Profile | undefined
  /** Verifies tokens that are not JWTs: a value of `Introspection`. Default: they are rejected. */
  readonly introspection?: OpaqueTokens.OpaqueTokens<R> | undefined
  /** Allows http URLs on hosts that are not loopback. Default: they are rejected. */
  readonly [allowInsecureHttp]?: true | undefined
  /** Allows metadata that name endpoints on private addresses. Default: they are rejected. */
  readonly [allowPrivateEndpoints]?: true | undefined
}

/**
 * Configures an authorization server by a profile, which contains the issuer. The other options override the profile.
 *
 * @category models
 * @since 0.1.0
 */
export interface Profiled<out R = never> extends Omit<Options<R>, "issuer" | "profile"> {
  readonly issuer?: undefined
  readonly profile: Profile.Profile
}

/**
 * Accepts an issuer, options with an issuer, or the profile of a provider.
 *
 * @category models
 * @since 0.1.0
 */
export type Input<R = never> = string | Options<R> | Profile.Profile | Profiled<R>

/**
 * Describes an authorization server whose configuration has been checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthorizationServer<out R = never> extends OpaqueTokens.Issuer {
  /** The accepted `iss` values. Empty if the profile accepts any tenant. */
  readonly tokenIssuers: ReadonlyArray<string>
  readonly profile: Profile.Profile | undefined
  readonly introspection: OpaqueTokens.Checked<R> | undefined
}

/**
 * Checks the configuration of one authorization server. `option` is its path in errors.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(
  input: Input<R>,
  option: string
): Result.Result<AuthorizationServer<R>, AuthConfigError> => ConfigOption.attempt(() => check(input, option))

const check = <R>(input: Input<R>, option: string): AuthorizationServer<R> => {
  // Options may come from a file or from JavaScript, so a value of any type must not cause a `TypeError`.
  const given: Options<R> | Profiled<R> = typeof input !== "object" || input === null
    ? { issuer: input }
    : isProfileEntry(input)
    ? { profile: input }
    : input
  // If the issuer is missing, the name of the option `issuer` may be misspelled, so unknown options are reported first.
  if (given.issuer === undefined) ConfigOption.check(given, option, names)
  const { profile } = given
  const options = (profile === undefined ? given : {
    ...given,
    ...Profile.completeOptions(given, profile, option),
    introspection: given.introspection ?? profile.introspection
  }) as Options<R>
  const insecure = options[allowInsecureHttp] === true
  const issuer = checkUrl(options.issuer, `${option}.issuer`, insecure, "issuer")
  ConfigOption.check(given, option, names)
  if (options.metadataUrl !== undefined) checkUrl(options.metadataUrl, `${option}.metadataUrl`, insecure)
  if (options.jwksUri !== undefined) checkUrl(options.jwksUri, `${option}.jwksUri`, insecure)
  if (options.introspection === undefined && profile?.opaque.issued === "always") {
    throw ConfigOption.error(
      `${option}.introspection`,
      `${profile.name} issues opaque access tokens only, so introspection is required. ${adviceOnIntrospection}`,
      "missing"
    )
  }
  const introspection = options.introspection === undefined
    ? undefined
    : Result.getOrThrow(options.introspection.check(`${option}.introspection`, insecure))
  checkExclusive(options, option, "metadata", "metadataUrl")
  checkExclusive(options, option, "jwks", "jwksUri")
  const metadata = options.metadata === undefined ? undefined : checkMetadata(options, `${option}.metadata`)
  const algorithms: ReadonlyArray<string> = options.algorithms ?? Algorithm.all
  checkAlgorithms(algorithms, `${option}.algorithms`)
  const tokenIssuers = options.tokenIssuers ?? [options.issuer]
  const anyTenant = profile?.tenants?.allowed === Profile.anyTenant
  if (
    !Array.isArray(tokenIssuers) || (tokenIssuers.length === 0 && !anyTenant) ||
    tokenIssuers.some((_) => typeof _ !== "string" || _ === "")
  ) {
    throw ConfigOption.invalid(
      `${option}.tokenIssuers`,
      tokenIssuers,
      "a list with at least one iss value",
      "Each of them is text. Leave it out to accept the issuer itself"
    )
  }
  if (tokenIssuers.includes(apiKeyIssuer)) {
    throw ConfigOption.error(
      `${option}.tokenIssuers`,
      `${apiKeyIssuer} is the issuer of API keys, and no authorization server can have it. Remove it`,
      "conflict"
    )
  }
  return {
    issuer: options.issuer,
    tokenIssuers,
    metadataUrls: metadata !== undefined
      ? []
      : options.metadataUrl !== undefined
      ? [options.metadataUrl]
      : WellKnown.authorizationServerMetadata(issuer),
    metadata,
    jwksUri: options.jwksUri,
    jwks: options.jwks,
    algorithms: withBothNames(algorithms),
    profile,
    introspection,
    allowInsecureHttp: insecure,
    allowPrivateEndpoints: options[allowPrivateEndpoints] === true
  }
}

const adviceOnIntrospection =
  "Write Introspection.make({ clientId, clientSecret }) or Introspection.lookUp(function), with Introspection from " +
  "effect-mcp-auth/introspection"

const names: ConfigOption.Table<Exclude<keyof Options, "id">> = {
  issuer: true,
  tokenIssuers: true,
  metadataUrl: true,
  metadata: true,
  jwksUri: true,
  jwks: true,
  algorithms: true,
  profile: true,
  introspection: ConfigOption.rule(OpaqueTokens.isOpaqueTokens, "a value of Introspection", adviceOnIntrospection),
  [allowInsecureHttp]: true,
  [allowPrivateEndpoints]: true
}

const checkMetadata = (options: Options<unknown>, option: string): Metadata.AuthorizationServerMetadata => {
  const decoded = Metadata.decode(options.metadata)
  if (Result.isFailure(decoded)) {
    throw ConfigOption.error(option, `the value is not authorization server metadata: ${decoded.failure}`)
  }
  const metadata = decoded.success
  if (metadata.issuer === options.issuer) return metadata
  throw ConfigOption.error(
    option,
    `its issuer is ${
      OptionValue.describe(metadata.issuer)
    }; expected exactly ${options.issuer} (RFC 8414 §3.3). Correct ` +
      "issuer or metadata",
    "conflict"
  )
}

/** Tells whether an input is a profile and not options: every profile has an `id`, and options never have one. */
const isProfileEntry = <R>(input: Exclude<Input<R>, string>): input is Profile.Profile => Object.hasOwn(input, "id")

/**
 * Returns a function that finds the authorization server of an `iss` value. It first compares `iss` with all accepted values as
 * strings. If none is equal, it looks for a server whose profile accepts any tenant and has an issuer template that matches
 * `iss`.
 *
 * @category decisions
 * @since 0.1.0
 */
export const ofIssuer = <A extends AuthorizationServer<unknown>>(
  servers: ReadonlyArray<A>
): (issuer: string) => A | undefined => {
  const exact = new Map(servers.flatMap((server) => server.tokenIssuers.map((issuer) => [issuer, server] as const)))
  const open = servers.filter((server) => server.profile?.tenants?.allowed === Profile.anyTenant)
  return (issuer) =>
    exact.get(issuer) ?? open.find(({ profile }) => Profile.tenantOf(profile!.tenants!, issuer) !== undefined)
}

// `EdDSA` with an Ed25519 key and `Ed25519` are the same algorithm (RFC 9864 §2.2), so allowing one allows both.
const withBothNames = (algorithms: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(algorithms.flatMap((_) => _ === "EdDSA" || _ === "Ed25519" ? ["EdDSA", "Ed25519"] : [_]))

/**
 * Checks a URL of the configuration. It must be absolute, in the form that `URL` would produce, and without user and fragment.
 * It must be https, except on loopback or if plain http is allowed. An issuer must also not have a query (RFC 8414 §2). Throws
 * `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkUrl = (
  value: unknown,
  option: string,
  insecure: boolean,
  kind: "issuer" | "endpoint" = "endpoint"
): URL => {
  const isIssuer = kind === "issuer"
  if (isIssuer) checkIsNoDocument(value, option)
  const url = UrlOption.check(value, option, {
    allowsHttp: insecure,
    allowsQuery: !isIssuer,
    advice: "Write one such as https://auth.example.com",
    adviceOnHttp: "Use https (in a closed network set [AuthLayer.allowInsecureHttp]: true)",
    adviceOnParts: isIssuer
      ? "Write it without user, query or fragment (RFC 8414 §2)"
      : "Write it without user or fragment"
  })
  return url
}

/**
 * Rejects the URL of a metadata document, before a query in it is. The error names the issuer that the URL suggests, which is not
 * used in its place: the issuer of tokens may differ from it, for example by a final slash.
 */
const checkIsNoDocument = (value: unknown, option: string): void => {
  if (typeof value !== "string" || !URL.canParse(value)) return
  const issuer = WellKnown.issuerOfMetadata(new URL(value))
  if (issuer === undefined) return
  throw ConfigOption.error(
    option,
    `${
      UrlOption.describe(value)
    } is the URL of a document. Write the value of "issuer" in that document, which is usually ` +
      `${sanitize(issuer)}. If the issuer has another host, also set metadataUrl to this URL`
  )
}

const checkExclusive = (
  options: Options<unknown>,
  option: string,
  one: keyof Options & string,
  other: keyof Options & string
): void => {
  if (options[one] === undefined || options[other] === undefined) return
  throw ConfigOption.error(
    `${option}.${one}`,
    `${one} and ${other} are both set. Set ${one} or ${other}, not both`,
    "conflict"
  )
}
