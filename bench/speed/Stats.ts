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

/** The ratios of two series, round by round: what disturbs the machine disturbs both. */
export const ratio = (of: ReadonlyArray<number>, to: ReadonlyArray<number>): Spread =>
  spread(of.map((value, index) => value / to[index]!))

/** In an order that is new in each round, so that nobody always comes after the same neighbour. */
export const shuffled = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values.map((value) => [Math.random(), value] as const).toSorted(([a], [b]) => a - b).map(([, value]) => value)
