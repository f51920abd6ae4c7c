/**
 * The cryptography: importing public keys and verifying signatures. The only file that hands anything to a crypto
 * library, so the only one that knows its exceptions.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { compactVerify, type CryptoKey, importJWK, type JWK, type JWTHeaderParameters, SignJWT } from "jose"

/**
 * A public key, ready for one algorithm.
 *
 * @category models
 * @since 0.1.0
 */
export type PublicKey = CryptoKey

/**
 * Imports a public JSON Web Key for one algorithm; `undefined` when the key is not fit for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const importKey = (
  jwk: Readonly<Record<string, unknown>>,
  algorithm: string
): Effect.Effect<PublicKey | undefined> =>
  Effect.promise(() =>
    importJWK(jwk as unknown as JWK, algorithm).then(
      (key) => key instanceof Uint8Array ? undefined : key as PublicKey,
      () => undefined
    )
  )

/**
 * Verifies a compact JWS under one key and one algorithm: `false` for whatever makes it invalid.
 *
 * @category verification
 * @since 0.1.0
 */
export const verify = (token: string, key: PublicKey, algorithm: string): Effect.Effect<boolean> =>
  Effect.promise(() => compactVerify(token, key, { algorithms: [algorithm] }).then(() => true, () => false))

/**
 * Signs claims of this server's own as a compact JWT: to prove to an authorization server who asks.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sign = (
  key: CryptoKey,
  header: { readonly alg: string; readonly kid?: string | undefined },
  claims: Readonly<Record<string, unknown>>
): Effect.Effect<string> =>
  Effect.promise(() =>
    new SignJWT({ ...claims }).setProtectedHeader({ typ: "JWT", ...header } as JWTHeaderParameters).sign(key)
  )
