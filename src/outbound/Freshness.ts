/**
 * Configures how long metadata and key sets are used, and how often they are fetched.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"

/**
 * Contains the durations for metadata and key sets.
 *
 * @category models
 * @since 0.1.0
 */
export interface Freshness {
  /**
   * The age at which a document expires. A `max-age` that the server sends replaces it, limited to the range from `shortest` to
   * `longest`. A refresh in the background starts at three quarters of this age. Default: 10 minutes, and a range from 5 to 60
   * minutes.
   */
  readonly refresh: Duration.Duration
  readonly shortest: Duration.Duration
  readonly longest: Duration.Duration
  /**
   * How long a document stays in use after its last successful fetch while its server fails. Afterwards, requests that need the
   * document are rejected with 503. Default: 24 hours.
   */
  readonly maxStale: Duration.Duration
  /**
   * The minimum time between two fetches of an issuer's keys, if the fetches are caused by unknown key ids. It does not depend
   * on the number of these ids. After a failed fetch, the backoff applies instead. In a Worker, requests do not share fetches,
   * so up to 8 fetches can start before one of them succeeds. Default: 30 seconds.
   */
  readonly unknownKidCooldown: Duration.Duration
  /**
   * The backoff after the first failed fetch. Each further failure doubles the backoff, and a `Retry-After` (RFC 9110) can
   * extend it, both up to `maxBackoff`. Default: from 1 second to 1 minute.
   */
  readonly minBackoff: Duration.Duration
  readonly maxBackoff: Duration.Duration
}

/**
 * Provides the durations. Override them with `Layer.succeed(Freshness, …)` or `Effect.provideService`.
 *
 * **Gotchas**
 *
 * A key that the authorization server has removed, such as a stolen signing key, stays in use until the next successful
 * refresh.
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
