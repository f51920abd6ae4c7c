/**
 * Caches successful verifications.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { sha256 } from "../../crypto/Sha256.ts"
import { AuthConfigError, InvalidToken } from "../../protocol/AuthError.ts"
import { type Credentials, textOf } from "../../protocol/Credentials.ts"
import * as optionNames from "../../protocol/OptionNames.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Principal } from "../Principal.ts"
import type { Present, Presented, VerificationError, Verified, Verifier } from "../TokenVerifier.ts"
import * as verifiedTable from "./internal/verifiedTable.ts"
import * as tokenTarget from "./TokenTarget.ts"

/**
 * Configures the cache.
 *
 * **Details**
 *
 * No result is used after the end of its token. A time or a capacity of zero caches nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * At most this many tokens. A full cache evicts those that were not used recently, and for a JWT only when that is presented
   * for the second time. Default: 10,000.
   */
  readonly capacity?: number | undefined
  /** How long the result for a JWT is used again. Default: 5 minutes. */
  readonly jwt?: Duration.Input | undefined
}

/**
 * Holds the options, checked and complete.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly capacity: number
  readonly jwt: Duration.Duration
  /**
   * When something was invalidated last: older answers do not count. `at` in milliseconds since 1970, for answers that
   * instances share; `since` in monotonic milliseconds, for those of this instance.
   */
  readonly forgotten: { at: number; since: number }
}

/**
 * Checks the options. `option` is the name that an error gives to them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settings = (options: Options = {}, option = "tokenCache"): Result.Result<Settings, AuthConfigError> =>
  Result.gen(function*() {
    yield* optionNames.check(options, option, names)
    const jwt = options.jwt === undefined ? Duration.minutes(5) : OptionValue.toDuration(options.jwt)
    if (jwt === undefined || Duration.isNegative(jwt) || !Duration.isLessThanOrEqualTo(jwt, Duration.hours(1))) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option: `${option}.jwt`,
          fix: `${OptionValue.isNot(options.jwt, "a duration from 0 (caches nothing) to 1h")}. Leave it out for 5m`
        })
      )
    }
    const capacity = options.capacity ?? 10_000
    if (!Number.isSafeInteger(capacity) || capacity < 0 || capacity > 1_000_000) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option: `${option}.capacity`,
          fix: `${
            OptionValue.isNot(capacity, "a whole number from 0 (caches nothing) to 1000000")
          }. Leave it out for 10000`
        })
      )
    }
    return {
      capacity,
      jwt,
      forgotten: { at: Number.NEGATIVE_INFINITY, since: Number.NEGATIVE_INFINITY }
    }
  })

const names: Readonly<Record<keyof Options, true>> = {
  capacity: true,
  jwt: true
}

/**
 * Lets a cache use the results of a verifier again for a time, and at most until `expiresAt`. They must depend on the token
 * alone.
 *
 * @category combinators
 * @since 0.1.0
 */
export const timed = <E>(verifier: Verifier<E>, timeToLive: Duration.Duration): Verifier<E> => ({
  verify: (credentials, request) =>
    Effect.flatMap(
      verifier.verify(credentials, request),
      ({ principal }) =>
        Clock.clockWith((clock) =>
          Effect.succeed({
            principal,
            reuse: {
              from: Number.NEGATIVE_INFINITY,
              until: principal.expiresAt * 1000,
              freshUntil: monotonic.millisOf(clock) + Duration.toMillis(timeToLive)
            }
          })
        )
    )
})

const rejectedFor = new WeakMap<InvalidToken, number>()

/** How long a cache rejects an inactive token if its verifier does not say so, in milliseconds. */
const defaultInactive = 5_000

