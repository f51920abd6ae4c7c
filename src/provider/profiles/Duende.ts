/**
 * The profile of Duende IdentityServer.
 *
 * @since 0.1.0
 */
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.duende`.
 *
 * @category models
 * @since 0.1.0
 */
export interface DuendeOptions {
  /** The issuer, exactly as in its metadata, such as `https://auth.example.com`. */
  readonly issuer: string
  /** The name of the `ApiResource` for your server. Default: the resource identifier of your server. */
  readonly audience?: Audiences | undefined
  /**
   * The ids of clients that obtain tokens for themselves and not for a user. Their tokens need no subject. Do not list a client
   * that signs users in, because its users would share one owner. Default: none.
   */
  readonly machineClients?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * Creates the profile of Duende IdentityServer, whose tokens have the `typ` `at+jwt` and a list of scopes.
 *
 * **Details**
 *
 * The audience of a token is the name of an `ApiResource`, so give that resource the URL of your server as its name. A token whose
 * scopes belong to no `ApiResource` has no audience and is rejected. A token without a user has no `sub`: list its client in
 * `machineClients`. Then `Principal.subject` is `undefined`, and the client owns the data.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.duende({ issuer: "https://auth.example.com" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const duende = (options: DuendeOptions): Profile.Profile => {
  const reader = readOptions("duende", options, { issuer: true, audience: true, machineClients: true })
  return Profile.make({
    id: "duende",
    name: "Duende IdentityServer",
    issuer: reader.url("issuer", options.issuer, "https://auth.example.com"),
    audience: toAudience(options.audience),
    tokenType: TokenType.strict,
    accessTokenMarks: [{ claim: "client_id" }],
    clientIdClaims: ["client_id"],
    machineMarks: options.machineClients === undefined
      ? []
      : [{ claim: "client_id", values: reader.ids("machineClients", options.machineClients, "todos-job") }],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint:
        "tokens are opaque if AccessTokenType of the client is Reference. Introspection needs the secret of the ApiResource"
    },
    confirmed: false,
    notes: [
      "The source code and the documentation of the server show the claims. No real token was seen.",
      "If the option AccessTokenJwtType has another value than at+jwt, tokens are rejected.",
      "The parameter resource needs the Enterprise edition, and dynamic registration a separate package."
    ],
    issues: reader.issues
  })
}
