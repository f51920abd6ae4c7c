import * as Effect from "effect/Effect"
import { base64url, type CryptoKey, exportJWK, generateKeyPair, type JWK } from "jose"
import type { Algorithm } from "../../crypto/Algorithm.ts"

/** A signing key of an issuer, a forger or a client. */
export interface KeyPair {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly publicJwk: JWK
}

/** The parameters of an RSA key. Unsafe values are allowed, so that tests can use keys that verifiers must reject. */
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

// Uses Web Crypto, because jose rejects unsafe parameters.
const generateRsa = async (algorithm: Algorithm, { modulusLength = 2048, publicExponent = 65_537 }: RsaOptions) => {
  const { name } = parameters(algorithm) as { readonly name: string }
  return await crypto.subtle.generateKey(
    {
      name,
      modulusLength,
      // Three bytes, the most significant first. `Uint8Array.of` keeps the last eight bits of each number.
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

/** Signs two segments unchanged, so that tests can sign headers and claims that libraries do not write. */
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

/** Encodes a segment in base64url: bytes as they are, any other value as JSON. */
export const segment = (value: unknown): string =>
  base64url.encode(value instanceof Uint8Array ? value : JSON.stringify(value))

/** Removes members that are `undefined`. Tests set a member to `undefined` to remove it. */
export const defined = (record: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))

/** Exports the private key, as a client stores it. */
export const privateJwk = ({ algorithm, kid, privateKey }: KeyPair): Effect.Effect<JWK> =>
  Effect.promise(async () => ({ ...await exportJWK(privateKey), kid, alg: algorithm }))

/** The signing keys of an issuer. For each algorithm, the newest key signs. */
export interface KeyRing {
  readonly getAll: () => ReadonlyArray<KeyPair>
  /** Returns the current key of the default algorithm. */
  readonly getCurrent: () => KeyPair
  /** Returns the current key of an algorithm. Generates and publishes a key if there is none. */
  readonly findOrGenerate: (algorithm: Algorithm) => Effect.Effect<KeyPair>
  readonly rotate: Effect.Effect<void>
  readonly withdrawOld: Effect.Effect<void>
  readonly withdraw: (kid?: string) => Effect.Effect<void>
}

export const makeKeyRing = (
  algorithm: Algorithm,
  others: ReadonlyArray<Algorithm>
): Effect.Effect<KeyRing> =>
  Effect.gen(function*() {
    let count = 0
    const next = (requested: Algorithm) => Effect.suspend(() => generate(requested, `key-${++count}`))
    let keys: ReadonlyArray<KeyPair> = yield* Effect.forEach([...new Set([algorithm, ...others])], next)
    const find = (requested: Algorithm) => keys.find((key) => key.algorithm === requested)
    const getCurrent = () => find(algorithm)!
    return {
      getAll: () => keys,
      getCurrent,
      findOrGenerate: (requested) =>
        Effect.suspend(() => {
          const known = find(requested)
          return known !== undefined ? Effect.succeed(known) : Effect.tap(next(requested), (key) =>
            Effect.sync(() => {
              keys = [...keys, key]
            }))
        }),
      rotate: Effect.map(next(algorithm), (key) => {
        keys = [key, ...keys]
      }),
      withdrawOld: Effect.sync(() => {
        keys = keys.filter((key) => find(key.algorithm) === key)
      }),
      withdraw: (kid = getCurrent().kid) =>
        Effect.gen(function*() {
          keys = keys.filter((key) => key.kid !== kid)
          if (find(algorithm) === undefined) keys = [yield* next(algorithm), ...keys]
        })
    }
  })
