/**
 * The profile of Google Identity-Aware Proxy.
 *
 * @since 0.1.0
 */
import * as Audience from "../../verification/claims/Audience.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { readOptions } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.googleIap`.
 *
 * @category models
 * @since 0.1.0
 */
export interface GoogleIapOptions {
  /**
   * The audience of the signed header: `/projects/<number>/global/backendServices/<id>` for Compute Engine and GKE,
   * `/projects/<number>/apps/<project id>` for App Engine.
   */
  readonly audience: string
}

/**
 * Creates the profile of the tokens that Google Identity-Aware Proxy (IAP) adds to each request.
 *
 * **Details**
 *
 * IAP sends the token in the header `X-Goog-Iap-Jwt-Assertion`, so the server also needs `tokenHeader: TokenHeader.googleIap`. Tokens
 * have no scopes and no client, and are valid for 10 minutes.
 *
 * **Example** (A backend service)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.googleIap({ audience: "/projects/123456789/global/backendServices/987654321" })
 *
 * assert.strictEqual(profile.issuer, "https://cloud.google.com/iap")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const googleIap = (options: GoogleIapOptions): Profile.Profile => {
  const reader = readOptions("googleIap", options, { audience: true })
  return Profile.make({
    id: "google-iap",
    name: "Google Identity-Aware Proxy",
    issuer: "https://cloud.google.com/iap",
    jwksUri: "https://www.gstatic.com/iap/verify/public_key-jwk",
    algorithms: ["ES256"],
    audience: Audience.oneOf([
      reader.id(
        "audience",
        options.audience,
        "the audience of the signed header, such as /projects/123456789/global/backendServices/987654321",
        /^\/projects\/\d+\/[A-Za-z0-9][A-Za-z0-9._:/-]*$/
      )
    ]),
    boundTo: "project",
    // IAP issues one kind of token, so its tokens have no mark. Every token has `iss`.
    tokenType: {
      _tag: "Standard",
      accessTokenClaims: ["iss"],
      idTokenClaims: ["nonce", "at_hash", "c_hash", "s_hash", "events"]
    },
    scopes: { requested: "none" },
    confirmed: false,
    notes: [
      "Google's documentation confirms the claims. No real token was seen.",
      "All servers behind one backend service accept its tokens.",
      "Tokens have no scopes and no client."
    ],
    issues: reader.issues
  })
}
