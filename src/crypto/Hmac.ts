import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { secretBytes } from "./internal/secretBytes.ts"

/*
 * HMAC-SHA-256 (RFC 2104) by WebCrypto. `effect/crypto/Mac` does the same in a service with layers for its key and its
 * platform: 1.3 kB of a bundle, and twelve more modules to load at the start, for the two calls below.
 */

/** Authenticates data with one secret. */
export interface Hmac {
  /** Computes the tag of data: 32 bytes. */
  readonly sign: (data: Uint8Array<ArrayBuffer>) => Effect.Effect<Uint8Array<ArrayBuffer>>
  /** Checks the tag of data. It takes as long for a tag that is nearly right as for any other one of the same length. */
  readonly verify: (tag: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>) => Effect.Effect<boolean>
}

const algorithm = { name: "HMAC", hash: "SHA-256" }

/** Makes the functions of one secret. Without a secret the key is random, and only this process knows it. */
export const make = (secret: Redacted.Redacted | undefined): Hmac => {
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let imported: CryptoKey | undefined

  // Nothing is shared before it is complete: no request of a Worker may wait for what another one has started.
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
