import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import { AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import * as monotonic from "../store/MonotonicTime.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import { Freshness } from "./Freshness.ts"
import { Sharing } from "./Sharing.ts"

/** Limits how many unverified tokens may turn out to be inactive: `burst` at once, and `perSecond` in the long run. */
export interface InactiveLimit {
  readonly burst: number
  readonly perSecond: number
}

export interface Options {
  readonly issuer: string
  /** The name of the endpoint in logs, such as "The introspection endpoint". */
  readonly endpoint: string
  /** The name of the option that holds the credentials of this server. It is named in log messages. */
  readonly option: string
  readonly inactiveLimit?: InactiveLimit | undefined
}

/** Tells whether the token of a request has been verified before. */
export type TokenStatus = "verified" | "unverified"

export interface EndpointGuard {
  /**
   * Sends a request, if necessary after a wait in the queue. If the endpoint must not receive the request now, fails with
   * `AuthorizationServerUnavailable`, which contains the time to wait. Its reason is `cooling-down` after failures, and
   * `overloaded` if the queue is full, if the expected wait is too long, or if too many unverified tokens were inactive.
   */
  readonly protect: <A, E>(
    tokenStatus: TokenStatus,
    request: Effect.Effect<A, E | AuthorizationServerUnavailable>
  ) => Effect.Effect<A, E | AuthorizationServerUnavailable>
  /** Records that the endpoint reported an unverified token as inactive. */
  readonly countInactive: Effect.Effect<void>
}

/** The maximum number of concurrent requests to one endpoint, and how many of them may be about unverified tokens. */
const maximumRequests = 64
const maximumUnverified = 48

/** The maximum length of each of the two queues: one for verified and one for unverified tokens. */
const maximumWaiting = 256

/**
 * The maximum expected wait in the queue, in milliseconds. A request with a longer expected wait fails at once, because its
 * caller also has to wait for the response.
 */
const longestWait = 3_000

/** Failures in a row before the first cooldown, so that a single lost connection does not start one. */
const failuresToOpen = 3

const probeTime = Duration.toMillis(Duration.seconds(10))

/**
 * Creates the guard of one endpoint that receives requests about tokens.
 *
 * Verified and unverified tokens have separate circuits, and some permits are reserved for verified tokens. So forged tokens do
 * not block known callers, even if they make the endpoint fail. A response with `Retry-After` opens both circuits. If the
 * endpoint rejects the credentials of this server in a request about a verified token, both circuits open. If it rejects them
 * in a request about an unverified token, only the circuit of unverified tokens opens. If both opened, an unknown client could
 * block all callers, because a firewall or the endpoint may answer 401 for unknown tokens.
 *
 * While requests about verified tokens succeed, the guard assumes that the endpoint works. It then attributes a failed request
 * about an unverified token to the token: the failure counts against `inactiveLimit` and does not open the circuit of
 * unverified tokens, unless the response has a `Retry-After`.
 *
 * If requests may not wait for each other (see `Sharing`), there is no queue, and at most `inactiveLimit.burst` requests
 * about unverified tokens run at the same time.
 */
export const make = (options: Options): Effect.Effect<EndpointGuard> =>
  Effect.gen(function*() {
    const { issuer } = options
    const freshness = yield* Freshness
    const shares = yield* Sharing
    const settings: CircuitBreaker.Settings = {
      failures: failuresToOpen,
      minBackoff: Duration.toMillis(freshness.minBackoff),
      maxBackoff: Duration.toMillis(freshness.maxBackoff),
      probeTime
    }
    const circuits = {
      verified: CircuitBreaker.make(settings),
      unverified: CircuitBreaker.make(settings)
    }
    const all = yield* Semaphore.make(maximumRequests)
    const unverified = yield* Semaphore.make(maximumUnverified)
    const withPermit = <A, E>(tokenStatus: TokenStatus, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      tokenStatus === "verified" ? all.withPermits(1)(effect) : unverified.withPermits(1)(all.withPermits(1)(effect))
    const permits = { verified: maximumRequests, unverified: maximumUnverified }
    const waiting = { verified: 0, unverified: 0 }
    let averageTime = 0
    // The endpoint is assumed to work until this time (monotonic, in milliseconds). A successful request about a verified token
    // extends the time, and a failed one resets it.
    let worksUntil = Number.NEGATIVE_INFINITY

    // Inactive tokens, and failures that are attributed to a token, use up this budget, which refills over time. Active tokens
    // do not, so the number of new callers is not limited.
    const limit = options.inactiveLimit
    const budget = { left: limit?.burst ?? 0, at: Number.NEGATIVE_INFINITY }
    const refill = ({ burst, perSecond }: InactiveLimit, now: number) => {
      budget.left = Math.min(burst, budget.left + Math.max(0, now - budget.at) / 1_000 * perSecond)
      budget.at = now
    }

    const makeUnavailable = (reason: "cooling-down" | "overloaded", wait: number) =>
      new AuthorizationServerUnavailable({ reason, issuer, retryAfter: Math.max(1, Math.ceil(wait / 1_000)) })

    /**
     * Returns the error if a request may not be sent. Called before a request enters the queue, and again when it leaves it.
     */
    const obstacle = (tokenStatus: TokenStatus, now: number): AuthorizationServerUnavailable | undefined => {
      const cooldown = circuits[tokenStatus].remaining(now)
      if (cooldown > 0) return makeUnavailable("cooling-down", cooldown)
      if (tokenStatus === "verified" || limit === undefined) return undefined
      refill(limit, now)
      return budget.left >= 1 ? undefined : makeUnavailable("overloaded", (1 - budget.left) / limit.perSecond * 1_000)
    }

    const draw = (limit: InactiveLimit, now: number) => {
      refill(limit, now)
      budget.left = Math.max(0, budget.left - 1)
    }

    const succeed = (tokenStatus: TokenStatus, call: CircuitBreaker.Call, now: number) =>
      Effect.sync(() => {
        if (tokenStatus === "verified") worksUntil = now + settings.maxBackoff
        circuits[tokenStatus].succeed(call)
      })

    const fail = (tokenStatus: TokenStatus, call: CircuitBreaker.Call, error: AuthorizationServerUnavailable) =>
      Effect.gen(function*() {
        const now = yield* monotonic.millis
        const rejectsOurCredentials = error.reason === "client-rejected"
        // If the server sent no `Retry-After`, `retryAfter` is 1.
        const hasRetryAfter = error.reason === "server-error" && error.retryAfter > 1
        if (tokenStatus === "verified") worksUntil = Number.NEGATIVE_INFINITY
        else if (limit !== undefined && now < worksUntil && !hasRetryAfter) {
          draw(limit, now)
          return circuits.unverified.succeed(call)
        }
        const isDecisive = rejectsOurCredentials || hasRetryAfter
        const failure: CircuitBreaker.Failure = {
          isDecisive,
          // A custom look-up function can create the error, so `retryAfter` can be any number.
          retryAfter: isDecisive && error.retryAfter > 0 ? error.retryAfter * 1_000 : 0,
          random: yield* Random.next
        }
        const cooldown = circuits[tokenStatus].fail(call, now, failure)
        if (cooldown === undefined) return
        if (tokenStatus === "verified" ? isDecisive : hasRetryAfter) {
          circuits[tokenStatus === "verified" ? "unverified" : "verified"].open(now, failure)
        }
        const seconds = Math.ceil(cooldown / 1_000)
        yield* rejectsOurCredentials
          ? Effect.logError(
            `${options.endpoint} of ${issuer} rejects the credentials of this server. Correct ${options.option}. ` +
              `The next request is sent in ${seconds} seconds.`
          )
          : Effect.logWarning(
            `${options.endpoint} of ${issuer} fails (${
              error.code ?? error.reason
            }). The next request is sent in ${seconds} seconds.`
          )
      })

    // In `sendRequest` and `queue`, only the request and the wait for its permit can be interrupted. Otherwise an interruption
    // between a reservation and the finalizer that returns it would keep the reservation forever.
    const sendRequest = <A, E>(
      tokenStatus: TokenStatus,
      request: Effect.Effect<A, E | AuthorizationServerUnavailable>
    ): Effect.Effect<A, E | AuthorizationServerUnavailable> =>
      Effect.uninterruptibleMask((restore) =>
        Clock.clockWith((clock) => {
          const since = monotonic.millisOf(clock)
          const rejected = obstacle(tokenStatus, since)
          if (rejected !== undefined) return Effect.fail(rejected)
          const call = circuits[tokenStatus].admit(since)
          if (typeof call === "number") return Effect.fail(makeUnavailable("cooling-down", call))
          // Without a queue, only this reservation bounds concurrent requests about unverified tokens. If the platform ends a
          // request without running finalizers, the request does not return its reservation, but the budget refills over time.
          const reserved = shares || tokenStatus === "verified" || limit === undefined ? undefined : limit
          if (reserved !== undefined) draw(reserved, since)
          return Effect.onExit(restore(request), (exit) => {
            if (reserved !== undefined) budget.left = Math.min(reserved.burst, budget.left + 1)
            const now = monotonic.millisOf(clock)
            const time = now - since
            averageTime = averageTime === 0 ? time : averageTime * 0.9 + time * 0.1
            if (Exit.isSuccess(exit)) return succeed(tokenStatus, call, now)
            if (Cause.hasInterruptsOnly(exit.cause)) return Effect.sync(() => circuits[tokenStatus].abandon(call))
            const error = Exit.findErrorOption(exit)
            // Every other error is an answer of a working endpoint, such as `invalid_grant`. A defect counts as a failure.
            if (error._tag === "Some" && !(error.value instanceof AuthorizationServerUnavailable)) {
              return succeed(tokenStatus, call, now)
            }
            return fail(
              tokenStatus,
              call,
              error._tag === "Some"
                ? error.value as AuthorizationServerUnavailable
                : new AuthorizationServerUnavailable({ reason: "network", issuer, retryAfter: 1 })
            )
          })
        })
      )

    const queue = <A, E>(
      tokenStatus: TokenStatus,
      request: Effect.Effect<A, E | AuthorizationServerUnavailable>
    ): Effect.Effect<A, E | AuthorizationServerUnavailable> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(monotonic.millis, (now): Effect.Effect<A, E | AuthorizationServerUnavailable> => {
          const rejected = obstacle(tokenStatus, now)
          if (rejected !== undefined) return Effect.fail(rejected)
          const wait = waiting[tokenStatus] / permits[tokenStatus] * averageTime
          if (waiting[tokenStatus] >= maximumWaiting || wait > longestWait) {
            return Effect.fail(makeUnavailable("overloaded", wait))
          }
          waiting[tokenStatus]++
          let waits = true
          const leave = () => {
            if (waits) waiting[tokenStatus]--
            waits = false
          }
          const sending = Effect.suspend(() => {
            leave()
            return sendRequest(tokenStatus, request)
          })
          return restore(withPermit(tokenStatus, sending)).pipe(Effect.ensuring(Effect.sync(leave)))
        })
      )

    return {
      protect: shares ? queue : sendRequest,
      countInactive: limit === undefined ? Effect.void : Effect.map(monotonic.millis, (now) => draw(limit, now))
    }
  })
