/**
 * Creates the profiles of authorization servers that you host or embed in your program.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { audience, type Audiences, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The issuer, exactly as in its metadata. */
  readonly issuer: string
  /** The audience, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
}

const issuerOf = (profile: string, options: Options) => {
  const given = read(profile, options, { issuer: true, audience: true })
  const { issuer } = options
  given.url("issuer", issuer, "https://auth.example.com")
  return { issuer, issues: given.issues }
}

/**
 * Creates the profile of `oidc-provider` (panva/node-oidc-provider) with resource indicators. It issues JWTs of RFC 9068.
 *
 * **Details**
 *
 * `getResourceServerInfo` decides whether the tokens of a resource are JWTs (`accessTokenFormat: "jwt"`) or opaque.
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
export const oidcProvider = (options: Options): Profile.Profile =>
  Profile.make({
    id: "oidc-provider",
    name: "oidc-provider",
    ...issuerOf("oidcProvider", options),
    audience: audience(options.audience),
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint: "a resource whose accessTokenFormat is not jwt has opaque tokens; introspecting a JWT answers 400"
    },
    confirmed: true,
    notes: ["scope is absent when no scope was granted."]
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
export const betterAuth = (options: Options): Profile.Profile =>
  Profile.make({
    id: "better-auth",
    name: "better-auth",
    ...issuerOf("betterAuth", options),
    audience: audience(options.audience),
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id", "azp"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint:
        "a token without a resource is opaque; introspection answers active: false to a client that neither obtained the token " +
        "nor is linked to the resource"
    },
    confirmed: true,
    notes: ["Registration sends no CORS headers, so clients in a browser cannot register."]
  })

/**
 * Creates the profile of Glewlwyd. The issuer has a path: `https://example.com/api/oidc`.
 *
 * **Gotchas**
 *
 * Without the parameter `resource`, the audience of a token is its scope string, and the token is rejected.
 *
 * Only answers about active tokens are signed. So with `signedAnswers`, all other tokens result in 503 and not in 401.
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
export const glewlwyd = (options: Options): Profile.Profile =>
  Profile.make({
    id: "glewlwyd",
    name: "Glewlwyd",
    ...issuerOf("glewlwyd", options),
    audience: audience(options.audience),
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id"],
    confirmed: true,
    notes: [
      "Only the OpenID document exists, appended to the issuer. Debian's default external_url gives // in endpoints.",
      "Registration answers 200 instead of 201; clients without a secret cannot use the token endpoint.",
      "Introspection returns active: false for tokens of other clients, unless the plugin names a scope for it: " +
      "then every client, and every holder of a token with that scope, can introspect any token.",
      "Do not set signedAnswers: Glewlwyd signs no answer about an inactive token (400), and the audience of a signed answer " +
      "is the audience of the token."
    ]
  })

/**
 * Creates the profile of LemonLDAP::NG.
 *
 * **Details**
 *
 * Access tokens and ID tokens have the same type and the same audience. The client is in `client_id` of access tokens, and in
 * `azp` of ID tokens.
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
export const lemonldap = (options: Options): Profile.Profile =>
  Profile.make({
    id: "lemonldap",
    name: "LemonLDAP::NG",
    ...issuerOf("lemonldap", options),
    audience: audience(options.audience),
    accessTokenMarks: [{ claim: "client_id" }],
    idTokenMarks: [{ claim: "azp" }],
    clientIdClaims: ["client_id"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint: "access tokens are JWTs if the relying party is configured so; introspection answers have no aud"
    },
    confirmed: true,
    notes: ["The RFC 8414 URL answers 200 with HTML; the OpenID document is the one that counts."]
  })

/**
 * @category models
 * @since 0.1.0
 */
export interface OpenAuthOptions {
  /** The public origin of the issuer. OpenAuth derives its issuer from the `Host` of a request. */
  readonly issuer: string
  /** The clients whose tokens are accepted. The audience of a token is its client. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
}

/**
 * Creates the profile of OpenAuth (openauth.js.org).
 *
 * **Gotchas**
 *
 * Tokens have no scope, so operations that require one are always rejected.
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
  const given = read("openauth", options, { issuer: true, clientIds: true })
  return Profile.make({
    id: "openauth",
    name: "OpenAuth",
    issuer: given.url("issuer", options.issuer, "https://auth.example.com"),
    audience: Audience.oneOf(given.ids("clientIds", options.clientIds, "todos-client")),
    boundTo: "client",
    tokenType: TokenType.standard(["mode"]),
    accessTokenMarks: [{ claim: "mode", values: ["access"] }],
    scopes: { requested: "none" },
    clientIdClaims: ["aud"],
    confirmed: true,
    notes: ["Its metadata has no PKCE field, and its token response no token_type."],
    issues: given.issues
  })
}
