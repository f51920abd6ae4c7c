/**
 * The profile of Ory Hydra.
 *
 * @since 0.1.0
 */
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of `Profiles.hydra`.
 *
 * @category models
 * @since 0.1.0
 */
export interface HydraOptions {
  /** The URL of Hydra's public port, such as `https://auth.example.com`. */
  readonly url: string
  /** The audience that clients request, if it is not the resource itself. */
  readonly audience?: Audiences | undefined
}

/**
 * Creates the profile of Ory Hydra with the JWT strategy for access tokens.
 *
 * **Details**
 *
 * Clients request an audience with the parameter `audience`. Hydra has a list of the allowed audiences for each client. By
 * default, tokens have their scopes as a list in the claim `scp`.
 *
 * **Example** (Its issuer)
 *
 * ```ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.hydra({ url: "https://auth.example.com" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com/")
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const hydra = (options: HydraOptions): Profile.Profile => {
  const reader = readOptions("hydra", options, { url: true, audience: true })
  return Profile.make({
    id: "hydra",
    name: "Ory Hydra",
    // The final slash is part of the issuer.
    issuer: `${reader.url("url", options.url, "https://auth.example.com")}/`,
    audience: toAudience(options.audience),
    clientIdClaims: ["client_id"],
    opaque: {
      issued: "sometimes",
      verifiedBy: "introspection",
      hint:
        "Hydra issues opaque tokens (ory_at_…) unless strategies.access_token is jwt. The introspection endpoint is on the admin " +
        "port, and the metadata do not name it"
    },
    confirmed: false,
    notes: [
      "No real token was seen. It is not confirmed that aud is empty if the client requests no audience, and that sub is the " +
      "client of a token without a user.",
      "It is not known whether Hydra supports the parameter resource of MCP clients. Clients must send the parameter audience."
    ],
    issues: reader.issues
  })
}
