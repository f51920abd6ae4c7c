/**
 * The profile of GitHub.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Audience from "../../verification/claims/Audience.ts"
import * as Introspection from "../../verification/introspection/Introspection.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { send, unavailableFor } from "../probe/Fetch.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.github`.
 *
 * @category models
 * @since 0.1.0
 */
export interface GitHubOptions {
  /** The client id of your OAuth app or GitHub App. */
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  /** The URL of the API. Default: `https://api.github.com`. */
  readonly apiUrl?: string | undefined
  /** How long a token without an expiry, such as a token of an OAuth app, is accepted after each check. Default: 8 hours. */
  readonly maxLifetime?: Duration.Input | undefined
}

const issuer = "https://github.com/login/oauth"

/**
 * Creates the profile of GitHub. Its opaque tokens are verified by a request that checks whether your application obtained them.
 *
 * **Gotchas**
 *
 * A token is bound to your application and not to your server. So a token that the application obtained for another purpose is
 * accepted too. GitHub has no dynamic registration, so clients need either a proxy or the credentials of your
 * application.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Redacted } from "effect"
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.github({
 *   clientId: "3a1f8c92d07be456a1c9",
 *   clientSecret: Redacted.make("a secret from the environment")
 * })
 *
 * assert.strictEqual(profile.issuer, "https://github.com/login/oauth")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const github = (options: GitHubOptions): Profile.Profile => {
  const reader = readOptions("github", options, { clientId: true, clientSecret: true, apiUrl: true, maxLifetime: true })
  const clientId = reader.id("clientId", options.clientId, "the client id of your application", /^[\w.-]+$/)
  reader.secret("clientSecret", options.clientSecret)
  const api = reader.url("apiUrl", options.apiUrl ?? "https://api.github.com", "https://api.github.com")
  return Profile.make({
    id: "github",
    name: "GitHub",
    issuer,
    audience: Audience.clientIds([clientId]),
    boundTo: "client",
    clientIdClaims: ["client_id"],
    opaque: {
      issued: "always",
      verifiedBy: "call",
      hint: "GitHub issues no JWTs. Its tokens begin with gho_ (OAuth apps) or ghu_ (GitHub Apps)"
    },
    introspection: Introspection.lookUp(
      (token) =>
        Effect.suspend(() => {
          const accessToken = Redacted.value(token)
          // Only tokens with these prefixes belong to an application. Personal tokens and installation tokens do not.
          if (!/^gh[ou]_\w+$/.test(accessToken)) return Effect.succeed({ active: false })
          const credentials = btoa(`${clientId}:${Redacted.value(options.clientSecret)}`)
          const request = {
            url: `${api}/applications/${clientId}/token`,
            headers: {
              authorization: `Basic ${credentials}`,
              accept: "application/vnd.github+json",
              "content-type": "application/json"
            },
            body: JSON.stringify({ access_token: accessToken })
          }
          return Effect.flatMap(
            send(request, issuer),
            ({ json, status }): Effect.Effect<Introspection.Answer, ReturnType<typeof unavailable>> => {
              if (status === 404) return Effect.succeed({ active: false })
              return status === 200 && json !== undefined
                ? Effect.succeed(toIntrospection(json, clientId))
                : Effect.fail(unavailable("unusable-answer"))
            }
          )
        }),
      { maxLifetime: options.maxLifetime ?? Duration.hours(8) }
    ),
    confirmed: false,
    notes: [
      "No real token was seen. The request is that of GitHub's documentation.",
      "GitHub has no key set, no OpenID document and no dynamic registration."
    ],
    issues: reader.issues
  })
}

const unavailable = unavailableFor(issuer)

/** Converts a response of GitHub to a response of RFC 7662. The result has no `aud`, because GitHub names no resource. */
const toIntrospection = (response: Readonly<Record<string, unknown>>, clientId: string): Introspection.Answer => {
  const app = member(response["app"], "client_id")
  const user = member(response["user"], "id")
  const scopes = response["scopes"]
  const expires = response["expires_at"]
  if (app !== clientId || typeof user !== "number" || !Number.isSafeInteger(user)) return { active: false }
  return {
    active: true,
    iss: issuer,
    client_id: clientId,
    sub: String(user),
    scope: Array.isArray(scopes) ? scopes.filter((_) => typeof _ === "string").join(" ") : "",
    // An invalid time becomes an invalid `exp`, such as NaN, so that the token is rejected.
    ...(expires === null || expires === undefined
      ? {}
      : { exp: typeof expires === "string" ? Date.parse(expires) / 1000 : expires })
  }
}

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
