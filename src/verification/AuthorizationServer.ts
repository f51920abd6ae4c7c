/**
 * An authorization server as the configuration names it.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as Metadata from "../protocol/AuthorizationServerMetadata.ts"
import * as WellKnown from "../protocol/WellKnown.ts"
import * as Algorithm from "./Algorithm.ts"
import * as Introspection from "./Introspection.ts"

/**
 * Lets one authorization server be reached, and issue tokens, over plain http off this machine: for a closed network
 * such as the one between containers. Tokens and keys then travel readable and forgeable.
 *
 * **Example** (A provider in a neighbouring container)
 *
 * ```ts
 * import { AuthorizationServer } from "effect-mcp-auth"
 *
 * const server: AuthorizationServer.Input = {
 *   issuer: "http://keycloak:8080/realms/todos",
 *   [AuthorizationServer.allowInsecureHttp]: true
 * }
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowInsecureHttp: unique symbol = Symbol.for("effect-mcp-auth/allowInsecureHttp")

/**
 * What can be said about an authorization server beyond its issuer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The issuer, exactly as its metadata names it: compared as a string, so a final slash matters. */
  readonly issuer: string
  /** The `iss` values of its tokens where they differ from the issuer (Entra ID v1, ADFS). Default: the issuer. */
  readonly tokenIssuers?: readonly [string, ...ReadonlyArray<string>] | undefined
  /** Where its metadata is, if not at the well-known URLs. */
  readonly metadataUrl?: string | undefined
  /** Its metadata, if it publishes none. */
  readonly metadata?: Metadata.AuthorizationServerMetadata | undefined
  /** Where its key set is, if its metadata does not say. */
  readonly jwksUri?: string | undefined
  /** Its key set, if it publishes none: no network request is made. Public keys only. */
  readonly jwks?: { readonly keys: ReadonlyArray<Readonly<Record<string, unknown>>> } | undefined
  /** Fewer signature algorithms than `Algorithm.all`. */
  readonly algorithms?: readonly [Algorithm.Algorithm, ...ReadonlyArray<Algorithm.Algorithm>] | undefined
  /** How it is asked about tokens that are no JWTs. Without it they are refused. */
  readonly introspection?: Introspection.Options | undefined
  readonly [allowInsecureHttp]?: true | undefined
}

/**
 * An issuer, or an issuer with details.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = string | Options

/**
 * A configured authorization server, checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthorizationServer {
  readonly issuer: string
  readonly tokenIssuers: ReadonlyArray<string>
  /** Where to look for its metadata, in this order; empty when the metadata was given. */
  readonly metadataUrls: ReadonlyArray<string>
  readonly metadata: Metadata.AuthorizationServerMetadata | undefined
  readonly jwksUri: string | undefined
  readonly jwks: unknown
  readonly algorithms: ReadonlySet<string>
  readonly introspection: Introspection.Introspection | undefined
  readonly allowInsecureHttp: boolean
}

/**
 * Checks one authorization server. `option` is the name that an error gives to it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input, option: string): Result.Result<AuthorizationServer, AuthConfigError> =>
  Result.gen(function*() {
    const options: Options = typeof input === "string" ? { issuer: input } : input
    const insecure = options[allowInsecureHttp] === true
    const issuer = yield* checkUrl(options.issuer, `${option}.issuer`, insecure)
    if (issuer.search !== "" || issuer.hash !== "" || issuer.username !== "" || issuer.password !== "") {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option: `${option}.issuer`,
          fix: "write the issuer without user, query or fragment (RFC 8414 §2)"
        })
      )
    }
    if (options.metadataUrl !== undefined) yield* checkUrl(options.metadataUrl, `${option}.metadataUrl`, insecure)
    if (options.jwksUri !== undefined) yield* checkUrl(options.jwksUri, `${option}.jwksUri`, insecure)
    const asked = options.introspection
    if (asked !== undefined && "endpoint" in asked && asked.endpoint !== undefined) {
      yield* checkUrl(asked.endpoint, `${option}.introspection.endpoint`, insecure)
    }
    yield* exclusive(options, option, "metadata", "metadataUrl")
    yield* exclusive(options, option, "jwks", "jwksUri")
    const metadata = options.metadata === undefined ? undefined : yield* Result.mapError(
      Metadata.decode(options.metadata),
      (error) => new AuthConfigError({ reason: "malformed", option: `${option}.metadata`, fix: error.message })
    )
    if (metadata !== undefined && metadata.issuer !== options.issuer) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "conflict",
          option: `${option}.metadata`,
          fix: `its issuer must be ${options.issuer} to the letter (RFC 8414 §3.3)`
        })
      )
    }
    const algorithms: ReadonlyArray<string> = options.algorithms ?? Algorithm.all
    const foreign = algorithms.find((_) => !Algorithm.isAlgorithm(_))
    if (foreign !== undefined || algorithms.length === 0) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "insecure",
          option: `${option}.algorithms`,
          fix: `name at least one of ${Algorithm.all.join(", ")}${
            foreign === undefined ? "" : `; ${foreign} is none (a shared secret cannot verify what others issue)`
          }`
        })
      )
    }
    const tokenIssuers = options.tokenIssuers ?? [options.issuer]
    if (tokenIssuers.length === 0 || tokenIssuers.some((_) => typeof _ !== "string" || _ === "")) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option: `${option}.tokenIssuers`,
          fix: "name at least one iss value, or leave it out to accept the issuer itself"
        })
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
      introspection: asked === undefined ? undefined : yield* Introspection.make(asked, `${option}.introspection`),
      allowInsecureHttp: insecure
    }
  })

// `EdDSA` with an Ed25519 key and `Ed25519` are the same algorithm (RFC 9864 §2.2): allowing one allows the other.
const withBothNames = (algorithms: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(algorithms.flatMap((_) => _ === "EdDSA" || _ === "Ed25519" ? ["EdDSA", "Ed25519"] : [_]))

const checkUrl = (value: unknown, option: string, insecure: boolean): Result.Result<URL, AuthConfigError> => {
  if (typeof value !== "string" || !URL.canParse(value)) {
    return Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option,
        fix: `${JSON.stringify(value) ?? "nothing"} is no absolute URL; write one such as https://auth.example.com`
      })
    )
  }
  const url = new URL(value)
  if (!WellKnown.isSecure(url) && !(insecure && url.protocol === "http:")) {
    return Result.fail(
      new AuthConfigError({
        reason: "insecure",
        option,
        fix: `${value} must be https; plain http is for loopback (in a closed network set [allowInsecureHttp]: true)`
      })
    )
  }
  return Result.succeed(url)
}

const exclusive = (options: Options, option: string, one: keyof Options & string, other: keyof Options & string) =>
  options[one] !== undefined && options[other] !== undefined
    ? Result.fail(
      new AuthConfigError({
        reason: "conflict",
        option: `${option}.${one}`,
        fix: `give ${one} or ${other}, not both: nobody could say which one counts`
      })
    )
    : Result.succeed(undefined)
