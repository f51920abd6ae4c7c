/**
 * Verifies the tokens of all tenants, and provides what each tenant publishes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as AddressGuard from "../../outbound/AddressGuard.ts"
import * as Discovery from "../../outbound/Discovery.ts"
import { Fetcher } from "../../outbound/Fetcher.ts"
import { withTimeLimit } from "../../outbound/TimeLimit.ts"
import type { AuthConfigError, AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import { toleranceOf } from "../claims/Claims.ts"
import type { Rules } from "../claims/Rules.ts"
import * as AuthorizationServer from "../issuers/AuthorizationServer.ts"
import * as JwkSet from "../keys/JwkSet.ts"
import type { Principal } from "../Principal.ts"
import * as IssuerVerifier from "../tokens/IssuerVerifier.ts"
import * as TokenCache from "../tokens/TokenCache.ts"
import * as TokenVerifier from "../TokenVerifier.ts"
import * as tenantNames from "./internal/tenantNames.ts"
import * as tenantRegistry from "./internal/tenantRegistry.ts"
import { allowPrivateAddresses, check as checkOptions, type Options } from "./TenantOptions.ts"

/**
 * Describes a tenant and its resource.
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
 * Verifies the tokens of all tenants. Provides the metadata and challenges that each tenant publishes, as a value of type `P`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tenants<P> extends TokenVerifier.Verifier {
  /** Evicts cached results of all tenants, and of requests without a tenant. */
  readonly invalidate: (target: TokenCache.Target) => Effect.Effect<void>
  /** Tells whether a principal belongs to the tenant that the request names, or to no tenant if the request names none. */
  readonly isNamedBy: (
    principal: Principal,
    token: Redacted.Redacted,
    request: TokenVerifier.PresentedRequest
  ) => boolean
  /** Returns the resource identifier of a tenant. */
  readonly resourceOf: (tenant: string) => string
  /**
   * Tells whether a request may use an API key of a tenant: the tenant exists, and the request names it. With `fromClaim`, requests
   * without a token name no tenant, so every tenant that exists is admitted. Call it only for a key that was verified.
   */
  readonly admitsKeyOf: (
    tenant: string,
    request: TokenVerifier.PresentedRequest
  ) => Effect.Effect<boolean, AuthorizationServerUnavailable | AuthConfigError>
  /** Returns what the tenant of a verified token publishes. */
  readonly publishedBy: (tenant: string) => P
  /**
   * Returns what the tenant of a request publishes, for a challenge. Returns `undefined` if the request names no tenant or a
   * malformed name. If the tenant does not exist or cannot be looked up, returns what can be published without a look-up. Never
   * fails.
   */
  readonly publishedFor: (request: TokenVerifier.PresentedRequest) => Effect.Effect<P | undefined>
  /**
   * Returns what a tenant publishes at a path, `"not-found"` if the tenant does not exist or its name is malformed, or
   * `"default"` if the request names no tenant. Returns `undefined` if tenants have no metadata at this path.
   */
  readonly publishedAt: (
    path: string,
    request: TokenVerifier.PresentedRequest
  ) =>
    | Effect.Effect<P | "default" | "not-found", AuthorizationServerUnavailable | AuthConfigError>
    | undefined
  /** The path of the tenants' metadata, with one variable segment. `undefined` unless each tenant has a separate path. */
  readonly metadataPattern:
    | { readonly before: string; readonly parameter: string; readonly after: string }
    | undefined
  /** The request header on which the metadata depends, if all tenants have their metadata at one URL. */
  readonly vary: string | undefined
  /** Whether the tenant is a parameter of the matched route, which the server adapter must then provide. */
  readonly fromRoute: boolean
}

