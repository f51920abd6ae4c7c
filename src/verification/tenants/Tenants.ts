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
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as AddressGuard from "../../outbound/AddressGuard.ts"
import * as Discovery from "../../outbound/Discovery.ts"
import { Fetcher } from "../../outbound/Fetcher.ts"
import { AuthConfigError, AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Rules } from "../claims/Rules.ts"
import * as AuthorizationServer from "../issuers/AuthorizationServer.ts"
import * as JwkSet from "../keys/JwkSet.ts"
import type { Principal } from "../Principal.ts"
import * as IssuerVerifier from "../tokens/IssuerVerifier.ts"
import * as TokenCache from "../tokens/TokenCache.ts"
import { toleranceOf } from "../tokens/VerifyClaims.ts"
import * as TokenVerifier from "../TokenVerifier.ts"
import * as tenantNames from "./internal/tenantNames.ts"
import * as tenantRegistry from "./internal/tenantRegistry.ts"

/**
 * Where a request names its tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type { TenantId } from "./internal/tenantNames.ts"

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
 *   tenants: {
 *     id: Tenants.fromRoute("/t/:tenant/mcp"),
 *     authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://login.acme.example"] : [])
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromRoute = (pattern: string): tenantNames.TenantId => ({ _tag: "Route", pattern })

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
 *   tenants: {
 *     id: Tenants.fromPath("/t/:tenant/mcp"),
 *     authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://login.acme.example"] : [])
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPath = (pattern: string): tenantNames.TenantId => ({ _tag: "Path", pattern })

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
 *   tenants: {
 *     id: Tenants.fromHeader("x-tenant"),
 *     authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://login.acme.example"] : [])
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromHeader = (name: string): tenantNames.TenantId => ({ _tag: "Header", name })

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
 *   tenants: {
 *     id: Tenants.fromClaim("org_id"),
 *     authorizationServers: (tenant) => Effect.succeed(Object.hasOwn(issuers, tenant) ? [issuers[tenant]!] : [])
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromClaim = (name: string): tenantNames.TenantId => ({ _tag: "Claim", name })

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
 * const tenants: Tenants.Options = {
 *   id: Tenants.fromClaim("org_id"),
 *   authorizationServers: (tenant) => Effect.succeed(tenant === "acme" ? ["https://keycloak.internal/realms/acme"] : []),
 *   [Tenants.allowPrivateAddresses]: true
 * }
 * ```
 *
 * @category unsafe
 * @since 0.1.0
 */
export const allowPrivateAddresses: unique symbol = Symbol.for("effect-mcp-auth/Tenants/allowPrivateAddresses")

/**
 * How tenants are distinguished and found.
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
export interface Options {
  readonly id: tenantNames.TenantId
  /** The authorization servers of a tenant; an empty list if there is no such tenant. */
  readonly authorizationServers: (
    tenant: string
  ) => Effect.Effect<ReadonlyArray<AuthorizationServer.Input>, AuthorizationServerUnavailable>
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

/**
 * A tenant as its resource is published.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tenant {
  readonly name: string
  /** The resource identifier. */
  readonly resource: string
  readonly servers: ReadonlyArray<AuthorizationServer.AuthorizationServer>
}

/**
 * The verifier of all tenants, and what each of them publishes (`P`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Tenants<P> extends TokenVerifier.Verifier {
  readonly invalidate: (target: TokenCache.Target) => Effect.Effect<void>
  /** Whether a principal belongs to the tenant that the request names, or to none if it names none. */
  readonly isNamedBy: (
    principal: Principal,
    token: Redacted.Redacted,
    request: TokenVerifier.Presented
  ) => boolean
  /** Returns what the tenant of a verified token publishes. */
  readonly publishedBy: (tenant: string) => P
  /**
   * Returns what the tenant that a request names publishes, for a challenge. Never fails. `undefined` if the request names none.
   * If the tenant does not exist or cannot be looked up now, it is what is known without a look-up.
   */
  readonly publishedFor: (request: TokenVerifier.Presented) => Effect.Effect<P | undefined>
  /**
   * Returns what is published at a path: the tenant's, `"not-found"` if there is no such tenant, `"default"` if the request names
   * none. `undefined` if no tenant has metadata at this path.
   */
  readonly publishedAt: (
    path: string,
    request: TokenVerifier.Presented
  ) =>
    | Effect.Effect<P | "default" | "not-found", AuthorizationServerUnavailable | AuthConfigError>
    | undefined
  /** A path of all tenants' metadata, with one variable segment, if each tenant has its own. */
  readonly metadataPattern:
    | { readonly before: string; readonly parameter: string; readonly after: string }
    | undefined
  /** The header on which the metadata at one URL depends. */
  readonly vary: string | undefined
  /** Whether the tenant is a parameter of the host's route. */
  readonly fromRoute: boolean
}

