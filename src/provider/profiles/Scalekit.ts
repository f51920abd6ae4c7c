/**
 * The profile of Scalekit.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.scalekit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScalekitOptions {
  /** The URL of the environment, such as `https://acme.scalekit.com`. */
  readonly environment: string
  /** The id of the MCP server at Scalekit, such as `res_123`. */
  readonly resourceId: string
}

/**
 * Creates the profile of Scalekit, for a registered MCP server.
 *
 * **Details**
 *
 * The audience of tokens is the id of the MCP server and not its URL. Scalekit uses two issuers, the URL of the environment and
 * the URL of the resource. Both are accepted.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.scalekit({ environment: "https://acme.scalekit.com", resourceId: "res_123" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.scalekit.com/resources/res_123")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const scalekit = (options: ScalekitOptions): Profile.Profile => {
  const reader = readOptions("scalekit", options, { environment: true, resourceId: true })
  const environment = reader.url("environment", options.environment, "https://acme.scalekit.com")
  const id = reader.id("resourceId", options.resourceId, "the resource id, such as res_123", /^res_[\w-]+$/)
  return Profile.make({
    id: "scalekit",
    name: "Scalekit",
    issuer: `${environment}/resources/${id}`,
    tokenIssuers: [`${environment}/resources/${id}`, environment],
    jwksUri: `${environment}/keys`,
    audience: Audience.oneOf([id]),
    // It is not known which claim contains the scopes, so the standard claim `scope` comes first.
    scopes: { sources: [...Profile.standardScopes, { path: ["scopes"], shape: "string-or-list" }] },
    clientIdClaims: ["client_id", "azp"],
    confirmed: false,
    notes: [
      "No real token was seen. It is not confirmed whether the claim of scopes is scope or scopes.",
      "Dynamic registration and client metadata documents are enabled for each MCP server."
    ],
    issues: reader.issues
  })
}
