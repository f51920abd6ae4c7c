import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as base64url from "./Base64Url.ts"
import { secretBytes } from "./internal/secretBytes.ts"

/*
 * Authenticated encryption by WebCrypto: AES-256-GCM (NIST SP 800-38D), keys by HKDF-SHA-256 (RFC 5869).
 * `effect/crypto/Aead` does the same in a service with layers: 1.6 kB of a bundle and ten more modules to load at the
 * start of every server, since `RequestState` is always on.
 */

/** Seals texts that a client keeps and returns. */
export interface Seal {
  /**
   * Encrypts a text. `context` is authenticated and not part of the result: the text opens in the same context alone.
   * The result is base64url.
   *
   * The nonce is random, so a secret is good for 4,000,000,000 texts of one purpose (SP 800-38D §8.3).
   */
  readonly seal: (text: string, context: string) => Effect.Effect<string>
  /**
   * Decrypts what `seal` returned. Returns `undefined` for every other text: altered or invented, sealed with another
   * secret, for another purpose or in another context.
   */
  readonly open: (sealed: string, context: string) => Effect.Effect<string | undefined>
}

/** The first byte of a sealed text, so that a later format can be told apart. */
const version = 1
const nonceLength = 12
const tagLength = 16
const start = 1 + nonceLength

/**
 * Makes the functions of one secret and one purpose. Each purpose has its own key, so seals of different purposes cannot
 * open each other's texts. Without a secret the key is random, and only this process opens what it sealed.
 */
export const make = (secret: Redacted.Redacted | undefined, purpose: string): Seal => {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder()
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let derived: CryptoKey | undefined

  // Nothing is shared before it is complete: no request of a Worker may wait for what another one has started.
  const getKey = async (): Promise<CryptoKey> => {
    if (derived !== undefined) return derived
    bytes ??= secretBytes(secret)
    return derived = await crypto.subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(purpose) },
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
