/**
 * The profile of Logto.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.logto`.
 *
 * @category models
 * @since 0.1.0
 */
export interface LogtoOptions {
  /** The URL of Logto, such as `https://acme.logto.app`. */
  readonly endpoint: string
  /** The identifier of the API resource at Logto, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
}

/**
 * Creates the profile of Logto, in the cloud or self-hosted.
 *
 * **Details**
 *
 * Register an API resource whose identifier is the resource. A client that requests no API resource obtains an opaque token,
 * unless one API resource is marked as the default.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.logto({ endpoint: "https://acme.logto.app" })
 *
 * assert.strictEqual(profile.issuer, "https://acme.logto.app/oidc")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const logto = (options: LogtoOptions): Profile.Profile => {
  const reader = readOptions("logto", options, { endpoint: true, audience: true })
  return Profile.make({
    id: "logto",
    name: "Logto",
    issuer: `${reader.url("endpoint", options.endpoint, "https://acme.logto.app")}/oidc`,
    audience: toAudience(options.audience),
    clientIdClaims: ["client_id"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint:
        "if the client requests no API resource, Logto issues an opaque token. Mark your API resource as the default"
    },
    confirmed: false,
    notes: [
      "No real token was seen. The type at+jwt, the algorithm ES384 and the sub of a token without a user are not confirmed."
    ],
    issues: reader.issues
  })
}
