/**
 * How long what an authorization server publishes is used, and how often it is asked again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"

/**
 * The times that govern metadata and key sets.
 *
 * @category models
 * @since 0.1.0
 */
export interface Freshness {
  /** Age at which a document must have been fetched again. `Cache-Control` moves it within `shortest` and `longest`. */
  readonly refresh: Duration.Duration
  readonly shortest: Duration.Duration
  readonly longest: Duration.Duration
  /** How long after the last good fetch a document still serves while its server does not. After that: 503. */
  readonly maxStale: Duration.Duration
  /** An unknown key id causes at most one fetch per issuer in this time, whatever the number of unknown ids. */
  readonly unknownKidCooldown: Duration.Duration
  /** Least and greatest backoff after failed fetches; each failure doubles it, `Retry-After` (RFC 9110) lengthens it. */
  readonly minBackoff: Duration.Duration
  readonly maxBackoff: Duration.Duration
}

/**
 * The times in force. Override with `Layer.succeed(Freshness, …)` or `Effect.provideService`.
 *
 * **Gotchas**
 *
 * A key that the authorization server withdrew serves until the next refresh: `refresh` is also the time it takes to
 * lock out a stolen signing key.
 *
 * All of these times are monotonic: they do not follow when the wall clock is set. On most systems monotonic time stands
 * still while the machine is suspended.
 *
 * @category references
 * @since 0.1.0
 */
export const Freshness: Context.Reference<Freshness> = Context.Reference<Freshness>("effect-mcp-auth/Freshness", {
  defaultValue: () => ({
    refresh: Duration.minutes(10),
    shortest: Duration.minutes(5),
    longest: Duration.minutes(60),
    maxStale: Duration.hours(24),
    unknownKidCooldown: Duration.seconds(30),
    minBackoff: Duration.seconds(1),
    maxBackoff: Duration.minutes(1)
  })
})
