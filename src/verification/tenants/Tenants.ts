/**
 * Issuers that are not known beforehand: each request names a tenant, and a function of yours names the tenant's
 * authorization servers.
 *
 * **Details**
 *
 * If `tenants` is configured, a request that names no tenant, or none that exists, is rejected (401). With tenants in the
 * path each tenant is a separate resource: its tokens are addressed to its URL, its challenge names its metadata, and
 * the metadata names its authorization servers.
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
 * Marks the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Tenants"

/**
 * Enables tenants: the value of the option `tenants`. `R` is what it needs from the layer.
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
 * Takes the tenant from the route that the host's router matched: the parameter of a pattern such as `/t/:tenant/mcp`.
 *
 * **When to use**
 *
 * Each tenant has a separate URL, and the server has a router. The gate and the handler then see the same tenant for every
 * spelling of a path that the router accepts.
 *
 * **Details**
 *
 * The gate reads the parameter of this name: from `HttpRouter` on Effect, and from `req.params` on Express, so `protect`
 * and `protectRoute` must be on the route itself (`app.all("/t/:tenant/mcp", auth.protect(), …)`): under `app.use` there is
 * no parameter. On every other host the option `tenant` of `protect` and `protectRoute` returns it. A request without the
 * parameter is rejected.
 *
 * The pattern is also the path of each tenant's resource, on the origin of `resource`. Tokens must be addressed to it
 * (`https://notes.example.com/t/acme/mcp`), not to `resource`, and its metadata is at
 * `/.well-known/oauth-protected-resource/t/acme/mcp`.
 *
 * A tenant's name holds letters, digits and `-._~` only. Names are case-sensitive.
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
 * Takes the tenant from the path as the client sent it: the parameter of a pattern such as `/t/:tenant/mcp`.
 *
 * **When to use**
 *
 * Each tenant has a separate URL, and the server has no router, or the gate is in front of it. Prefer `fromRoute` where
 * you can.
 *
 * **Details**
 *
 * Only this very spelling names a tenant. A path in other letter case, with an escape, a second slash or a slash at the
 * end is rejected, even if the router would accept it. If the router matched a parameter of the same name with another
 * value, the request is rejected as well.
 *
 * Resource, metadata and names of tenants are as for `fromRoute`.
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
 * Takes the tenant from a header, such as `x-tenant`.
 *
 * **When to use**
 *
 * A gateway in front sets the header, from a subdomain for instance, on every request, and removes what clients send.
 *
 * **Details**
 *
 * All tenants are one resource at one URL. The metadata at that URL names the authorization servers of the tenant in the
 * header; `Vary` says so, and shared caches may not keep it.
 *
 * **Example** (Set by a gateway)
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
 * Takes the tenant from a claim of the token, such as `tid` or `org_id`. Opaque tokens have none.
 *
 * **When to use**
 *
 * Tokens say whose they are: `tid` of Entra ID, `org_id` of Auth0 and WorkOS.
 *
 * **Details**
 *
 * The claim is unverified when the tenant is looked up. It only picks the servers, one of which must have issued and signed
 * the token, claim included. A token that is not a signed JWT, or whose time has passed, causes no look-up.
 *
 * Before sign-in there is no token and so no tenant: metadata and challenges name the `authorizationServers` of the layer.
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
