import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import * as openId from "./openIdIdentity.ts"
import * as Preset from "./Preset.ts"

/**
 * The options of an OpenID provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpenIdOptions<Map extends Preset.ScopeMap> extends Preset.CommonOptions<Map> {
  /** The issuer, exactly as in its metadata. A `Config` is read when the proxy starts. */
  readonly issuer: string | Config.Config<string>
  /** The name of the upstream (see `CommonOptions`). Default: `oidc`. */
  readonly name?: string | undefined
  /** The scopes of every sign-in. Default: `openid`, `email` and `offline_access`. */
  readonly baseScopes?: ReadonlyArray<string> | undefined
  /** How the client authenticates. Default: `client_secret_basic`. */
  readonly method?: "client_secret_basic" | "client_secret_post" | undefined
  /**
   * Whether requests use PKCE although the metadata do not name S256, as at Cognito and Entra ID. Default: `true`. Set it to `false` for
   * a provider that rejects the parameters.
   */
  readonly pkce?: boolean | undefined
  /** Further parameters of the authorization request, such as `audience` for Auth0. Default: none. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
}

/** Parameters that the proxy writes itself. */
const reserved = [
  "response_type",
  "client_id",
  "redirect_uri",
  "state",
  "nonce",
  "scope",
  "code_challenge",
  "code_challenge_method",
  "response_mode",
  "request",
  "request_uri"
]

/** The rule of the option `parameters`. */
export const parametersRule: ConfigOption.Rule = ConfigOption.rule(
  (value) =>
    typeof value === "object" && value !== null &&
    Object.entries(value).every(([name, text]) => typeof text === "string" && !reserved.includes(name)),
  "an object of texts without a parameter that the proxy writes itself",
  "Write one such as { audience: \"https://api.example.com\" }"
)

/** The rule of the option `baseScopes`. */
export const baseScopesRule: ConfigOption.Rule = ConfigOption.listOf(ScopeToken.isScopeToken, {
  entry: "a scope",
  entries: "upstream scopes",
  advice: "Write the name of a scope of the upstream, without spaces",
  example: "openid"
})

const issuerRule = Preset.url("https://auth.example.com")

const table = {
  ...Preset.commonTable,
  issuer: Preset.orConfig(issuerRule),
  baseScopes: baseScopesRule,
  method: ConfigOption.oneOf("client_secret_basic", "client_secret_post"),
  pkce: ConfigOption.oneOf(true, false),
  parameters: parametersRule
} satisfies ConfigOption.Table<keyof OpenIdOptions<Preset.ScopeMap>>

/**
 * Signs people in with an OpenID provider, such as Okta, Auth0, Cognito, Keycloak or Zitadel.
 *
 * **Details**
 *
 * Endpoints and keys come from its metadata (OpenID Connect Discovery). A person is identified by `sub`. Requests use PKCE and a nonce.
 * Each refresh of a grant refreshes the upstream token, so the provider should issue a refresh token. Without one, the proxy asks the
 * userinfo endpoint, and the grant ends with the upstream token. After a refresh without a new ID token, the claims come from the
 * userinfo endpoint, if there is one, or else from the sign-in.
 *
 * **Example** (Okta)
 *
 * ```ts
 * import { Upstream } from "effect-mcp-auth/proxy"
 * import { Config } from "effect"
 *
 * const upstream = Upstream.oidc({
 *   name: "okta",
 *   issuer: "https://acme.okta.com",
 *   clientId: "0oaExample",
 *   clientSecret: Config.Redacted("OKTA_SECRET"),
 *   scopes: { "todos:read": [], "todos:write": [] }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const oidc = <const Map extends Preset.ScopeMap = {}>(
  options: OpenIdOptions<Map>
): Preset.Upstream<keyof Map & string> => {
  ConfigOption.check(options, "Upstream.oidc", table)
  Preset.checkRequired(options, "Upstream.oidc", [...Preset.required, "issuer"])
  const { baseScopes = ["openid", "email", "offline_access"] } = options
  return Preset.make(options, {
    kind: "oidc",
    name: "oidc",
    method: options.method ?? table.method.default,
    place: Effect.map(Preset.readText(options.issuer, "Upstream.oidc.issuer", issuerRule), (issuer) => ({
      server: { type: "openid", issuer },
      apiUrl: new URL(issuer).origin
    })),
    quirks: {
      ...Preset.standard,
      baseScopes: baseScopes.includes("openid") ? baseScopes : ["openid", ...baseScopes],
      pkce: options.pkce ?? table.pkce.default,
      parameters: options.parameters ?? {},
      identify: openId.bySubject
    }
  })
}
