import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as base64url from "../../../crypto/Base64Url.ts"
import * as Hmac from "../../../crypto/Hmac.ts"

/**
 * Creates and checks nonces that only this server can create (RFC 9449 §8, §9). Nonces are not stored. Each one contains the time
 * at which it was issued, authenticated with the secret.
 */
export interface Nonces {
  /** Creates a nonce. `now` is wall-clock time in milliseconds, and `since` is the same moment in monotonic nanoseconds. */
  readonly issue: (now: number, since: bigint) => Effect.Effect<string>
  /** Checks that a nonce was issued by this server and has not expired. */
  readonly accepts: (nonce: unknown, now: number, since: bigint) => Effect.Effect<boolean>
}

const timeLength = 8
const tagLength = 32

/** Accepted difference between the clocks of instances that share a secret, in milliseconds. */
const clockDifference = 10_000

/**
 * Creates the functions for one resource. `lifetime` is in milliseconds. Without a secret, a random key authenticates nonces.
 *
 * If the key is random, only this process accepts the nonces. So their age is measured in monotonic time, which steps of the
 * wall clock do not affect. Instances that share a secret measure the age with the wall clock, because they have no other clock
 * in common.
 */
export const make = (secret: Redacted.Redacted | undefined, resource: string, lifetime: number): Nonces => {
  const hmac = Hmac.make(secret)
  const suffix = new TextEncoder().encode(resource)

  const contentOf = (time: Uint8Array): Uint8Array<ArrayBuffer> => {
    const content = new Uint8Array(timeLength + suffix.length)
    content.set(time)
    content.set(suffix, timeLength)
    return content
  }

  const momentOf = (now: number, since: bigint): bigint =>
    secret === undefined ? since / 1_000_000n : BigInt(Math.trunc(now))

  return {
    issue: (now, since) => {
      const nonce = new Uint8Array(timeLength + tagLength)
      new DataView(nonce.buffer).setBigInt64(0, momentOf(now, since))
      return Effect.map(hmac.sign(contentOf(nonce.subarray(0, timeLength))), (tag) => {
        nonce.set(tag, timeLength)
        return base64url.encode(nonce)
      })
    },
    accepts: (nonce, now, since) => {
      const given = typeof nonce === "string" && nonce.length < 64 ? base64url.decode(nonce) : undefined
      if (given === undefined || given.length !== timeLength + tagLength) return Effect.succeed(false)
      const time = given.slice(0, timeLength)
      return Effect.map(hmac.verify(given.slice(timeLength), contentOf(time)), (isValid) => {
        const age = Number(momentOf(now, since) - new DataView(time.buffer).getBigInt64(0))
        return isValid && age >= -clockDifference && age < lifetime
      })
    }
  }
}
