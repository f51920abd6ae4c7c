/**
 * Creates the profiles of authorization servers that you host or embed in your program.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of a profile of a server that you host.
 *
 * @category models
 * @since 0.1.0
 */
export interface SelfHostedOptions {
  /** The issuer, exactly as in its metadata. */
  readonly issuer: string
  /** The audience, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
}

const readIssuer = (profile: string, options: SelfHostedOptions) => {
  const reader = readOptions(profile, options, { issuer: true, audience: true })
  const { issuer } = options
  reader.url("issuer", issuer, "https://auth.example.com")
  return { issuer, issues: reader.issues }
}

/**
 * Creates the profile of `oidc-provider` (panva/node-oidc-provider) with resource indicators. Its access tokens that are JWTs
 * have the format of RFC 9068.
 *
 * **Details**
 *
 * `getResourceServerInfo` decides whether the tokens of a resource are JWTs (`accessTokenFormat: "jwt"`) or opaque.
 *
 * The subject of a JWT that a program requested for itself is its client id. The introspection response about such an opaque token
 * has no subject: `Principal.subject` is `undefined`, and the client owns the data.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.oidcProvider({ issuer: "https://auth.example.com" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const oidcProvider = (options: SelfHostedOptions): Profile.Profile =>
  Profile.make({
    id: "oidc-provider",
    name: "oidc-provider",
    ...readIssuer("oidcProvider", options),
    audience: toAudience(options.audience),
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id"],
    // Introspection returns `sub` for every token of an account. A token of client credentials has no account, and only its
    // `token_type` distinguishes it from a refresh token.
    machineMarks: [{ claim: "token_type", values: ["Bearer", "DPoP"] }],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint: "tokens of a resource are opaque unless its accessTokenFormat is jwt. Introspection of a JWT returns 400"
    },
    confirmed: true,
    notes: [
      "Tokens without a granted scope have no claim scope.",
      "Introspection of an opaque token that a program requested for itself returns no sub. The client owns the data then."
    ]
  })

/**
 * Creates the profile of `better-auth` with its OAuth provider plugin. The issuer has a path: `https://example.com/api/auth`.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.betterAuth({ issuer: "https://example.com/api/auth" })
 *
 * assert.strictEqual(profile.issuer, "https://example.com/api/auth")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const betterAuth = (options: SelfHostedOptions): Profile.Profile =>
  Profile.make({
    id: "better-auth",
    name: "better-auth",
    ...readIssuer("betterAuth", options),
    audience: toAudience(options.audience),
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id", "azp"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint:
        "a token without a resource is opaque. Introspection returns active: false to clients other than the client of the token " +
        "and those linked to the resource"
    },
    confirmed: true,
    notes: ["Registration sends no CORS headers, so browser clients cannot register."]
  })

/**
 * Creates the profile of Glewlwyd. The issuer has a path: `https://example.com/api/oidc`.
 *
 * **Gotchas**
 *
 * Without the parameter `resource`, the audience of a token is its scope string, and the token is rejected.
 *
 * Glewlwyd signs only introspection responses about active tokens. So if `signedAnswers` is set, an inactive token results in
 * 503 and not in 401.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.glewlwyd({ issuer: "https://example.com/api/oidc" })
 *
 * assert.strictEqual(profile.issuer, "https://example.com/api/oidc")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const glewlwyd = (options: SelfHostedOptions): Profile.Profile =>
  Profile.make({
    id: "glewlwyd",
    name: "Glewlwyd",
    ...readIssuer("glewlwyd", options),
    audience: toAudience(options.audience),
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id"],
    confirmed: true,
    notes: [
      "The OpenID document, appended to the issuer, is the only one. Debian's default external_url causes // in endpoints.",
      "Registration returns 200 instead of 201. Clients without a secret cannot use the token endpoint.",
      "Introspection returns active: false for tokens of other clients, unless the plugin names a scope for it. Then every " +
      "client, and every holder of a token with that scope, can introspect any token.",
      "Do not set signedAnswers. Glewlwyd returns 400 without a signature for an inactive token, and the audience of a signed " +
      "response is that of the token."
    ]
  })

/**
 * Creates the profile of LemonLDAP::NG.
 *
 * **Details**
 *
 * The audience of a token is a list: the client id, and the additional audiences in the settings of the relying party. The
 * parameter `resource` has no effect, so add your resource there.
 *
 * LemonLDAP::NG rejects every authorization request without the scope `openid`. Clients request the scopes that the challenge
 * names, so the profile adds `openid` to challenges and metadata.
 *
 * Access tokens and ID tokens have the same type and the same audience. Access tokens name the client in `client_id`, and ID
 * tokens name it in `azp`.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.lemonldap({ issuer: "https://auth.example.com" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const lemonldap = (options: SelfHostedOptions): Profile.Profile =>
  Profile.make({
    id: "lemonldap",
    name: "LemonLDAP::NG",
    ...readIssuer("lemonldap", options),
    audience: toAudience(options.audience),
    accessTokenMarks: [{ claim: "client_id" }],
    idTokenMarks: [{ claim: "azp" }],
    // Clients request the scopes of the challenge. LemonLDAP::NG shows an error page for a request without `openid`.
    scopes: { requested: { prefix: "", always: ["openid"] } },
    clientIdClaims: ["client_id"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint: "access tokens are JWTs if the relying party is configured for it. Introspection responses have no aud"
    },
    confirmed: true,
    notes: [
      "Set these options of each relying party: access token in JWT format, the resource as an additional audience, and PKCE " +
      "required. None of them is the default."
    ]
  })

/**
 * The options of `Profiles.openauth`.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpenAuthOptions {
  /** The public origin of the issuer. OpenAuth derives its issuer from the `Host` header of a request. */
  readonly issuer: string
  /** The ids of the clients whose tokens are accepted. The audience of a token is the id of its client. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
}

/**
 * Creates the profile of OpenAuth (openauth.js.org).
 *
 * **Details**
 *
 * The scopes of a token are those that your OpenAuth program writes into `properties.scopes`, as a list or as a string with
 * spaces. OpenAuth ignores the scopes that a client requests.
 *
 * **Gotchas**
 *
 * The official MCP clients reject the token response of OpenAuth 0.4.3, because it has no `token_type` (RFC 6749 §5.1). Your
 * program must add that member.
 *
 * OpenAuth registers no clients. The option `allow` of your program decides which redirect URIs a client id may use. The default
 * accepts every client id with a redirect URI on a loopback host or on the domain of the issuer.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.openauth({ issuer: "https://auth.example.com", clientIds: ["client-1"] })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const openauth = (options: OpenAuthOptions): Profile.Profile => {
  const reader = readOptions("openauth", options, { issuer: true, clientIds: true })
  return Profile.make({
    id: "openauth",
    name: "OpenAuth",
    issuer: reader.url("issuer", options.issuer, "https://auth.example.com"),
    audience: Audience.oneOf(reader.ids("clientIds", options.clientIds, "todos-client")),
    boundTo: "client",
    tokenType: TokenType.standard(["mode"]),
    accessTokenMarks: [{ claim: "mode", values: ["access"] }],
    scopes: { sources: [{ path: ["properties", "scopes"], shape: "string-or-list" }], requested: "none" },
    clientIdClaims: ["aud"],
    confirmed: false,
    notes: [
      "Sign-in is not confirmed for OpenAuth as it is: the token response has no token_type, so both official clients reject it. " +
      "If the program adds token_type, both clients sign in.",
      "The token rules were tested with tokens of OpenAuth 0.4.3. The scopes are those in properties.scopes."
    ],
    issues: reader.issues
  })
}
