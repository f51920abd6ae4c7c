/**
 * The profile of Spring Authorization Server.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.springAuthorizationServer`.
 *
 * @category models
 * @since 0.1.0
 */
export type SpringAuthorizationServerOptions = SpringAuthorizationServerIssuer & SpringAuthorizationServerBinding

/**
 * Identifies the authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface SpringAuthorizationServerIssuer {
  /** The issuer, exactly as in its metadata, such as `https://auth.example.com`. */
  readonly issuer: string
}

/**
 * Selects how a token is bound to your server: by its client, as the server issues tokens by default, or by the audience that your
 * `OAuth2TokenCustomizer` writes into access tokens.
 *
 * @category models
 * @since 0.1.0
 */
export type SpringAuthorizationServerBinding =
  | { readonly clientIds: readonly [string, ...ReadonlyArray<string>]; readonly audience?: undefined }
  | { readonly audience: Audiences; readonly clientIds?: undefined }

/**
 * Creates the profile of Spring Authorization Server, whose tokens have a list of scopes.
 *
 * **Details**
 *
 * By default, the audience of a token is the id of its client, and `sub` is the name of the user or, without a user, the client id.
 * Access tokens have `nbf`. ID tokens have `azp` and no `nbf`.
 *
 * **Gotchas**
 *
 * With `clientIds`, every server that trusts the client accepts the token. To bind tokens to your server, write the resource
 * identifier into `aud` with an `OAuth2TokenCustomizer`, and the client id into `client_id`.
 *
 * **Example** (Tokens of one client)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.springAuthorizationServer({ issuer: "https://auth.example.com", clientIds: ["todos-client"] })
 *
 * assert.strictEqual(profile.boundTo, "client")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const springAuthorizationServer = (options: SpringAuthorizationServerOptions): Profile.Profile => {
  const reader = readOptions("springAuthorizationServer", options, { issuer: true, clientIds: true, audience: true })
  const isBoundToClient = options.audience === undefined
  return Profile.make({
    id: "spring-authorization-server",
    name: "Spring Authorization Server",
    issuer: reader.url("issuer", options.issuer, "https://auth.example.com"),
    audience: isBoundToClient
      ? Audience.oneOf(reader.ids("clientIds", options.clientIds, "todos-client"))
      : toAudience(options.audience),
    boundTo: isBoundToClient ? "client" : "resource",
    tokenType: TokenType.standard(["nbf"]),
    accessTokenMarks: [{ claim: "nbf" }],
    idTokenMarks: [{ claim: "azp" }],
    // Tokens name their client only in `aud`. Introspection responses have `client_id`.
    clientIdClaims: isBoundToClient ? ["client_id", "aud"] : ["client_id"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint: "tokens are opaque if the token settings of the client have the format REFERENCE"
    },
    confirmed: false,
    notes: [
      "The source code of the server and the published claims of one token (2021) show the claims. No real token was seen.",
      "The parameter resource has no effect. sub is the name of the user, so do not assign a name to a second person."
    ],
    issues: reader.issues
  })
}
