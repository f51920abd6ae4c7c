import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"
import * as Preset from "./Preset.ts"

/**
 * The options of a GitHub OAuth app.
 *
 * @category models
 * @since 0.1.0
 */
export interface GitHubOptions<Map extends Preset.ScopeMap> extends Preset.CommonOptions<Map> {
  /**
   * The origin of a GitHub Enterprise server, such as `https://github.example.com`. A `Config` is read when the proxy starts. Default:
   * github.com.
   */
  readonly server?: string | Config.Config<string | undefined> | undefined
}

/**
 * The scopes of a GitHub App. The app has permissions instead of scopes, so no MCP scope has an upstream scope.
 *
 * @category models
 * @since 0.1.0
 */
export type ScopesWithoutUpstream = Readonly<Record<string, readonly []>>

const serverRule = Preset.url("https://github.example.com")

const table: ConfigOption.Table<keyof GitHubOptions<Preset.ScopeMap>> = {
  ...Preset.commonTable,
  server: Preset.orConfig(serverRule)
}

/** The scopes that a wider scope contains. GitHub leaves a contained scope out of its response. */
const contained: Readonly<Record<string, ReadonlyArray<string>>> = {
  "repo": ["repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events"],
  "admin:repo_hook": ["write:repo_hook", "read:repo_hook"],
  "write:repo_hook": ["read:repo_hook"],
  "admin:org": ["write:org", "read:org"],
  "write:org": ["read:org"],
  "admin:public_key": ["write:public_key", "read:public_key"],
  "write:public_key": ["read:public_key"],
  "admin:gpg_key": ["write:gpg_key", "read:gpg_key"],
  "write:gpg_key": ["read:gpg_key"],
  "user": ["read:user", "user:email", "user:follow"],
  "project": ["read:project"],
  "write:packages": ["read:packages"]
}

const isGranted: Preset.Quirks["isGranted"] = (scope, granted) =>
  granted.has(scope) ||
  [...granted].some((wider) => own(contained, wider) !== undefined && contained[wider]!.includes(scope))

const identify: Preset.Quirks["identify"] = (user) => {
  const id = own(user, "id")
  const login = own(user, "login")
  return typeof id === "number" && Number.isSafeInteger(id) && id > 0
    ? { id: String(id), display: typeof login === "string" ? login : undefined }
    : undefined
}

const placeOf = (server: string | undefined): Preset.Place => {
  const origin = server === undefined ? "https://github.com" : new URL(server).origin
  const apiUrl = server === undefined ? "https://api.github.com" : `${origin}/api/v3`
  return {
    apiUrl,
    server: {
      type: "oauth2",
      issuer: `${origin}/login/oauth`,
      // github.com sends `iss` since August 2026. Enterprise servers follow with a later version.
      sendsIssuer: server === undefined,
      authorizationEndpoint: `${origin}/login/oauth/authorize`,
      tokenEndpoint: `${origin}/login/oauth/access_token`,
      userEndpoint: `${apiUrl}/user`,
      emailsEndpoint: `${apiUrl}/user/emails`,
      revocation: { type: "github", applications: `${apiUrl}/applications` }
    }
  }
}

const definition = (
  name: "github" | "githubApp",
  server: GitHubOptions<Preset.ScopeMap>["server"],
  quirks: Partial<Preset.Quirks>
): Preset.Definition => ({
  kind: "github",
  name: "github",
  method: "client_secret_post",
  place: Effect.map(Preset.readText(server, `Upstream.${name}.server`, serverRule), placeOf),
  quirks: {
    ...Preset.standard,
    // GitHub reports errors of the token endpoint with status 200.
    rejections: ["bad_verification_code", "bad_refresh_token"],
    scopeSeparator: " ",
    check: "user",
    identify,
    isGranted,
    ...quirks
  }
})

/**
 * Signs people in with a GitHub OAuth app.
 *
 * **Details**
 *
 * A person is identified by the numeric `id` of the account. Requests use PKCE with S256. Tokens do not expire unless the app says
 * so, so each refresh of a grant asks GitHub for the user, and ends the grant if GitHub answers 401. GitHub keeps ten tokens per
 * user, app and scope set, and revokes the oldest one, so all grants of a person with the same upstream scopes share a token.
 *
 * `confirmed`: PKCE, the numeric id, error codes in responses with status 200, contained scopes, and the `iss` of callbacks.
 * `confirmed: false`: the callback of GitHub Enterprise servers, which can contain `iss` or not.
 *
 * **Example** (A GitHub OAuth app)
 *
 * ```ts
 * import { Upstream } from "effect-mcp-auth/proxy"
 * import { Config } from "effect"
 *
 * const upstream = Upstream.github({
 *   clientId: "Ov23liExample",
 *   clientSecret: Config.Redacted("GITHUB_SECRET"),
 *   scopes: { "todos:read": [], "todos:write": ["repo"] }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const github = <const Map extends Preset.ScopeMap = {}>(
  options: GitHubOptions<Map>
): Preset.Upstream<keyof Map & string> => {
  ConfigOption.check(options, "Upstream.github", table)
  Preset.checkRequired(options, "Upstream.github", Preset.required)
  return Preset.make(
    options,
    definition("github", options.server, {
      // Without the parameter, GitHub grants every scope that the person granted to the app before.
      baseScopes: ["read:user"]
    })
  )
}

/**
 * Signs people in with a GitHub App.
 *
 * **Details**
 *
 * A GitHub App has permissions instead of scopes, so every MCP scope has an empty list, and all requested MCP scopes are granted. The
 * permissions of the app decide what its tokens can do. Access tokens expire after eight hours. Each refresh token works once: if the
 * process ends between GitHub's response and the write to the store, the person must sign in again.
 *
 * `confirmed`: the lifetimes, the rotation and the error codes.
 *
 * **Example** (A GitHub App)
 *
 * ```ts
 * import { Upstream } from "effect-mcp-auth/proxy"
 * import { Config } from "effect"
 *
 * const upstream = Upstream.githubApp({
 *   clientId: "Iv23liExample",
 *   clientSecret: Config.Redacted("GITHUB_SECRET"),
 *   scopes: { "todos:read": [], "todos:write": [] }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const githubApp = <const Map extends ScopesWithoutUpstream = {}>(
  options: GitHubOptions<Map>
): Preset.Upstream<keyof Map & string> => {
  ConfigOption.check(options, "Upstream.githubApp", table)
  Preset.checkRequired(options, "Upstream.githubApp", Preset.required)
  for (const [scope, upstreamScopes] of Object.entries<ReadonlyArray<string>>(options.scopes ?? {})) {
    if (upstreamScopes.length > 0) {
      throw ConfigOption.error(
        `Upstream.githubApp.scopes[${JSON.stringify(scope)}]`,
        "a GitHub App has permissions instead of scopes. Write [], and set the permissions in the settings of the app",
        "conflict"
      )
    }
  }
  return Preset.make(options, definition("githubApp", options.server, { hasNoScopes: true }))
}
