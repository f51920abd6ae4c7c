import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as monotonic from "../store/MonotonicTime.ts"

/**
 * Coalesces concurrent effects with the same key: one runs, and all callers wait for its result. The effect runs in a scope
 * instead of in its caller, so an interrupted caller does not cancel it for the others.
 */
export interface SingleFlight<A, E> {
  /**
   * Returns an effect that waits for the running effect of a key. Returns `undefined` if no effect runs for the key, or if
   * the running effect did not start later than `after` (monotonic time, in milliseconds).
   */
  readonly join: (key: string, after?: number) => Effect.Effect<A, E> | undefined
  /**
   * Starts an effect, and returns a second effect that waits for the result of the first. Later calls of `join` wait for the
   * started effect, even if an effect that was started earlier for the same key still runs.
   */
  readonly start: (key: string, effect: Effect.Effect<A, E>) => Effect.Effect<Effect.Effect<A, E>>
}

interface Flight<A, E> {
  readonly startedAt: number
  readonly result: Deferred.Deferred<A, E>
}

/** Makes a single flight whose effects run in a scope. When the scope closes, all callers fail with an interruption. */
export const make = <A, E>(scope: Scope.Scope): SingleFlight<A, E> => {
  const flights = new Map<string, Flight<A, E>>()
  return {
    join: (key, after = Number.NEGATIVE_INFINITY) => {
      const flight = flights.get(key)
      return flight !== undefined && flight.startedAt > after ? Deferred.await(flight.result) : undefined
    },
    start: (key, effect) =>
      // Uninterruptible: an interruption between these steps would leave a flight that never ends. The effect itself runs in a
      // separate fiber, which stays interruptible.
      Effect.uninterruptible(Clock.clockWith((clock) => {
        const flight: Flight<A, E> = { startedAt: monotonic.millisOf(clock), result: Deferred.makeUnsafe<A, E>() }
        flights.set(key, flight)
        return Effect.map(Effect.forkIn(effect, scope, { startImmediately: true }), (fiber) => {
          // An observer instead of a finalizer: if the scope is already closed, finalizers do not run, and callers would wait
          // forever.
          fiber.addObserver((exit) => {
            if (flights.get(key) === flight) flights.delete(key)
            Deferred.doneUnsafe(flight.result, exit)
          })
          return Deferred.await(flight.result)
        })
      }))
  }
}
