/**
 * What was verified is not verified again at once: the memory in front of a verifier.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { AuthConfigError, InvalidToken } from "../protocol/AuthError.ts"
import type { Scheme } from "../protocol/Credentials.ts"
import { freezePrincipal } from "./internal/frozen.ts"
import { sha256 } from "./internal/sha256.ts"
import type { Principal } from "./Principal.ts"
import type { VerificationError, Verifier } from "./TokenVerifier.ts"

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
  /** At most this many tokens; what was not used lately goes first. Default: 10,000. */
  readonly capacity?: number | undefined
  /** How long the verdict on a JWT is used again. Default: 5 minutes. */
  readonly jwt?: Duration.Input | undefined
  /** How long an answer of an introspection endpoint is used again: revocation is seen within that time. Default: 1 minute. */
  readonly introspection?: Duration.Input | undefined
  /** How long a token that the endpoint called inactive is refused without asking again. Default: 5 seconds. */
  readonly inactive?: Duration.Input | undefined
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
  readonly introspection: Duration.Duration
  readonly inactive: Duration.Duration
  /** When something was forgotten last, in milliseconds: answers that are older count no more. */
  readonly forgotten: { at: number }
}

/**
 * Checks the options. `option` is the name that an error gives to them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settings = (options: Options = {}, option = "tokenCache"): Result.Result<Settings, AuthConfigError> =>
  Result.gen(function*() {
    const time = (
      name: "jwt" | "introspection" | "inactive",
      fallback: Duration.Duration,
      longest: Duration.Duration
    ) => {
      const input = options[name]
      if (input === undefined) return Result.succeed(fallback)
      const duration = Duration.fromInput(input)
      return duration._tag === "Some" && !Duration.isNegative(duration.value) &&
          Duration.isLessThanOrEqualTo(duration.value, longest)
        ? Result.succeed(duration.value)
        : Result.fail(
          new AuthConfigError({
            reason: "malformed",
            option: `${option}.${name}`,
            fix: `give a duration from 0 (remembers nothing) to ${Duration.format(longest)}, such as "1 minute"`
          })
        )
    }
    const capacity = options.capacity ?? 10_000
    if (!Number.isSafeInteger(capacity) || capacity < 0 || capacity > 1_000_000) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option: `${option}.capacity`,
          fix: "give a whole number from 0 (remembers nothing) to 1000000; 10000 is the default"
        })
      )
    }
    return {
      capacity,
      jwt: yield* time("jwt", Duration.minutes(5), Duration.hours(1)),
      introspection: yield* time("introspection", Duration.minutes(1), Duration.hours(1)),
      inactive: yield* time("inactive", Duration.seconds(5), Duration.minutes(1)),
      forgotten: { at: Number.NEGATIVE_INFINITY }
    }
  })

/**
 * When a verdict may be used again. Moments in milliseconds since 1970.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reuse {
  readonly from: number
  /** Exclusive. At most the end of the token. */
  readonly until: number
  /** Asked at each use, with the time: `false` when what the verdict rests on (a key) is gone. */
  readonly isCurrent?: ((now: number) => boolean | Effect.Effect<boolean, VerificationError>) | undefined
}

// Beside the principal, not in it: handlers have no use for it, and verifiers that know nothing of caches stay simple.
const reuses = new WeakMap<Principal["Service"], Reuse>()

/**
 * Says of a fresh principal that a cache may use it again. A verifier that does not say so is asked every time.
 *
 * **When to use**
 *
 * In a verifier of your own, on what it succeeds with.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reusable = (principal: Principal["Service"], reuse: Reuse): Principal["Service"] => {
  reuses.set(principal, reuse)
  return principal
}

/**
 * What to forget: a token; everything of a subject (of all issuers, unless one is named); everything of a session (the
 * claim `sid`, which OpenID Connect Back-Channel Logout names); or all.
 *
 * @category models
 * @since 0.1.0
 */
