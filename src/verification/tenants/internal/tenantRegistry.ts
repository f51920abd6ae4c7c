import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Sharing } from "../../../outbound/Sharing.ts"
import * as SingleFlight from "../../../outbound/SingleFlight.ts"
import { AuthorizationServerUnavailable } from "../../../protocol/AuthError.ts"
import { BoundedMap } from "../../../store/BoundedMap.ts"
import * as monotonic from "../../../store/MonotonicTime.ts"

/*
 * Caches tenants in three maps: verified tenants (a token passed the verification with the tenant's authorization servers),
 * unverified tenants (they exist, but no token passed the verification yet), and names of tenants that do not exist. `values`
 * lists every tenant that a request can use, so that an invalidation reaches all of them.
 */

export interface Options<A, E> {
  /** Returns a tenant, or `undefined` if it does not exist. `before` is the value that was cached. */
  readonly lookUp: (name: string, before: A | undefined) => Effect.Effect<A | undefined, E>
  /** Maximum number of cached verified tenants. */
  readonly capacity: number
  /** How long a tenant is cached, in milliseconds. */
  readonly timeToLive: number
  /** Maximum number of look-ups at once for tenants that are not verified. Each second restores a tenth of this number. */
  readonly newTenants: number
}

export interface TenantRegistry<A, E> {
  /**
   * Returns a tenant, or `undefined` if it does not exist. Requests without a token can use only half of the look-ups, so that
   * the other half remains for requests with a token.
   */
  readonly find: (
    name: string,
    hasToken: boolean
  ) => Effect.Effect<A | undefined, E | AuthorizationServerUnavailable>
  /** Returns the cached value of a tenant, even if it is stale. */
  readonly peek: (name: string) => A | undefined
  /** Tells whether a tenant is verified: a token passed the verification with its authorization servers. */
  readonly isVerified: (name: string) => boolean
  /** Records that a tenant is verified. From then on, look-ups of invented names cannot evict the tenant. */
  readonly recordVerified: (name: string, value: A) => void
  /** Returns the values of all cached tenants, including stale ones. An invalidation must reach all of them. */
  readonly values: () => ReadonlyArray<A>
}

interface Entry<A, E> {
  readonly value: A
  /** When the value becomes stale, in monotonic milliseconds. */
  readonly until: number
  /**
   * The error of the last look-up if it failed, and the time until which the look-up is not repeated, in monotonic
   * milliseconds.
   */
  readonly failure?: { readonly cause: Cause.Cause<E>; readonly until: number } | undefined
}

/** Maximum number of cached unverified tenants. */
const maximumUnverified = 100

/**
 * Maximum number of cached names of tenants that do not exist, and how long each is rejected without a look-up, in
 * milliseconds.
 */
const maximumUnknown = 1_000
const unknownFor = 5_000

/**
 * Shortest time between failing look-ups of a verified tenant, in milliseconds. The budget of look-ups does not limit the
 * look-ups of verified tenants.
 */
const failureCooldown = 1_000

const component = "The tenant look-up for"

export const make = <A, E>(options: Options<A, E>): Effect.Effect<TenantRegistry<A, E>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const shares = yield* Sharing
    const scope = yield* Effect.scope
    const verified = new BoundedMap<string, Entry<A, E>>(options.capacity)
    const unverified = new BoundedMap<string, Entry<A, E>>(Math.min(options.capacity, maximumUnverified))
    const unknown = new BoundedMap<string, number>(maximumUnknown)
    const flights = SingleFlight.make<A | undefined, E>(scope)
    const budget = makeBudget(options.newTenants)

    const store = (name: string, value: A | undefined, now: number) => {
      if (value === undefined) {
        verified.delete(name)
        unverified.delete(name)
        unknown.set(name, now + Math.min(unknownFor, options.timeToLive))
        return
      }
      unknown.delete(name)
      const entry = { value, until: now + options.timeToLive }
      const entries = verified.has(name) ? verified : unverified
      entries.set(name, entry)
    }

    const storeFailure = (name: string, cause: Cause.Cause<E>, now: number) => {
      const entry = verified.get(name)
      if (entry === undefined || Cause.hasInterruptsOnly(cause)) return
      verified.replace(name, { ...entry, failure: { cause, until: now + failureCooldown } })
    }

    // During a repeated look-up the entry stays in its map, so that `values` always lists it.
    const lookUp = (name: string) =>
      Effect.suspend(() => options.lookUp(name, (verified.get(name) ?? unverified.get(name))?.value)).pipe(
        Effect.tap((value) => Effect.map(monotonic.millis, (now) => store(name, value, now))),
        Effect.tapCause((cause) => Effect.map(monotonic.millis, (now) => storeFailure(name, cause, now)))
      )

    return {
      find: (name, hasToken) =>
        Clock.clockWith((clock): Effect.Effect<A | undefined, E | AuthorizationServerUnavailable> => {
          const now = monotonic.millisOf(clock)
          const entry = verified.use(name) ?? unverified.use(name)
          if (entry !== undefined && now < entry.until) return Effect.succeed(entry.value)
          if (entry?.failure !== undefined && now < entry.failure.until) return Effect.failCause(entry.failure.cause)
          const unknownUntil = unknown.get(name)
          if (unknownUntil !== undefined) {
            if (now < unknownUntil) return Effect.succeed(undefined)
            unknown.delete(name)
          }
          const running = flights.join(name)
          if (running !== undefined) return running
          if (!verified.has(name) && !budget.take(now, hasToken ? 0 : options.newTenants / 2)) {
            return Effect.fail(
              new AuthorizationServerUnavailable({ reason: "overloaded", issuer: name, retryAfter: 1, component })
            )
          }
          return shares ? Effect.flatten(flights.start(name, lookUp(name))) : lookUp(name)
        }),
      peek: (name) => (verified.get(name) ?? unverified.get(name))?.value,
      isVerified: (name) => verified.has(name),
      recordVerified: (name, value) => {
        if (verified.has(name)) return
        const entry = unverified.get(name)
        // An evicted tenant is not added again: an invalidation may have missed it, because `values` did not list it.
        if (entry === undefined || entry.value !== value) return
        unverified.delete(name)
        verified.set(name, entry)
        budget.giveBack()
      },
      values: () => [...verified.values(), ...unverified.values()].map(({ value }) => value)
    }
  })

/** Creates the budget of look-ups for names that clients may have invented. Each second restores a tenth of the budget. */
const makeBudget = (size: number) => {
  let left = size
  let at = 0
  return {
    take: (now: number, reserve: number): boolean => {
      left = Math.min(size, left + Math.max(0, now - at) * size / 10_000)
      at = now
      if (left - reserve < 1) return false
      left -= 1
      return true
    },
    /** Returns a look-up to the budget, because the name of a verified tenant was not invented. */
    giveBack: () => {
      left = Math.min(size, left + 1)
    }
  }
}
