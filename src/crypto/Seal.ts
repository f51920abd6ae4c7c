import * as Effect from "effect/Effect"
import * as base64url from "./Base64Url.ts"
import { type Secret, secretBytes } from "./internal/secretBytes.ts"

/*
 * Encrypts and authenticates texts with WebCrypto: AES-256-GCM (NIST SP 800-38D) with keys that HKDF-SHA-256 derives (RFC
 * 5869). `effect/crypto/Aead` would add 1.6 kB to a bundle and load ten more modules at the start of every server.
 */

/** Encrypts texts that a client stores and sends back. */
export interface Seal {
  /**
   * Encrypts a text. `context` is authenticated but not part of the result, so the text can be opened only with the same
   * context. The result is base64url.
   *
   * The nonce is random, so one secret may seal at most 4,000,000,000 texts for one purpose (SP 800-38D §8.3).
   */
  readonly seal: (text: string, context: string) => Effect.Effect<string>
  /**
   * Decrypts a result of `seal`. Returns `undefined` for every other text, and for a text that was changed or that was sealed
   * with another secret, purpose or context.
   */
  readonly open: (sealed: string, context: string) => Effect.Effect<string | undefined>
}

/** The first byte of a sealed text, which distinguishes this format from later ones. */
const version = 1
const nonceLength = 12
const tagLength = 16
const start = 1 + nonceLength

/**
 * Creates the functions for a secret and a purpose. Each purpose has a separate key, so a text that was sealed for one purpose
 * cannot be opened for another. Without a secret, the key is random, and only this process can open its texts. A salt gives a
 * separate key to each of many records. Default: none.
 */
export const make = (secret: Secret | undefined, purpose: string, salt = ""): Seal => {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder()
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let derived: CryptoKey | undefined

  // In a Worker, a request must not wait for another one (see `Sharing`), so each request derives the key until one
  // derivation has finished.
  const getKey = async (): Promise<CryptoKey> => {
    if (derived !== undefined) return derived
    bytes ??= secretBytes(secret)
    return derived = await crypto.subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt: encoder.encode(salt), info: encoder.encode(purpose) },
      await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]),
      { name: "AES-GCM", length: 256 },
      false,
      ["encrypt", "decrypt"]
    )
  }

  const parameters = (iv: Uint8Array<ArrayBuffer>, context: string) => ({
    name: "AES-GCM",
    iv,
    additionalData: encoder.encode(String.fromCharCode(version) + context),
    tagLength: tagLength * 8
  })

  return {
    seal: (text, context) =>
      Effect.promise(async () => {
        const nonce = crypto.getRandomValues(new Uint8Array(nonceLength))
        const encrypted = await crypto.subtle.encrypt(parameters(nonce, context), await getKey(), encoder.encode(text))
        const sealed = new Uint8Array(start + encrypted.byteLength)
        sealed[0] = version
        sealed.set(nonce, 1)
        sealed.set(new Uint8Array(encrypted), start)
        return base64url.encode(sealed)
      }),
    open: (sealed, context) => {
      const bytes = base64url.decode(sealed)
      if (bytes === undefined || bytes.length < start + tagLength || bytes[0] !== version) return unopened
      return Effect.promise(async () => {
        const key = await getKey()
        return crypto.subtle.decrypt(parameters(bytes.slice(1, start), context), key, bytes.slice(start)).then(
          (text) => decoder.decode(text),
          () => undefined
        )
      })
    }
  }
}

const unopened = Effect.succeed(undefined)
