/** Compares measured goals with those that are committed in `ratios.json`, for `npm run bench -- --check`. */
import type { Goal } from "./Report.ts"

/** A committed goal, with the quartiles of its measurement. */
export interface Committed {
  readonly reach: string
  readonly ratio: number
  readonly low: number
  readonly high: number
}

/** How often a level is measured before a loss is reported. */
export const attempts = 3

/**
 * Tells whether a goal has lost more than a tenth, beyond its usual variation: the better quartile of the measurement must be worse
 * than the worse committed quartile by more than a tenth. The medians alone would report losses that are none, because two
 * processes with the same code differ by up to a tenth. A goal without a committed ratio has lost nothing.
 */
export const isLost = ({ found, reach }: Goal, committed: Committed | undefined): boolean => {
  if (committed === undefined) return false
  if ("atLeast" in reach) return found.high < 0.9 * committed.low
  // For upper limits, such as heap in MiB or requests, a quarter of the limit is always accepted.
  return found.low > 1.1 * Math.max(committed.high, reach.atMost / 4)
}
