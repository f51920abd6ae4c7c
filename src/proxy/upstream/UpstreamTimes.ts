import * as Duration from "effect/Duration"

/*
 * The time limits of the work at an upstream. A lease in the store protects a refresh token that works once, so all work that begins
 * while a process has the lease must end before the lease does.
 */

/** The time until the endpoints are known. Usually they are cached. */
export const discovery = Duration.seconds(8)

/** The time of one request. */
export const request = Duration.seconds(8)

/** The time of a request to the token endpoint with its wait in the queue. */
export const exchange = Duration.seconds(12)

/** The time of a write to the store with its repetitions. */
export const write = Duration.seconds(5)

/**
 * The time of a check or a renewal under the lease, with the wait for the lease. Work beyond it is interrupted, except for a refresh
 * that has begun, which ends after at most `discovery`, `exchange` and `write`.
 */
export const check = Duration.seconds(25)

/** The life of the lease. It is longer than the sum of `check`, `discovery`, `exchange` and `write`. */
export const lease = Duration.seconds(55)

/** The time of the revocation of a token, which is only an attempt. */
export const revocation = Duration.seconds(5)
