import * as Effect from "effect/Effect"
import { base64url, type CryptoKey, exportJWK, generateKeyPair, type JWK } from "jose"
import type { Algorithm } from "../../crypto/Algorithm.ts"

/** A signing key of an issuer, of a forger, or of a client. */
export interface KeyPair {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly publicJwk: JWK
}

/** What an RSA key may be besides fit for use. */
export interface RsaOptions {
  readonly modulusLength?: number | undefined
  readonly publicExponent?: number | undefined
}

export const generate = (algorithm: Algorithm, kid: string, rsa: RsaOptions = {}): Effect.Effect<KeyPair> =>
  Effect.promise(async () => {
    const { privateKey, publicKey } = rsa.modulusLength === undefined && rsa.publicExponent === undefined
      ? await generateKeyPair(algorithm, { extractable: true })
      : await generateRsa(algorithm, rsa)
    return {
      kid,
      algorithm,
      privateKey,
      publicKey,
      publicJwk: { ...await exportJWK(publicKey), kid, use: "sig", alg: algorithm }
    }
  })

// jose makes no key that is unfit for use.
const generateRsa = async (algorithm: Algorithm, { modulusLength = 2048, publicExponent = 65_537 }: RsaOptions) => {
  const { name } = parameters(algorithm) as { readonly name: string }
  return await crypto.subtle.generateKey(
    {
      name,
      modulusLength,
      // An array of bytes keeps of each number the last eight bits.
      publicExponent: Uint8Array.of(publicExponent >> 16, publicExponent >> 8, publicExponent),
      hash: hash(algorithm)
    },
    true,
    ["sign", "verify"]
  ) as { readonly privateKey: CryptoKey; readonly publicKey: CryptoKey }
}

const hash = (algorithm: Algorithm) => `SHA-${algorithm.slice(2)}`

const parameters = (algorithm: Algorithm): Parameters<typeof crypto.subtle.sign>[0] => {
  switch (algorithm.slice(0, 2)) {
    case "RS":
      return { name: "RSASSA-PKCS1-v1_5" }
    case "PS":
      return { name: "RSA-PSS", saltLength: Number(algorithm.slice(2)) / 8 } as RsaPssParams
    case "ES":
      return { name: "ECDSA", hash: hash(algorithm) } as EcdsaParams
    default:
      return { name: "Ed25519" }
  }
}

/** Signs two segments as they stand: for headers and claims that no library would write. */
export const signSegments = (key: KeyPair, header: string, claims: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const input = `${header}.${claims}`
    const signature = await crypto.subtle.sign(
      parameters(key.algorithm),
      key.privateKey as never,
      new TextEncoder().encode(input)
    )
    return `${input}.${base64url.encode(new Uint8Array(signature))}`
  })

/** A segment: bytes as they are, an object as JSON. */
export const segment = (value: unknown): string =>
  base64url.encode(value instanceof Uint8Array ? value : JSON.stringify(value))

/** Leaves out what is `undefined`, which is how a test removes a member. */
export const defined = (record: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))

/** The private half, as a client keeps it. */
export const privateJwk = ({ algorithm, kid, privateKey }: KeyPair): Effect.Effect<JWK> =>
  Effect.promise(async () => ({ ...await exportJWK(privateKey), kid, alg: algorithm }))
