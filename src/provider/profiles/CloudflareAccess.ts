/**
 * The profile of Cloudflare Access.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.cloudflareAccess`.
 *
 * @category models
 * @since 0.1.0
 */
export interface CloudflareAccessOptions {
  /** The name of the team: the first part of `<team>.cloudflareaccess.com`. */
  readonly team: string
  /** The Application Audience (AUD) tag of the Access application. */
  readonly audience: string
  /**
   * The client ids of the service tokens whose programs may call the server, such as `88bf3b6d86161464f6509f7219099e57.access`.
   * Default: none, so every token must belong to a user.
   */
  readonly serviceTokens?: ReadonlyArray<string> | undefined
}

/**
 * Creates the profile of the application tokens that Cloudflare Access adds to each request.
 *
 * **Details**
 *
 * Access sends the token in the header `Cf-Access-Jwt-Assertion`, so the server also needs `tokenHeader:
 * TokenHeader.cloudflareAccess`. Tokens have no scopes. A token of a service token has an empty `sub`: `Principal.subject` is
 * `undefined`, and the service token owns the data.
 *
 * **Example** (The keys of a team)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.cloudflareAccess({
 *   team: "acme",
 *   audience: "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
 * })
 *
 * assert.strictEqual(profile.jwksUri, "https://acme.cloudflareaccess.com/cdn-cgi/access/certs")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const cloudflareAccess = (options: CloudflareAccessOptions): Profile.Profile => {
  const reader = readOptions("cloudflareAccess", options, { team: true, audience: true, serviceTokens: true })
  const team = reader.id(
    "team",
    options.team,
    "the name of the team, such as acme",
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
  )
  const issuer = `https://${team.toLowerCase()}.cloudflareaccess.com`
  const tag = reader.id(
    "audience",
    options.audience,
    "the AUD tag of the application, 64 hexadecimal digits",
    /^[0-9a-f]{64}$/
  )
  const serviceTokens = options.serviceTokens === undefined
    ? []
    : reader.ids("serviceTokens", options.serviceTokens, "88bf3b6d86161464f6509f7219099e57.access")
  return Profile.make({
    id: "cloudflare-access",
    name: "Cloudflare Access",
    issuer,
    jwksUri: `${issuer}/cdn-cgi/access/certs`,
    algorithms: ["RS256"],
    audience: Audience.oneOf([tag]),
    boundTo: "project",
    tokenType: TokenType.standard(["type"]),
    // The token of the session of a user at all applications has `type: "org"`.
    accessTokenMarks: [{ claim: "type", values: ["app"] }],
    clientIdClaims: ["common_name"],
    machineMarks: serviceTokens.length === 0
      ? []
      : [{ claim: "common_name", values: serviceTokens as [string], hasEmptySubject: true }],
    scopes: { requested: "none" },
    opaque: {
      issued: "never",
      verifiedBy: "none",
      hint:
        "clients of Managed OAuth send opaque tokens (oauth:…) to Access, which replaces them by the header Cf-Access-Jwt-Assertion"
    },
    confirmed: false,
    notes: [
      "Cloudflare's documentation confirms the claims. No real token was seen.",
      "All servers behind one Access application accept its tokens.",
      "Tokens have no scopes."
    ],
    issues: reader.issues
  })
}
