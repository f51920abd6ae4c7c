import * as Effect from "effect/Effect"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"

/*
 * Limits how often requests of clients and browsers cause a request to the upstream. Each instance counts by itself. No limit counts
 * addresses, because hosted clients share them.
 */

/** A budget for each of many keys. It refills over time. */
export interface Budget {
  /** Returns the time until the budget of a key has a unit, in whole seconds. It is 0 if there is one now. */
  readonly wait: (key: string) => Effect.Effect<number>
  /** Uses up a unit of the budget of a key. */
  readonly use: (key: string) => Effect.Effect<void>
}

export interface Limits {
  /**
   * The codes that the upstream rejected at the callback. Browsers that have signed in before have a budget each, under their id. All
   * others share one, under `unknown`, so that they cannot shut out the people who use the server.
   */
  readonly rejectedCodes: (browser: string) => Budget
  /** The rotations of each grant. */
  readonly rotations: Budget
}

/** The key of the browsers that have not signed in before. No id of a browser is empty. */
export const unknown = ""

/** The number of keys with a budget. An evicted key has a full one. */
const capacity = 10_000

const makeBudget = (burst: number, perSecond: number): Budget => {
  const entries = new BoundedMap<string, { readonly left: number; readonly at: number }>(capacity)
  const leftOf = (key: string, now: number): number => {
    const entry = entries.get(key)
    return entry === undefined ? burst : Math.min(burst, entry.left + (now - entry.at) / 1_000 * perSecond)
  }
  return {
    wait: (key) => Effect.map(monotonic.millis, (now) => Math.ceil(Math.max(0, 1 - leftOf(key, now)) / perSecond)),
    use: (key) =>
      Effect.map(monotonic.millis, (now) => {
        entries.set(key, { left: Math.max(0, leftOf(key, now) - 1), at: now })
      })
  }
}

/** Creates the limits of an instance. */
export const make = (): Limits => {
  const ofUnknown = makeBudget(100, 10)
  const ofBrowsers = makeBudget(5, 1 / 60)
  return {
    rejectedCodes: (browser) => browser === unknown ? ofUnknown : ofBrowsers,
    rotations: makeBudget(20, 1 / 5)
  }
}