/**
 * Contains what the verifier of tenants needs from the gate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts<P> {
  /** Verifies tokens of requests without a tenant, if the options allow such requests. */
  readonly others: TokenCache.Cached<TokenVerifier.VerificationError>
  readonly rules: Rules
  readonly settings: TokenCache.Settings
  /** The resource of the layer. */
  readonly resource: tenantNames.PublishedResource
  /** Creates what a tenant publishes. */
  readonly publish: (tenant: Tenant) => P
  /**
   * Creates, from a resource identifier, what is published for a tenant that is not cached, or whose look-up failed or found
   * nothing.
   */
  readonly publishUnknown: (resource: string) => P
}

interface Cached<P> {
  readonly inputs: ReadonlyArray<AuthorizationServer.Input>
  readonly verifier: TokenCache.Cached<TokenVerifier.VerificationError>
  readonly published: P
}

/** Guards the requests to the authorization servers of tenants. */
const guardedFetcher = Effect.fnUntraced(function*(resource: string) {
  const resolver = yield* AddressGuard.Resolver
  const guard = AddressGuard.guard(yield* Fetcher, {
    allowLoopback: HttpUri.isLoopback(new URL(resource).hostname)
  })
  // The resolver is that of the layer, so that the services of a request cannot replace it.
  return Fetcher.of({
    send: (request) => Effect.provideService(guard.send(request), AddressGuard.Resolver, resolver)
  })
})

/**
 * Creates the verifier of one tenant. Tenants share no keys, metadata or cached results, so if the servers of one tenant hang,
 * only the callers of that tenant wait.
 */
const build = Effect.fnUntraced(function*<P>(
  { publish, rules, settings }: Parts<P>,
  name: string,
  resource: string,
  inputs: ReadonlyArray<AuthorizationServer.Input>,
  tokens: number
) {
  const discovery = yield* Discovery.make
  const keys = yield* Effect.provideService(JwkSet.make, Discovery.Discovery, discovery)
  const servers: Array<AuthorizationServer.AuthorizationServer> = []
  for (const [index, input] of inputs.entries()) {
    const option = `tenants.authorizationServers[${index}]`
    const server = yield* Effect.fromResult(AuthorizationServer.make(input, option))
    const { jwks } = server
    if (jwks !== undefined) {
      yield* Effect.fromResult(ConfigOption.attempt(() => JwkSet.checkConfigured(jwks, `${option}.jwks`)))
    }
    servers.push(server)
  }
  const verifier = yield* IssuerVerifier.make(servers, { ...rules, resource, tenant: name }, settings).pipe(
    Effect.provideService(Discovery.Discovery, discovery),
    Effect.provideService(JwkSet.JwkSet, keys)
  )
  return {
    inputs,
    verifier: TokenCache.make(verifier, { ...settings, capacity: Math.min(tokens, settings.capacity) }),
    published: publish({ name, resource, servers })
  }
})

type Registry<P> = tenantRegistry.TenantRegistry<
  Cached<P>,
  AuthorizationServerUnavailable | AuthConfigError
>

/** Creates the registry, which looks up tenants with the option `authorizationServers` and creates their verifiers. */
const makeRegistry = Effect.fnUntraced(function*<P, R>(
  options: Options<R>,
  { capacity, newTenants, timeToLive, tokens }: ReturnType<typeof checkOptions>,
  parts: Parts<P>,
  names: tenantNames.TenantNames
): Effect.fn.Return<Registry<P>, never, Fetcher | Scope.Scope | R> {
  const services = yield* Effect.context<R>()
  const scope = yield* Effect.scope
  const fetcher = yield* options[allowPrivateAddresses] === true ? Fetcher : guardedFetcher(parts.rules.resource)
  return yield* tenantRegistry.make({
    lookUp: Effect.fnUntraced(function*(name: string, before: Cached<P> | undefined) {
      const inputs = yield* Effect.suspend(() =>
        OptionValue.toEffect(options.authorizationServers(name), "authorizationServers of tenants")
      ).pipe(
        Effect.updateContext((request: Context.Context<never>) => Context.merge(services, request)),
        withTimeLimit("5 seconds", name, "The tenant look-up for")
      )
      if (inputs.length === 0) return undefined
      // If the look-up returns the same servers as before, the tenant keeps its keys and its cached results.
      if (before !== undefined && Equal.equals(before.inputs, inputs)) return before
      return yield* build(parts, name, names.resourceOf(name), inputs, tokens).pipe(
        Effect.provideService(Fetcher, fetcher),
        Effect.provideService(Scope.Scope, scope)
      )
    }),
    capacity,
    timeToLive: Duration.toMillis(timeToLive),
    newTenants
  })
})

