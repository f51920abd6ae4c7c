/**
 * Zitadel.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The instance, such as `https://acme.zitadel.cloud`. */
  readonly url: string
  /** The id of the project that stands for your server. */
  readonly projectId: string
}

/**
 * Zitadel, with the roles of a project as scopes.
 *
 * **Details**
 *
 * Tokens are for projects and clients, never for a URL, and have no scopes. So clients ask for
 * `urn:zitadel:iam:org:project:role:` and the name, besides the scope that puts the project into `aud`. An application
 * issues JWTs once its token type says so.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "271828182845904523" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.zitadel.cloud")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const zitadel = (options: Options): Profile.Profile => {
  const given = read("zitadel", options, { url: true, projectId: true })
  const project = given.id("projectId", options.projectId, "the project's id, such as 271828182845904523")
  return Profile.make({
    id: "zitadel",
    name: "Zitadel",
    issuer: given.url("url", options.url, "https://acme.zitadel.cloud"),
    audience: Audience.oneOf([project]),
    boundTo: "project",
    // ID tokens name the project as well. They have no jti (Zitadel's table of claims), and these three instead.
    tokenType: TokenType.standard(["jti"]),
    accessTokenMarks: [{ claim: "jti" }],
    idTokenMarks: [{ claim: "auth_time" }, { claim: "amr" }, { claim: "acr" }],
    scopes: {
      sources: [{ path: ["urn:zitadel:iam:org:project:roles"], shape: "keys" }],
      requested: {
        prefix: "urn:zitadel:iam:org:project:role:",
        besides: [`urn:zitadel:iam:org:project:id:${project}:aud`]
      }
    },
    clientIdClaims: ["client_id", "azp"],
    opaque: {
      issued: "sometimes",
      judgedBy: "introspection",
      hint: "Zitadel issues opaque tokens until the application's token type is JWT"
    },
    confirmed: true,
    notes: [
      "Confirmed by Zitadel's documentation and a real document; no real token was seen.",
      "Its introspection endpoint wants Basic authentication with form-encoded credentials, or private_key_jwt.",
      "That a role may have a colon in its name (todos:read) is not confirmed."
    ],
    issues: given.issues
  })
}
