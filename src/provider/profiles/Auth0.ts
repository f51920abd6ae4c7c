/**
 * Auth0.
 *
 * @since 0.1.0
 */
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { audience, type Audiences, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The tenant's domain, such as `acme.eu.auth0.com`, or a custom one. */
  readonly domain: string
  /** The identifier of the API at Auth0, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
  /**
   * What counts as scopes: `"scope"` (default), what this client was granted; `"permissions"`, all that role-based
   * access control gives to the user at this API, whatever the client asked for.
   */
  readonly scopesFrom?: "scope" | "permissions" | undefined
}

/**
 * Auth0: access tokens of an API, in its own format or that of RFC 9068.
 *
 * **Details**
 *
 * Make an API whose identifier is the resource. MCP clients ask with `resource`, which Auth0 heeds once the Resource
 * Parameter Compatibility Profile is switched on; a default audience of the tenant does as well.
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
export const auth0 = (options: Options): Profile.Profile => {
  const given = read("auth0", options, { domain: true, audience: true, scopesFrom: true })
  given.choice("scopesFrom", options.scopesFrom, ["scope", "permissions"])
  return Profile.make({
    id: "auth0",
    name: "Auth0",
    // The final slash is part of it.
    issuer: `${given.origin("domain", options.domain, "acme.eu.auth0.com")}/`,
    audience: audience(options.audience),
    // Without a granted scope its own format has neither `scope` nor `client_id`: these two only access tokens have.
    tokenType: TokenType.standard(["gty", "permissions"]),
    scopes: options.scopesFrom === "permissions"
      ? { sources: [{ path: ["permissions"], shape: "string-or-list" }] }
      : {},
    clientIdClaims: ["client_id", "azp"],
    opaque: {
      issued: "sometimes",
      judgedBy: "none",
      hint:
        "Auth0 issues a token of 32 characters, which nobody can judge, when no API was asked for: set the tenant's " +
        "default audience, or switch on the Resource Parameter Compatibility Profile"
    },
    confirmed: true,
    notes: [
      "Dynamic registration is off until it is switched on for the tenant.",
      "Tokens signed with HS256 are rejected: set the API's signing algorithm to RS256."
    ],
    issues: given.issues
  })
}
