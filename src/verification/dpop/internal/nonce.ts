import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { base64url } from "jose"
import * as canonical from "../../../crypto/Base64Url.ts"

/** Nonces that nobody can make up (RFC 9449 §8, §9). There is nothing to remember: a nonce says when it was made, sealed. */
export interface Nonces {
  /** Makes a nonce. `now` is wall-clock time in milliseconds, `since` monotonic time in nanoseconds, of the same moment. */
  readonly issue: (now: number, since: bigint) => Effect.Effect<string>
  /** Tells whether a nonce was issued here, and not too long ago. */
  readonly accepts: (nonce: unknown, now: number, since: bigint) => Effect.Effect<boolean>
}

const timeLength = 8
const sealLength = 32

/** Instances that share a secret may differ by a few seconds about what time it is. */
const clockDifference = 10_000

/**
 * Makes the nonces of one resource. `lifetime` is in milliseconds; without a secret the key is random.
 *
 * With a random key only this process reads its nonces, and their age is monotonic time: a step of the wall clock neither
 * revives nor ends one. Instances that share a secret have only the wall clock in common.
 *
 * The key is made when it is first needed: Workers have no random bytes before the first request, and no request of
 * theirs may wait for what another one has started.
 */
export const make = (secret: Redacted.Redacted | undefined, resource: string, lifetime: number): Nonces => {
  const place = new TextEncoder().encode(resource)
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let imported: CryptoKey | undefined

  const keyOf = async (): Promise<CryptoKey> => {
    if (imported !== undefined) return imported
    bytes ??= secret === undefined
      ? crypto.getRandomValues(new Uint8Array(32))
      : new TextEncoder().encode(Redacted.value(secret))
    const algorithm = { name: "HMAC", hash: "SHA-256" }
    return imported = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"])
  }

  const sealed = (time: Uint8Array): Uint8Array<ArrayBuffer> => {
    const content = new Uint8Array(timeLength + place.length)
    content.set(time)
    content.set(place, timeLength)
    return content
  }

  const momentOf = (now: number, since: bigint): bigint =>
    secret === undefined ? since / 1_000_000n : BigInt(Math.trunc(now))

  return {
    issue: (now, since) =>
      Effect.promise(async () => {
        const nonce = new Uint8Array(timeLength + sealLength)
        new DataView(nonce.buffer).setBigInt64(0, momentOf(now, since))
        const seal = await crypto.subtle.sign("HMAC", await keyOf(), sealed(nonce.subarray(0, timeLength)))
        nonce.set(new Uint8Array(seal), timeLength)
        return base64url.encode(nonce)
      }),
    accepts: (nonce, now, since) => {
      const given = typeof nonce === "string" && nonce.length < 64 ? canonical.decode(nonce) : undefined
      if (given === undefined || given.length !== timeLength + sealLength) return Effect.succeed(false)
      const time = given.slice(0, timeLength)
      // The comparison is WebCrypto's: it takes as long for a seal that is nearly right as for any other.
      const holds = async () => crypto.subtle.verify("HMAC", await keyOf(), given.slice(timeLength), sealed(time))
      return Effect.map(Effect.promise(holds), (holds) => {
        const age = Number(momentOf(now, since) - new DataView(time.buffer).getBigInt64(0))
        return holds && age >= -clockDifference && age < lifetime
      })
    }
  }
}
