/**
 * Keycloak.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { audience, type Audiences, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Where Keycloak is, such as `https://sso.example.com`; with `/auth` at its end for old versions. */
  readonly url: string
  readonly realm: string
  /** What the audience mapper writes, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
  /** What counts as scopes: `"scope"` (default), the roles of the realm, or the roles of one client. */
  readonly scopesFrom?: "scope" | "realm-roles" | { readonly clientRoles: string } | undefined
}

/**
 * A realm of Keycloak.
 *
 * **Details**
 *
 * Access tokens are for `account`, or for nobody, until an audience mapper on a client scope writes the resource into
 * `aud`.
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
export const keycloak = (options: Options): Profile.Profile => {
  const given = read("keycloak", options, { url: true, realm: true, audience: true, scopesFrom: true })
  const url = given.url("url", options.url, "https://sso.example.com")
  const realm = given.id("realm", options.realm, "the realm's name, such as todos")
  const { scopesFrom = "scope" } = options
  if (typeof scopesFrom !== "object" || scopesFrom === null) {
    given.choice("scopesFrom", scopesFrom, ["scope", "realm-roles", "{ clientRoles }"])
  }
  return Profile.make({
    id: "keycloak",
    name: "Keycloak",
    issuer: `${url}/realms/${realm}`,
    audience: audience(options.audience),
    // ID tokens say `ID` here, refresh tokens `Refresh` and `Offline`.
    accessTokenMarks: [{ claim: "typ", values: ["Bearer", "DPoP"] }],
    scopes: scopesFrom === "scope"
      ? {}
      : {
        sources: [{
          path: scopesFrom === "realm-roles"
            ? ["realm_access", "roles"]
            : [
              "resource_access",
              given.id("scopesFrom.clientRoles", scopesFrom.clientRoles, "a client id, such as todos", /^\S+$/),
              "roles"
            ],
          shape: "string-or-list"
        }],
        // Roles are given to people; a client cannot ask for them.
        requested: "none"
      },
    clientIdClaims: ["azp", "client_id"],
    confirmed: true,
    notes: [
      "Write the resource into aud: an audience mapper on a client scope that your clients have by default. The resource " +
      "parameter works with --features=resource-indicators alone (experimental).",
      "Dynamic registration is on; client metadata documents are experimental from 26.6.",
      "The claim typ: DPoP of tokens bound to a key is not confirmed."
    ],
    issues: given.issues
  })
}
