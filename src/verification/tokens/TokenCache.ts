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
import { type AuthConfigError, InvalidToken } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { type Credentials, textOf } from "../../protocol/Credentials.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Principal } from "../Principal.ts"
import type { PresentedRequest, RequestTiming, VerificationError, Verified, Verifier } from "../TokenVerifier.ts"
import * as verifiedTable from "./internal/verifiedTable.ts"
import * as tokenTarget from "./TokenTarget.ts"

/**
 * Configures the cache.
 *
 * **Details**
 *
 * A result is never used after its token expires. If `capacity` is 0, no verified tokens are cached. If `jwt` is 0, no JWTs are
 * cached.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Maximum number of cached tokens. A full cache evicts tokens that were not used recently. A new JWT replaces such a token
   * only when the JWT is presented for the second time. Default: 10,000.
   */
  readonly capacity?: number | undefined
  /** How long the result for a JWT is reused. Default: 5 minutes. */
  readonly jwt?: Duration.Input | undefined
}

/**
 * Contains the checked options, with defaults applied.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly capacity: number
  readonly jwt: Duration.Duration
  /**
   * The time of the last invalidation. Introspection responses from before this time are not used. `at` is in milliseconds
   * since 1970, for responses that instances share. `since` is in monotonic milliseconds, for responses to this instance.
   */
  readonly lastInvalidation: { at: number; since: number }
}

/**
 * Checks the options. `option` is their path in error messages.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settings = (given: Options = {}, option = "tokenCache"): Result.Result<Settings, AuthConfigError> =>
  ConfigOption.attempt(() => {
    ConfigOption.check(given, option, table)
    return {
      capacity: given.capacity ?? table.capacity.default,
      jwt: Duration.fromInputUnsafe(given.jwt ?? table.jwt.default),
      lastInvalidation: { at: Number.NEGATIVE_INFINITY, since: Number.NEGATIVE_INFINITY }
    }
  })

const table = {
  capacity: ConfigOption.wholeNumber(0, 10_000, 1_000_000),
  jwt: ConfigOption.duration("0 seconds", "1 hour", "5 minutes")
} satisfies ConfigOption.Table<keyof Options>

/**
 * Allows a cache to reuse the results of a verifier for a limited time, and at most until the token expires. The results must
 * depend on the token only.
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

/** How long a cache rejects an inactive token if its verifier sets no time, in milliseconds. */
const defaultInactive = 5_000

/**
 * Creates the error for an inactive token. For the duration `time`, a cache rejects the token without verifying it again.
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
 * Selects the cached results to evict: those of one token, of a subject, of a session (the claim `sid` of OpenID Connect
 * Back-Channel Logout), of a client (`Principal.clientId`), or all. Without `issuer`, results of all issuers are evicted.
 *
 * **Details**
 *
 * A JWT is identified by its signed content, and by `iss` and `jti` if it has both. Its signature is ignored, because an ECDSA
 * signature has a second valid form that anyone can compute.
 *
 * @category models
 * @since 0.1.0
 */
export type Target = tokenTarget.Target

/**
 * Creates a predicate that tells whether a target selects the token of a principal. Throws `AuthConfigError` if the target is
 * not `"everything"` and does not have exactly one of `token`, `subject`, `session` and `client`.
 *
 * @category decisions
 * @since 0.1.0
 */
export const matcher = (target: Target): (principal: Principal) => boolean => {
  tokenTarget.check(target, "invalidate")
  return tokenTarget.matcher(target)
}

/**
 * Verifies tokens with a cache.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cached<out E> extends Verifier<E> {
  /**
   * Returns the cached principal of a Bearer token, if it can be used without waiting: the token is still valid, the key that
   * signed it is still published, and the token is not bound to a key of the client. If this returns `undefined`, call
   * `verify`. `authorization` is the value of the only `Authorization` header of the request.
   */
  readonly lookupVerified: (authorization: string, timing: RequestTiming) => Principal | undefined
  /**
   * Evicts cached results, including those in progress. The next request with such a token verifies it again.
   *
   * **Gotchas**
   *
   * A revoked JWT still has a valid signature, so the next verification accepts it. To revoke JWTs, use the option
   * `revocation` as well.
   */
  readonly invalidate: (target: Target) => Effect.Effect<void>
}

