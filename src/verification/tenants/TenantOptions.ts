/**
 * The options of tenants, and their check.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { AuthConfigError, type AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type * as AuthorizationServer from "../issuers/AuthorizationServer.ts"

/**
 * Lets the authorization servers of tenants be at private addresses, on this machine and at http URLs. Use it only if your
 * function takes every URL from a list that you wrote: a URL that is made of the tenant's name, or that a customer typed
 * in, would otherwise reach every host that this machine can reach (server-side request forgery).
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
export const allowPrivateAddresses: unique symbol = Symbol.for("effect-mcp-auth/Tenants/allowPrivateAddresses")

/**
 * How tenants are looked up and cached.
 *
 * **Details**
 *
 * The servers of a tenant alone verify the tokens of requests that name it. No servers means that there is no such tenant,
 * and the token is rejected.
 *
 * Every tenant has its own keys, metadata and cached results. The servers of a tenant are cached for `timeToLive`, that
 * there is no such tenant for 5 seconds, and a failure for one second if the tenant verified a token before, else not at
 * all. If the function fails, or takes more than 5 seconds, the requests of that tenant are answered with 503.
 *
 * A caller belongs to one tenant: `Principal.tenant` is its exact name, and is part of `owner` and `key`. Read the tenant
 * there, not in the request. Sessions and sealed state of one tenant are of no use at another, even if both share an
 * issuer.
 *
 * Requests to the authorization servers of tenants go through `AddressGuard`: https, and no host that is private by its
 * address or name. If `resource` is on loopback, hosts on loopback are allowed, too. See `allowPrivateAddresses`.
 *
 * **Gotchas**
 *
 * Two tenants that share an issuer accept each other's tokens if a header distinguishes them. In the path their tokens
 * are addressed to different URLs, and a claim is part of the token.
 *
 * The client chooses the name. The guard resolves host names before the client does, so a name whose address changes in
 * between (DNS rebinding) passes. If your function makes URLs of names, or takes them from customers, use a client that
 * connects to checked addresses only: see `AddressGuard.lookup`.
 *
 * Anonymous requests belong to no tenant: `anonymous: "allow-unscoped"` beside `tenants` is an `AuthConfigError`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> {
  /** The authorization servers of a tenant; an empty list if there is no such tenant. */
  readonly authorizationServers: (
    tenant: string
  ) => Effect.Effect<ReadonlyArray<AuthorizationServer.Input>, AuthorizationServerUnavailable, R>
  /**
   * The answer to a request that names no tenant: 401 (`"reject"`, the default), or the layer's own
   * `authorizationServers` verify its token (`"default-servers"`), and `Principal.tenant` is `undefined`.
   *
   * **A handler that reads the tenant from the request then runs for callers of no tenant.** Only a plain absence falls
   * back: no such header, no such claim, and with tenants in the path only the exact path of `resource`. An empty or
   * malformed name is rejected in any case.
   */
  readonly withoutTenant?: "reject" | "default-servers" | undefined
  /** At most this many tenants are cached; the one that was not used for the longest time goes first. Default: 1,000. */
  readonly capacity?: number | undefined
  /** How long the servers of a tenant are cached. Default: 5 minutes. */
  readonly timeToLive?: Duration.Input | undefined
  /** Tokens that are cached for each tenant. Default: 100. */
  readonly tokensPerTenant?: number | undefined
  /**
   * How many look-ups may start at once for names of which no token was verified yet; a tenth of them comes back each
   * second, and one with each tenant that verifies its first token. Beyond it such a request is answered with 503 and
   * `Retry-After`, while tenants that verified a token go on. Default: 100.
   */
  readonly newTenants?: number | undefined
  readonly [allowPrivateAddresses]?: true | undefined
}

const known: ReadonlyArray<string | symbol> = [
  "authorizationServers",
  "withoutTenant",
  "capacity",
  "timeToLive",
  "tokensPerTenant",
  "newTenants",
  allowPrivateAddresses
]

/** Checks the names of the options, and those with few values. */
export const checkNames = (options: Options<unknown>): Result.Result<void, AuthConfigError> => {
  const fail = (option: string, fix: string, reason: AuthConfigError["reason"] = "malformed") =>
    Result.fail(new AuthConfigError({ reason, option, fix }))
  if (typeof options !== "object" || options === null) {
    return fail("tenants", `${OptionValue.isNot(options, "an object")}. Give { authorizationServers }`)
  }
  const foreign = Reflect.ownKeys(options).find((_) => !known.includes(_))
  if (foreign !== undefined) {
    return fail(
      `tenants.${String(foreign)}`,
      OptionValue.noSuchOption(
        known.map((_) => typeof _ === "symbol" ? "[Tenants.allowPrivateAddresses]" : _)
      )
    )
  }
  if (typeof options.authorizationServers !== "function") {
    return fail(
      "tenants.authorizationServers",
      `${OptionValue.isNot(options.authorizationServers, "a function")}. Give one that takes a tenant and returns an ` +
        "Effect of its authorization servers"
    )
  }
  const { withoutTenant } = options
  if (withoutTenant !== undefined && withoutTenant !== "reject" && withoutTenant !== "default-servers") {
    return fail(
      "tenants.withoutTenant",
      `${OptionValue.isNot(withoutTenant, "\"reject\" or \"default-servers\"")}. Leave it out for "reject"`
    )
  }
  const unguarded: unknown = options[allowPrivateAddresses]
  return unguarded === undefined || unguarded === true
    ? Result.succeed(undefined)
    : fail(
      "tenants[allowPrivateAddresses]",
      `${OptionValue.isNot(unguarded, "true")}. Write true, or remove it to fetch from public addresses only`,
      "insecure"
    )
}

/** Checks a count. */
export const checkCount = (value: unknown, option: string, least: number): Result.Result<number, AuthConfigError> =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? Result.succeed(value)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: `tenants.${option}`,
        fix: `${OptionValue.isNot(value, `a whole number from ${least}`)}. Correct it, or leave it out for the default`
      })
    )

/** Checks `timeToLive`. */
export const checkTime = (input: Duration.Input): Result.Result<Duration.Duration, AuthConfigError> => {
  const duration = OptionValue.toDuration(input)
  return duration !== undefined && !Duration.isNegative(duration) && Duration.isFinite(duration)
    ? Result.succeed(duration)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "tenants.timeToLive",
        fix: `${OptionValue.isNot(input, "a finite duration from 0")}. Write one such as "5 minutes"`
      })
    )
}
