/**
 * Implements a circuit breaker as plain state: closed, open for a cooldown, or half-open for one probe. Times are monotonic, in
 * milliseconds. `effect/persistence/CircuitBreaker` is not used, because it measures its cooldown on the wall clock, which may
 * step back.
 */

/** An admitted call. It must end with `succeed`, `fail` or `abandon`. */
export interface Call {
  /**
   * The number of the state that admitted the call. The circuit ignores the result of a call that an earlier state admitted.
   */
  readonly generation: number
  readonly isProbe: boolean
}

export interface CircuitBreaker {
  /** Admits a call, or returns the milliseconds until one may be admitted. */
  readonly admit: (now: number) => Call | number
  /** Returns the milliseconds until a call may be admitted, or 0. Unlike `admit`, it admits no call. */
  readonly remaining: (now: number) => number
  readonly succeed: (call: Call) => void
  /** Records a failure. Returns the cooldown in milliseconds if the failure opened the circuit. */
  readonly fail: (call: Call, now: number, failure: Failure) => number | undefined
  /** Opens the circuit, if it is closed, because of a failure that another circuit has recorded. */
  readonly open: (now: number, failure: Failure) => void
  /** Ends an interrupted call, which counts neither as a success nor as a failure. */
  readonly abandon: (call: Call) => void
}

export interface Failure {
  /** Whether a single failure of this kind opens the circuit. Otherwise `failures` in a row open it. */
  readonly isDecisive: boolean
  /** The minimum cooldown that the server asked for with `Retry-After`, in milliseconds, or 0 if it asked for none. */
  readonly retryAfter: number
  /** A random number from 0 to 1, for the jitter. */
  readonly random: number
}

export interface Settings {
  /** How many failures in a row open the circuit. At least two, because a single token may cause a failure. */
  readonly failures: number
  /**
   * The first and the longest cooldown, in milliseconds, before the jitter is added. Each failed probe doubles the cooldown, up
   * to `maxBackoff`.
   */
  readonly minBackoff: number
  readonly maxBackoff: number
  /**
   * The time after which a probe counts as lost, in milliseconds. A probe can end without a result, because some platforms end
   * requests without running finalizers.
   */
  readonly probeTime: number
}

/** The wait that other callers get while a probe runs, in milliseconds. */
const probing = 1_000

/** Extends each cooldown at random by up to 20 %, so that the instances of a server do not retry at the same time. */
const jitter = 0.2

export const make = ({ failures, maxBackoff, minBackoff, probeTime }: Settings): CircuitBreaker => {
  let generation = 0
  let failed = 0
  let openings = 0
  let until = 0
  let probe: { readonly since: number } | undefined

  const cool = (now: number, { random, retryAfter }: Failure): number => {
    // `Retry-After` cannot extend a cooldown beyond the maximum, because the endpoint may recover long before.
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
