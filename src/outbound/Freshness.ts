/**
 * Configures how long metadata and key sets are used, and how often they are fetched.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"

/**
 * Lists the durations for metadata and key sets.
 *
 * @category models
 * @since 0.1.0
 */
export interface Freshness {
  /** The age at which a document must be replaced. `Cache-Control` can change it between `shortest` and `longest`. */
  readonly refresh: Duration.Duration
  readonly shortest: Duration.Duration
  readonly longest: Duration.Duration
  /** How long a document stays in use after its last successful fetch while its server fails. Afterwards: 503. */
  readonly maxStale: Duration.Duration
  /** Unknown key ids cause at most one fetch per issuer in this time, regardless of their number. */
  readonly unknownKidCooldown: Duration.Duration
  /** Shortest and longest backoff after failed fetches. Each failure doubles it, and `Retry-After` (RFC 9110) extends it. */
  readonly minBackoff: Duration.Duration
  readonly maxBackoff: Duration.Duration
}

/**
 * Provides the durations. Override them with `Layer.succeed(Freshness, …)` or `Effect.provideService`.
 *
 * **Gotchas**
 *
 * A key that the authorization server has removed stays in use until the next refresh. So `refresh` is also the time until a
 * stolen signing key is rejected.
 *
 * All durations are measured on a monotonic clock, so setting the wall clock does not affect them. On most systems the
 * monotonic clock does not advance while the machine is suspended.
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
