/**
 * An authorization server reduced to what a resource server reads of it: its metadata, its keys, and tokens.
 */
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { randomUUID } from "node:crypto"
import * as Loopback from "./Loopback.ts"

const algorithm = "ES256"
const kid = "conformance"

/** Starts the issuer, until the scope closes. */
export const start = Effect.gen(function*() {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair(algorithm))
  const jwk = yield* Effect.promise(() => exportJWK(publicKey))
  const { origin } = yield* Loopback.serve((issuer) =>
    Layer.mergeAll(
      HttpRouter.add(
        "GET",
        "/.well-known/oauth-authorization-server",
        HttpServerResponse.jsonUnsafe({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"]
        })
      ),
      HttpRouter.add(
        "GET",
        "/jwks",
        HttpServerResponse.jsonUnsafe({ keys: [{ ...jwk, kid, alg: algorithm, use: "sig" }] })
      )
    )
  )

  /** An access token (RFC 9068) that outlives the suite. */
  const mint = (options: { readonly audience: string; readonly scope: string }) =>
    Effect.promise(() =>
      new SignJWT({ client_id: "conformance", scope: options.scope })
        .setProtectedHeader({ alg: algorithm, kid, typ: "at+jwt" })
        .setIssuer(origin)
        .setSubject("suite")
        .setAudience(options.audience)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime("1 hour")
        .sign(privateKey)
    ).pipe(Effect.map((token) => Redacted.make(token)))

  return { origin, mint }
})
