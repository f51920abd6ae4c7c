/**
 * Microsoft Entra ID.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Given, read } from "./internal/given.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Application {
  /** The application (client) id of the registration that stands for your server. */
  readonly applicationId: string
  /** Its application ID URI. Default: `api://` and the application id. */
  readonly applicationIdUri?: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options extends Application {
  /** The directory (tenant) id, a GUID. A tenant's domain name does not appear in tokens. */
  readonly tenant: string
}

/**
 * @category models
 * @since 0.1.0
 */
export interface MultiTenantOptions extends Application {
  /** The directory (tenant) ids whose users may come in; every one of the world with `Profiles.anyTenant`. */
  readonly tenants: readonly [string, ...ReadonlyArray<string>] | typeof Profile.anyTenant
}

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const login = "https://login.microsoftonline.com"

const common = (given: Given, options: Application) => {
  const id = given.id("applicationId", options.applicationId, "the application (client) id, a lower-case GUID", guid)
  const uri = given.id(
    "applicationIdUri",
    options.applicationIdUri ?? `api://${id}`,
    "the application ID URI, such as api://todos",
    /^[a-z][a-z0-9+.-]*:\/\/[^\s?#]+$/i
  )
  return {
    // Version 1 tokens name the URI, version 2 tokens the id.
    audience: Audience.oneOf([id, uri]),
    // Only access tokens say how their client proved itself. ID tokens have `roles` too, so those do not count.
    tokenType: TokenType.standard(["azpacr", "appidacr"]),
    scopes: {
      // A user's token has `scp`; one that a program got for itself has its permissions in `roles`.
      sources: [{ path: ["scp"], shape: "string" }, { path: ["roles"], shape: "string-or-list" }],
      requested: { prefix: `${uri.replace(/\/$/, "")}/` }
    },
    clientIdClaims: ["azp", "appid"]
  } satisfies Partial<Profile.Profile>
}

const notes = [
  "Entra ID knows no resource parameter (version 2): the audience follows from the scopes, which are asked for as " +
  "api://…/scope and arrive as scope.",
  "Its metadata has no PKCE field, though PKCE works: clients that follow the MCP text to the letter reject it. It has " +
  "neither dynamic registration nor client metadata documents.",
  "That a version 1 token is signed with a key of the version 2 set is not confirmed."
]

/**
 * Microsoft Entra ID, one tenant: tokens of version 1 and 2.
 *
 * **Details**
 *
 * `tid` must be the tenant, and the tenant that `iss` names. A key that names an issuer signs for that tenant alone.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.entra({ tenant: "72f988bf-86f1-41af-91ab-2d7cd011db47", applicationId: "11112222-bbbb-3333-cccc-4444dddd5555" })
 *
 * assert.strictEqual(profile.issuer, "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const entra = (options: Options): Profile.Profile => {
  const given = read("entra", options, { applicationId: true, applicationIdUri: true, tenant: true })
  const tenant = given.id("tenant", options.tenant, "the directory (tenant) id, a lower-case GUID", guid)
  return Profile.make({
    id: "entra",
    name: "Microsoft Entra ID",
    issuer: `${login}/${tenant}/v2.0`,
    tenants: { claim: "tid", issuers: issuers, allowed: [tenant] },
    ...common(given, options),
    confirmed: true,
    notes,
    issues: given.issues
  })
}

/**
 * Microsoft Entra ID, several tenants: one registration that users of other directories sign in to.
 *
 * **Details**
 *
 * Tokens name their own tenant as issuer. Only listed tenants are accepted, unless you write `Profiles.anyTenant`; then
 * everybody who has a directory at Microsoft can get a token, and what they may do is for your code to decide.
 *
 * **Example** (Two tenants)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.entraMultiTenant({
 *   tenants: ["72f988bf-86f1-41af-91ab-2d7cd011db47", "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"],
 *   applicationId: "11112222-bbbb-3333-cccc-4444dddd5555"
 * })
 *
 * assert.deepStrictEqual(profile.issues, [])
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const entraMultiTenant = (options: MultiTenantOptions): Profile.Profile => {
  const given = read("entraMultiTenant", options, { applicationId: true, applicationIdUri: true, tenants: true })
  const allowed = options.tenants === Profile.anyTenant
    ? Profile.anyTenant
    : given.ids("tenants", options.tenants, "11111111-2222-3333-4444-555555555555")
  if (allowed !== Profile.anyTenant) {
    for (const tenant of allowed) given.id("tenants", tenant, "directory (tenant) ids, lower-case GUIDs", guid)
  }
  return Profile.make({
    id: "entra",
    name: "Microsoft Entra ID",
    issuer: `${login}/organizations/v2.0`,
    // The metadata of no single tenant names the issuer {tenantid}, so it is not asked.
    jwksUri: `${login}/common/discovery/v2.0/keys`,
    tenants: { claim: "tid", issuers: issuers, allowed },
    ...common(given, options),
    confirmed: true,
    notes: [
      ...notes,
      "The metadata for several tenants names the issuer …/{tenantid}/v2.0: clients that compare it with the address, as " +
      "RFC 8414 asks, reject it."
    ],
    issues: given.issues
  })
}

const issuers = [`${login}/{tenantid}/v2.0`, "https://sts.windows.net/{tenantid}/"] as const
