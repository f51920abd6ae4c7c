/**
 * The profile of Keycloak.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.keycloak`.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeycloakOptions {
  /** The URL of Keycloak, such as `https://sso.example.com`. For old versions, it ends with `/auth`. */
  readonly url: string
  readonly realm: string
  /** The audience that the audience mapper writes, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
  /**
   * The source of scopes: the granted scopes, the user's roles in the realm, or the user's roles at one client. Default:
   * `"scope"`.
   */
  readonly scopesFrom?: "scope" | "realm-roles" | { readonly clientRoles: string } | undefined
  /** The client whose roles are roles of the caller, in addition to the roles of the realm. Default: none. */
  readonly clientRoles?: string | undefined
}

/**
 * Creates the profile of a realm of Keycloak.
 *
 * **Details**
 *
 * By default the audience of access tokens is `account` or missing. Add an audience mapper to a client scope, so that `aud`
 * contains the resource.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.keycloak({ url: "https://sso.example.com", realm: "acme" })
 *
 * assert.strictEqual(profile.issuer, "https://sso.example.com/realms/acme")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const keycloak = (options: KeycloakOptions): Profile.Profile => {
  const reader = readOptions("keycloak", options, {
    url: true,
    realm: true,
    audience: true,
    scopesFrom: true,
    clientRoles: true
  })
  const url = reader.url("url", options.url, "https://sso.example.com")
  const realm = reader.id("realm", options.realm, "the realm's name, such as todos")
  const { clientRoles, scopesFrom = "scope" } = options
  if (typeof scopesFrom !== "object" || scopesFrom === null) {
    reader.choice("scopesFrom", scopesFrom, ["scope", "realm-roles", "{ clientRoles }"])
  }
  return Profile.make({
    id: "keycloak",
    name: "Keycloak",
    issuer: `${url}/realms/${realm}`,
    audience: toAudience(options.audience),
    // In ID tokens, the claim `typ` is `ID`. In refresh tokens, it is `Refresh` or `Offline`.
    accessTokenMarks: [{ claim: "typ", values: ["Bearer", "DPoP"] }],
    scopes: scopesFrom === "scope"
      ? {}
      : {
        sources: [{
          path: scopesFrom === "realm-roles"
            ? ["realm_access", "roles"]
            : [
              "resource_access",
              reader.id("scopesFrom.clientRoles", scopesFrom.clientRoles, "a client id, such as todos", /^\S+$/),
              "roles"
            ],
          shape: "string-or-list"
        }],
        // Roles are assigned to users, so a client cannot request them.
        requested: "none"
      },
    clientIdClaims: ["azp", "client_id"],
    roles: [
      ["realm_access", "roles"],
      ...(clientRoles === undefined
        ? []
        : [
          [
            "resource_access",
            reader.id("clientRoles", clientRoles, "a client id, such as todos", /^\S+$/),
            "roles"
          ] as const
        ])
    ],
    confirmed: true,
    notes: [
      "To write the resource into aud, add an audience mapper to a client scope that your clients have by default. The parameter " +
      "resource works only with the experimental --features=resource-indicators.",
      "Dynamic registration is enabled by default. Client metadata documents are experimental from 26.6.",
      "It is not confirmed that the claim typ of tokens bound to a key is DPoP."
    ],
    issues: reader.issues
  })
}
