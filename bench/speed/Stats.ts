/** Median and quartiles. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export const spread = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => {
    const place = part * (sorted.length - 1)
    const below = sorted[Math.floor(place)] ?? Number.NaN
    const above = sorted[Math.ceil(place)] ?? Number.NaN
    return below + (above - below) * (place - Math.floor(place))
  }
  return { median: at(0.5), low: at(0.25), high: at(0.75) }
}

/**
 * Divides the values of two series round by round, because a disturbance of the machine affects both values of a round. Returns
 * the spread of the ratios.
 */
export const ratio = (of: ReadonlyArray<number>, to: ReadonlyArray<number>): Spread =>
  spread(of.map((value, index) => value / to[index]!))

/** Returns the values in random order, so that a server does not always follow the same other server. */
export const shuffled = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values.map((value) => [Math.random(), value] as const).toSorted(([a], [b]) => a - b).map(([, value]) => value)
