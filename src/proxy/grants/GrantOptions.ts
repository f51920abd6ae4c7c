/**
 * Defines the lifetimes and limits of the grants of the OAuth proxy.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as ConfigOption from "../../protocol/ConfigOption.ts"

/**
 * The lifetimes and limits of grants.
 *
 * @category models
 * @since 0.1.0
 */
export interface GrantOptions {
  /** The lifetime of an access token, from 1 minute to 1 hour. A token never outlives its grant. Default: 1 hour. */
  readonly accessTokenLifetime?: Duration.Input | undefined
  /** The time without a refresh after which a grant ends, from 1 hour to 90 days. Default: 30 days. */
  readonly idleLifetime?: Duration.Input | undefined
  /** The time after the sign-in at which a grant ends in any case, from 1 hour to 365 days. Default: 90 days. */
  readonly absoluteLifetime?: Duration.Input | undefined
  /**
   * The time in which a client can use a refresh token again after it was replaced, from 0 seconds to 60 minutes. The client then
   * gets the current token. Clients with several processes and clients that lose a response need this time. Later reuse ends the
   * grant (RFC 9700 §4.14.2). Default: 10 minutes.
   */
  readonly retryWindow?: Duration.Input | undefined
  /**
   * The time since the last successful check at the upstream in which refreshes succeed although the upstream is unavailable, from 0
   * seconds to 24 hours. The access tokens then live for at most 10 minutes. Default: 4 hours.
   */
  readonly upstreamOutage?: Duration.Input | undefined
  /**
   * The time after the sign-in at which a grant ends if the upstream offers no way to check the person: it returned no refresh token, and
   * has no user endpoint. From 1 hour to 24 hours. A shorter life of the upstream token ends the grant earlier. A person who leaves keeps
   * access for this time, so let the upstream return refresh tokens instead. Default: 4 hours.
   */
  readonly uncheckableLifetime?: Duration.Input | undefined
  /** The number of grants of one person, from 1 to 32. A further sign-in ends the least recently used one. Default: 32. */
  readonly grantsPerPerson?: number | undefined
  /** The time for which the gate caches that a grant exists, from 0 seconds to 60 seconds. Default: 5 seconds. */
  readonly livenessCache?: Duration.Input | undefined
}

/** The rules of the options. */
export const table = {
  accessTokenLifetime: ConfigOption.duration("1 minute", "1 hour", "1 hour"),
  idleLifetime: ConfigOption.duration("1 hour", "90 days", "30 days"),
  absoluteLifetime: ConfigOption.duration("1 hour", "365 days", "90 days"),
  retryWindow: ConfigOption.duration("0 seconds", "60 minutes", "10 minutes"),
  upstreamOutage: ConfigOption.duration("0 seconds", "24 hours", "4 hours"),
  uncheckableLifetime: ConfigOption.duration("1 hour", "24 hours", "4 hours"),
  grantsPerPerson: ConfigOption.wholeNumber(1, 32, 32),
  livenessCache: ConfigOption.duration("0 seconds", "60 seconds", "5 seconds")
} satisfies ConfigOption.Table<keyof GrantOptions>

/** The options with their defaults. Times are in milliseconds. */
export interface Limits {
  readonly accessTokenLifetime: number
  readonly idleLifetime: number
  readonly absoluteLifetime: number
  readonly retryWindow: number
  readonly upstreamOutage: number
  readonly uncheckableLifetime: number
  readonly grantsPerPerson: number
  readonly livenessCache: number
}

/** Checks the options, and returns them with their defaults. Throws `AuthConfigError`. */
export const resolve = (options: GrantOptions, path = "grants"): Limits => {
  ConfigOption.check(options, path, table)
  const millis = (name: Exclude<keyof GrantOptions, "grantsPerPerson">): number =>
    Duration.toMillis(Duration.fromInputUnsafe(options[name] ?? table[name].default))
  return {
    accessTokenLifetime: millis("accessTokenLifetime"),
    idleLifetime: millis("idleLifetime"),
    absoluteLifetime: millis("absoluteLifetime"),
    retryWindow: millis("retryWindow"),
    upstreamOutage: millis("upstreamOutage"),
    uncheckableLifetime: millis("uncheckableLifetime"),
    grantsPerPerson: options.grantsPerPerson ?? table.grantsPerPerson.default,
    livenessCache: millis("livenessCache")
  }
}