/**
 * Adds a cache to a verifier.
 *
 * **Details**
 *
 * The cache contains successful results and, for a few seconds, tokens that an introspection endpoint reported as inactive.
 * Each use checks again that the token is valid at this time and that its key is still published. The gate checks scopes on
 * every request. The returned principals are immutable. Tokens are not stored as map keys in clear text.
 *
 * If the cache is full, the result of an introspection is cached at once and replaces a token that was not used recently. A JWT
 * can be verified again without a request. So a full cache stores the result for a JWT only if it replaces an expired result,
 * or if the JWT is presented for the second time.
 *
 * **Gotchas**
 *
 * Anything that depends on the request and not only on the token must be checked outside of the cache, such as the proof of
 * the key that a token is bound to (see `Dpop`). The claim `cnf` of the principal contains the thumbprint of that key.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make = <E>(verifier: Verifier<E>, settings: Settings): Cached<E | VerificationError> => {
  const results = makeResultStore(settings)
  const { inactive, table } = results

  // If the key of a token is a hash and no result was ever cached under a hash, the token is not looked up, and `key` is
  // `undefined`.
  const verifyAgain = (
    credentials: Credentials,
    request: PresentedRequest | undefined,
    key: verifiedTable.Key | undefined
  ): Effect.Effect<Verified, E> => {
    const cache = results.begin()
    const verified = verifier.verify(credentials, request)
    // A synchronous rejection, for example because of an invalid format, is returned without caching, because only rejections
    // of inactive tokens are cached.
    const rejected = Exit.isExit(verified) ? Result.getOrUndefined(Exit.findError(verified)) : undefined
    if (rejected !== undefined && !isInactive(rejected)) return verified
    return Effect.matchEffect(verified, {
      onSuccess: (found) => {
        const result = Effect.succeed(found)
        const reuse = found?.reuse
        return reuse === undefined || settings.capacity === 0
          ? result
          : cache(result, textOf(credentials), key, (key, clock) => {
            const wall = clock.currentTimeMillisUnsafe()
            const now = monotonic.millisOf(clock)
            return wall < reuse.until && now < reuse.freshUntil
              ? table.put(credentials, key, found.principal, reuse, wall, now)?.succeed
              : undefined
          })
      },
      onFailure: (error) => {
        const result = Effect.fail(error)
        const inactiveFor = isInactive(error) ? rejectedFor.get(error) ?? defaultInactive : 0
        if (inactiveFor === 0) return result
        const token = textOf(credentials)
        return cache(result, token, key, (key, clock) => {
          inactive.add(key, token, monotonic.millisOf(clock) + inactiveFor)
          return result
        })
      }
    })
  }

  const verify = (
    credentials: Credentials,
    request: PresentedRequest | undefined,
    token: string,
    key: verifiedTable.Key,
    wall: number,
    now: number
  ): Effect.Effect<Verified, E | VerificationError> => {
    const entry = table.find(key, token, credentials.scheme)
    if (entry === undefined) {
      return inactive.has(key, token, now) ? failInactive : verifyAgain(credentials, request, key)
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
    return Effect.flatMap(current, (isStillCurrent) => isStillCurrent && table.has(entry) ? entry.succeed : again())
  }

  return {
    lookupVerified: table.lookupVerified,
    verify: (credentials, request, timing) => {
      const token = textOf(credentials)
      const key = verifiedTable.keyOfJwt(token)
      // If no result was ever cached under a hash, a look-up by hash would find nothing, so the hash is not computed.
      if (key === undefined && !results.hasHashes()) return verifyAgain(credentials, request, undefined)
      const at = (clock: Clock.Clock, now: number) =>
        withKey(
          token,
          key,
          (key) => verify(credentials, request, token, key, clock.currentTimeMillisUnsafe(), now)
        )
      return timing !== undefined
        ? at(timing.clock, monotonic.millisOfNanos(timing.since))
        : Clock.clockWith((clock) => at(clock, monotonic.millisOf(clock)))
    },
    invalidate: results.invalidate
  }
}

/** Creates the store of results: verified tokens and inactive tokens. */
const makeResultStore = ({ capacity, lastInvalidation }: Settings) => {
  const table = verifiedTable.make(capacity)
  const inactive = inactiveTokens()
  let invalidations = 0
  /** Whether any result was ever cached under a hash. */
  let hasHashes = false
  return {
    table,
    inactive,
    hasHashes: () => hasHashes,
    /**
     * Returns a function that caches a result with `put`, unless an invalidation happened after the call of `begin`. `known` is
     * the key of the token, or `undefined` if it must be computed.
     */
    begin: () => {
      const before = invalidations
      return <A, E>(
        result: Effect.Effect<A, E>,
        token: string,
        known: verifiedTable.Key | undefined,
        put: (key: verifiedTable.Key, clock: Clock.Clock) => Effect.Effect<A, E> | undefined
      ): Effect.Effect<A, E> =>
        withKey(token, known, (key) =>
          Clock.clockWith((clock) => {
            const cached = invalidations === before ? put(key, clock) : undefined
            if (cached !== undefined) hasHashes ||= typeof key === "string"
            return cached ?? result
          }))
    },
    // All steps are synchronous, so that a verification that starts afterwards cannot find an evicted result.
    invalidate: (target: Target) =>
      Clock.clockWith((clock) => {
        const isTargeted = matcher(target)
        invalidations++
        lastInvalidation.at = clock.currentTimeMillisUnsafe()
        lastInvalidation.since = monotonic.millisOf(clock)
        table.evict(isTargeted)
        inactive.evict(target)
        return Effect.void
      })
  }
}

