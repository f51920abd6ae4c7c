import * as Redacted from "effect/Redacted"

/**
 * Returns the bytes of a secret, or 32 random bytes if there is none. Call it when the key is first needed: a Worker cannot
 * create random bytes while its module loads.
 */
export const secretBytes = (secret: Redacted.Redacted | undefined): Uint8Array<ArrayBuffer> =>
  secret === undefined
    ? crypto.getRandomValues(new Uint8Array(32))
    : new TextEncoder().encode(Redacted.value(secret))