/**
 * The parts that tenants are made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts<P> {
  /** Verifies tokens of requests without a tenant, where the options allow them. */
  readonly others: TokenCache.Cached<TokenVerifier.VerificationError>
  readonly rules: Rules
  readonly settings: TokenCache.Settings
  /** Makes what a tenant publishes. */
  readonly publish: (tenant: Tenant) => P
  /** Makes what can be published of a tenant that was not looked up, by its resource identifier. */
  readonly publishUnknown: (resource: string) => P
}

interface Cached<P> {
  readonly inputs: ReadonlyArray<AuthorizationServer.Input>
  readonly verifier: TokenCache.Cached<TokenVerifier.VerificationError>
  readonly published: P
}

/**
 * Makes the verifier of all tenants.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <P>(
  options: Options,
  parts: Parts<P>
): Effect.Effect<Tenants<P>, AuthConfigError, Fetcher | Scope.Scope> =>
  Effect.gen(function*() {
    const { others, rules, settings } = parts
    yield* Effect.fromResult(checkNames(options))
    const names = yield* Effect.fromResult(tenantNames.make(options.id, rules.resource))
    const capacity = yield* Effect.fromResult(checkCount(options.capacity ?? 1_000, "capacity", 1))
    const tokens = yield* Effect.fromResult(checkCount(options.tokensPerTenant ?? 100, "tokensPerTenant", 0))
    const newTenants = yield* Effect.fromResult(checkCount(options.newTenants ?? 100, "newTenants", 1))
    const timeToLive = yield* Effect.fromResult(checkTime(options.timeToLive ?? Duration.minutes(5)))
    const scope = yield* Effect.scope
    const fetcher = yield* Fetcher
    const resolver = yield* AddressGuard.Resolver
    const guard = AddressGuard.guard(fetcher, {
      allowLoopback: HttpUri.isLoopback(new URL(rules.resource).hostname)
    })
    const guarded: Fetcher["Service"] = options[allowPrivateAddresses] === true
      ? fetcher
      // The settings that the layer was built with, not those of a request.
      : { send: (request) => Effect.provideService(guard.send(request), AddressGuard.Resolver, resolver) }
    const tolerance = toleranceOf(rules.clockTolerance)

    // Nothing is shared: a tenant whose servers hang delays its own callers only.
    const build = (name: string, inputs: ReadonlyArray<AuthorizationServer.Input>) =>
      Effect.gen(function*() {
        const discovery = yield* Discovery.make
        const keys = yield* Effect.provideService(JwkSet.make, Discovery.Discovery, discovery)
        const servers: Array<AuthorizationServer.AuthorizationServer> = []
        for (const [index, input] of inputs.entries()) {
          const option = `tenants.authorizationServers[${index}]`
          const server = yield* Effect.fromResult(AuthorizationServer.make(input, option))
          if (server.jwks !== undefined) {
            yield* Effect.fromResult(JwkSet.checkConfigured(server.jwks, `${option}.jwks`))
          }
          servers.push(server)
        }
        const resource = names.resourceOf(name)
        const verifier = yield* IssuerVerifier.make(servers, { ...rules, resource, tenant: name }, settings).pipe(
          Effect.provideService(Discovery.Discovery, discovery),
          Effect.provideService(JwkSet.JwkSet, keys)
        )
        return {
          inputs,
          verifier: TokenCache.make(verifier, {
            ...settings,
            capacity: Math.min(tokens, settings.capacity)
          }),
          published: parts.publish({ name, resource, servers })
        }
      }).pipe(
        Effect.provideService(Fetcher, guarded),
        Effect.provideService(Scope.Scope, scope)
      )

    const lookUp = (name: string, before: Cached<P> | undefined) =>
      Effect.gen(function*() {
        const inputs = yield* Effect.suspend(() => options.authorizationServers(name)).pipe(
          Effect.timeoutOrElse({
            duration: Duration.seconds(5),
            orElse: () =>
              Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer: name, retryAfter: 1 }))
          })
        )
        if (inputs.length === 0) return undefined
        // With the same servers a tenant keeps its keys and its cached results.
        return before !== undefined && Equal.equals(before.inputs, inputs) ? before : yield* build(name, inputs)
      })
    const registry = yield* tenantRegistry.make({
      lookUp,
      capacity,
      timeToLive: Duration.toMillis(timeToLive),
      newTenants
    })

    const unknownTenant = TokenVerifier.reject("unknown-tenant")
    const isClaim = options.id._tag === "Claim"

    const verifyOf = (
      name: string,
      credentials: Credentials,
      request: TokenVerifier.Presented | undefined,
      present: TokenVerifier.Present | undefined
    ) =>
      Effect.flatMap(registry.find(name, true), (tenant) => {
        if (tenant === undefined) return unknownTenant.verify(credentials)
        const verified = tenant.verifier.verify(credentials, request, present)
        return registry.isVerified(name)
          ? verified
          : Effect.tap(verified, () => Effect.sync(() => registry.recordVerified(name, tenant)))
      })

    return {
      verify: (credentials, request, present) => {
        const named = names.ofRequest(credentials.token, request)
        if (named._tag === "Absent" && options.withoutTenant === "default-servers") {
          return others.verify(credentials, request, present)
        }
        if (named._tag !== "Tenant") return unknownTenant.verify(credentials)
        const { name } = named
        return !isClaim || registry.isVerified(name)
          ? verifyOf(name, credentials, request, present)
          : Effect.flatMap(Clock.currentTimeMillis, (millis) => {
            const worth = tenantNames.isWorthLookUp(credentials.token, millis / 1000, tolerance)
            return Result.isFailure(worth)
              ? Effect.fail(worth.failure)
              : verifyOf(name, credentials, request, present)
          })
      },
      invalidate: (target) =>
        Effect.andThen(
          others.invalidate(target),
          Effect.suspend(() =>
            Effect.forEach(registry.values(), ({ verifier }) => verifier.invalidate(target), { discard: true })
          )
        ),
      isNamedBy: ({ tenant }, token, request) => {
        const named = names.ofRequest(token, request)
        return named._tag === "Tenant" ? tenant === named.name : named._tag === "Absent" && tenant === undefined
      },
      publishedBy: (tenant) => registry.peek(tenant)?.published ?? parts.publishUnknown(names.resourceOf(tenant)),
      publishedFor: (request) => {
        const named = names.ofUnauthenticated(request)
        if (named._tag !== "Tenant") return Effect.undefined
        const unknown = () => parts.publishUnknown(names.resourceOf(named.name))
        return registry.find(named.name, false).pipe(
          Effect.map((tenant) => tenant?.published ?? unknown()),
          Effect.catch(() => Effect.sync(unknown))
        )
      },
      publishedAt: (path, request) => {
        const named = names.ofMetadataPath(path, request)
        if (named === undefined) return undefined
        if (named._tag === "Absent") return Effect.succeed("default")
        if (named._tag === "Malformed") return Effect.succeed("not-found")
        return Effect.map(registry.find(named.name, false), (tenant) => tenant?.published ?? "not-found")
      },
      metadataPattern: names.metadataPattern,
      vary: names.vary,
      fromRoute: options.id._tag === "Route"
    }
  })

const known: ReadonlyArray<string | symbol> = [
  "id",
  "authorizationServers",
  "withoutTenant",
  "capacity",
  "timeToLive",
  "tokensPerTenant",
  "newTenants",
  allowPrivateAddresses
]

const checkNames = (options: Options): Result.Result<void, AuthConfigError> => {
  const fail = (option: string, fix: string, reason: AuthConfigError["reason"] = "malformed") =>
    Result.fail(new AuthConfigError({ reason, option, fix }))
  if (typeof options !== "object" || options === null) {
    return fail("tenants", `${OptionValue.isNot(options, "an object")}. Give { id, authorizationServers }`)
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

const checkCount = (value: unknown, option: string, least: number): Result.Result<number, AuthConfigError> =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? Result.succeed(value)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: `tenants.${option}`,
        fix: `${OptionValue.isNot(value, `a whole number from ${least}`)}. Correct it, or leave it out for the default`
      })
    )

const checkTime = (input: Duration.Input): Result.Result<Duration.Duration, AuthConfigError> => {
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
