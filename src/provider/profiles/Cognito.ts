/**
 * The profile of Amazon Cognito.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.cognito`.
 *
 * @category models
 * @since 0.1.0
 */
export interface CognitoOptions {
  /** The AWS region, such as `eu-west-1`. */
  readonly region: string
  /** The id of the user pool, such as `eu-west-1_AbCdEf123`. */
  readonly userPoolId: string
  /**
   * The ids of the app clients whose tokens are accepted. Without the option `audience`, the profile checks the client instead
   * of an audience, because access tokens of Cognito have no `aud` without resource binding.
   */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
  /**
   * The `aud` of tokens, if clients send the parameter `resource` and your user pool supports it (resource binding). If you
   * set this option, tokens without `aud` are rejected. If you do not set it, `aud` may be missing, but a token whose `aud`
   * names neither the resource nor one of `clientIds` is rejected.
   */
  readonly audience?: Audiences | undefined
  /**
   * The identifier of the resource server at Cognito. In requests and in tokens, its scopes have the form `identifier/scope`.
   * If you set this option, the profile ignores the scopes of other resource servers, so the scopes of a token are bound to
   * your server.
   */
  readonly resourceServer?: string | undefined
}

/**
 * Creates the profile of a user pool of Amazon Cognito.
 *
 * **Gotchas**
 *
 * Without resource binding, access tokens have no `aud` and are bound to the client only. So a token that one of your clients
 * obtained for another server is accepted too. To prevent this, set `resourceServer` and require a scope for every operation.
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
export const cognito = (options: CognitoOptions): Profile.Profile => {
  const reader = readOptions("cognito", options, {
    region: true,
    userPoolId: true,
    clientIds: true,
    audience: true,
    resourceServer: true
  })
  const region = reader.id("region", options.region, "a region, such as eu-west-1", /^[a-z0-9-]+$/)
  const pool = reader.id("userPoolId", options.userPoolId, "a user pool id, such as eu-west-1_AbCdEf123", /^[\w-]+$/)
  const prefix = options.resourceServer === undefined
    ? undefined
    : `${reader.id("resourceServer", options.resourceServer, "its identifier, such as todos", /^\S+$/)}/`
  const clients = Audience.clientIds(reader.ids("clientIds", options.clientIds, "1example23456789"))
  return Profile.make({
    id: "cognito",
    name: "Amazon Cognito",
    issuer: `https://cognito-idp.${region}.amazonaws.com/${pool}`,
    audience: options.audience === undefined ? clients : Audience.all([toAudience(options.audience), clients]),
    boundTo: options.audience === undefined ? "client" : "resource",
    accessTokenMarks: [{ claim: "token_use", values: ["access"] }],
    scopes: prefix === undefined ? {} : { requested: { prefix }, grantedPrefix: prefix },
    clientIdClaims: ["client_id"],
    roles: [["cognito:groups"]],
    confirmed: true,
    notes: [
      "The metadata of 2019 have no PKCE field and no registration endpoint. No newer document was found.",
      "The plans Essentials and Plus support resource binding. No token with it was seen, so the claims are not confirmed.",
      "It is not confirmed that the sub of a token without a user is its client.",
      "The hosts of regions in China are not known here.",
      "The tests run cognito-local, an emulator. Like the observed token, its access tokens of users have client_id, token_use, " +
      "username and scope, and no aud. It has no scopes of resource servers, no resource binding, no tokens without a user and " +
      "no metadata of endpoints, so it proves nothing about these parts of Cognito."
    ],
    issues: reader.issues
  })
}
