/**
 * The profile of Supabase Auth.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.supabase`.
 *
 * @category models
 * @since 0.1.0
 */
export type SupabaseOptions = SupabaseProject & SupabaseBinding

/**
 * The options of `Profiles.supabase` that describe the project.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupabaseProject {
  /** The URL of the project, such as `https://abcdefghijklmnopqrst.supabase.co`, or a custom domain. */
  readonly url: string
  /** The claim that your access token hook fills with scopes. Supabase itself adds no scopes to tokens. */
  readonly scopeClaim?: string | undefined
}

/**
 * Selects how a token is bound to your server: by its client, or by an audience that your access token hook adds.
 *
 * @category models
 * @since 0.1.0
 */
export type SupabaseBinding =
  | { readonly clientIds: readonly [string, ...ReadonlyArray<string>]; readonly audience?: undefined }
  | { readonly audience: Audiences; readonly clientIds?: undefined }

/**
 * Creates the profile of the OAuth server of a Supabase project.
 *
 * **Details**
 *
 * Every token has `aud: "authenticated"`. This includes the session tokens of users in your application. Session tokens have no
 * `client_id`, so they are rejected.
 *
 * **Gotchas**
 *
 * With `clientIds`, a token is bound to its client only, and clients from dynamic registration are not accepted.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.supabase({ url: "https://abcdefghijklmnopqrst.supabase.co", clientIds: ["client-1"], scopeClaim: "todo_scopes" })
 *
 * assert.strictEqual(profile.issuer, "https://abcdefghijklmnopqrst.supabase.co/auth/v1")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const supabase = (options: SupabaseOptions): Profile.Profile => {
  const reader = readOptions("supabase", options, { url: true, scopeClaim: true, clientIds: true, audience: true })
  return Profile.make({
    id: "supabase",
    name: "Supabase Auth",
    issuer: `${reader.url("url", options.url, "https://abcdefghijklmnopqrst.supabase.co")}/auth/v1`,
    audience: options.audience !== undefined
      ? toAudience(options.audience)
      : Audience.all([
        Audience.oneOf(["authenticated"]),
        Audience.clientIds(reader.ids("clientIds", options.clientIds, "9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d"))
      ]),
    boundTo: options.audience === undefined ? "client" : "resource",
    accessTokenMarks: [{ claim: "client_id" }, { claim: "role" }],
    scopes: {
      sources: [{ path: [options.scopeClaim ?? "scope"], shape: "string-or-list" }],
      // Supabase rejects every scope that OpenID Connect does not define, so clients request none.
      requested: "none"
    },
    clientIdClaims: ["client_id"],
    confirmed: false,
    notes: [
      "Supabase's documentation confirms the claims. No real token was seen. It is not confirmed that a hook can change aud.",
      "Supabase supports neither resource indicators nor custom scopes. Dynamic registration is disabled by default.",
      "Tokens of projects that sign with the shared secret (HS256) are rejected. Migrate the project to asymmetric keys."
    ],
    issues: reader.issues
  })
}
