/**
 * The profile of WorkOS AuthKit.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.authkit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthKitOptions {
  /** The AuthKit domain, such as `acme.authkit.app`, or a custom domain. */
  readonly domain: string
  /** The resource indicator registered at WorkOS, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
  /** The source of scopes: the permissions of the user's role, or the granted scopes. Default: `"permissions"`. */
  readonly scopesFrom?: "permissions" | "scope" | undefined
}

/**
 * Creates the profile of WorkOS AuthKit, for tokens of Connect applications and of MCP clients.
 *
 * **Details**
 *
 * Register the resource as a resource indicator. Without one, the audience is the client id of the environment, and the token
 * is rejected. AuthKit has no scopes for resources. So the profile uses permissions as scopes by default, and clients request
 * no scope.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.authkit({ domain: "acme.authkit.app" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.authkit.app")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const authkit = (options: AuthKitOptions): Profile.Profile => {
  const reader = readOptions("authkit", options, { domain: true, audience: true, scopesFrom: true })
  reader.choice("scopesFrom", options.scopesFrom, ["permissions", "scope"])
  return Profile.make({
    id: "authkit",
    name: "WorkOS AuthKit",
    issuer: reader.origin("domain", options.domain, "acme.authkit.app"),
    audience: toAudience(options.audience),
    accessTokenMarks: [{ claim: "client_id" }],
    scopes: options.scopesFrom === "scope"
      ? {}
      : { sources: [{ path: ["permissions"], shape: "string-or-list" }], requested: "none" },
    clientIdClaims: ["client_id"],
    roles: [["role"], ["roles"]],
    confirmed: false,
    notes: [
      "No real token was seen. The claims are those of WorkOS's documentation. It is not confirmed that tokens of MCP clients " +
      "have permissions.",
      "The audience of a token without a user is the environment, so it cannot be bound to a resource.",
      "Only the RFC 8414 document has the fields for PKCE, registration and client metadata documents."
    ],
    issues: reader.issues
  })
}
