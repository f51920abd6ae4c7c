/**
 * Creates a gate from options: connects discovery, keys, verifiers and the gate. DPoP, introspection, revocation, API keys
 * and tenants are imported as types only, so a program bundles only those that its options contain.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import * as Decision from "../authorization/Decision.ts"
import * as Gate from "../authorization/Gate.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import type { Addresses, PublicUrl, TypeId } from "../authorization/public-url/PublicUrl.ts"
import * as RequestState from "../authorization/RequestState.ts"
import * as Sessions from "../authorization/Sessions.ts"
import * as Discovery from "../outbound/Discovery.ts"
import type { Fetcher } from "../outbound/Fetcher.ts"
import { Sharing } from "../outbound/Sharing.ts"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { sanitize } from "../protocol/RemoteText.ts"
import { toleranceOf } from "../verification/claims/Claims.ts"
import { makeReport as makeReportRoles } from "../verification/claims/Roles.ts"
import type { Rules } from "../verification/claims/Rules.ts"
import * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import * as Profile from "../verification/issuers/Profile.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import * as IssuerVerifier from "../verification/tokens/IssuerVerifier.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import * as TokenCache from "../verification/tokens/TokenCache.ts"
import type * as TokenVerifier from "../verification/TokenVerifier.ts"
import type { Cached, Common, Inputs, Options, Scopes } from "./AuthOptions.ts"
import { advice, checkServers, table } from "./checkOptions.ts"

/**
 * Checks the options and creates the gate. Fails with an error that names the wrong option and what to write instead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeGate = <S extends Scopes, C, A, RD, RT, RR, RK, RS, RQ>(
  options: Options<S, C, A, RD, RT, RR, RK, Inputs, RS, RQ>
): Effect.Effect<
  Gate.Gate,
  AuthConfigError,
  JwkSet.JwkSet | Discovery.Discovery | Fetcher | Scope.Scope | RD | RT | RR | RK | RS | RQ
> =>
  Effect.gen(function*() {
    const discovery = yield* Discovery.Discovery
    const servers = yield* Effect.fromResult(ConfigOption.attempt(() => {
      ConfigOption.check(options, "", table, advice)
      return checkServers(options.authorizationServers)
    }))
    const dpop = options.dpop === undefined ? undefined : yield* Effect.fromResult(options.dpop.published)
    const publicUrl = Predicate.hasProperty(options.resource, publicUrlId) ? options.resource as PublicUrl : undefined
    const addresses: Addresses = publicUrl === undefined
      ? [{ url: options.resource as string, toPublicPath: identity }]
      : yield* Effect.fromResult(publicUrl.addressesFor(options))
    const hasSeveral = addresses.length > 1
    const keys = yield* JwkSet.JwkSet
    const settings = yield* Effect.fromResult(TokenCache.settings(options.tokenCache))
    const revocation = options.revocation === undefined ? undefined : yield* options.revocation.make
    const sharedSessions = options.sessionStore === undefined
      ? undefined
      : yield* options.sessionStore.make(
        addresses[0]!.url,
        options.sessionsPerCaller ?? table.sessionsPerCaller.default
      )
    const quotas = options.quotas === undefined ? undefined : yield* options.quotas.make({
      hasProofs: dpop !== undefined,
      hasAnonymous: options.anonymous === "allow-unscoped"
    })
    const sessions = hasSeveral ? Sessions.make({ perCaller: options.sessionsPerCaller }) : undefined

    const reportRoles = yield* makeReportRoles

    /** Creates the gate of one public URL. */
    const gateAt = Effect.fnUntraced(function*(address: ProtectedResource.Address) {
      const resource = yield* Effect.fromResult(
        ProtectedResource.make(
          {
            resource: address.url,
            address,
            scopes: options.scopes as Scopes,
            scopeHierarchy: options.scopeHierarchy,
            hasRoles: canHaveRoles(options, servers),
            dpop,
            resourceName: options.resourceName,
            resourceDocumentation: options.resourceDocumentation
          },
          issuersOf(servers),
          requestedScopesAt(servers)
        )
      )
      const { hostname } = new URL(resource.resource)
      if (address.warning !== undefined) yield* Effect.logWarning(address.warning)
      // Each of several public URLs accepts only its own host, which selects it.
      const allowedHosts = hasSeveral ? [hostname] : options.allowedHosts
      if (options.allowedHosts !== undefined && HttpUri.isLoopback(hostname)) {
        yield* Effect.logWarning(
          `allowedHosts lets requests reach ${resource.resource} by names other than loopback: ${
            options.allowedHosts.join(", ")
          }`
        )
      }
      const rules: Rules = {
        resource: resource.resource,
        audience: options.audience,
        tokenType: options.tokenType,
        clockTolerance: options.clockTolerance === undefined ? undefined : Duration.toSeconds(options.clockTolerance),
        effectiveScopes: resource.effectiveScopes,
        roles: options.roles,
        reportRoles
      }
      if (options.tenants !== undefined && options.anonymous === "allow-unscoped") {
        return yield* ConfigOption.error(
          "anonymous",
          "\"allow-unscoped\" cannot be combined with tenants: an anonymous request has no tenant. Remove anonymous or tenants",
          "conflict"
        )
      }
      const cachedServers = TokenCache.make(yield* IssuerVerifier.make(servers, rules, settings), settings)
      const tenants = options.tenants === undefined
        ? undefined
        : yield* options.tenants.make({
          others: cachedServers,
          rules,
          settings,
          resource,
          publish: (tenant) =>
            ProtectedResource.ofTenant(resource, {
              resource: tenant.resource,
              issuers: issuersOf(tenant.servers),
              requestedScopes: requestedScopesAt(tenant.servers)
            }),
          publishUnknown: (identifier) => ProtectedResource.ofUnknownTenant(resource, identifier)
        })
      const configured = tenants ?? cachedServers
      const own = yield* Effect.fromResult(
        ConfigOption.attempt(() => wrapVerifier(options.verifier, configured, settings))
      )
      const { tokenHeader } = options
      const apiKeys = options.apiKeys === undefined
        ? undefined
        : yield* options.apiKeys.make({ ...rules, tenants })
      if (tokenHeader !== undefined) yield* Effect.fromResult(tokenHeader.check({ dpop: options.dpop, apiKeys }))
      return Gate.make({
        resource,
        tenants,
        apiKeys,
        tokenHeader,
        requestState: yield* RequestState.make(options.requestState?.secret, resource.resource),
        verifier: options.verifier === undefined || publicUrl === undefined
          ? own.verifier
          : publicUrl.withSeparatePrincipals(own.verifier),
        // The fast path is disabled if a result can depend on the request, or if a function has to be called for each request.
        lookupVerified: [options.tenants, options.revocation, options.verifier].every((_) => _ === undefined)
          ? cachedServers.lookupVerified
          : undefined,
        revocation,
        revocationInterval: Duration.fromInputUnsafe(options.revocationInterval ?? table.revocationInterval.default),
        expiryTolerance: rules.clockTolerance,
        tokenGrammar: options.tokenGrammar,
        presentation: options.dpop === undefined
          ? Presentation.bearerOnly
          : yield* options.dpop.make(resource, quotas?.countProof),
        invalidate: (target) =>
          Effect.forEach([configured, ...own.caches], (_) => _.invalidate(target), { discard: true }),
        allowedOrigins: options.allowedOrigins,
        allowNullOrigin: options.allowNullOrigin,
        allowedHosts,
        challengeScopes: options.challengeScopes ?? table.challengeScopes.default,
        unlisted: options.unlisted ?? table.unlisted.default,
        anonymous: options.anonymous ?? table.anonymous.default,
        authChallenge: options.authChallenge,
        structuredDenials: options.structuredDenials,
        sessionsPerCaller: options.sessionsPerCaller,
        // A Worker is not informed when a client leaves, so a count would never go down.
        streamsPerCaller: (yield* Sharing) ? options.streamsPerCaller : Number.POSITIVE_INFINITY,
        sessions,
        sharedSessions,
        quotas,
        claims: ClaimsDecoder.reader(options.claims),
        // An authorization server whose tokens are introspected may have no keys.
        ready: Effect.forEach(servers.filter((_) => _.introspection === undefined), keys.load, {
          concurrency: "unbounded",
          discard: true
        }),
        decisions: {
          listener: yield* Decision.DecisionListener,
          ...options.decisions,
          setup: {
            servers,
            serverOf: AuthorizationServer.ofIssuer(servers),
            tokenHeader,
            rules,
            tolerance: toleranceOf(rules.clockTolerance),
            standards: {
              clientIds: Profile.standardClientIds,
              subjects: Profile.standardSubjects,
              scopes: Profile.standardScopes
            },
            keyIds: keys.keyIds,
            ...(hasSeveral ? { allowedHosts: addresses.map(({ url }) => new URL(url).hostname) } : undefined)
          }
        },
        authorizationServerMetadata: options.mirrorMetadata === true
          ? Effect.flatMap(
            discovery.metadata(servers[0]!, "authorization_endpoint"),
            (_) => checkMirrored(_, servers[0]!)
          )
          : undefined
      })
    })

    const [first, ...others] = addresses
    const gates = [yield* gateAt(first), ...yield* Effect.forEach(others, gateAt)] as const
    const gate = publicUrl === undefined ? gates[0] : publicUrl.combine(gates)
    if (revocation !== undefined) {
      yield* revocation.subscribe((target) => gate.invalidate(target))
    }
    return gate
  })

