/**
 * The profile of Google.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Audience from "../../verification/claims/Audience.ts"
import * as Introspection from "../../verification/introspection/Introspection.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { send, unavailableFor } from "../probe/Fetch.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.google`.
 *
 * @category models
 * @since 0.1.0
 */
export interface GoogleOptions {
  /** The ids of the OAuth clients whose tokens are accepted. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
}

const issuer = "https://accounts.google.com"

/**
 * Creates the profile of Google. Its opaque tokens are verified by `tokeninfo`, which returns the client that obtained them.
 *
 * **Gotchas**
 *
 * A token is bound to your client and not to your server. So a token that the client obtained for another purpose is accepted
 * too. Google has no dynamic registration. Clients must request the scope `openid`. Otherwise `tokeninfo` returns no `sub`, and
 * the token is rejected.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.google({ clientIds: ["123.apps.googleusercontent.com"] })
 *
 * assert.strictEqual(profile.issuer, "https://accounts.google.com")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const google = (options: GoogleOptions): Profile.Profile => {
  const reader = readOptions("google", options, { clientIds: true })
  return Profile.make({
    id: "google",
    name: "Google",
    issuer,
    audience: Audience.oneOf(reader.ids("clientIds", options.clientIds, "123.apps.googleusercontent.com")),
    boundTo: "client",
    clientIdClaims: ["azp"],
    opaque: {
      issued: "always",
      verifiedBy: "call",
      hint: "Google's access tokens (ya29.…) are opaque. Its JWTs are ID tokens of the same issuer"
    },
    introspection: Introspection.lookUp((token) =>
      // The token is sent in a header, because URLs are often logged.
      send({
        url: "https://oauth2.googleapis.com/tokeninfo",
        headers: {
          authorization: `Bearer ${Redacted.value(token)}`,
          accept: "application/json",
          "content-type": "application/x-www-form-urlencoded"
        },
        body: ""
      }, issuer).pipe(
        Effect.flatMap(({ json, status }): Effect.Effect<Introspection.Answer, ReturnType<typeof unavailable>> => {
          if (status === 400) return Effect.succeed({ active: false })
          return status === 200 && json !== undefined
            ? Effect.succeed(toIntrospection(json))
            : Effect.fail(unavailable("unusable-answer"))
        })
      )
    ),
    confirmed: false,
    notes: [
      "No real response of tokeninfo was seen. The members aud, azp, sub, scope and exp are those of Google's client library.",
      "Google has no introspection and no dynamic registration."
    ],
    issues: reader.issues
  })
}

const unavailable = unavailableFor(issuer)

/** Converts a response of `tokeninfo` to a response of RFC 7662. `tokeninfo` writes numbers as strings. */
const toIntrospection = (response: Readonly<Record<string, unknown>>): Introspection.Answer => {
  const exp = response["exp"]
  return {
    active: true,
    iss: issuer,
    aud: response["aud"],
    azp: response["azp"] ?? response["aud"],
    ...(response["sub"] === undefined ? {} : { sub: response["sub"] }),
    scope: response["scope"] ?? "",
    ...(exp === undefined ? {} : { exp: typeof exp === "string" && /^\d+$/.test(exp) ? Number(exp) : exp })
  }
}
