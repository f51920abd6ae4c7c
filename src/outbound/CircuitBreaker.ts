/**
 * A circuit breaker as plain state: closed, open for a cooldown, half-open for one probe. Times are monotonic milliseconds.
 * `effect/persistence/CircuitBreaker` measures its cooldown on the wall clock, which may step back.
 */

/** A call that was admitted. It ends with `succeed`, `fail` or `abandon`. */
export interface Call {
  /** The calls of one state count together: what was admitted before the circuit opened does not open it again. */
  readonly generation: number
  readonly isProbe: boolean
}

export interface CircuitBreaker {
  /** Admits a call, or returns the milliseconds until one may be admitted. */
  readonly admit: (now: number) => Call | number
  /** Milliseconds until a call may be admitted; 0 if one may now. Admits none. */
  readonly remaining: (now: number) => number
  readonly succeed: (call: Call) => void
  /** Counts a failure. Returns the cooldown if it opened the circuit. */
  readonly fail: (call: Call, now: number, failure: Failure) => number | undefined
  /** Opens a closed circuit, for a reason that another circuit met. */
  readonly open: (now: number, failure: Failure) => void
  /** The call was interrupted, which says nothing. */
  readonly abandon: (call: Call) => void
}

export interface Failure {
  /** Opens the circuit by itself. Otherwise several in a row do. */
  readonly isDecisive: boolean
  /** The shortest cooldown that the other side asks for, in milliseconds. */
  readonly retryAfter: number
  /** From 0 to 1. */
  readonly random: number
}

export interface Settings {
  /** Failures in a row that open the circuit: one token may be what its server fails at. */
  readonly failures: number
  /** The first cooldown and the longest, in milliseconds. Each probe that fails doubles it. */
  readonly minBackoff: number
  readonly maxBackoff: number
  /** A probe that has not ended after this time is lost: where requests are cut off, no finalizer runs. */
  readonly probeTime: number
}

/** Callers that wait for the end of a probe try again after this time. */
const probing = 1_000

/** A cooldown is up to this part longer, so that instances do not come back together. */
const jitter = 0.2

export const make = ({ failures, maxBackoff, minBackoff, probeTime }: Settings): CircuitBreaker => {
  let generation = 0
  let failed = 0
  let openings = 0
  let until = 0
  let probe: { readonly since: number } | undefined

  const cool = (now: number, { random, retryAfter }: Failure): number => {
    // `Retry-After` lengthens a cooldown, and never beyond the longest: the endpoint may be back long before.
    const cooldown = Math.min(Math.max(minBackoff * 2 ** openings, retryAfter), maxBackoff) * (1 + jitter * random)
    openings++
    generation++
    failed = 0
    probe = undefined
    until = now + cooldown
    return cooldown
  }

  const remaining = (now: number): number => {
    if (openings === 0) return 0
    if (now < until) return until - now
    return probe !== undefined && now - probe.since < probeTime ? probing : 0
  }

  return {
    remaining,
    admit: (now) => {
      const wait = remaining(now)
      if (wait > 0) return wait
      if (openings === 0) return { generation, isProbe: false }
      probe = { since: now }
      return { generation, isProbe: true }
    },
    succeed: (call) => {
      if (call.generation !== generation) return
      failed = 0
      if (!call.isProbe) return
      openings = 0
      generation++
      probe = undefined
    },
    fail: (call, now, failure) => {
      if (call.generation !== generation) return undefined
      failed++
      return call.isProbe || failure.isDecisive || failed >= failures ? cool(now, failure) : undefined
    },
    open: (now, failure) => {
      if (openings === 0) cool(now, failure)
    },
    abandon: (call) => {
      if (call.generation === generation && call.isProbe) probe = undefined
    }
  }
}
