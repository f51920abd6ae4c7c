/**
 * What was verified is not verified again at once: the memory in front of a verifier.
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
import { type Credentials, lineOf, type Scheme, textOf } from "../../protocol/Credentials.ts"
import * as optionNames from "../../protocol/OptionNames.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { freezePrincipal } from "../claims/Frozen.ts"
import type { Principal } from "../Principal.ts"
import { isJwt, type Present, type Presented, type VerificationError, type Verifier } from "../TokenVerifier.ts"
import * as tokenTarget from "./TokenTarget.ts"

/**
 * How the memory of verdicts is kept.
 *
 * **Details**
 *
 * Nothing is remembered past the end of a token, whatever the times say. A time or a capacity of zero remembers nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * At most this many tokens; what was not used lately goes first, and for a JWT only when it comes for the second time.
   * Default: 10,000.
   */
  readonly capacity?: number | undefined
  /** How long the verdict on a JWT is used again. Default: 5 minutes. */
  readonly jwt?: Duration.Input | undefined
}

/**
 * The options, checked and complete.
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
 * When a cached result may be used again: by the wall clock as long as the token is valid, and by the monotonic clock, which
 * no one can set back, as long as the result is fresh.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reuse {
  /** The start of the token, in milliseconds since 1970. */
  readonly from: number
  /** The end of the token, in milliseconds since 1970. Exclusive. */
  readonly until: number
  /** In milliseconds of the monotonic clock (`Clock.monotonicTimeNanos`). Exclusive. */
  readonly freshUntil: number
  /** Checked at each use: `false` if what the result rests on (a key) is gone. */
  readonly isCurrent?: (() => boolean | Effect.Effect<boolean, VerificationError>) | undefined
}

// Beside the principal, not in it: handlers have no use for it, and verifiers that know nothing of caches stay simple.
const reuses = new WeakMap<Principal, Reuse>()

// Nearly always it is asked for at once. To add every principal to a `WeakMap` would cost more than to make one.
let latest: { readonly principal: Principal; readonly reuse: Reuse } | undefined

const reuseOf = (principal: Principal): Reuse | undefined => {
  if (latest?.principal !== principal) return reuses.get(principal)
  const { reuse } = latest
  latest = undefined
  return reuse
}

/**
 * Says of a fresh principal that a cache may use it again. A verifier that does not say so is asked every time.
 *
 * **When to use**
 *
 * In a verifier of your own behind `TokenCache.make`. For the option `verifier` of `AuthLayer`, its parameter `cached` does
 * this.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reusable = (principal: Principal, reuse: Reuse): Principal => {
  if (latest !== undefined) reuses.set(latest.principal, latest.reuse)
  latest = { principal, reuse }
  return principal
}

/**
 * A verifier whose results a cache may use again for a time, and at most until `expiresAt`. They must depend on the token
 * alone.
 *
 * @category combinators
 * @since 0.1.0
 */