export type Target =
  | { readonly token: Redacted.Redacted }
  | { readonly subject: string; readonly issuer?: string | undefined }
  | { readonly session: string; readonly issuer?: string | undefined }
  | "everything"

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
   * `now` is in milliseconds.
   */
  readonly recall: (token: string, now: number) => Principal["Service"] | undefined
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

class Entry {
  // Private, so that nothing prints it. Unwrapping a `Redacted` is a look-up, and this one is compared on every request.
  readonly #token: string
  readonly key: string
  readonly tail: string | undefined
  readonly scheme: Scheme
  readonly principal: Principal["Service"]
  readonly reuse: Reuse
  readonly succeed: Effect.Effect<Principal["Service"]>
  /** Nothing else of a request has to be judged: the token is no one key's, and came in as if it were none's. */
  readonly stands: boolean
  /** Whether it was used since it was last considered for leaving. */
  used = false

  constructor(token: string, key: string, scheme: Scheme, principal: Principal["Service"], reuse: Reuse) {
    this.#token = token
    this.key = key
    this.tail = tailOf(token)
    this.scheme = scheme
    this.principal = principal
    this.reuse = reuse
    this.succeed = Effect.succeed(principal)
    this.stands = scheme === "Bearer" && !Object.hasOwn(principal.claims, "cnf")
  }

  isOf(token: string): boolean {
    return this.#token === token
  }
}

/** The end of a token: random in a JWT, so that it finds an entry without a hash over the whole. */
const tailLength = 32

/** Shorter tokens have no tail: it would be most of a token, in the clear. */
const shortest = 4 * tailLength

const tailOf = (token: string): string | undefined => token.length < shortest ? undefined : token.slice(-tailLength)

/** How many entries that were used lately are passed over for one that was not. */
const secondChances = 16

/** Tokens that are not active. Few: whoever makes up tokens must not push the memory about. */
const maximumInactive = 1_000

