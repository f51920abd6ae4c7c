import * as Effect from "effect/Effect"
import { base64url, exportSPKI } from "jose"
import type { Algorithm } from "../../crypto/Algorithm.ts"
import { editSegments, type Forgeries, type ForgeryInput, issueWith } from "./forge.ts"
import { type KeyPair, segment } from "./keys.ts"

/** Signs with HS256, or with the HMAC algorithm that the header names. */
const signWithHmac =
  (secret: (key: KeyPair) => Promise<string | Uint8Array>) => (input: ForgeryInput): Effect.Effect<string> =>
    Effect.promise(async () => {
      const named = String(input.header["alg"])
      const alg = named.startsWith("HS") ? named : "HS256"
      const signed = `${segment({ ...input.header, alg })}.${segment({ ...input.claims, sub: "admin" })}`
      const bytes = new TextEncoder()
      const hmacSecret = await secret(input.key)
      const key = await crypto.subtle.importKey(
        "raw",
        typeof hmacSecret === "string" ? bytes.encode(hmacSecret) : hmacSecret as Uint8Array<ArrayBuffer>,
        { name: "HMAC", hash: `SHA-${alg.slice(2)}` },
        false,
        ["sign"]
      )
      const signature = await crypto.subtle.sign("HMAC", key, bytes.encode(signed))
      return `${signed}.${base64url.encode(new Uint8Array(signature))}`
    })

const makeUnsigned = (alg: string) => ({ claims, header }: ForgeryInput): Effect.Effect<string> =>
  Effect.succeed(`${segment({ ...header, alg })}.${segment({ ...claims, sub: "admin" })}.`)

const getOtherFamily = (algorithm: Algorithm): Algorithm => algorithm.startsWith("RS") ? "ES256" : "RS256"

/** Converts an ECDSA signature of a JWS (RFC 7518 §3.4) to DER (RFC 3279 §2.2.3). */
const toDer = (signature: Uint8Array): Uint8Array => {
  const middle = signature.length / 2
  return toDerElement(0x30, [
    ...toDerInteger(signature.subarray(0, middle)),
    ...toDerInteger(signature.subarray(middle))
  ])
}

/**
 * Encodes a positive integer in as few bytes as possible. DER reads the first bit as the sign, so a zero byte precedes a first
 * byte of 0x80 or more.
 */
const toDerInteger = (bytes: Uint8Array): Uint8Array => {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  return toDerElement(0x02, digits[0]! < 0x80 ? digits : [0, ...digits])
}

const toDerElement = (tag: number, content: ArrayLike<number> & Iterable<number>): Uint8Array => {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Uint8Array.of(tag, ...size, ...content)
}

const flipFirst = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1)

/** Tokens with a forged algorithm or a forged signature. */
export const signatureForgeries = {
  // The algorithm (RFC 8725 §2.1, §3.1)
  "alg-none": { title: "unsigned, alg none", reason: "algorithm", forge: makeUnsigned("none") },
  "alg-none-spelled-otherwise": { title: "unsigned, alg nOnE", reason: "algorithm", forge: makeUnsigned("nOnE") },
  "alg-none-signed": {
    title: "alg none, with the signature of a valid token",
    reason: "algorithm",
    forge: editSegments(([, claims, signature], { header }) =>
      `${segment({ ...header, alg: "none" })}.${claims}.${signature}`
    )
  },
  "alg-missing": {
    title: "no alg",
    reason: "algorithm",
    forge: issueWith(() => ({ header: { alg: undefined } }))
  },
  "hmac-with-public-key": {
    title: "HS256, with the issuer's public key (PEM) as the secret",
    reason: "algorithm",
    forge: signWithHmac(({ publicKey }) => exportSPKI(publicKey))
  },
  "hmac-with-jwk": {
    title: "HS256, with the issuer's public JWK as the secret",
    reason: "algorithm",
    forge: signWithHmac(({ publicJwk }) => Promise.resolve(JSON.stringify(publicJwk)))
  },
  "hmac-with-der": {
    title: "HS256, with the issuer's public key (DER) as the secret",
    reason: "algorithm",
    forge: signWithHmac(async ({ publicKey }) =>
      new Uint8Array(await crypto.subtle.exportKey("spki", publicKey as never))
    )
  },
  "hmac-with-number": {
    title: "HS256, with the modulus or the x coordinate of the issuer's public key as the secret",
    reason: "algorithm",
    forge: signWithHmac(({ publicJwk }) => Promise.resolve(base64url.decode(publicJwk.n ?? publicJwk.x ?? "")))
  },
  "hmac-with-number-as-text": {
    title: "HS256, with that number as the JWK encodes it",
    reason: "algorithm",
    forge: signWithHmac(({ publicJwk }) => Promise.resolve(publicJwk.n ?? publicJwk.x ?? ""))
  },
  "alg-swapped": {
    title: "an algorithm of another family than the key",
    reason: "unknown-key",
    forge: issueWith(({ algorithm }) => ({ header: { alg: getOtherFamily(algorithm) } }))
  },

  // The signature
  "signature-missing": {
    title: "a valid token without its signature",
    reason: "signature",
    forge: editSegments(([header, claims]) => `${header}.${claims}.`)
  },
  "signature-changed": {
    title: "one character of the signature changed",
    reason: "signature",
    forge: editSegments(([header, claims, signature]) => `${header}.${claims}.${flipFirst(signature)}`)
  },
  "signature-zero": {
    title: "a signature of zeros (\"psychic signature\")",
    reason: "signature",
    forge: editSegments(([header, claims, signature]) =>
      `${header}.${claims}.${base64url.encode(new Uint8Array(base64url.decode(signature).length))}`
    )
  },
  "signature-der": {
    title: "a valid signature encoded in DER, as other protocols write it",
    reason: "signature",
    forge: editSegments(([header, claims, signature]) =>
      `${header}.${claims}.${base64url.encode(toDer(base64url.decode(signature)))}`
    )
  },
  "claims-changed": {
    title: "the subject changed under a valid signature",
    reason: "signature",
    forge: editSegments(([header, , signature], { claims }) =>
      `${header}.${segment({ ...claims, sub: "admin" })}.${signature}`
    )
  },
  "header-changed": {
    title: "the header changed under a valid signature",
    reason: "signature",
    forge: editSegments(([, claims, signature], { header }) =>
      `${segment({ ...header, forged: true })}.${claims}.${signature}`
    )
  }
} as const satisfies Forgeries
