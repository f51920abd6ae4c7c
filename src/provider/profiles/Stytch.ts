/**
 * The profile of Stytch Connected Apps.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.stytch`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StytchOptions {
  /** The project's domain, such as `rustic-fox-1234.customers.stytch.com`, or a custom domain. */
  readonly domain: string
  /** The project id, such as `project-live-…`. It is the audience of tokens, unless you set another one at Stytch. */
  readonly projectId: string
  /** The custom audience, if one is set at Stytch. */
  readonly audience?: Audiences | undefined
}

/**
 * Creates the profile of Stytch Connected Apps.
 *
 * **Gotchas**
 *
 * By default, the audience of a token is the project, so a token for any server of the project is accepted. If the project has
 * several servers, set a custom audience.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.stytch({ domain: "acme.customers.stytch.com", projectId: "project-live-1" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.customers.stytch.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const stytch = (options: StytchOptions): Profile.Profile => {
  const reader = readOptions("stytch", options, { domain: true, projectId: true, audience: true })
  const issuer = reader.origin("domain", options.domain, "rustic-fox-1234.customers.stytch.com")
  const project = reader.id("projectId", options.projectId, "the project id, such as project-live-…")
  return Profile.make({
    id: "stytch",
    name: "Stytch Connected Apps",
    issuer,
    // Tokens from the domain stytch.com have the second issuer, which is not a URL.
    tokenIssuers: [issuer, `stytch.com/${project}`],
    audience: options.audience === undefined ? Audience.oneOf([project]) : toAudience(options.audience),
    boundTo: options.audience === undefined ? "project" : "resource",
    // ID tokens have neither client_id nor scope.
    accessTokenMarks: [{ claim: "scope" }],
    clientIdClaims: ["client_id"],
    confirmed: false,
    notes: [
      "Stytch's documentation confirms the claims. No real token was seen.",
      "Enable dynamic registration. Client metadata documents are supported. You provide the page at authorization_endpoint."
    ],
    issues: reader.issues
  })
}
