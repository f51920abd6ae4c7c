/** The rule by which `npm run bench -- --check` reports a loss. */
import { assert, describe, it } from "@effect/vitest"
import { attempts, type Committed, isLost } from "../../bench/speed/Regression.ts"
import type { Goal } from "../../bench/speed/Report.ts"
import { type Spread, spread } from "../../bench/speed/Stats.ts"

/** Returns a generator of numbers from 0 to 1 that is the same in each run (mulberry32). */
const numbers = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let value = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
  return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
}

/**
 * Simulates a level: processes whose speed differs by up to a tenth, rounds that vary by a tenth, and some rounds that another program
 * slows down by half.
 */
const measure = (next: () => number, ratio: number): Spread => {
  const speeds = [0, 1].map(() => 0.95 + 0.1 * next())
  return spread(Array.from({ length: 24 }, (_, round) => {
    const disturbed = next() < 0.15 ? 0.5 + next() : 1
    return ratio * speeds[round % 2]! * (0.95 + 0.1 * next()) * disturbed
  }))
}

const upper = (found: Spread): Goal => ({ id: "upper", what: "", reach: { atMost: 2 }, found })

const lower = (found: Spread): Goal => ({ id: "lower", what: "", reach: { atLeast: 0.5 }, found })

const commit = ({ high, low, median }: Spread): Committed => ({ reach: "", ratio: median, low, high })

/** Returns how many of 1,000 checks report a loss if the ratio is `now` and was `before`. */
const losses = (goal: (found: Spread) => Goal, before: number, now: number): number => {
  const next = numbers(7)
  let lost = 0
  for (let check = 0; check < 1000; check++) {
    const committed = commit(measure(next, before))
    const found = Array.from({ length: attempts }, () => measure(next, now))
    if (found.every((found) => isLost(goal(found), committed))) lost++
  }
  return lost
}

describe("the check of a benchmark", () => {
  it.each([["a lower limit", lower], ["an upper limit", upper]] as const)(
    "reports no loss without a change of speed, and every loss of a third: %s",
    (_, goal) => {
      assert.strictEqual(losses(goal, 0.9, 0.9), 0)
      assert.isAbove(losses(goal, 0.9, goal === lower ? 0.6 : 1.2), 990)
    }
  )

  it("reports a size that grows by more than a tenth, and no value below a quarter of its limit", () => {
    const exact = (value: number): Spread => ({ low: value, median: value, high: value })
    assert.isTrue(isLost(upper(exact(1.2)), commit(exact(1))))
    assert.isFalse(isLost(upper(exact(1.05)), commit(exact(1))))
    assert.isFalse(isLost(upper(exact(0.5)), commit(exact(0.01))))
    assert.isFalse(isLost(upper(exact(9)), undefined))
  })
})
