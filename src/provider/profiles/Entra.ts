/**
 * The profile of Microsoft Entra ID.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type OptionReader, readOptions } from "./internal/readOptions.ts"

/**
 * Identifies the registration of your server in Entra ID. The profiles of Entra ID share these options.
 *
 * @category models
 * @since 0.1.0
 */
export interface EntraApplication {
  /** The application (client) id of the registration for your server. */
  readonly applicationId: string
  /** The application ID URI of the registration for your server. Default: `api://` followed by the application id. */
  readonly applicationIdUri?: string | undefined
}

/**
 * The options of `Profiles.entra`.
 *
 * @category models
 * @since 0.1.0
 */
export interface EntraOptions extends EntraApplication {
  /** The directory (tenant) id, a GUID. The tenant's domain name is not accepted, because tokens do not contain it. */
  readonly tenant: string
}

/**
 * The options of `Profiles.entraMultiTenant`.
 *
 * @category models
 * @since 0.1.0
 */
export interface EntraMultiTenantOptions extends EntraApplication {
  /** The directory (tenant) ids whose tokens are accepted, or `Profiles.anyTenant` for all directories. */
  readonly tenants: readonly [string, ...ReadonlyArray<string>] | typeof Profile.anyTenant
}

const guidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const login = "https://login.microsoftonline.com"

const common = (reader: OptionReader, options: EntraApplication) => {
  const id = reader.id(
    "applicationId",
    options.applicationId,
    "the application (client) id, a lower-case GUID",
    guidPattern
  )
  const uri = reader.id(
    "applicationIdUri",
    options.applicationIdUri ?? `api://${id}`,
    "the application ID URI, such as api://todos",
    /^[a-z][a-z0-9+.-]*:\/\/[^\s?#]+$/i
  )
  return {
    // `aud` is the URI in tokens of version 1, and the id in tokens of version 2.
    audience: Audience.oneOf([id, uri]),
    // These claims state how the client authenticated. Only access tokens have them. `roles` does not mark an access token,
    // because ID tokens have it too.
    tokenType: TokenType.standard(["azpacr", "appidacr"]),
    scopes: {
      // The token of a user has its scopes in `scp`. A token that a program obtained for itself has its permissions in `roles`.
      sources: [{ path: ["scp"], shape: "string" }, { path: ["roles"], shape: "string-or-list" }],
      requested: { prefix: `${uri.replace(/\/$/, "")}/` }
    },
    clientIdClaims: ["azp", "appid"],
    roles: [["roles"]]
  } satisfies Partial<Profile.Profile>
}

const notes = [
  "Version 2 has no parameter resource. The scopes determine the audience: clients request api://…/scope, and tokens contain " +
  "scope.",
  "Entra ID supports PKCE, but the metadata have no PKCE field, so clients that follow the specification strictly reject the " +
  "server. It supports neither dynamic registration nor client metadata documents.",
  "Keys have a member issuer. Such a key, from the key set of version 2, was seen to verify a token of version 1.0.",
  "The recorded token identifies no user. No token of a user was seen."
]

/**
 * Creates the profile of Microsoft Entra ID for one tenant, with tokens of version 1 and 2.
 *
 * **Details**
 *
 * `tid` must be the tenant, and must match the tenant in `iss`. A key with the member `issuer` is accepted only for the tenant
 * in that issuer.
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
export const entra = (options: EntraOptions): Profile.Profile => {
  const reader = readOptions("entra", options, { applicationId: true, applicationIdUri: true, tenant: true })
  const tenant = reader.id("tenant", options.tenant, "the directory (tenant) id, a lower-case GUID", guidPattern)
  return Profile.make({
    id: "entra",
    name: "Microsoft Entra ID",
    issuer: `${login}/${tenant}/v2.0`,
    tenants: { claim: "tid", issuers: issuers, allowed: [tenant] },
    ...common(reader, options),
    confirmed: true,
    notes,
    issues: reader.issues
  })
}

/**
 * Creates the profile of Microsoft Entra ID for several tenants: users of several directories sign in to one application
 * registration.
 *
 * **Details**
 *
 * The issuer of a token contains its tenant. Only listed tenants are accepted. If you write `Profiles.anyTenant` instead of a
 * list, anyone with a directory at Microsoft can obtain an accepted token, and your code must decide what each caller may do.
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
export const entraMultiTenant = (options: EntraMultiTenantOptions): Profile.Profile => {
  const reader = readOptions("entraMultiTenant", options, {
    applicationId: true,
    applicationIdUri: true,
    tenants: true
  })
  const allowed = options.tenants === Profile.anyTenant
    ? Profile.anyTenant
    : reader.ids("tenants", options.tenants, "11111111-2222-3333-4444-555555555555")
  if (allowed !== Profile.anyTenant) {
    for (const tenant of allowed) reader.id("tenants", tenant, "directory (tenant) ids, lower-case GUIDs", guidPattern)
  }
  return Profile.make({
    id: "entra",
    name: "Microsoft Entra ID",
    issuer: `${login}/organizations/v2.0`,
    // The common metadata has a template as its issuer, so it cannot be used.
    jwksUri: `${login}/common/discovery/v2.0/keys`,
    tenants: { claim: "tid", issuers: issuers, allowed },
    ...common(reader, options),
    confirmed: true,
    notes: [
      ...notes,
      "The metadata for several tenants name the issuer …/{tenantid}/v2.0. Clients that compare it with the requested issuer, as " +
      "RFC 8414 requires, reject it."
    ],
    issues: reader.issues
  })
}

const issuers = [`${login}/{tenantid}/v2.0`, "https://sts.windows.net/{tenantid}/"] as const