/**
 * Makes the error of an inactive token. A cache rejects the token for this time without verifying it again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const rejectFor = (time: Duration.Duration): InvalidToken => {
  const error = new InvalidToken({ reason: "inactive" })
  rejectedFor.set(error, Duration.toMillis(time))
  return error
}

/**
 * Names the cached results to evict: those of one token, of a subject, of a session (the claim `sid`, which OpenID Connect
 * Back-Channel Logout names), of a client (`Principal.clientId`), or all. Without `issuer`, those of all issuers.
 *
 * **Details**
 *
 * A JWT is identified by what is signed, and by `iss` and `jti` where it has both. Its signature does not count: an ECDSA
 * signature has a second form that is valid and that anyone can compute.
 *
 * @category models
 * @since 0.1.0
 */
export type Target = tokenTarget.Target

/**
 * Returns whether a target means the token of a principal. Throws `AuthConfigError` for a target that does not name exactly
 * one thing.
 *
 * @category decisions
 * @since 0.1.0
 */
export const matcher = (target: Target): (principal: Principal) => boolean => {
  tokenTarget.check(target, "invalidate")
  return tokenTarget.matcher(target)
}

/**
 * A verifier with a cache.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cached<out E> extends Verifier<E> {
  /**
   * Returns the principal of a Bearer token that is cached, if it can be used without waiting: it is still valid, its key is
   * known to be published, and it is bound to nothing that the request would have to prove. Otherwise call `verify`.
   * `authorization` is the one `Authorization` line of a request.
   */
  readonly lookupVerified: (authorization: string, present: Present) => Principal | undefined
  /**
   * Evicts cached results, those in progress included. The next request with such a token verifies it again.
   *
   * **Gotchas**
   *
   * A JWT that its issuer revoked is still a valid JWT, and verifying it again admits it. To revoke JWTs, use the option
   * `revocation` as well.
   */
  readonly invalidate: (target: Target) => Effect.Effect<void>
}

/** The inactive tokens that are cached. Few, so that a client that invents tokens cannot evict those of others. */
const maximumInactive = 1_000

