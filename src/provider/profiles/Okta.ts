/**
 * The profile of Okta.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.okta`.
 *
 * @category models
 * @since 0.1.0
 */
export interface OktaOptions {
  /** The organization's domain, such as `acme.okta.com`, or a custom domain. */
  readonly domain: string
  /**
   * The id of the custom authorization server, such as `default`. The authorization server of the organization is not
   * supported, because only Okta can verify its tokens.
   */
  readonly server: string
  /** The audience of that authorization server, such as `api://default`. Default: the resource identifier of your server. */
  readonly audience?: Audiences | undefined
}

/**
 * Creates the profile of a custom authorization server of Okta.
 *
 * **Details**
 *
 * Each custom authorization server has one audience. Set it to the resource, and create one authorization server for each
 * resource. Scopes are a list in the claim `scp`. Tokens have no `typ`.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.okta({ domain: "acme.okta.com", server: "todos" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.okta.com/oauth2/todos")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const okta = (options: OktaOptions): Profile.Profile => {
  const reader = readOptions("okta", options, { domain: true, server: true, audience: true })
  const origin = reader.origin("domain", options.domain, "acme.okta.com")
  const server = reader.id(
    "server",
    options.server,
    "the id of a custom authorization server, such as default; tokens of the organization server cannot be verified"
  )
  return Profile.make({
    id: "okta",
    name: "Okta",
    issuer: `${origin}/oauth2/${server}`,
    audience: toAudience(options.audience),
    accessTokenMarks: [{ claim: "cid" }],
    clientIdClaims: ["cid"],
    roles: [["groups"]],
    // `sub` is a user name whose format the application determines, so it can be equal for two people. Tokens of programs have
    // no `uid`.
    subjectClaims: ["uid", "sub"],
    confirmed: true,
    notes: [
      "Dynamic registration requires an API token of Okta. The URL of a client metadata document must be registered first.",
      "Access policies of the authorization server determine the scopes of each client.",
      "The recorded token identifies no user. No token of a user was seen."
    ],
    issues: reader.issues
  })
}
