import * as Effect from "effect/Effect"
import { type Secret, secretBytes } from "./internal/secretBytes.ts"

/*
 * Computes HMAC-SHA-256 (RFC 2104) with WebCrypto. `effect/crypto/Mac` would add 1.3 kB to a bundle and load twelve more
 * modules at the start of every server.
 */

/** Authenticates data with one secret. */
export interface Hmac {
  /** Computes the tag of data: 32 bytes. */
  readonly sign: (data: Uint8Array<ArrayBuffer>) => Effect.Effect<Uint8Array<ArrayBuffer>>
  /** Checks the tag of data in constant time. */
  readonly verify: (tag: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>) => Effect.Effect<boolean>
}

const algorithm = { name: "HMAC", hash: "SHA-256" }

/** Creates the functions for a secret. Without a secret, the key is random and known to this process only. */
export const make = (secret: Secret | undefined): Hmac => {
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let imported: CryptoKey | undefined

  // In a Worker, a request must not wait for another one (see `Sharing`), so each request imports the key until one
  // import has finished.
  const getKey = async (): Promise<CryptoKey> => {
    if (imported !== undefined) return imported
    bytes ??= secretBytes(secret)
    return imported = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"])
  }

  return {
    sign: (data) => Effect.promise(async () => new Uint8Array(await crypto.subtle.sign("HMAC", await getKey(), data))),
    verify: (tag, data) => Effect.promise(async () => crypto.subtle.verify("HMAC", await getKey(), tag, data))
  }
}