/** The mark of the values of `PublicUrl`, which only a program that uses them bundles. */
const publicUrlId: typeof TypeId = "~effect-mcp-auth/PublicUrl"

type Servers = ReadonlyArray<AuthorizationServer.AuthorizationServer<any>>

/**
 * Fails with `AuthConfigError` if metadata that the server would publish contain the host from which they were fetched, and this is
 * not the host of the issuer. In a split network, clients cannot reach such a host, and its name is not public.
 */
const checkMirrored = <A extends object>(
  metadata: A,
  { issuer, metadataUrls }: Pick<AuthorizationServer.AuthorizationServer, "issuer" | "metadataUrls">
): Effect.Effect<A, AuthConfigError> => {
  const hosts = new Set(metadataUrls.map((url) => new URL(url).host))
  hosts.delete(new URL(issuer).host)
  for (const host of hosts) {
    const internal = new RegExp(`//${host.replace(/[^\w:-]/g, "\\$&")}(?=["/?#])`, "i")
    const member = Object.entries(metadata).find(([, value]) => internal.test(JSON.stringify(value)))?.[0]
    if (member === undefined) continue
    return ConfigOption.error(
      "mirrorMetadata",
      `the metadata of ${issuer} contain the host ${host} of metadataUrl in ${
        sanitize(member)
      }, which clients outside the network ` +
        "cannot reach. Let the authorization server name public URLs, or remove mirrorMetadata",
      "conflict"
    )
  }
  return Effect.succeed(metadata)
}

