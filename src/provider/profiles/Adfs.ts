/**
 * Active Directory Federation Services.
 *
 * @since 0.1.0
 */
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { audience, type Audiences, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The issuer, exactly as the metadata names it, such as `https://fs.example.com/adfs`. */
  readonly issuer: string
  /** `access_token_issuer` of the metadata, such as `http://fs.example.com/adfs/services/trust`. */
  readonly accessTokenIssuer: string
  /** The identifier of the relying party, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
  /**
   * The claims that identify a user, in this order. Default: `sub`, `primarysid`. ADFS issues a claim only by a rule of the
   * Web API. `upn` is not among them: a directory may give the name of a person who left to another one, who would then own
   * that person's data. Name it only if yours never does. Nor is `unique_name`, which may hold the display name.
   */
  readonly subjectClaims?: readonly [string, ...ReadonlyArray<string>] | undefined
  /**
   * The client ids (`appid`) of programs that get tokens for themselves, by client credentials, and never for a user. Their
   * tokens need no subject. A client that signs users in must not be among them: its users would share one owner. Default:
   * none.
   */
  readonly machineClients?: readonly [string, ...ReadonlyArray<string>] | undefined
}

/**
 * Active Directory Federation Services.
 *
 * **Details**
 *
 * Access tokens name another issuer than the metadata. By default they do not say who the user is, and are rejected: add an
 * issuance transform rule to the Web API that issues `primarysid`. A program's own token has no subject either. Name such
 * programs as `machineClients`; their `Principal.subject` is `undefined`, and data belongs to the client.
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
export const adfs = (options: Options): Profile.Profile => {
  const given = read("adfs", options, {
    issuer: true,
    accessTokenIssuer: true,
    audience: true,
    subjectClaims: true,
    machineClients: true
  })
  return Profile.make({
    id: "adfs",
    name: "Active Directory Federation Services",
    issuer: given.url("issuer", options.issuer, "https://fs.example.com/adfs"),
    tokenIssuers: [
      given.id(
        "accessTokenIssuer",
        options.accessTokenIssuer,
        "access_token_issuer of the metadata, such as http://fs.example.com/adfs/services/trust",
        /^\S+$/
      )
    ],
    audience: audience(options.audience),
    tokenType: TokenType.standard(["appid"]),
    accessTokenMarks: [{ claim: "appid" }],
    clientIdClaims: ["appid"],
    subjectClaims: options.subjectClaims ?? ["sub", "primarysid"],
    machineMarks: options.machineClients === undefined
      ? []
      : [{ claim: "appid", values: given.ids("machineClients", options.machineClients, "2c3caa80-…") }],
    confirmed: true,
    notes: [
      "Its metadata has no PKCE field: clients that follow the MCP text to the letter reject it.",
      "Access tokens name no user by default, and are rejected then: add an issuance transform rule for primarysid.",
      "Nothing in a program's own token distinguishes it from a user's: name such programs as machineClients."
    ],
    issues: given.issues
  })
}
