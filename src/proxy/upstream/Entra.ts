import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"
import * as openId from "./openIdIdentity.ts"
import * as Preset from "./Preset.ts"

/**
 * The options of Entra ID.
 *
 * @category models
 * @since 0.1.0
 */
export interface EntraOptions<Map extends Preset.ScopeMap> extends Preset.CommonOptions<Map> {
  /**
   * The id of the tenant: a GUID. Names such as `common` are rejected, because anyone can sign in there. A `Config` is read when the proxy
   * starts.
   */
  readonly tenant: string | Config.Config<string>
  /**
   * The origin of the sign-in, for national clouds such as `https://login.microsoftonline.us`. Default:
   * `https://login.microsoftonline.com`.
   */
  readonly authority?: string | undefined
}

const guids = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const tenantRule = ConfigOption.rule(
  (value) => typeof value === "string" && guids.test(value),
  "the id of a tenant, a GUID in lower case",
  "Copy the Directory (tenant) ID from the overview of the app registration"
)

const table: ConfigOption.Table<keyof EntraOptions<Preset.ScopeMap>> = {
  ...Preset.commonTable,
  tenant: Preset.orConfig(tenantRule),
  authority: Preset.url("https://login.microsoftonline.us")
}

/** The resource of scopes without one. Entra ID returns its scopes with and without this prefix. */
const graph = "https://graph.microsoft.com/"

/** Microsoft Graph of the national clouds, by the origin of their sign-in. */
const graphs: Readonly<Record<string, string>> = {
  "https://login.microsoftonline.us": "https://graph.microsoft.us",
  "https://login.chinacloudapi.cn": "https://microsoftgraph.chinacloudapi.cn",
  "https://login.partner.microsoftonline.cn": "https://microsoftgraph.chinacloudapi.cn"
}

const toShortName = (scope: string): string =>
  (scope.startsWith(graph) ? scope.slice(graph.length) : scope).toLowerCase()

/** A guest has the `oid` of the host tenant, so tenant and object id together identify a person. */
const identify: Preset.Quirks["identify"] = (claims) => {
  const tenant = own(claims, "tid")
  const object = own(claims, "oid")
  return typeof tenant === "string" && typeof object === "string" && guids.test(tenant) && guids.test(object)
    ? { id: `${tenant}.${object}`, display: openId.displayOf(claims) }
    : undefined
}

/**
 * Signs people in with one tenant of Entra ID (v2.0).
 *
 * **Details**
 *
 * A person is identified by `tid` and `oid`. Requests use PKCE and a nonce. No `resource` is sent, because Entra ID rejects it. Each
 * refresh of a grant refreshes the token of Entra ID, whose response contains a new ID token. Entra ID does not verify `email`, so
 * `Admit.emailDomain` is rejected; use `Admit.tenantMembers`.
 *
 * `confirmed`: the rejection of `resource`, PKCE, the claims `tid`, `oid` and `acct`. `confirmed: false`: the list of error codes with
 * which a person must sign in again.
 *
 * **Example** (One tenant)
 *
 * ```ts
 * import { Upstream } from "effect-mcp-auth/proxy"
 * import { Config } from "effect"
 *
 * const upstream = Upstream.entra({
 *   tenant: "11111111-2222-3333-4444-555555555555",
 *   clientId: "66666666-7777-8888-9999-000000000000",
 *   clientSecret: Config.Redacted("ENTRA_SECRET"),
 *   scopes: { "mail:read": ["Mail.Read"] }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const entra = <const Map extends Preset.ScopeMap = {}>(
  options: EntraOptions<Map>
): Preset.Upstream<keyof Map & string> => {
  ConfigOption.check(options, "Upstream.entra", table)
  Preset.checkRequired(options, "Upstream.entra", [...Preset.required, "tenant"])
  const authority = options.authority === undefined
    ? "https://login.microsoftonline.com"
    : new URL(options.authority).origin
  return Preset.make(options, {
    kind: "entra",
    name: "entra",
    method: "client_secret_post",
    place: Effect.map(Preset.readText(options.tenant, "Upstream.entra.tenant", tenantRule), (tenant) => ({
      server: { type: "openid", issuer: `${authority}/${tenant}/v2.0` },
      tenant,
      apiUrl: graphs[authority] ?? "https://graph.microsoft.com"
    })),
    quirks: {
      ...Preset.standard,
      baseScopes: ["openid", "profile", "offline_access"],
      parameters: { response_mode: "query" },
      rejections: ["interaction_required", "login_required", "consent_required"],
      isGranted: (scope, granted) => [...granted].some((other) => toShortName(other) === toShortName(scope)),
      // The userinfo endpoint belongs to Microsoft Graph, and rejects tokens for other resources.
      hasNoUserinfo: true,
      identify
    }
  })
}
