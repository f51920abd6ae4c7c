/**
 * The profile of Zitadel.
 *
 * @since 0.1.0
 */
import { own } from "../../protocol/Json.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.zitadel`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ZitadelOptions {
  /** The URL of the instance, such as `https://acme.zitadel.cloud`. */
  readonly url: string
  /** The id of the project for your server. */
  readonly projectId: string
}

/**
 * Creates the profile of Zitadel, with the roles of a project as scopes.
 *
 * **Details**
 *
 * The audience of tokens is a project or a client, never a URL, and tokens have no custom scopes. So clients request the scope
 * `urn:zitadel:iam:org:project:role:` followed by the name of a role, and the scope that adds the project to `aud`. An
 * application issues JWTs if its token type is set to JWT.
 *
 * The roles of a caller are the keys of the claim `urn:zitadel:iam:org:project:` followed by the id of the project and `:roles`, which
 * clients request with the scope `urn:zitadel:iam:org:projects:roles`. In a token without it, they are the keys of
 * `urn:zitadel:iam:org:project:roles`, the roles of the project that the client belongs to. So create the clients in the project of the
 * server.
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
export const zitadel = (options: ZitadelOptions): Profile.Profile => {
  const reader = readOptions("zitadel", options, { url: true, projectId: true })
  const project = reader.id("projectId", options.projectId, "the project's id, such as 271828182845904523")
  return Profile.make({
    id: "zitadel",
    name: "Zitadel",
    issuer: reader.url("url", options.url, "https://acme.zitadel.cloud"),
    audience: Audience.oneOf([project]),
    boundTo: "project",
    // ID tokens have the project as an audience too. According to Zitadel's table of claims, they have no `jti`, but have the
    // three claims of `idTokenMarks`.
    tokenType: TokenType.standard(["jti"]),
    accessTokenMarks: [{ claim: "jti" }],
    idTokenMarks: [{ claim: "auth_time" }, { claim: "amr" }, { claim: "acr" }],
    scopes: {
      sources: [{ path: ["urn:zitadel:iam:org:project:roles"], shape: "keys" }],
      requested: {
        prefix: "urn:zitadel:iam:org:project:role:",
        always: [`urn:zitadel:iam:org:project:id:${project}:aud`]
      }
    },
    clientIdClaims: ["client_id", "azp"],
    roles: [rolesOfProject(project)],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint: "Zitadel issues opaque tokens unless the token type of the application is JWT"
    },
    confirmed: false,
    notes: [
      "Zitadel's documentation and an observed document confirm the claims. No real token was seen.",
      "The introspection endpoint requires Basic authentication with form-encoded credentials, or private_key_jwt.",
      "It is not confirmed that the name of a role can contain a colon (todos:read)."
    ],
    issues: reader.issues
  })
}

/** Returns the source of the roles of a project: an object whose keys are the roles. */
const rolesOfProject = (project: string) => {
  const names = [`urn:zitadel:iam:org:project:${project}:roles`, "urn:zitadel:iam:org:project:roles"]
  return (claims: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
    const roles = names.map((name) => own(claims, name)).find((value) => value !== undefined)
    return OptionValue.isObject(roles) ? Object.keys(roles) : []
  }
}
