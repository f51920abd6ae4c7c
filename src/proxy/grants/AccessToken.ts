import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as base64url from "../../crypto/Base64Url.ts"
import * as compactJws from "../../crypto/CompactJws.ts"
import { type PublicKey, viaPlatform } from "../../crypto/Signature.ts"
import type { ProxyKeys } from "../keys/ProxyKeys.ts"
import type { Consent } from "./GrantRecord.ts"

/* Issues and reads the access tokens of the proxy (RFC 9068). */

/** Issues access tokens, and reads them for revocation. The gate verifies them with its own rules. */
export interface AccessTokens {
  /** Issues a token of a grant. `lifetime` is in seconds. */
  readonly issue: (
    grant: string,
    consent: Pick<Consent, "clientId" | "subject" | "resource">,
    scopes: ReadonlyArray<string>,
    lifetime: number
  ) => Effect.Effect<Redacted.Redacted>
  /** Returns the grant and the client of a valid token of this proxy. */
  readonly read: (token: string) => Effect.Effect<{ readonly grant: string; readonly clientId: string } | undefined>
}

/**
 * Returns whether a grant covers the claims of an access token. A thief of the secret can sign a token, so its claims must not exceed
 * the grant that it names.
 */
export const isCovered = (
  { clientId, resource, scopes, subject }: Pick<Consent, "clientId" | "subject" | "resource" | "scopes">,
  claims: Readonly<Record<string, unknown>>
): boolean => {
  const { aud, client_id, scope, sub } = claims
  return sub === subject && client_id === clientId && aud === resource && typeof scope === "string" &&
    scope.split(" ").every((each) => each === "" || scopes.includes(each))
}

/** The maximum length of a token, in characters. Longer texts are not tokens of this proxy. */
const longestToken = 16_384

/** Creates the functions for an issuer. */
export const make = (issuer: string, keys: ProxyKeys): AccessTokens => {
  const imported = new Map<string, PublicKey>()

  const importKey = (kid: unknown): Effect.Effect<PublicKey | undefined> =>
    Effect.gen(function*() {
      const jwk = keys.publicKeys.find((each) => each.kid === kid)
      if (jwk === undefined) return undefined
      const key = imported.get(jwk.kid) ?? (yield* viaPlatform({ ...jwk }, "ES256"))
      if (key !== undefined) imported.set(jwk.kid, key)
      return key
    })

  return {
    issue: (grant, { clientId, resource, subject }, scopes, lifetime) =>
      Effect.gen(function*() {
        const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        const token = yield* keys.sign({
          iss: issuer,
          sub: subject,
          aud: resource,
          client_id: clientId,
          scope: scopes.join(" "),
          jti: base64url.encode(crypto.getRandomValues(new Uint8Array(16))),
          sid: grant,
          iat: now,
          exp: now + lifetime
        })
        return Redacted.make(token, { label: "access-token" })
      }),
    read: (token) =>
      Effect.gen(function*() {
        const parts = token.length > longestToken ? undefined : compactJws.decode(token)
        if (parts === undefined) return undefined
        const { claims, header } = parts
        if (header["typ"] !== "at+jwt" || header["alg"] !== "ES256" || compactJws.hasUnsupportedHeader(header)) {
          return undefined
        }
        const key = yield* importKey(header["kid"])
        if (key === undefined || !(yield* key.verify(token))) return undefined
        const { client_id: clientId, exp, iss, sid } = claims
        const now = (yield* Clock.currentTimeMillis) / 1000
        return iss === issuer && typeof exp === "number" && now < exp && typeof sid === "string" &&
            typeof clientId === "string"
          ? { grant: sid, clientId }
          : undefined
      })
  }
}