/**
 * Puts a cache in front of a verifier.
 *
 * **Details**
 *
 * It holds successes, and for a moment the tokens that an introspection endpoint called inactive. Each use checks again that
 * the token has begun and not ended, and that its key is still published. The gate checks scopes on every request. The
 * principals that the cache returns cannot be changed. No token is a key of a map in clear text.
 *
 * A full cache takes in the result of an introspection at once, for a token that was not used recently. A JWT costs no
 * request to verify again: it takes the place of one that has ended, or has to be presented for the second time.
 *
 * **Gotchas**
 *
 * A result that depends on the request, and not on the token alone, has to be checked outside of the cache: such as the proof
 * of the key that a token is bound to (see `Dpop`). The claims of the principal name that key.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make = <E>(verifier: Verifier<E>, settings: Settings): Cached<E | VerificationError> => {
  const { capacity } = settings
  const table = verifiedTable.make(capacity)
  const inactive = new Map<verifiedTable.Key, verifiedTable.CachedToken>()
  let invalidations = 0
  /** Whether anything was ever cached under a hash. */
  let hashes = false

  // `key` is `undefined` for a token that was not looked up, since nothing is cached under a hash.
  const verifyAgain = (
    credentials: Credentials,
    request: Presented | undefined,
    key: verifiedTable.Key | undefined
  ): Effect.Effect<Verified, E> => {
    const before = invalidations
    const verified = verifier.verify(credentials, request)
    // A token that is rejected by its form leaves nothing to be cached.
    const rejected = Exit.isExit(verified) ? Result.getOrUndefined(Exit.findError(verified)) : undefined
    if (rejected !== undefined && !isInactive(rejected)) return verified
    return Effect.matchEffect(verified, {
      onSuccess: (found) => {
        const reuse = found?.reuse
        if (reuse === undefined || capacity === 0) return Effect.succeed(found)
        return withKey(textOf(credentials), key, (key) =>
          Clock.clockWith((clock) => {
            const wall = clock.currentTimeMillisUnsafe()
            const now = monotonic.millisOf(clock)
            if (!(wall < reuse.until && now < reuse.freshUntil) || invalidations !== before) {
              return Effect.succeed(found)
            }
            const entry = table.put(credentials, key, found.principal, reuse, wall, now)
            if (entry === undefined) return Effect.succeed(found)
            hashes ||= typeof key === "string"
            return entry.succeed
          }))
      },
      onFailure: (error) => {
        const inactiveFor = isInactive(error) ? rejectedFor.get(error) ?? defaultInactive : 0
        if (inactiveFor === 0) return Effect.fail(error)
        const token = textOf(credentials)
        return withKey(token, key, (key) =>
          Clock.clockWith((clock) => {
            if (invalidations === before) {
              hashes ||= typeof key === "string"
              inactive.delete(key)
              inactive.set(key, new verifiedTable.CachedToken(token, monotonic.millisOf(clock) + inactiveFor))
              if (inactive.size > maximumInactive) inactive.delete(inactive.keys().next().value!)
            }
            return Effect.fail(error)
          }))
      }
    })
  }

  const verify = (
    credentials: Credentials,
    request: Presented | undefined,
    token: string,
    key: verifiedTable.Key,
    wall: number,
    now: number
  ): Effect.Effect<Verified, E | VerificationError> => {
    const entry = table.find(key, token, credentials.scheme)
    if (entry === undefined) {
      const rejected = inactive.get(key)
      if (rejected !== undefined && rejected.isOf(token)) {
        if (now < rejected.freshUntil) return failInactive
        inactive.delete(key)
      }
      return verifyAgain(credentials, request, key)
    }
    const again = () => {
      table.delete(entry)
      return verifyAgain(credentials, request, key)
    }
    if (!entry.isUsable(wall, now)) return again()
    const current = entry.isCurrent === undefined ? true : entry.isCurrent()
    if (current === false) return again()
    if (current === true) {
      entry.used = true
      return entry.succeed
    }
    return Effect.flatMap(current, (holds) => holds && table.has(entry) ? entry.succeed : again())
  }

  return {
    lookupVerified: table.lookupVerified,
    verify: (credentials, request, present) => {
      const token = textOf(credentials)
      const key = verifiedTable.keyOfJwt(token)
      // While every cached token is a JWT, no other token needs a hash.
      if (key === undefined && !hashes) return verifyAgain(credentials, request, undefined)
      const at = (clock: Clock.Clock, now: number) =>
        withKey(
          token,
          key,
          (key) => verify(credentials, request, token, key, clock.currentTimeMillisUnsafe(), now)
        )
      return present !== undefined
        ? at(present.clock, monotonic.millisOfNanos(present.since))
        : Clock.clockWith((clock) => at(clock, monotonic.millisOf(clock)))
    },
    // Without waiting: a request that is verified again afterwards must not find what is evicted here.
    invalidate: (target) =>
      Clock.clockWith((clock) => {
        const isMeant = matcher(target)
        invalidations++
        settings.forgotten.at = clock.currentTimeMillisUnsafe()
        settings.forgotten.since = monotonic.millisOf(clock)
        table.evict(isMeant)
        if (target === "everything") inactive.clear()
        else if ("token" in target) {
          const content = tokenTarget.contentOf(String(Redacted.value(target.token)))
          for (const [key, rejected] of inactive) {
            if (tokenTarget.contentOf(rejected.text) === content) inactive.delete(key)
          }
        }
        return Effect.void
      })
  }
}

/** Passes on the key of a token, which is a hash if it is not a JWT: at once where the platform can, and where it is known already. */
const withKey = <A, E = never>(
  token: string,
  known: verifiedTable.Key | undefined,
  use: (key: verifiedTable.Key) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  const key = known ?? sha256(token)
  return key instanceof Promise ? Effect.flatMap(Effect.promise(() => key), use) : use(key)
}

const failInactive = Effect.fail(new InvalidToken({ reason: "inactive" }))

const isInactive = (error: unknown): error is InvalidToken =>
  error instanceof InvalidToken && error.reason === "inactive"
