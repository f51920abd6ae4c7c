import * as Effect from "effect/Effect"
import { type Secret, secretBytes } from "./internal/secretBytes.ts"

/* Derives keys by HKDF-SHA-256 (RFC 5869) with WebCrypto. */

/** Derives `length` bytes from a secret. `info` names the purpose of the bytes. The salt is empty. */
export const derive = (secret: Secret, info: string, length: number): Effect.Effect<Uint8Array<ArrayBuffer>> =>
  Effect.promise(async () => {
    const parameters = {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(0),
      info: new TextEncoder().encode(info)
    }
    const key = await crypto.subtle.importKey("raw", secretBytes(secret), "HKDF", false, ["deriveBits"])
    return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, length * 8))
  })
