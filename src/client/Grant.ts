/**
 * Ways in which a client obtains tokens.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as ClientAuthentication from "../outbound/ClientAuthentication.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as UrlOption from "../protocol/UrlOption.ts"
import { type Content, mark, option } from "./internal/grantContent.ts"

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

const table: ConfigOption.Table<ConfigOption.NamesOf<ClientCredentials>> = {
  issuer: true,
  clientId: true,
  clientSecret: true,
  privateKey: true,
  method: true,
  assertionAudience: true
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
  ConfigOption.check(options, option, table, "Give one with issuer, clientId and clientSecret or privateKey")
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
