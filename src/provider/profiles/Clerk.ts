/**
 * Clerk.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The frontend API, such as `clerk.example.com` or `verb-noun-00.clerk.accounts.dev`. */
  readonly frontendApi: string
  /** The OAuth applications whose tokens are accepted: Clerk's tokens name no audience. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
}

/**
 * OAuth applications of Clerk, with JWT access tokens switched on.
 *
 * **Gotchas**
 *
 * Tokens have no `aud`: they are bound to the client alone. Clients that register themselves are not in the list, so this
 * fits applications that you have registered.
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
export const clerk = (options: Options): Profile.Profile => {
  const given = read("clerk", options, { frontendApi: true, clientIds: true })
  return Profile.make({
    id: "clerk",
    name: "Clerk",
    issuer: given.origin("frontendApi", options.frontendApi, "clerk.example.com"),
    audience: Audience.clientIds(given.ids("clientIds", options.clientIds, "client_id")),
    boundTo: "client",
    clientIdClaims: ["client_id", "azp"],
    opaque: {
      issued: "sometimes",
      judgedBy: "introspection",
      hint:
        "Clerk issues opaque tokens (oat_…) until JWT access tokens are switched on; its introspection endpoint is " +
        "/oauth/token_info"
    },
    confirmed: false,
    notes: [
      "No real token was seen: that a JWT names its client as client_id is not confirmed.",
      "Dynamic registration is at /oauth/register."
    ],
    issues: given.issues
  })
}
