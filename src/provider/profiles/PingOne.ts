/**
 * The profile of PingOne.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.pingone`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PingOneOptions {
  /** The environment's id, a GUID. */
  readonly environmentId: string
  /** The end of the region's host name, after `auth.pingone.`: `com`, `eu`, `ca`, `asia` or `com.au`. Default: `com`. */
  readonly region?: string | undefined
  /** The audience of the custom resource at PingOne. Default: the resource identifier of your server. */
  readonly audience?: Audiences | undefined
  /**
   * The client ids of programs that obtain tokens with client credentials, for themselves and not for a user. Their tokens need
   * no subject. Do not list a client that signs users in, because its users would share one owner. Default: none.
   */
  readonly machineClients?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * Creates the profile of PingOne, for tokens of a custom resource.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.pingone({ environmentId: "b9817c16-9910-4415-b67e-4ac687da74d9", region: "eu" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.pingone.eu/b9817c16-9910-4415-b67e-4ac687da74d9/as")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const pingone = (options: PingOneOptions): Profile.Profile => {
  const reader = readOptions("pingone", options, {
    environmentId: true,
    region: true,
    audience: true,
    machineClients: true
  })
  const region = reader.id("region", options.region ?? "com", "the end of the region's host, such as eu", /^[a-z.]+$/)
  const environment = reader.id(
    "environmentId",
    options.environmentId,
    "the environment's id, a GUID",
    /^[0-9a-f-]{36}$/
  )
  return Profile.make({
    id: "pingone",
    name: "PingOne",
    issuer: `https://auth.pingone.${region}/${environment}/as`,
    audience: toAudience(options.audience),
    accessTokenMarks: [{ claim: "client_id" }],
    clientIdClaims: ["client_id"],
    machineMarks: options.machineClients === undefined
      ? []
      : [{ claim: "client_id", values: reader.ids("machineClients", options.machineClients, "2f8d3b1c-…") }],
    confirmed: false,
    notes: [
      "PingOne's documentation confirms the claims. No real token was seen. Tokens have no typ until 2027-03-02, and at+jwt after.",
      "A token without a user has no sub, and is rejected unless its client is listed in machineClients. Then Principal.subject " +
      "is undefined, and data belongs to the client."
    ],
    issues: reader.issues
  })
}
