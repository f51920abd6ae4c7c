import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as openId from "./openIdIdentity.ts"
import * as Preset from "./Preset.ts"

/**
 * The options of Google.
 *
 * @category models
 * @since 0.1.0
 */
export interface GoogleOptions<Map extends Preset.ScopeMap> extends Preset.CommonOptions<Map> {
  /** The issuer. Another one is for tests. Default: `https://accounts.google.com`. */
  readonly issuer?: string | undefined
}

const table: ConfigOption.Table<keyof GoogleOptions<Preset.ScopeMap>> = {
  ...Preset.commonTable,
  issuer: Preset.url("https://accounts.google.com")
}

/** Google accepts short names of three scopes, and returns two of them as URLs. */
const longNames: Readonly<Record<string, string>> = {
  email: "https://www.googleapis.com/auth/userinfo.email",
  profile: "https://www.googleapis.com/auth/userinfo.profile"
}

/**
 * Signs people in with Google.
 *
 * **Details**
 *
 * A person is identified by `sub`. Requests use PKCE and a nonce, and ask for a refresh token with `access_type=offline` and
 * `prompt=consent`, because Google returns one only after a consent. A person can leave out scopes on Google's page: only the granted
 * ones count. Each refresh of a grant refreshes the token of Google, whose response contains a new ID token.
 *
 * `confirmed`: the identity, `email_verified` and `hd`, and the refresh token only after a consent. `confirmed: false`: the error
 * codes of a revoked refresh token other than `invalid_grant`.
 *
 * **Example** (Google Workspace)
 *
 * ```ts
 * import { Upstream } from "effect-mcp-auth/proxy"
 * import { Config } from "effect"
 *
 * const upstream = Upstream.google({
 *   clientId: "123.apps.googleusercontent.com",
 *   clientSecret: Config.Redacted("GOOGLE_SECRET"),
 *   scopes: { "files:read": ["https://www.googleapis.com/auth/drive.readonly"] }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const google = <const Map extends Preset.ScopeMap = {}>(
  options: GoogleOptions<Map>
): Preset.Upstream<keyof Map & string> => {
  ConfigOption.check(options, "Upstream.google", table)
  Preset.checkRequired(options, "Upstream.google", Preset.required)
  return Preset.make(options, {
    kind: "google",
    name: "google",
    method: "client_secret_post",
    place: Effect.succeed({
      server: { type: "openid", issuer: options.issuer ?? "https://accounts.google.com" },
      apiUrl: "https://www.googleapis.com"
    }),
    quirks: {
      ...Preset.standard,
      baseScopes: ["openid", "email"],
      parameters: { access_type: "offline", prompt: "consent" },
      isGranted: (scope, granted) => granted.has(scope) || granted.has(longNames[scope] ?? scope),
      identify: openId.bySubject
    }
  })
}
