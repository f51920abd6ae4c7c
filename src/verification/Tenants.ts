/**
 * Issuers that are not known beforehand: each request names a tenant, and a function of yours names the tenant's
 * authorization servers.
 *
 * @since 0.1.0
 */
import * as Cache from "effect/Cache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { AuthConfigError, AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import * as AuthorizationServer from "./AuthorizationServer.ts"
import * as Discovery from "./Discovery.ts"
import { Sharing } from "./internal/sharing.ts"
import * as JwkSet from "./JwkSet.ts"
import type { Principal } from "./Principal.ts"
import * as ServersVerifier from "./ServersVerifier.ts"
import * as TokenCache from "./TokenCache.ts"
import * as TokenVerifier from "./TokenVerifier.ts"

/**
 * Where a request names its tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type TenantId =
  | { readonly _tag: "Header"; readonly name: string }
  | { readonly _tag: "Path"; readonly pattern: string }
  | { readonly _tag: "Claim"; readonly name: string }

/**
 * In a header, such as `x-tenant`.
 *
 * **When to use**
 *
 * A gateway in front sets the header, from a subdomain for instance, and clients cannot.
 *
 * **Example** (Set by a gateway)
 *
 * ```ts
 * import { AuthLayer, Tenants } from "effect-mcp-auth"
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
export const fromHeader = (name: string): TenantId => ({ _tag: "Header", name })

/**
 * In the path: the segment `:tenant` of a pattern such as `/t/:tenant/mcp`.
 *
 * **When to use**
 *
 * Each tenant has a URL of its own, and clients do not compare it with the `resource` of the metadata.
 *
 * **Gotchas**
 *
 * The resource stays one for all tenants, so its tokens are made for the URL in `resource`, and its metadata is found there.
 *
 * **Example** (A path for each)
 *
 * ```ts
 * import { AuthLayer, Tenants } from "effect-mcp-auth"
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
export const fromPath = (pattern: string): TenantId => ({ _tag: "Path", pattern })

/**
 * In a claim of the token, such as `tid` or `org_id`. Opaque tokens have none.
 *
 * **When to use**
 *
 * Tokens say whose they are: `tid` of Entra ID, `org_id` of Auth0 and WorkOS.
 *
 * **Details**
 *
 * The claim is unverified when the tenant is looked up. It only picks the servers, one of which must have issued and signed
 * the token, claim included.
 *
 * **Example** (An authorization server for each organisation)
 *
 * ```ts
 * import { AuthLayer, Tenants } from "effect-mcp-auth"
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
export const fromClaim = (name: string): TenantId => ({ _tag: "Claim", name })

/**
 * How tenants are told apart and found.
 *
 * **Details**
 *
 * A request that names no tenant is judged by the `authorizationServers` of the layer, one that names a tenant by the
 * servers of that tenant alone. No servers means that there is no such tenant, and the token is refused.
 *
 * Every tenant has keys, metadata and verdicts of its own. What a look-up finds is kept for `timeToLive`, that there is no
 * such tenant for a moment, and a failure not at all; a failure, or a look-up that takes more than 5 seconds, is an outage
 * (503) for that tenant and nobody else.
 *
 * **Gotchas**
 *
 * Two tenants that share an issuer accept each other's tokens: only a claim can tell them apart then.
 *
 * The name is a stranger's word. A function that makes a URL of it, instead of looking the tenant up, needs an `HttpClient`
 * with a guard: see `AddressGuard`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly id: TenantId
  readonly authorizationServers: (
    tenant: string
  ) => Effect.Effect<ReadonlyArray<AuthorizationServer.Input>, AuthorizationServerUnavailable>
  /** At most this many tenants are kept; what was not used for the longest time goes first. Default: 1,000. */
  readonly capacity?: number | undefined
  /** How long the servers of a tenant are kept. Default: 5 minutes. */
  readonly timeToLive?: Duration.Input | undefined
  /** Verdicts that are remembered for each tenant. Default: 100. */
  readonly tokensPerTenant?: number | undefined
}

/**
 * A verifier that goes by the tenant, with all its memories.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tenants extends TokenVerifier.Verifier {
  readonly invalidate: (target: TokenCache.Target) => Effect.Effect<void>
}

interface Tenant {
  readonly inputs: ReadonlyArray<AuthorizationServer.Input>
  readonly verifier: TokenCache.Cached<TokenVerifier.VerificationError> | undefined
}

/** A tenant's name is a key in memory, and what the look-up is asked with. */
const isTenantName = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 256 && /^[\x21-\x7e]+$/.test(value)

