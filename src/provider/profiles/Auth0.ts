/**
 * The profile of Auth0.
 *
 * @since 0.1.0
 */
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.auth0`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Auth0Options {
  /** The tenant's domain, such as `acme.eu.auth0.com`, or a custom domain. */
  readonly domain: string
  /** The identifier of the API at Auth0, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
  /**
   * The source of scopes: the scopes that the client was granted (`"scope"`), or all permissions that role-based access control
   * gives the user at this API, regardless of the requested scopes (`"permissions"`). Default: `"scope"`.
   */
  readonly scopesFrom?: "scope" | "permissions" | undefined
}

/**
 * Creates the profile of Auth0, for access tokens of an API in the format of Auth0 or of RFC 9068.
 *
 * **Details**
 *
 * Create an API whose identifier is the resource. MCP clients send the parameter `resource`. Auth0 supports it if the Resource
 * Parameter Compatibility Profile is enabled. Otherwise, set a default audience for the tenant.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.auth0({ domain: "acme.eu.auth0.com" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.eu.auth0.com/")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const auth0 = (options: Auth0Options): Profile.Profile => {
  const reader = readOptions("auth0", options, { domain: true, audience: true, scopesFrom: true })
  reader.choice("scopesFrom", options.scopesFrom, ["scope", "permissions"])
  return Profile.make({
    id: "auth0",
    name: "Auth0",
    // The final slash is part of the issuer.
    issuer: `${reader.origin("domain", options.domain, "acme.eu.auth0.com")}/`,
    audience: toAudience(options.audience),
    // These claims mark an access token, because ID tokens have neither. `scope` and `client_id` do not suffice: without a
    // granted scope, tokens in the format of Auth0 have neither of them.
    tokenType: TokenType.standard(["gty", "permissions"]),
    scopes: options.scopesFrom === "permissions"
      ? { sources: [{ path: ["permissions"], shape: "string-or-list" }] }
      : {},
    clientIdClaims: ["client_id", "azp"],
    roles: [["permissions"]],
    opaque: {
      issued: "sometimes",
      verifiedBy: "none",
      hint:
        "if the client requests no API, Auth0 issues an opaque token of 32 characters, which cannot be verified. Set a default " +
        "audience for the tenant, or enable the Resource Parameter Compatibility Profile"
    },
    confirmed: true,
    notes: [
      "Dynamic registration is disabled by default. Enable it for the tenant.",
      "Tokens with HS256 are rejected. Set the signing algorithm of the API to RS256.",
      "The recorded token identifies no user. No token of a user was seen."
    ],
    issues: reader.issues
  })
}
