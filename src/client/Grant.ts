/**
 * Ways in which a client obtains tokens.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as ClientAuthentication from "../outbound/ClientAuthentication.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as UrlOption from "../protocol/UrlOption.ts"
import { read } from "./AssertionSource.ts"
import { type Content, mark, option } from "./GrantContent.ts"
import * as identityAssertionGrant from "./IdentityAssertion.ts"

/**
 * Describes how a client obtains tokens. The functions of this module create its values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Grant {
  readonly [mark]: Content
}

/**
 * Lets the MCP server choose the authorization server that receives the credentials of the client.
 *
 * **Gotchas**
 *
 * An MCP server that was taken over can then name an authorization server of an attacker. If the client sends a secret, the attacker
 * learns the secret. Name the issuer instead, unless the client authenticates with a private key.
 *
 * @category unsafe
 * @since 0.1.0
 */
export const anyIssuer: unique symbol = Symbol.for("effect-mcp-auth/Grant.anyIssuer")

/**
 * The credentials of a machine client, and the authorization server that issued them.
 *
 * @category models
 * @since 0.1.0
 */
export type ClientCredentials =
  & (ClientAuthentication.Secret | ClientAuthentication.PrivateKey)
  & {
    /** The issuer of the authorization server that knows the client. Only this server receives the credentials. */
    readonly issuer: string | typeof anyIssuer
  }

/**
 * A client without credentials (RFC 6749 §2.1). Use it only at authorization servers that require none.
 *
 * @category models
 * @since 0.1.0
 */
export interface PublicClient {
  /** The client id of this client at the authorization server, or the URL of its client ID metadata document. */
  readonly clientId: string
  /** States that the client has no credentials. */
  readonly method: "none"
}

/**
 * The identity provider at which the person signs in, and the credentials of the client there.
 *
 * @category models
 * @since 0.1.0
 */
export type IdentityProvider =
  & (ClientAuthentication.Secret | ClientAuthentication.PrivateKey | PublicClient)
  & {
    /** The issuer of the identity provider. Only this server receives the subject token. */
    readonly issuer: string
  }

/**
 * The options of `identityAssertion`: the credentials of the client at the authorization server of the MCP server, and how the
 * client obtains ID-JAGs.
 *
 * @category models
 * @since 0.1.0
 */
export type IdentityAssertion =
  & (ClientAuthentication.Secret | ClientAuthentication.PrivateKey | PublicClient)
  & {
    /** The issuer of the authorization server that knows the client. Only this server receives the credentials and ID-JAGs. */
    readonly issuer: string | typeof anyIssuer
    /** The identity provider that issues the ID-JAGs. */
    readonly identityProvider: IdentityProvider
    /**
     * Supplies the token of the person from the sign-in at the identity provider. It is called for each token request, so it can
     * return a new token after the old one has expired. It can return an Effect or a promise.
     */
    readonly subjectToken: () => Effect.Effect<Redacted.Redacted, unknown> | Promise<Redacted.Redacted>
    /** The kind of the subject token. Default: `id_token`. */
    readonly subjectTokenType?: "id_token" | "refresh_token" | "saml2" | undefined
  }

/**
 * The authorization server for which a workload needs a JWT, and the MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkloadTarget {
  /** The issuer of the authorization server. */
  readonly issuer: string
  /** The URL of its token endpoint. The draft requires this value as the audience of the JWT. */
  readonly tokenEndpoint: string
  /** The resource identifier of the MCP server. */
  readonly resource: string
}

/**
 * The options of `workloadIdentity`.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkloadIdentity {
  /** The issuer of the authorization server that trusts the platform of the workload. Only this server receives the JWT. */
  readonly issuer: string
  /**
   * Supplies the JWT of the workload, for example from a file that the platform renews. It is called for each token request. It can
   * return an Effect or a promise.
   */
  readonly assertion: (
    target: WorkloadTarget
  ) => Effect.Effect<Redacted.Redacted, unknown> | Promise<Redacted.Redacted>
  /** The client id, for authorization servers that require one. Default: none. */
  readonly clientId?: string | undefined
}

const credentialsTable: ConfigOption.Table<ConfigOption.NamesOf<ClientCredentials>> = {
  issuer: true,
  clientId: true,
  clientSecret: true,
  privateKey: true,
  method: true,
  assertionAudience: true
}

const suppliesAssertion = ConfigOption.functionThat("returns a promise or an Effect of a Redacted text")

const identityAssertionTable: ConfigOption.Table<ConfigOption.NamesOf<IdentityAssertion>> = {
  ...credentialsTable,
  identityProvider: true,
  subjectToken: suppliesAssertion,
  subjectTokenType: ConfigOption.oneOf(...identityAssertionGrant.subjectTokenTypes)
}

const workloadTable: ConfigOption.Table<keyof WorkloadIdentity> = {
  issuer: true,
  assertion: suppliesAssertion,
  clientId: ConfigOption.rule(
    (value) => typeof value === "string" && value !== "",
    "text",
    "Write the client id that the authorization server gave to this workload"
  )
}

const checkIssuer = (issuer: string, path: string, owner: string): void => {
  UrlOption.check(issuer, path, {
    allowsHttp: false,
    allowsQuery: false,
    advice: `Write the issuer of the ${owner}, such as "https://auth.example.com"`,
    adviceOnHttp: "Use https",
    adviceOnParts: `Write the issuer exactly as in the metadata of the ${owner}`
  })
}