/**
 * Puts the tenants in front of the verifier of requests without one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options,
  others: TokenCache.Cached<TokenVerifier.VerificationError>,
  rules: ServersVerifier.Rules,
  settings: TokenCache.Settings
): Effect.Effect<Tenants, AuthConfigError, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function*() {
    const identify = yield* Effect.fromResult(identifier(options.id))
    const capacity = yield* Effect.fromResult(checkCount(options.capacity ?? 1_000, "capacity", 1))
    const tokens = yield* Effect.fromResult(checkCount(options.tokensPerTenant ?? 100, "tokensPerTenant", 0))
    const timeToLive = yield* Effect.fromResult(checkTime(options.timeToLive ?? Duration.minutes(5)))
    if (typeof options.authorizationServers !== "function") {
      return yield* new AuthConfigError({
        reason: "malformed",
        option: "tenants.authorizationServers",
        fix: "give a function from a tenant to an Effect of its authorization servers"
      })
    }
    const client = yield* HttpClient.HttpClient
    const scope = yield* Effect.scope

    // Nothing is shared: a tenant whose servers hang holds up nobody but its own callers.
    const build = (inputs: ReadonlyArray<AuthorizationServer.Input>) =>
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
        const verifier = yield* ServersVerifier.make(servers, rules, settings).pipe(
          Effect.provideService(Discovery.Discovery, discovery),
          Effect.provideService(JwkSet.JwkSet, keys)
        )
        return TokenCache.make(verifier, { ...settings, capacity: Math.min(tokens, settings.capacity) })
      }).pipe(
        Effect.provideService(HttpClient.HttpClient, client),
        Effect.provideService(Scope.Scope, scope)
      )

    // What a tenant had before it was looked up again: with the same servers it keeps its keys and verdicts.
    const known = new Map<string, Tenant>()
    const lookUp = (tenant: string): Effect.Effect<Tenant, TokenVerifier.VerificationError | AuthConfigError> =>
      Effect.gen(function*() {
        const inputs = yield* Effect.suspend(() => options.authorizationServers(tenant)).pipe(
          Effect.timeoutOrElse({
            duration: Duration.seconds(5),
            orElse: () =>
              Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer: tenant, retryAfter: 1 }))
          })
        )
        const before = known.get(tenant)
        known.delete(tenant)
        const found: Tenant = before !== undefined && Equal.equals(before.inputs, inputs)
          ? before
          : { inputs, verifier: inputs.length === 0 ? undefined : yield* build(inputs) }
        if (found.verifier !== undefined) {
          known.set(tenant, found)
          if (known.size > capacity) known.delete(known.keys().next().value!)
        }
        return found
      })
    const cache = yield* Cache.makeWith(lookUp, {
      capacity,
      timeToLive: (exit) =>
        Exit.isFailure(exit)
          ? Duration.zero
          : exit.value.verifier === undefined
          ? Duration.min(timeToLive, Duration.seconds(5))
          : timeToLive
    })
    const shares = yield* Sharing
    const find = (tenant: string) =>
      shares ? Cache.get(cache, tenant) : Effect.flatMap(Cache.getSuccess(cache, tenant), (found) =>
        found._tag === "Some"
          ? Effect.succeed(found.value)
          : Effect.tap(lookUp(tenant), (made) => Cache.set(cache, tenant, made)))
    const nobody = TokenVerifier.refuse("unknown-issuer")

    return {
      verify: (credentials, request) => {
        const tenant = identify(credentials.token, request)
        if (tenant === undefined) return others.verify(credentials, request)
        if (!isTenantName(tenant)) return nobody.verify(credentials)
        return Effect.flatMap(
          find(tenant),
          ({ verifier }): Effect.Effect<Principal["Service"], TokenVerifier.VerificationError> =>
            (verifier ?? nobody).verify(credentials, request)
        )
      },
      invalidate: (target) =>
        Effect.andThen(
          others.invalidate(target),
          Effect.forEach([...known.values()], ({ verifier }) => verifier?.invalidate(target) ?? Effect.void, {
            discard: true
          })
        )
    }
  })

type Identify = (token: Redacted.Redacted, request: TokenVerifier.Presented | undefined) => unknown

const identifier = (id: TenantId): Result.Result<Identify, AuthConfigError> => {
  const fail = (fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option: "tenants.id", fix }))
  switch (id?._tag) {
    case "Header": {
      if (typeof id.name !== "string" || !/^[a-z0-9-]+$/i.test(id.name)) {
        return fail("name one header, such as x-tenant")
      }
      const name = id.name.toLowerCase()
      return Result.succeed((_, request) => request?.header(name))
    }
    case "Claim": {
      if (typeof id.name !== "string" || id.name === "") return fail("name one claim, such as tid")
      return Result.succeed((token) => TokenVerifier.claimOf(Redacted.value(token), id.name))
    }
    case "Path": {
      const segments = typeof id.pattern === "string" ? id.pattern.split("/") : []
      const index = segments.indexOf(":tenant")
      if (segments[0] !== "" || index === -1 || segments.lastIndexOf(":tenant") !== index) {
        return fail("write a path with one segment :tenant, such as /t/:tenant/mcp")
      }
      return Result.succeed((_, request) => {
        const given = request?.path?.split("/")
        return given?.length === segments.length && segments.every((_, i) => i === index || _ === given[i])
          ? given[index]
          : undefined
      })
    }
    default:
      return fail("choose Tenants.fromHeader, fromPath or fromClaim")
  }
}

const checkCount = (value: unknown, option: string, least: number): Result.Result<number, AuthConfigError> =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? Result.succeed(value)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: `tenants.${option}`,
        fix: `give a whole number from ${least}`
      })
    )

const checkTime = (input: Duration.Input): Result.Result<Duration.Duration, AuthConfigError> => {
  const duration = Duration.fromInput(input)
  return duration._tag === "Some" && !Duration.isNegative(duration.value) && Duration.isFinite(duration.value)
    ? Result.succeed(duration.value)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "tenants.timeToLive",
        fix: "give a duration from 0, such as \"5 minutes\""
      })
    )
}