export const timed = <E>(verifier: Verifier<E>, timeToLive: Duration.Duration): Verifier<E> => ({
  verify: (credentials, request) =>
    Effect.flatMap(
      verifier.verify(credentials, request),
      (principal) =>
        Clock.clockWith((clock) =>
          Effect.succeed(reusable(principal, {
            from: Number.NEGATIVE_INFINITY,
            until: principal.expiresAt * 1000,
            freshUntil: monotonic.millisOf(clock) + Duration.toMillis(timeToLive)
          }))
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
 * Which cached results to evict: those of one token, of a subject, of a session (the claim `sid`, which OpenID Connect
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
 * A verifier with a memory.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cached<out E> extends Verifier<E> {
  /**
   * The verdict on a Bearer token that was found good before, where it can be given at once: still valid, its key known to
   * be published, and bound to nothing that the request would have to prove. `undefined` says nothing: `verify` decides.
   * `authorization` is the one `Authorization` line of a request.
   */
  readonly recall: (authorization: string, present: Present) => Principal | undefined
  /**
   * Forgets verdicts, those that are being made included. The next request with such a token is verified anew.
   *
   * **Gotchas**
   *
   * A JWT that its issuer revoked is still a good JWT, and verifying it anew admits it: revoking needs the option
   * `revocation` as well.
   */
  readonly invalidate: (target: Target) => Effect.Effect<void>
}

/** What is remembered of a token. The token is private, so that nothing prints it. */
class Remembered {
  // Unwrapping a `Redacted` is a look-up, and this one is compared on every request.
  readonly #token: string
  /** Exclusive, in monotonic milliseconds. */
  readonly freshUntil: number

  constructor(token: string, freshUntil: number) {
    this.#token = token
    this.freshUntil = freshUntil
  }

  isOf(token: string): boolean {
    return this.#token === token
  }

  hasContent(content: string): boolean {
    return tokenTarget.contentOf(this.#token) === content
  }
}

class Entry extends Remembered {
  readonly key: Key
  readonly scheme: Scheme
  // Compared as it comes in: to cut the token out of each request's line first takes longer than to compare it.
  readonly #line: string
  readonly principal: Principal
  readonly from: number
  /** Exclusive, in milliseconds since 1970. */
  readonly until: number
  readonly isCurrent: Reuse["isCurrent"]
  readonly succeed: Effect.Effect<Principal>
  /** Nothing else of a request has to be judged: the token is no one key's, and came in as if it were none's. */
  readonly stands: boolean
  /** Whether it was used since it was last considered for leaving. */
  used = false

  constructor(credentials: Credentials, key: Key, principal: Principal, reuse: Reuse) {
    super(textOf(credentials), reuse.freshUntil)
    this.key = key
    this.scheme = credentials.scheme
    this.#line = lineOf(credentials)
    this.principal = principal
    this.from = reuse.from
    this.until = reuse.until
    this.isCurrent = reuse.isCurrent
    this.succeed = Effect.succeed(principal)
    this.stands = credentials.scheme === "Bearer" && !Object.hasOwn(principal.claims, "cnf")
  }

  isLine(authorization: string): boolean {
    return this.#line === authorization
  }

  /** `wall` in milliseconds since 1970, `monotonic` in monotonic milliseconds. */
  isUsable(wall: number, monotonic: number): boolean {
    return wall >= this.from && wall < this.until && monotonic < this.freshUntil
  }
}

/** A JWT is found by a number that is made of its end, every other token by its SHA-256. */
type Key = number | string

/** A number made of the last 12 characters of a text. */
const endOf = (text: string): number => {
  let end = 0
  for (let at = text.length - 12; at < text.length; at++) end = Math.imul(end, 31) + text.charCodeAt(at) | 0
  return end
}

/** Shorter tokens are hashed as a whole. */
const shortest = 128

/**
 * The end of a JWT is random: 32 bits of it find an entry without a hash over the whole, which is compared then. Of two
 * tokens with the same number the later one takes the place. A text would do as well, if it had not to be cut out for each
 * request, and to be read in the map.
 */
const tailOf = (text: string): number | undefined => text.length < shortest ? undefined : endOf(text)

/** The ends of opaque tokens may be the same for all. */
const tailOfJwt = (token: string): number | undefined => isJwt(token) ? tailOf(token) : undefined

/** Hands on the hash of a token: at once where the platform can, and where it is known already. */
const withKey = <A, E = never>(
  token: string,
  known: Key | undefined,
  use: (key: Key) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  const key = known ?? sha256(token)
  return key instanceof Promise ? Effect.flatMap(Effect.promise(() => key), use) : use(key)
}

/** How many entries that were used lately are passed over for one that was not. */
const secondChances = 16

/**
 * Who came lately and found no place: a token that comes but once takes none from one that comes again, and leaves nothing
 * behind that has to be collected. Two tokens in one place forget each other, which costs the second a verification.
 */
class Doorkeeper {
  readonly #capacity: number
  #marks: Int32Array | undefined

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Whether this key was here lately; it is from now on. */
  knows(key: Key): boolean {
    const end = typeof key === "number" ? key : endOf(key)
    const mark = Math.imul(end ^ end >>> 15, 0x2c1b3c6d)
    // Most memories are never full, and a server may have one for each tenant.
    const marks = this.#marks ??= new Int32Array(2 ** Math.ceil(Math.log2(2 * this.#capacity)))
    const place = (mark ^ mark >>> 13) & (marks.length - 1)
    const known = marks[place] === mark
    marks[place] = mark
    return known
  }
}

/** Tokens that are not active. Few: whoever makes up tokens must not push the memory about. */
const maximumInactive = 1_000

/**
 * Puts a memory in front of a verifier.
 *
 * **Details**
 *
 * It holds successes, and for a moment what an introspection endpoint called inactive. An opaque token is found by its
 * SHA-256, a JWT by the end of its signature, and then it is the whole token that is compared: none stands in a map in
 * the clear. Each use checks again that the token has begun and not ended, and that its key is still published; scopes
 * are the gate's to check, on every request. The principals that it gives again cannot be changed.
 *
 * A full memory takes in what an introspection endpoint said at once, for what was not used lately. A JWT costs no
 * request to verify again: it takes the place of one that has ended, or has to come for the second time.
 *
 * **Gotchas**
 *
 * What depends on the request and not on the token alone has to be judged outside of it: the proof of the key that a
 * token is bound to (see `Dpop`), for which the claims of the principal name that key.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make = <E>(verifier: Verifier<E>, settings: Settings): Cached<E | VerificationError> => {
  const { capacity } = settings
  const entries = new Map<Key, Entry>()
  const inactive = new Map<Key, Remembered>()
  const doorkeeper = new Doorkeeper(Math.max(1, capacity))
  let invalidations = 0
  /** Whether anything was ever remembered by a hash. */
  let hashes = false

  const forget = (entry: Entry) => {
    if (entries.get(entry.key) === entry) entries.delete(entry.key)
  }

  const oldest = (): Entry | undefined => entries.values().next().value

  const takes = (key: Key, { isCurrent }: Reuse, wall: number, now: number): boolean => {
    if (entries.size < capacity) return true
    // What rests on no key was asked for, and asking again would cost a request.
    return capacity > 0 && (isCurrent === undefined || !oldest()!.isUsable(wall, now) || doorkeeper.knows(key))
  }

  const remember = (entry: Entry) => {
    entries.delete(entry.key)
    entries.set(entry.key, entry)
    // A map keeps the order of insertion: what stands first is the oldest, and stays if it was used since. Moving it to
    // the end at each use would cost every request what this costs the few that bring a new token.
    for (let chances = secondChances; entries.size > capacity; chances--) {
      const first = oldest()!
      if (!first.used || chances === 0) return forget(first)
      first.used = false
      entries.delete(first.key)
      entries.set(first.key, first)
    }
  }

  // `key` is `undefined` for a token that was not looked up, since nothing is remembered by a hash.
  const verifyAnew = (
    credentials: Credentials,
    request: Presented | undefined,
    key: Key | undefined
  ): Effect.Effect<Principal, E> => {
    const before = invalidations
    const verified = verifier.verify(credentials, request)
    // What is rejected by its form leaves nothing to be remembered.
    const rejected = Exit.isExit(verified) ? Result.getOrUndefined(Exit.findError(verified)) : undefined
    if (rejected !== undefined && !isInactive(rejected)) return verified
    return Effect.matchEffect(verified, {
      onSuccess: (found) => {
        const reuse = reuseOf(found)
        if (reuse === undefined || capacity === 0) return Effect.succeed(found)
        const token = textOf(credentials)
        return withKey(token, key, (key) =>
          Clock.clockWith((clock) => {
            const wall = clock.currentTimeMillisUnsafe()
            const now = monotonic.millisOf(clock)
            if (
              !(wall < reuse.until && now < reuse.freshUntil) || invalidations !== before ||
              !takes(key, reuse, wall, now)
            ) return Effect.succeed(found)
            hashes ||= typeof key === "string"
            const entry = new Entry(credentials, key, freezePrincipal(found), reuse)
            remember(entry)
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
              inactive.set(key, new Remembered(token, monotonic.millisOf(clock) + inactiveFor))
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
    key: Key,
    wall: number,
    now: number
  ): Effect.Effect<Principal, E | VerificationError> => {
    const found = entries.get(key)
    // What was judged as bound to a key was not judged without one.
    const entry = found !== undefined && found.isOf(token) && found.scheme === credentials.scheme ? found : undefined
    if (entry === undefined) {
      const rejected = inactive.get(key)
      if (rejected !== undefined && rejected.isOf(token)) {
        if (now < rejected.freshUntil) return failInactive
        inactive.delete(key)
      }
      return verifyAnew(credentials, request, key)
    }
    const again = () => {
      forget(entry)
      return verifyAnew(credentials, request, key)
    }
    if (!entry.isUsable(wall, now)) return again()
    const current = entry.isCurrent === undefined ? true : entry.isCurrent()
    if (current === false) return again()
    if (current === true) {
      entry.used = true
      return entry.succeed
    }
    return Effect.flatMap(current, (holds) => holds && entries.get(key) === entry ? entry.succeed : again())
  }

  return {
    recall: (authorization, { clock, since }) => {
      const tail = tailOf(authorization)
      const entry = tail === undefined ? undefined : entries.get(tail)
      if (entry === undefined || !entry.stands || !entry.isLine(authorization)) return undefined
      if (!entry.isUsable(clock.currentTimeMillisUnsafe(), monotonic.millisOfNanos(since))) return undefined
      if (entry.isCurrent !== undefined && entry.isCurrent() !== true) return undefined
      entry.used = true
      return entry.principal
    },
    verify: (credentials, request, present) => {
      const token = textOf(credentials)
      const tail = tailOfJwt(token)
      // Where every token is a JWT, what is none costs no hash.
      if (tail === undefined && !hashes) return verifyAnew(credentials, request, undefined)
      const at = (clock: Clock.Clock, now: number) =>
        withKey(
          token,
          tail,
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
        for (const entry of entries.values()) {
          if (isMeant(entry.principal)) forget(entry)
        }
        if (target === "everything") inactive.clear()
        else if ("token" in target) {
          const content = tokenTarget.contentOf(String(Redacted.value(target.token)))
          for (const [key, rejected] of inactive) {
            if (rejected.hasContent(content)) inactive.delete(key)
          }
        }
        return Effect.void
      })
  }
}

const failInactive = Effect.fail(new InvalidToken({ reason: "inactive" }))

const isInactive = (error: unknown): error is InvalidToken =>
  error instanceof InvalidToken && error.reason === "inactive"
