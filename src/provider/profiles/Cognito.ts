/**
 * Amazon Cognito.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { audience, type Audiences, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Such as `eu-west-1`. */
  readonly region: string
  /** Such as `eu-west-1_AbCdEf123`. */
  readonly userPoolId: string
  /** The app clients whose tokens are accepted: by default access tokens of Cognito name no audience. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
  /**
   * What tokens say as `aud` where clients ask with `resource` and Cognito heeds it (resource binding). With it, tokens
   * without an `aud` are rejected; without it, those with one.
   */
  readonly audience?: Audiences | undefined
  /**
   * The identifier of the resource server at Cognito. Its scopes are asked for, and arrive, as `identifier/scope`; with it
   * only those count, which binds a token's scopes to your server.
   */
  readonly resourceServer?: string | undefined
}

/**
 * A user pool of Amazon Cognito.
 *
 * **Gotchas**
 *
 * Without resource binding access tokens have no `aud`. They are bound to the client that obtained them, so a token that
 * one of your clients obtained for another server passes too: give `resourceServer`, and leave no operation without a
 * scope.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.cognito({ region: "eu-west-1", userPoolId: "eu-west-1_AbCdEfGhI", clientIds: ["client-1"] })
 *
 * assert.strictEqual(profile.issuer, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const cognito = (options: Options): Profile.Profile => {
  const given = read("cognito", options, {
    region: true,
    userPoolId: true,
    clientIds: true,
    audience: true,
    resourceServer: true
  })
  const region = given.id("region", options.region, "a region, such as eu-west-1", /^[a-z0-9-]+$/)
  const pool = given.id("userPoolId", options.userPoolId, "a user pool id, such as eu-west-1_AbCdEf123", /^[\w-]+$/)
  const prefix = options.resourceServer === undefined
    ? undefined
    : `${given.id("resourceServer", options.resourceServer, "its identifier, such as todos", /^\S+$/)}/`
  const clients = Audience.clientIds(given.ids("clientIds", options.clientIds, "1example23456789"))
  return Profile.make({
    id: "cognito",
    name: "Amazon Cognito",
    issuer: `https://cognito-idp.${region}.amazonaws.com/${pool}`,
    audience: options.audience === undefined ? clients : Audience.all([audience(options.audience), clients]),
    boundTo: options.audience === undefined ? "client" : "resource",
    accessTokenMarks: [{ claim: "token_use", values: ["access"] }],
    scopes: prefix === undefined ? {} : { requested: { prefix }, grantedPrefix: prefix },
    clientIdClaims: ["client_id"],
    confirmed: true,
    notes: [
      "Its metadata has no PKCE field and no registration endpoint (as of 2019; no newer document was found).",
      "Resource binding is for the plans Essentials and Plus; no token of it was seen, so what it writes is not confirmed.",
      "That a token without a person behind it has its client as sub is not confirmed.",
      "The hosts of regions in China are not known here."
    ],
    issues: given.issues
  })
}
