/**
 * Supports authorization servers that are not known when the server starts. Each request names a tenant, and your function
 * `authorizationServers` returns the authorization servers of the tenant.
 *
 * **Details**
 *
 * With `tenants`, a request with an unknown tenant is rejected (401). A request without a tenant is rejected as well, unless
 * the option `withoutTenant` allows it. If the path contains the tenant, each tenant is a separate resource. The audience of
 * its tokens is the URL of the tenant, its challenges refer to the metadata of the tenant, and this metadata lists the
 * authorization servers of the tenant.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import type { TenantId } from "./internal/tenantNames.ts"
import type { Options } from "./TenantOptions.ts"
import type { Parts, Tenants } from "./TenantVerifier.ts"
import * as TenantVerifier from "./TenantVerifier.ts"

export { allowPrivateAddresses } from "./TenantOptions.ts"
export type { Options } from "./TenantOptions.ts"
export type { Parts, Tenant, Tenants } from "./TenantVerifier.ts"

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Tenants"

/**
 * Describes a value of the option `tenants`, which enables tenants. `R` lists the services that it requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  readonly make: <P>(
    parts: Parts<P>
  ) => Effect.Effect<Tenants<P>, AuthConfigError, Fetcher | Scope.Scope | R>
}

const makeMechanism = <R>(id: TenantId, options: Options<R>): Mechanism<R> => ({
  [TypeId]: TypeId,
  make: (parts) => TenantVerifier.make(id, options, parts)
})

/**
 * Reads the tenant from a parameter of the matched route, such as `:tenant` in `/t/:tenant/mcp`.
 *
 * **When to use**
 *
 * Use it if each tenant has a separate URL and the server has a router. The gate and the handler then see the same tenant for
 * every spelling of a path that the router accepts.
 *
 * **Details**
 *
 * On Effect, the gate reads the parameter from `HttpRouter`. On Express, it reads `req.params`, so `protect` and `protectRoute`
 * must be on the route itself (`app.all("/t/:tenant/mcp", auth.protect(), …)`): under `app.use`, Express provides no parameter.
 * With all other server adapters, set the option `tenant` of `protect` and `protectRoute` to a function that returns the
 * parameter. A request without the parameter is rejected.
 *
 * The resource of a tenant is the origin of `resource`, followed by the pattern with the tenant in place of the parameter. The
 * audience of the tenant's tokens must be this URL (`https://notes.example.com/t/acme/mcp`) and not `resource`. The tenant's
 * metadata is at `/.well-known/oauth-protected-resource/t/acme/mcp`.
 *
 * The name of a tenant may contain letters, digits and `-._~`. Names are case-sensitive.
 *
 * **Example** (A URL for each tenant)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Tenants } from "effect-mcp-auth/tenants"
 * import { Effect } from "effect"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://notes.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["notes:write"],
 *   tenants: Tenants.fromRoute("/t/:tenant/mcp", {
 *     authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://login.acme.example"] : [])
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromRoute = <R = never>(pattern: string, options: Options<R>): Mechanism<R> =>
  makeMechanism({ _tag: "Route", pattern }, options)

/**
 * Reads the tenant from the path of the request, as the client sent it, by a pattern such as `/t/:tenant/mcp`.
 *
 * **When to use**
 *
 * Use it if each tenant has a separate URL, and either the server has no router, or the gate runs before the router. If the
 * router runs before the gate, use `fromRoute`.
 *
 * **Details**
 *
 * The path must match the pattern exactly. A path with different letter case, an escape, a second slash or a trailing slash is
 * rejected, even if the router would accept it. A request is also rejected if the router matched a parameter of the same name
 * with another value.
 *
 * Resource, metadata and names of tenants are the same as for `fromRoute`.
 *
 * **Example** (In front of a router)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Tenants } from "effect-mcp-auth/tenants"
 * import { Effect } from "effect"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://notes.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["notes:write"],
 *   tenants: Tenants.fromPath("/t/:tenant/mcp", {
 *     authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://login.acme.example"] : [])
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPath = <R = never>(pattern: string, options: Options<R>): Mechanism<R> =>
  makeMechanism({ _tag: "Path", pattern }, options)

/**
 * Reads the tenant from a header, such as `x-tenant`.
 *
 * **When to use**
 *
 * Use it if a gateway sets the header on every request, for example from a subdomain, and removes a header of the same name
 * that the client sent.
 *
 * **Details**
 *
 * All tenants share one resource at one URL. The metadata of this resource lists the authorization servers of the tenant that
 * the header names. The metadata response has `Vary` with the name of the header, and `Cache-Control: private`, so that shared
 * caches do not store the response.
 *
 * **Example** (A gateway sets the header)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Tenants } from "effect-mcp-auth/tenants"
 * import { Effect } from "effect"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://notes.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["notes:write"],
 *   tenants: Tenants.fromHeader("x-tenant", {
 *     authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://login.acme.example"] : [])
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromHeader = <R = never>(name: string, options: Options<R>): Mechanism<R> =>
  makeMechanism({ _tag: "Header", name }, options)

/**
 * Reads the tenant from a claim of the token, such as `tid` or `org_id`. Opaque tokens have no tenant.
 *
 * **When to use**
 *
 * Use it if tokens contain the tenant: `tid` at Entra ID, `org_id` at Auth0 and WorkOS.
 *
 * **Details**
 *
 * The claim is not verified yet when the tenant is looked up. It only selects the authorization servers. One of them must have
 * signed the token, and with it the claim. A token that is not a signed JWT, or has expired, causes no look-up.
 *
 * Before sign-in there is no token, so metadata and challenges name the `authorizationServers` of the layer.
 *
 * **Example** (An authorization server for each organisation)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Tenants } from "effect-mcp-auth/tenants"
 * import { Effect } from "effect"
 *
 * const issuers: Readonly<Record<string, string>> = { acme: "https://login.acme.example" }
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://notes.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["notes:write"],
 *   tenants: Tenants.fromClaim("org_id", {
 *     authorizationServers: (tenant) => Effect.succeed(Object.hasOwn(issuers, tenant) ? [issuers[tenant]!] : [])
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromClaim = <R = never>(name: string, options: Options<R>): Mechanism<R> =>
  makeMechanism({ _tag: "Claim", name }, options)
