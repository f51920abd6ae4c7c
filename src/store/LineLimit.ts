/* Limits the lines of a log by their reason, because a remote party can cause any number of them. */

/** Annotations about the limit of lines. */
export interface LimitedLine {
  /** The number of lines that were left out in an earlier minute. */
  readonly suppressed?: number | undefined
  /** The limit, in the last line of a minute. */
  readonly linesPerMinute?: number | undefined
}

const minute = 60_000_000_000n

/**
 * Creates the limit. It returns the annotations of the line, or `undefined` if the line is left out. `at` is in monotonic
 * nanoseconds.
 */
export const make = (linesPerMinute: number): (reason: string, at: bigint) => LimitedLine | undefined => {
  const windows = new Map<string, { since: bigint; lines: number; suppressed: number }>()
  return (reason, at) => {
    const before = windows.get(reason)
    const isOpen = before !== undefined && at - before.since < minute
    const window = isOpen ? before : { since: at, lines: 0, suppressed: 0 }
    if (!isOpen) windows.set(reason, window)
    if (window.lines >= linesPerMinute) {
      window.suppressed++
      return undefined
    }
    window.lines++
    return {
      suppressed: isOpen ? undefined : before?.suppressed || undefined,
      linesPerMinute: window.lines === linesPerMinute ? linesPerMinute : undefined
    }
  }
}

/** Returns the annotations that have a value. */
export const definedIn = (annotations: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(annotations).filter(([, value]) =>
      value !== undefined && !(Array.isArray(value) && value.length === 0)
    )
  )
