/**
 * The profile of Clerk.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.clerk`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClerkOptions {
  /** The host name of the frontend API, such as `clerk.example.com` or `verb-noun-00.clerk.accounts.dev`. */
  readonly frontendApi: string
  /**
   * The client ids of the OAuth applications whose tokens are accepted. The profile checks the client instead of an audience,
   * because tokens of Clerk have no `aud`.
   */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
}

/**
 * Creates the profile of Clerk, for OAuth applications with JWT access tokens enabled.
 *
 * **Gotchas**
 *
 * Tokens have no `aud` and are bound to the client only. Clients from dynamic registration are not in `clientIds`, so use this
 * profile for applications that you have registered.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["client-1"] })
 *
 * assert.strictEqual(profile.issuer, "https://clerk.example.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const clerk = (options: ClerkOptions): Profile.Profile => {
  const reader = readOptions("clerk", options, { frontendApi: true, clientIds: true })
  return Profile.make({
    id: "clerk",
    name: "Clerk",
    issuer: reader.origin("frontendApi", options.frontendApi, "clerk.example.com"),
    audience: Audience.clientIds(reader.ids("clientIds", options.clientIds, "client_id")),
    boundTo: "client",
    clientIdClaims: ["client_id", "azp"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint:
        "Clerk issues opaque tokens (oat_…) unless JWT access tokens are enabled. Its introspection endpoint is /oauth/token_info"
    },
    confirmed: false,
    notes: [
      "No real token was seen. It is not confirmed that a JWT names its client in client_id.",
      "Dynamic registration is at /oauth/register."
    ],
    issues: reader.issues
  })
}
