/**
 * The profile of Active Directory Federation Services.
 *
 * @since 0.1.0
 */
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.adfs`.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdfsOptions {
  /** The issuer, exactly as in the metadata, such as `https://fs.example.com/adfs`. */
  readonly issuer: string
  /** `access_token_issuer` of the metadata, such as `http://fs.example.com/adfs/services/trust`. */
  readonly accessTokenIssuer: string
  /** The identifier of the relying party. Default: the resource identifier of your server. */
  readonly audience?: Audiences | undefined
  /**
   * The claims that can identify a user. The first of them that a token has is used. Default: `sub`, `primarysid`. ADFS issues
   * such a claim only if an issuance transform rule of the Web API adds it. `upn` is not a default, because a directory may
   * assign the name of a former user to another person, who would then own the data of the former user. Add `upn` only if your
   * directory never does this.
   * `unique_name` is not a default either, because it may contain the display name.
   */
  readonly subjectClaims?: readonly [string, ...ReadonlyArray<string>] | undefined
  /**
   * The client ids (`appid`) of programs that obtain tokens with client credentials, for themselves and not for a user. Their
   * tokens need no subject. Do not list a client that signs users in, because its users would share one owner. Default: none.
   */
  readonly machineClients?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * Creates the profile of Active Directory Federation Services.
 *
 * **Details**
 *
 * The issuer in access tokens differs from the issuer in the metadata. By default, access tokens do not identify the user, so
 * they are rejected. To accept them, add an issuance transform rule for `primarysid` to the Web API. A token that a program
 * obtained for itself has no subject either. List such programs in `machineClients`. For their tokens, `Principal.subject` is
 * `undefined`, and the client owns the data.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.adfs({
 *   issuer: "https://fs.example.com/adfs",
 *   accessTokenIssuer: "http://fs.example.com/adfs/services/trust"
 * })
 *
 * assert.strictEqual(profile.issuer, "https://fs.example.com/adfs")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const adfs = (options: AdfsOptions): Profile.Profile => {
  const reader = readOptions("adfs", options, {
    issuer: true,
    accessTokenIssuer: true,
    audience: true,
    subjectClaims: true,
    machineClients: true
  })
  return Profile.make({
    id: "adfs",
    name: "Active Directory Federation Services",
    issuer: reader.url("issuer", options.issuer, "https://fs.example.com/adfs"),
    tokenIssuers: [
      reader.id(
        "accessTokenIssuer",
        options.accessTokenIssuer,
        "access_token_issuer of the metadata, such as http://fs.example.com/adfs/services/trust",
        /^\S+$/
      )
    ],
    audience: toAudience(options.audience),
    tokenType: TokenType.standard(["appid"]),
    accessTokenMarks: [{ claim: "appid" }],
    scopes: { sources: [{ path: ["scp"], shape: "string" }] },
    clientIdClaims: ["appid"],
    subjectClaims: options.subjectClaims ?? ["sub", "primarysid"],
    machineMarks: options.machineClients === undefined
      ? []
      : [{ claim: "appid", values: reader.ids("machineClients", options.machineClients, "2c3caa80-…") }],
    confirmed: false,
    notes: [
      "No real token of a user was seen. The rules were tested with a real token that identifies no user.",
      "The metadata have no PKCE field, so clients that follow the MCP specification strictly reject the server.",
      "By default, access tokens do not identify a user and are rejected. Add an issuance transform rule for primarysid.",
      "Tokens without a user cannot be distinguished from tokens of users. List programs without users in machineClients."
    ],
    issues: reader.issues
  })
}
