/**
 * Active Directory Federation Services.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/Profile.ts"
import * as TokenType from "../../verification/TokenType.ts"
import { audience, type Audiences, read } from "../internal/given.ts"

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
}

/**
 * Active Directory Federation Services.
 *
 * **Details**
 *
 * Access tokens name another issuer than the metadata. A program's own token has no `sub`: its `Principal.subject` is
 * `undefined`, and data belongs to the client then.
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
  const given = read("adfs")
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
    subject: "optional",
    confirmed: true,
    notes: ["Its metadata has no PKCE field: clients that follow the MCP text to the letter refuse it."],
    issues: given.issues
  })
}