/** Returns whether callers can have roles: from claims, from records of API keys, from tenants, or from a verifier of the author. */
const canHaveRoles = (
  { apiKeys, roles, tenants, verifier }:
    & Pick<Common<Scopes>, "roles">
    & Partial<Record<"apiKeys" | "tenants" | "verifier", unknown>>,
  servers: Servers
): boolean =>
  (apiKeys ?? tenants ?? verifier) !== undefined ||
  (roles ?? servers.flatMap(({ profile }) => profile?.roles ?? [])).length > 0

const issuersOf = (servers: Servers) => servers.map((_) => _.issuer) as [string, ...Array<string>]

/**
 * Returns a function that writes scopes in the form that the profile of an authorization server defines. If the issuer is
 * missing or unknown, the function uses the first authorization server.
 */
const requestedScopesAt = (servers: Servers): ProtectedResource.RequestedScopes => {
  const serverOf = AuthorizationServer.ofIssuer(servers)
  return (scopes, issuer) =>
    Profile.requestedScopes(((issuer === undefined ? undefined : serverOf(issuer)) ?? servers[0]!).profile, scopes)
}

/**
 * Returns the verifier of the option `verifier`, and the caches that the option creates with `cached`. The option receives the
 * configured verifier with its cache. The results of the option's own verifier are not cached, because they may depend on the
 * request. Throws `AuthConfigError`.
 */
const wrapVerifier = (
  wrap: Common<Scopes>["verifier"],
  configured: TokenVerifier.Verifier,
  settings: TokenCache.Settings
): { readonly verifier: TokenVerifier.Verifier; readonly caches: ReadonlyArray<TokenCache.Cached<unknown>> } => {
  const caches: Array<TokenCache.Cached<unknown>> = []
  if (wrap === undefined) return { verifier: configured, caches }
  const cached: Cached = (verifier, timeToLive) => {
    const time = OptionValue.toDuration(timeToLive)
    if (time === undefined || Duration.isNegative(time)) {
      throw ConfigOption.error(
        "verifier",
        `the second argument of cached: ${
          OptionValue.isNot(timeToLive, "a duration from 0")
        }. Write one such as "1 minute"`
      )
    }
    const cache = TokenCache.make(TokenCache.timed(verifier, time), settings)
    caches.push(cache)
    return cache
  }
  let verifier: TokenVerifier.Verifier
  try {
    verifier = wrap(configured, cached)
  } catch (thrown) {
    if (thrown instanceof AuthConfigError) throw thrown
    throw ConfigOption.error("verifier", `the function threw: ${String(thrown)}. ${adviceOnVerifier}`)
  }
  if (typeof verifier?.verify === "function") return { verifier, caches }
  throw ConfigOption.error(
    "verifier",
    `the function returned ${OptionValue.describe(verifier)}, which is not a verifier. ${adviceOnVerifier}`
  )
}

const adviceOnVerifier = "Return a verifier, such as that of TokenVerifier.make"