/** Maximum number of cached inactive tokens. */
const maximumInactive = 1_000

/** Creates the cache of tokens that an introspection endpoint reported as inactive. Times are in monotonic milliseconds. */
const inactiveTokens = () => {
  const tokens = new BoundedMap<verifiedTable.Key, verifiedTable.CachedToken>(maximumInactive)
  return {
    add: (key: verifiedTable.Key, token: string, until: number): void => {
      tokens.set(key, new verifiedTable.CachedToken(token, until))
    },
    has: (key: verifiedTable.Key, token: string, now: number): boolean => {
      const known = tokens.get(key)
      if (known === undefined || !known.isOf(token)) return false
      if (now < known.freshUntil) return true
      tokens.delete(key)
      return false
    },
    evict: (target: Target): void => {
      if (target !== "everything" && !("token" in target)) return
      const content = target === "everything" ? undefined : tokenTarget.contentOf(String(Redacted.value(target.token)))
      for (const key of tokens.keys()) {
        if (content === undefined || tokenTarget.contentOf(tokens.get(key)!.text) === content) tokens.delete(key)
      }
    }
  }
}

/** Calls `use` with the key `known`, without waiting. If `known` is `undefined`, calls `use` with the hash of the token. */
const withKey = <A, E = never>(
  token: string,
  known: verifiedTable.Key | undefined,
  use: (key: verifiedTable.Key) => Effect.Effect<A, E>
): Effect.Effect<A, E> => known === undefined ? Effect.flatMapEager(sha256(token), use) : use(known)

const failInactive = Effect.fail(new InvalidToken({ reason: "inactive" }))

const isInactive = (error: unknown): error is InvalidToken =>
  error instanceof InvalidToken && error.reason === "inactive"
