/**
 * The profile of authentik.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.authentik`.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthentikOptions {
  /** The URL of authentik, such as `https://auth.example.com`. */
  readonly url: string
  /** The slug of the application. */
  readonly slug: string
  /** The client id of the application's provider. It is the audience of the tokens. */
  readonly clientId: string
}

/**
 * Creates the profile of an application of authentik.
 *
 * **Details**
 *
 * Each application is a separate issuer with one client. The id of this client is the audience of access tokens and of ID
 * tokens. Access tokens are recognized by the claim `uid`, which ID tokens do not have.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.authentik({ url: "https://auth.example.com", slug: "todos", clientId: "client-1" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com/application/o/todos/")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const authentik = (options: AuthentikOptions): Profile.Profile => {
  const reader = readOptions("authentik", options, { url: true, slug: true, clientId: true })
  const url = reader.url("url", options.url, "https://auth.example.com")
  const slug = reader.id("slug", options.slug, "the application's slug, such as todos")
  return Profile.make({
    id: "authentik",
    name: "authentik",
    // The final slash is part of the issuer.
    issuer: `${url}/application/o/${slug}/`,
    audience: Audience.oneOf([reader.id("clientId", options.clientId, "the provider's client id", /^\S+$/)]),
    boundTo: "client",
    tokenType: TokenType.standard(["uid"]),
    accessTokenMarks: [{ claim: "uid" }],
    clientIdClaims: ["azp", "client_id"],
    roles: [["groups"]],
    confirmed: false,
    notes: [
      "No real token was seen. The claims uid and azp are those of authentik's source code, and scope is not confirmed. An access " +
      "token repeats claims of the ID token. If it contains the nonce of the client, it is rejected.",
      "authentik has no dynamic registration and no RFC 8414 document.",
      "Select a signing key for the provider. Without one, authentik signs with HS256, and tokens are rejected."
    ],
    issues: reader.issues
  })
}
