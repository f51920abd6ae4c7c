import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as base64url from "../../crypto/Base64Url.ts"
import * as hkdf from "../../crypto/Hkdf.ts"
import * as jwtSigner from "../../crypto/JwtSigner.ts"
import { sha256 } from "../../crypto/Sha256.ts"

/* Derives the key that signs access tokens. */

/** A public key, as the key set of the proxy publishes it (RFC 7517). */
export interface PublicJwk {
  readonly kty: "EC"
  readonly crv: "P-256"
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly alg: "ES256"
  readonly use: "sig"
}

/** A key that signs access tokens with ES256. */
export interface SigningKey {
  readonly publicJwk: PublicJwk
  /** Signs claims as an access token (`at+jwt`, RFC 9068). */
  readonly sign: jwtSigner.Sign
}

/** The order of the group of P-256 (FIPS 186-5, SP 800-186 §3.2.1.3). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The PKCS #8 form of a private key of P-256 without its public key (RFC 5208, RFC 5915), up to the 32 bytes of the scalar. */
const pkcs8Prefix = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420"

const fromHex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/../g)!, (pair) => Number.parseInt(pair, 16))

/**
 * Returns the scalar of a private key: 384 bits modulo the order minus one, plus one (FIPS 186-5 appendix A.2.1). The extra bits make
 * the result uniform.
 */
const toScalar = (bytes: Uint8Array): bigint =>
  bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % (order - 1n) + 1n

/** Derives the signing key of a secret. The same secret gives the same key on every platform. The `kid` is its thumbprint (RFC 7638). */
export const derive = (secret: Redacted.Redacted, info: string): Effect.Effect<SigningKey> =>
  Effect.gen(function*() {
    const scalar = toScalar(yield* hkdf.derive(secret, info, 48)).toString(16).padStart(64, "0")
    const { d, x, y } = yield* Effect.promise(async () => {
      const ec = { name: "ECDSA", namedCurve: "P-256" }
      const key = await crypto.subtle.importKey("pkcs8", fromHex(pkcs8Prefix + scalar), ec, true, ["sign"])
      return crypto.subtle.exportKey("jwk", key) as Promise<Record<"d" | "x" | "y", string>>
    })
    const kid = yield* sha256(JSON.stringify({ crv: "P-256", kty: "EC", x, y }))
    const publicJwk = { kty: "EC", crv: "P-256", x, y, kid, alg: "ES256", use: "sig" } as const
    const sign = yield* jwtSigner.make({ kty: "EC", crv: "P-256", x, y, d, kid }, "ES256", "at+jwt")
    return sign === undefined
      ? yield* Effect.die(new Error("The derived key cannot sign"))
      : { publicJwk, sign }
  })

/** Derives the id of a secret: 8 characters, which reveal nothing about it. */
export const keyId = (secret: Redacted.Redacted, info: string): Effect.Effect<string> =>
  Effect.map(hkdf.derive(secret, info, 6), base64url.encode)