/**
 * Puts a memory in front of a verifier.
 *
 * **Details**
 *
 * It holds successes, and for a moment what an introspection endpoint called inactive. The key is the whole SHA-256 of
 * the token, and no token stands in a map in the clear. What was used lately is found by the end of the token first, and
 * then it is the whole token that is compared. Each use checks again that the token has begun and not ended, and that its key is still published; scopes
 * are the gate's to check, on every request. The principals it gives cannot be changed.
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
  const inactiveFor = Duration.toMillis(settings.inactive)
  const entries = new Map<string, Entry>()
  const tails = new Map<string, Entry>()
  const inactive = new Map<string, number>()
  let invalidations = 0

  const forget = (entry: Entry) => {
    if (entries.get(entry.key) === entry) entries.delete(entry.key)
    if (entry.tail !== undefined && tails.get(entry.tail) === entry) tails.delete(entry.tail)
  }

  const remember = (entry: Entry) => {
    const before = entries.get(entry.key)
    if (before !== undefined) forget(before)
    entries.set(entry.key, entry)
    if (entry.tail !== undefined) tails.set(entry.tail, entry)
    // A map keeps the order of insertion: what stands first is the oldest, and stays if it was used since. Moving it to
    // the end at each use would cost every request what this costs the few that bring a new token.
    for (let chances = secondChances; entries.size > capacity; chances--) {
      const oldest: Entry = entries.values().next().value!
      if (!oldest.used || chances === 0) return forget(oldest)
      oldest.used = false
      entries.delete(oldest.key)
      entries.set(oldest.key, oldest)
    }
  }

  const verifyAnew = (
    [credentials, request]: Parameters<Verifier<E>["verify"]>,
    key: string
  ): Effect.Effect<Principal["Service"], E> => {
    const before = invalidations
    return Effect.matchEffect(verifier.verify(credentials, request), {
      onSuccess: (found) => {
        const reuse = reuses.get(found)
        if (reuse === undefined || capacity === 0) return Effect.succeed(found)
        return Clock.clockWith((clock) => {
          if (reuse.until <= clock.currentTimeMillisUnsafe() || invalidations !== before) return Effect.succeed(found)
          const { scheme, token } = credentials
          const entry = new Entry(Redacted.value(token), key, scheme, freezePrincipal(found), reuse)
          remember(entry)
          return entry.succeed
        })
      },
      onFailure: (error) => {
        if (!isInactive(error) || inactiveFor === 0) return Effect.fail(error)
        return Clock.clockWith((clock) => {
          if (invalidations === before) {
            inactive.delete(key)
            inactive.set(key, clock.currentTimeMillisUnsafe() + inactiveFor)
            if (inactive.size > maximumInactive) inactive.delete(inactive.keys().next().value!)
          }
          return Effect.fail(error)
        })
      }
    })
  }

  const verify = (
    presented: Parameters<Verifier<E>["verify"]>,
    key: string,
    now: number
  ): Effect.Effect<Principal["Service"], E | VerificationError> => {
    const found = entries.get(key)
    // A hash is over bytes, and some strings that no header can hold have the same ones.
    const isSame = found !== undefined && found.isOf(Redacted.value(presented[0].token))
    // What was judged as bound to a key was not judged without one.
    const entry = isSame && found.scheme === presented[0].scheme ? found : undefined
    if (entry === undefined) {
      const until = inactive.get(key)
      if (until === undefined) return verifyAnew(presented, key)
      if (now < until) return failInactive
      inactive.delete(key)
      return verifyAnew(presented, key)
    }
    const { reuse } = entry
    const again = () => {
      forget(entry)
      return verifyAnew(presented, key)
    }
    if (now < reuse.from || now >= reuse.until) return again()
    const current = reuse.isCurrent === undefined ? true : reuse.isCurrent(now)
    if (current === false) return again()
    if (current === true) {
      entry.used = true
      return entry.succeed
    }
    return Effect.flatMap(current, (holds) => holds && entries.get(key) === entry ? entry.succeed : again())
  }

  const keyOf = (token: Redacted.Redacted) => sha256(Redacted.value(token))

  return {
    recall: (token, now) => {
      const tail = tailOf(token)
      const entry = tail === undefined ? undefined : tails.get(tail)
      if (entry === undefined || !entry.stands || !entry.isOf(token)) return undefined
      const { from, isCurrent, until } = entry.reuse
      if (now < from || now >= until || (isCurrent !== undefined && isCurrent(now) !== true)) return undefined
      entry.used = true
      return entry.principal
    },
    verify: (...presented) =>
      Clock.clockWith((clock) => {
        const key = keyOf(presented[0].token)
        return typeof key === "string"
          ? verify(presented, key, clock.currentTimeMillisUnsafe())
          : Effect.flatMap(
            Effect.promise(() => key),
            (key) => verify(presented, key, clock.currentTimeMillisUnsafe())
          )
      }),
    invalidate: (target) =>
      Effect.gen(function*() {
        invalidations++
        settings.forgotten.at = yield* Clock.currentTimeMillis
        if (target === "everything") {
          entries.clear()
          tails.clear()
          inactive.clear()
          return
        }
        if ("token" in target) {
          const hash = keyOf(target.token)
          const key = typeof hash === "string" ? hash : yield* Effect.promise(() => hash)
          const entry = entries.get(key)
          if (entry !== undefined) forget(entry)
          inactive.delete(key)
          return
        }
        for (const entry of entries.values()) {
          if (isOf(entry.principal, target)) forget(entry)
        }
      })
  }
}

const isOf = (principal: Principal["Service"], target: Exclude<Target, "everything" | { readonly token: unknown }>) => {
  if (target.issuer !== undefined && target.issuer !== principal.issuer) return false
  return "subject" in target
    ? principal.subject === target.subject
    : Object.hasOwn(principal.claims, "sid") && principal.claims["sid"] === target.session
}

const failInactive = Effect.fail(new InvalidToken({ reason: "inactive" }))

const isInactive = (error: unknown): boolean => error instanceof InvalidToken && error.reason === "inactive"
