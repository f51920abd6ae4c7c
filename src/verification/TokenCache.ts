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
  /** At most this many tokens; what was not used for the longest time goes first. Default: 10,000. */
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
   * The verdict on a token that was found good before, where it can be given at once: still valid, and its key known to
   * be published. `undefined` says nothing: `verify` decides. `now` is in milliseconds.
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

interface Entry {
  readonly token: Redacted.Redacted
  readonly scheme: Scheme
  readonly principal: Principal["Service"]
  readonly succeed: Effect.Effect<Principal["Service"]>
  readonly reuse: Reuse
}

/** Tokens that are not active. Few: whoever makes up tokens must not push the memory about. */
const maximumInactive = 1_000

/**
 * Puts a memory in front of a verifier.
 *
 * **Details**
 *
 * It holds successes, and for a moment what an introspection endpoint called inactive. The key is the whole SHA-256 of
 * the token: no two tokens share an entry, entries are small however long tokens are, and no token stands in a map in
 * the clear. Each use checks again that the token has begun and not ended, and that its key is still published; scopes
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
  const inactive = new Map<string, number>()
  let invalidations = 0

  // A map keeps the order of insertion, so what stands first was not used for the longest time.
  const put = <A>(map: Map<string, A>, key: string, value: A, size: number) => {
    map.delete(key)
    map.set(key, value)
    if (map.size > size) map.delete(map.keys().next().value!)
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
          const principal = freezePrincipal(found)
          const succeed = Effect.succeed(principal)
          put(
            entries,
            key,
            { token: credentials.token, scheme: credentials.scheme, principal, succeed, reuse },
            capacity
          )
          return succeed
        })
      },
      onFailure: (error) => {
        if (!isInactive(error) || inactiveFor === 0) return Effect.fail(error)
        return Clock.clockWith((clock) => {
          if (invalidations === before) {
            put(inactive, key, clock.currentTimeMillisUnsafe() + inactiveFor, maximumInactive)
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
    const isSame = found !== undefined && Redacted.value(found.token) === Redacted.value(presented[0].token)
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
      if (entries.get(key) === entry) entries.delete(key)
      return verifyAnew(presented, key)
    }
    if (now < reuse.from || now >= reuse.until) return again()
    const current = reuse.isCurrent === undefined ? true : reuse.isCurrent(now)
    if (current === false) return again()
    if (current === true) {
      put(entries, key, entry, capacity)
      return entry.succeed
    }
    return Effect.flatMap(current, (holds) => holds && entries.get(key) === entry ? entry.succeed : again())
  }

  const keyOf = (token: Redacted.Redacted) => sha256(Redacted.value(token))

  return {
    recall: (token, now) => {
      const key = sha256(token)
      const entry = typeof key === "string" ? entries.get(key) : undefined
      if (entry === undefined || Redacted.value(entry.token) !== token) return undefined
      const { from, isCurrent, until } = entry.reuse
      if (now < from || now >= until || (isCurrent !== undefined && isCurrent(now) !== true)) return undefined
      put(entries, key as string, entry, capacity)
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
          inactive.clear()
          return
        }
        if ("token" in target) {
          const hash = keyOf(target.token)
          const key = typeof hash === "string" ? hash : yield* Effect.promise(() => hash)
          entries.delete(key)
          inactive.delete(key)
          return
        }
        for (const [key, { principal }] of entries) {
          if (isOf(principal, target)) entries.delete(key)
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
