/**
 * Defines and checks the options of tenants.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type * as AuthorizationServer from "../issuers/AuthorizationServer.ts"

/**
 * Allows authorization servers of tenants at private addresses, on loopback and with http URLs. Use it only if your function
 * `authorizationServers` takes every URL from a fixed list. If a URL contains the tenant's name or comes from a customer, this
 * option allows server-side request forgery, because such a URL can name every machine that the server can reach.
 *
 * **Example** (Providers in the same closed network)
 *
 * ```ts
 * import { Tenants } from "effect-mcp-auth/tenants"
 * import { Effect } from "effect"
 *
 * const tenants = Tenants.fromClaim("org_id", {
 *   authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://keycloak.internal/realms/acme"] : []),
 *   [Tenants.allowPrivateAddresses]: true
 * })
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowPrivateAddresses: unique symbol = Symbol.for("effect-mcp-auth/Tenants.allowPrivateAddresses")

/**
 * Configures how tenants are looked up and cached.
 *
 * **Details**
 *
 * The tokens of requests that name a tenant are verified only by the authorization servers of this tenant. If the function
 * `authorizationServers` returns an empty list, the tenant does not exist, and the token is rejected.
 *
 * Each tenant has separate keys, metadata and cached results. The authorization servers of a tenant are cached for
 * `timeToLive`. If a tenant does not exist, this result is cached for at most 5 seconds. A failed look-up is cached for 1
 * second if a token of the tenant was verified before, and is not cached otherwise. If the function fails or takes more than 5
 * seconds, requests of this tenant get 503.
 *
 * A caller belongs to one tenant. `Principal.tenant` is the exact name of the tenant, and is part of `Principal.owner` and
 * `Principal.key`. Read the tenant from the principal and not from the request. Sessions and sealed state of one tenant are
 * invalid at another, even if both share an issuer.
 *
 * Requests to the authorization servers of tenants go through `AddressGuard`, which requires https and rejects URLs whose host
 * name or address is private. If `resource` is on loopback, URLs on loopback are allowed as well. See `allowPrivateAddresses`.
 *
 * **Gotchas**
 *
 * With `fromHeader`, two tenants that share an issuer accept each other's tokens. The other functions distinguish such tokens:
 * with tenants in the path, tokens of different tenants have different audiences, and with `fromClaim`, the token contains the
 * tenant.
 *
 * The client chooses the name of the tenant. The guard resolves a host name before the HTTP client resolves it again, so a host
 * name whose address changes in between (DNS rebinding) passes the guard. If your function builds URLs from names of tenants or
 * takes URLs from customers, use an HTTP client that connects to checked addresses only: see `AddressGuard.lookup`.
 *
 * Anonymous requests have no tenant, so `anonymous: "allow-unscoped"` together with `tenants` is an `AuthConfigError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> {
  /** Returns the authorization servers of a tenant, or an empty list if the tenant does not exist. */
  readonly authorizationServers: (
    tenant: string
  ) => Effect.Effect<ReadonlyArray<AuthorizationServer.Input>, AuthorizationServerUnavailable, R>
  /**
   * How requests without a tenant are handled. With `"reject"`, they get 401. With `"default-servers"`, the
   * `authorizationServers` of the layer verify the token, and `Principal.tenant` is `undefined`. Default: `"reject"`.
   *
   * **With `"default-servers"`, handlers also run for callers without a tenant.** The fallback applies only if the header or
   * the claim is absent. With tenants in the path, it applies only to the exact path of `resource`. An empty or malformed name
   * is always rejected.
   */
  readonly withoutTenant?: "reject" | "default-servers" | undefined
  /**
   * Maximum number of cached tenants of which a token was verified. A full cache evicts the tenant that was not used for the
   * longest time. At most 100 other tenants are cached as well. Default: 1,000.
   */
  readonly capacity?: number | undefined
  /** How long the servers of a tenant are cached. Default: 5 minutes. */
  readonly timeToLive?: Duration.Input | undefined
  /** Maximum number of cached tokens for each tenant. Default: 100. */
  readonly tokensPerTenant?: number | undefined
  /**
   * Limits the look-ups of tenants of which no token was verified yet. At most this number of look-ups is available at once.
   * Each second, a tenth of this number becomes available again. The first verified token of a tenant makes one more look-up
   * available. Requests without a token can use only half of the number. If no look-up is available, requests that need one get
   * 503 with `Retry-After`. Default: 100.
   */
  readonly newTenants?: number | undefined
  /** Allows authorization servers of tenants on private addresses. Default: they are rejected. */
  readonly [allowPrivateAddresses]?: true | undefined
}

const table = {
  authorizationServers: true,
  withoutTenant: ConfigOption.oneOf("reject", "default-servers"),
  capacity: ConfigOption.wholeNumber(1, 1_000),
  timeToLive: ConfigOption.withDefault<Duration.Input>(
    "5 minutes",
    (input) => {
      const duration = OptionValue.toDuration(input)
      return duration !== undefined && !Duration.isNegative(duration) && Duration.isFinite(duration)
    },
    "a finite duration from 0",
    "5 minutes"
  ),
  tokensPerTenant: ConfigOption.wholeNumber(0, 100),
  newTenants: ConfigOption.wholeNumber(1, 100),
  [allowPrivateAddresses]: ConfigOption.rule(
    (value) => value === true,
    "true",
    "Write true, or remove it to fetch from public addresses only",
    "insecure"
  )
} satisfies ConfigOption.Table<keyof Options>

const checkFunction = ConfigOption.functionThat("takes a tenant and returns an Effect of its authorization servers")

/** Checks the options, and returns the options that have defaults. Throws `AuthConfigError`. */
export const check = (
  options: Options<unknown>
): {
  readonly capacity: number
  readonly tokens: number
  readonly newTenants: number
  readonly timeToLive: Duration.Duration
} => {
  ConfigOption.check(options, "tenants", table)
  checkFunction(options.authorizationServers, "tenants.authorizationServers")
  return {
    capacity: options.capacity ?? table.capacity.default,
    tokens: options.tokensPerTenant ?? table.tokensPerTenant.default,
    newTenants: options.newTenants ?? table.newTenants.default,
    timeToLive: Duration.fromInputUnsafe(options.timeToLive ?? table.timeToLive.default)
  }
}