/** Creates the function that verifies a token with the verifier of the tenant that the request names. */
const makeVerify = <P>(
  id: tenantNames.TenantId,
  { withoutTenant }: Options<unknown>,
  { others, rules }: Parts<P>,
  names: tenantNames.TenantNames,
  registry: Registry<P>
): TokenVerifier.Verifier["verify"] => {
  const tolerance = toleranceOf(rules.clockTolerance)
  const unknownTenant = TokenVerifier.reject("unknown-tenant")
  const isClaim = id._tag === "Claim"
  return (credentials, request, timing) => {
    const named = names.ofRequest(credentials.token, request)
    if (named._tag === "Absent" && withoutTenant === "default-servers") {
      return others.verify(credentials, request, timing)
    }
    if (named._tag !== "Tenant") return unknownTenant.verify(credentials)
    const { name } = named
    const verified = Effect.flatMap(registry.find(name, true), (tenant) => {
      if (tenant === undefined) return unknownTenant.verify(credentials)
      const verified = tenant.verifier.verify(credentials, request, timing)
      return registry.isVerified(name)
        ? verified
        : Effect.tap(verified, () => Effect.sync(() => registry.recordVerified(name, tenant)))
    })
    return !isClaim || registry.isVerified(name) ? verified : Effect.flatMap(Clock.currentTimeMillis, (millis) => {
      const checked = tenantNames.checkBeforeLookUp(credentials.token, millis / 1000, tolerance)
      return Result.isFailure(checked) ? Effect.fail(checked.failure) : verified
    })
  }
}

/** Creates the functions that find what a tenant publishes. */
const makePublications = <P>(
  { publishUnknown }: Parts<P>,
  names: tenantNames.TenantNames,
  registry: Registry<P>
): Pick<Tenants<P>, "publishedAt" | "publishedBy" | "publishedFor"> => ({
  publishedBy: (tenant) => registry.peek(tenant)?.published ?? publishUnknown(names.resourceOf(tenant)),
  publishedFor: (request) => {
    const named = names.ofUnauthenticated(request)
    if (named._tag !== "Tenant") return Effect.undefined
    const unknown = () => publishUnknown(names.resourceOf(named.name))
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
  }
})

/**
 * Creates the verifier of all tenants.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <P, R = never>(
  id: tenantNames.TenantId,
  options: Options<R>,
  parts: Parts<P>
): Effect.Effect<Tenants<P>, AuthConfigError, Fetcher | Scope.Scope | R> =>
  Effect.gen(function*() {
    const { others } = parts
    const { names, settings } = yield* Effect.fromResult(ConfigOption.attempt(() => ({
      settings: checkOptions(options),
      names: tenantNames.make(id, parts.resource)
    })))
    const registry = yield* makeRegistry(options, settings, parts, names)
    return {
      verify: makeVerify(id, options, parts, names, registry),
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
      resourceOf: names.resourceOf,
      admitsKeyOf: (tenant, request) => {
        const named = names.ofUnauthenticated(request)
        const isNamed = id._tag === "Claim" || (named._tag === "Tenant" && named.name === tenant)
        if (!isNamed) return Effect.succeed(false)
        return Effect.map(registry.find(tenant, true), (found) => {
          // The author of the server wrote the record of the key, so the client did not invent the name.
          if (found !== undefined) registry.recordVerified(tenant, found)
          return found !== undefined
        })
      },
      ...makePublications(parts, names, registry),
      metadataPattern: names.metadataPattern,
      vary: names.vary,
      fromRoute: id._tag === "Route"
    }
  })
