import * as Redacted from "effect/Redacted"

/** A secret: a text, or bytes that were derived from one. */
export type Secret = Redacted.Redacted | Redacted.Redacted<Uint8Array<ArrayBuffer>>

/**
 * Returns the bytes of a secret, or 32 random bytes if there is none. Call it when the key is first needed: a Worker cannot
 * create random bytes while its module loads.
 */
export const secretBytes = (secret: Secret | undefined): Uint8Array<ArrayBuffer> => {
  if (secret === undefined) return crypto.getRandomValues(new Uint8Array(32))
  const value = Redacted.value<string | Uint8Array<ArrayBuffer>>(secret)
  return typeof value === "string" ? new TextEncoder().encode(value) : value
}