/**
 * Obtains tokens for the client itself, without a person (RFC 6749 §4.4). Throws `AuthConfigError` if an option is unknown or if
 * the issuer is not a URL.
 *
 * **Example** (A machine client with a secret)
 *
 * ```ts
 * import { Grant } from "effect-mcp-auth/client"
 * import { Redacted } from "effect"
 *
 * const grant = Grant.clientCredentials({
 *   issuer: "https://auth.example.com",
 *   clientId: "nightly-report",
 *   clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "from the environment")
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const clientCredentials = (options: ClientCredentials): Grant => {
  ConfigOption.check(options, option, credentialsTable, "Give one with issuer, clientId and clientSecret or privateKey")
  const { issuer, ...credentials } = options
  if (issuer !== anyIssuer) checkIssuer(issuer, `${option}.issuer`, "authorization server")
  return {
    [mark]: {
      issuers: issuer === anyIssuer ? "any" : [issuer],
      credentials,
      connect: () => Effect.succeed(() => Effect.succeed([["grant_type", "client_credentials"]]))
    }
  }
}

/**
 * Obtains tokens for a person who has signed in at the identity provider of an organization, without another sign-in at the
 * authorization server: enterprise-managed authorization. Throws `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * For each token request, the client exchanges the subject token for an ID-JAG at the identity provider (RFC 8693). The ID-JAG is for
 * the issuer of the authorization server and for the MCP server. The client then sends it to the authorization server as its grant
 * (RFC 7523 §2.1). The identity provider and the authorization server can each reject the request, with `AuthorizationDenied`; its
 * `issuer` tells which one. If `subjectToken` fails, the request fails with `AssertionUnavailable`.
 *
 * **Example** (A desktop client of an organization)
 *
 * ```ts
 * import { Grant } from "effect-mcp-auth/client"
 * import { Redacted } from "effect"
 *
 * export const grantOf = (session: { readonly getIdToken: () => Promise<string> }) =>
 *   Grant.identityAssertion({
 *     issuer: "https://auth.example.com",
 *     clientId: "todo-client",
 *     clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "from the environment"),
 *     identityProvider: {
 *       issuer: "https://login.acme.example",
 *       clientId: "sso-client",
 *       clientSecret: Redacted.make(process.env["SSO_SECRET"] ?? "from the environment")
 *     },
 *     subjectToken: async () => Redacted.make(await session.getIdToken())
 *   })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const identityAssertion = (options: IdentityAssertion): Grant => {
  ConfigOption.check(
    options,
    option,
    identityAssertionTable,
    "Give one with issuer, clientId, clientSecret or privateKey, identityProvider and subjectToken"
  )
  const { identityProvider, issuer, subjectToken, subjectTokenType = "id_token", ...credentials } = options
  if (issuer !== anyIssuer) checkIssuer(issuer, `${option}.issuer`, "authorization server")
  const path = `${option}.identityProvider`
  ConfigOption.check(
    identityProvider,
    path,
    credentialsTable,
    "Give one with issuer, clientId and clientSecret or privateKey"
  )
  const { issuer: provider, ...credentialsAtProvider } = identityProvider
  checkIssuer(provider, `${path}.issuer`, "identity provider")
  suppliesAssertion(subjectToken, `${option}.subjectToken`)
  return {
    [mark]: {
      issuers: issuer === anyIssuer ? "any" : [issuer],
      credentials,
      connect: (fetcher) =>
        identityAssertionGrant.connect({
          identityProvider: provider,
          credentials: credentialsAtProvider,
          subjectToken,
          subjectTokenType
        }, fetcher)
    }
  }
}

/**
 * Obtains tokens for a workload with the JWT that its platform gives it, such as a service account token of Kubernetes. The client
 * needs no secret. Throws `AuthConfigError` if an option is wrong.
 *
 * **Gotchas**
 *
 * This is a draft: workload identity federation for MCP (SEP-1933). It can change in a minor version.
 *
 * **Details**
 *
 * The client sends the JWT to the token endpoint as its grant (RFC 7523 §2.1). The platform must issue the JWT for this authorization
 * server: the audience is the token endpoint or the issuer. If `assertion` fails, the request fails with `AssertionUnavailable`.
 *
 * **Example** (A projected token of Kubernetes)
 *
 * ```ts
 * import { Grant } from "effect-mcp-auth/client"
 * import { Redacted } from "effect"
 * import { readFile } from "node:fs/promises"
 *
 * const grant = Grant.workloadIdentity({
 *   issuer: "https://auth.example.com",
 *   assertion: async () => Redacted.make((await readFile("/var/run/secrets/tokens/mcp", "utf8")).trim())
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const workloadIdentity = (options: WorkloadIdentity): Grant => {
  ConfigOption.check(options, option, workloadTable, "Give one with issuer and assertion")
  const { assertion, clientId, issuer } = options
  checkIssuer(issuer, `${option}.issuer`, "authorization server")
  suppliesAssertion(assertion, `${option}.assertion`)
  return {
    [mark]: {
      issuers: [issuer],
      credentials: clientId === undefined ? undefined : { clientId, method: "none" },
      connect: () =>
        Effect.succeed(({ issuer, resource, tokenEndpoint }) =>
          Effect.map(
            read(assertion, { issuer, tokenEndpoint, resource }, `${option}.assertion`),
            (jwt) => [["grant_type", identityAssertionGrant.jwtBearer], ["assertion", jwt]]
          )
        )
    }
  }
}
