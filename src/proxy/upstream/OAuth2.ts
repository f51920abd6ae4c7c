import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { JsonObject } from "../../protocol/Json.ts"
import { baseScopesRule, parametersRule } from "./OpenId.ts"
import * as Preset from "./Preset.ts"

/**
 * The options of an OAuth 2.0 provider without ID tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface OAuth2Options<Map extends Preset.ScopeMap> extends Preset.CommonOptions<Map> {
  readonly name: string
  /** The page at which people sign in. */
  readonly authorizationEndpoint: string
  /** The endpoint that exchanges a code for tokens, and refreshes them. */
  readonly tokenEndpoint: string
  /** The endpoint that returns the user of an access token as JSON. Status 401 ends a grant. */
  readonly userEndpoint: string
  /** The endpoint that revokes a token (RFC 7009), when the last grant of a person ends. Default: no token is revoked. */
  readonly revocationEndpoint?: string | undefined
  /**
   * Reads the person from the response of the user endpoint. `id` must never change and never be given to another person. An id with
   * `@` is rejected, because it is probably an e-mail address.
   */
  readonly identity: (user: JsonObject) => Preset.UpstreamIdentity | undefined
  /** `iss` of callbacks (RFC 9207). If it is set, a callback with another one or without one is rejected. Default: not checked. */
  readonly issuer?: string | undefined
  /** The scopes of every sign-in. Default: none. */
  readonly baseScopes?: ReadonlyArray<string> | undefined
  /** How the client authenticates. Default: `client_secret_basic`. */
  readonly method?: "client_secret_basic" | "client_secret_post" | undefined
  /**
   * Whether requests use PKCE. Default: `true`. Set it to `false` for a provider that rejects the parameters, or that treats the client as
   * public because of them, such as Slack.
   */
  readonly pkce?: boolean | undefined
  /** Further parameters of the authorization request. Default: none. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** The name of the parameter with the scopes: `user_scope` at Slack. Default: `scope`. */
  readonly scopeParameter?: "scope" | "user_scope" | undefined
  /** The separator of scopes in requests. Responses are split at commas and spaces. Default: `" "`, a space. */
  readonly scopeSeparator?: " " | "," | undefined
  /** The member of the token response that contains the token: `authed_user` at Slack. Default: the response itself. */
  readonly tokenMember?: string | undefined
  /** The accepted values of `token_type`, in lower case. Default: `["bearer"]`. */
  readonly tokenTypes?: ReadonlyArray<string> | undefined
  /** Error codes that reject a token of a person, in addition to `invalid_grant`. Default: none. */
  readonly rejections?: ReadonlyArray<string> | undefined
}

const codes = (example: string, entry: string): ConfigOption.Rule =>
  ConfigOption.listOf((text) => /^[a-z_]{1,64}$/.test(text), {
    entry,
    entries: "texts in lower case",
    advice: "Write it in lower-case letters and _",
    example
  })

const table = {
  ...Preset.commonTable,
  authorizationEndpoint: Preset.url("https://slack.com/oauth/v2/authorize", true),
  tokenEndpoint: Preset.url("https://slack.com/api/oauth.v2.access", true),
  userEndpoint: Preset.url("https://slack.com/api/auth.test", true),
  revocationEndpoint: Preset.url("https://discord.com/api/oauth2/token/revoke", true),
  identity: ConfigOption.functionThat("returns an immutable id"),
  issuer: Preset.url("https://discord.com"),
  baseScopes: baseScopesRule,
  method: ConfigOption.oneOf("client_secret_basic", "client_secret_post"),
  pkce: ConfigOption.oneOf(true, false),
  parameters: parametersRule,
  scopeParameter: ConfigOption.oneOf("scope", "user_scope"),
  scopeSeparator: ConfigOption.oneOf(" ", ","),
  tokenMember: ConfigOption.rule(
    (value) => typeof value === "string" && value !== "",
    "text",
    "Write the name of a member"
  ),
  tokenTypes: codes("bearer", "a token type"),
  rejections: codes("token_revoked", "an error code")
} satisfies ConfigOption.Table<keyof OAuth2Options<Preset.ScopeMap>>

/**
 * Signs people in with an OAuth 2.0 provider that has a user endpoint instead of ID tokens, such as Slack or Discord.
 *
 * **Details**
 *
 * Each refresh of a grant asks the user endpoint, after a refresh of the upstream token if it has expired. A response of the user
 * endpoint with the member `ok: false` is an error, as at Slack; its `error` ends the grant if it is one of `rejections`.
 *
 * **Example** (Discord)
 *
 * ```ts
 * import { Upstream } from "effect-mcp-auth/proxy"
 * import { Config } from "effect"
 *
 * const upstream = Upstream.oauth2({
 *   name: "discord",
 *   authorizationEndpoint: "https://discord.com/oauth2/authorize",
 *   tokenEndpoint: "https://discord.com/api/oauth2/token",
 *   userEndpoint: "https://discord.com/api/users/@me",
 *   identity: (user) => typeof user["id"] === "string" ? { id: user["id"] } : undefined,
 *   clientId: "1234567890",
 *   clientSecret: Config.Redacted("DISCORD_SECRET"),
 *   baseScopes: ["identify"],
 *   scopes: { "todos:read": [] }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const oauth2 = <const Map extends Preset.ScopeMap = {}>(
  options: OAuth2Options<Map>
): Preset.Upstream<keyof Map & string> => {
  ConfigOption.check(options, "Upstream.oauth2", table)
  Preset.checkRequired(options, "Upstream.oauth2", [
    ...Preset.required,
    "name",
    "authorizationEndpoint",
    "tokenEndpoint",
    "userEndpoint",
    "identity"
  ])
  const { identity } = options
  return Preset.make(options, {
    kind: "oauth2",
    name: options.name,
    method: options.method ?? table.method.default,
    place: Effect.succeed({
      server: {
        type: "oauth2",
        issuer: options.issuer,
        sendsIssuer: options.issuer !== undefined,
        authorizationEndpoint: options.authorizationEndpoint,
        tokenEndpoint: options.tokenEndpoint,
        userEndpoint: options.userEndpoint,
        emailsEndpoint: undefined,
        revocation: options.revocationEndpoint === undefined
          ? undefined
          : { type: "rfc7009", endpoint: options.revocationEndpoint }
      },
      apiUrl: new URL(options.userEndpoint).origin
    }),
    quirks: {
      ...Preset.standard,
      baseScopes: options.baseScopes ?? [],
      scopeParameter: options.scopeParameter ?? table.scopeParameter.default,
      scopeSeparator: options.scopeSeparator ?? table.scopeSeparator.default,
      pkce: options.pkce ?? table.pkce.default,
      parameters: options.parameters ?? {},
      tokenMember: options.tokenMember,
      tokenTypes: options.tokenTypes ?? Preset.standard.tokenTypes,
      rejections: options.rejections ?? [],
      check: "user",
      identify: (user) => {
        const found = identity(user)
        return found === undefined || found.id.includes("@") ? undefined : found
      }
    }
  })
}
