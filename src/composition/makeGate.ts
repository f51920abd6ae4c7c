/**
 * Makes the gate of options: the composition root. It knows mechanisms by their types only.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import * as Decision from "../authorization/Decision.ts"
import * as Gate from "../authorization/Gate.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as RequestState from "../authorization/RequestState.ts"
import * as Discovery from "../outbound/Discovery.ts"
import type { Fetcher } from "../outbound/Fetcher.ts"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type { Rules } from "../verification/claims/Rules.ts"
import * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import * as Profile from "../verification/issuers/Profile.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import * as IssuerVerifier from "../verification/tokens/IssuerVerifier.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import * as TokenCache from "../verification/tokens/TokenCache.ts"
import type * as TokenVerifier from "../verification/TokenVerifier.ts"
import type { Cached, Common, Options, Scopes } from "./AuthOptions.ts"
import { checkServers, table } from "./checkOptions.ts"

/**
 * Checks the options and makes the gate. Fails with the option that is wrong, and what to write.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeGate = <S extends Scopes, C, A, RD, RT, RR>(
  options: Options<S, C, A, RD, RT, RR>
): Effect.Effect<
  Gate.Gate,
  AuthConfigError,
  JwkSet.JwkSet | Discovery.Discovery | Fetcher | Scope.Scope | RD | RT | RR
> =>
  Effect.gen(function*() {
    const discovery = yield* Discovery.Discovery
    const servers = yield* Effect.fromResult(ConfigOption.attempt(() => {
      ConfigOption.check(options, "", table, "Give one with resource, authorizationServers and scopes")
      return checkServers(options.authorizationServers)
    }))
    const issuers = servers.map((_) => _.issuer) as [string, ...Array<string>]
    const serverOf = AuthorizationServer.ofIssuer(servers)
    const dpop = options.dpop === undefined ? undefined : yield* Effect.fromResult(options.dpop.published)
    const resource = yield* Effect.fromResult(
      ProtectedResource.make(
        { ...options, dpop } as unknown as ProtectedResource.Options,
        issuers,
        (scopes, issuer) =>
          Profile.requestedScopes(
            ((issuer === undefined ? undefined : serverOf(issuer)) ?? servers[0]!).profile,
            scopes
          )
      )
    )
    const { allowedHosts } = options
    if (allowedHosts !== undefined && HttpUri.isLoopback(new URL(resource.resource).hostname)) {
      yield* Effect.logWarning(
        `allowedHosts lets requests reach ${resource.resource} by names other than loopback: ${allowedHosts.join(", ")}`
      )
    }
    const keys = yield* JwkSet.JwkSet
    const settings = yield* Effect.fromResult(TokenCache.settings(options.tokenCache))
    const rules: Rules = {
      resource: resource.resource,
      audience: options.audience,
      tokenType: options.tokenType,
      clockTolerance: options.clockTolerance === undefined ? undefined : Duration.toSeconds(options.clockTolerance),
      effectiveScopes: resource.effectiveScopes
    }
    if (options.tenants !== undefined && options.anonymous === "allow-unscoped") {
      return yield* new AuthConfigError({
        reason: "conflict",
        option: "anonymous",
        fix:
          "\"allow-unscoped\" cannot be combined with tenants: an anonymous request has no tenant. Remove anonymous or tenants"
      })
    }
    const cachedServers = TokenCache.make(yield* IssuerVerifier.make(servers, rules, settings), settings)
    const tenants = options.tenants === undefined
      ? undefined
      : yield* options.tenants.make({
        others: cachedServers,
        rules,
        settings,
        publish: (tenant) => {
          const serverOf = AuthorizationServer.ofIssuer(tenant.servers)
          return ProtectedResource.ofTenant(resource, {
            resource: tenant.resource,
            issuers: tenant.servers.map((_) => _.issuer) as [string, ...Array<string>],
            requestedScopes: (scopes, issuer) =>
              Profile.requestedScopes(
                ((issuer === undefined ? undefined : serverOf(issuer)) ?? tenant.servers[0]!).profile,
                scopes
              )
          })
        },
        publishUnknown: (identifier) => ProtectedResource.ofUnknownTenant(resource, identifier)
      })
    const configured = tenants ?? cachedServers
    const own = yield* Effect.fromResult(wrapVerifier(options.verifier, configured, settings))
    const revocation = options.revocation === undefined ? undefined : yield* options.revocation.make
    const gate = Gate.make({
      resource,
      tenants,
      requestState: yield* RequestState.make(options.requestState?.secret, resource.resource),
      verifier: own.verifier,
      // Where a result depends on the request, or a function has to be asked each time, the fast path is off.
      lookupVerified: [options.tenants, options.revocation, options.verifier].every((_) => _ === undefined)
        ? cachedServers.lookupVerified
        : undefined,
      revocation: revocation?.isRevoked,
      revocationInterval: Duration.fromInputUnsafe(options.revocationInterval ?? "30 seconds"),
      expiryTolerance: rules.clockTolerance,
      tokenGrammar: options.tokenGrammar,
      presentation: options.dpop === undefined ? Presentation.bearerOnly : yield* options.dpop.make(resource),
      invalidate: (target) =>
        Effect.forEach([configured, ...own.caches], (_) => _.invalidate(target), { discard: true }),
      allowedOrigins: options.allowedOrigins,
      allowedHosts,
      challengeScopes: options.challengeScopes ?? "auto",
      unlisted: options.unlisted ?? "allow",
      anonymous: options.anonymous ?? "deny",
      sessionsPerCaller: options.sessionsPerCaller,
      claims: ClaimsDecoder.reader(options.claims),
      // A server that is asked about its tokens may have no keys at all.
      ready: Effect.forEach(servers.filter((_) => _.introspection === undefined), keys.load, {
        concurrency: "unbounded",
        discard: true
      }),
      decisions: {
        listener: yield* Decision.DecisionListener,
        subject: options.decisions?.subject
      },
      authorizationServerMetadata: options.mirrorMetadata === true
        ? discovery.metadata(servers[0]!, "authorization_endpoint")
        : undefined
    })
    if (revocation !== undefined) yield* revocation.subscribe((target) => gate.invalidate(target))
    return gate
  })

/** The verifier of the option, around the cache, since its results may depend on the request; and the caches it asks for. */
const wrapVerifier = (
  wrap: Common<Scopes>["verifier"],
  configured: TokenVerifier.Verifier,
  settings: TokenCache.Settings
): Result.Result<
  { readonly verifier: TokenVerifier.Verifier; readonly caches: ReadonlyArray<TokenCache.Cached<unknown>> },
  AuthConfigError
> => {
  const caches: Array<TokenCache.Cached<unknown>> = []
  if (wrap === undefined) return Result.succeed({ verifier: configured, caches })
  const fail = (fix: string) => Result.fail(ConfigOption.error("verifier", fix))
  const cached: Cached = (verifier, timeToLive) => {
    const time = OptionValue.toDuration(timeToLive)
    if (time === undefined || Duration.isNegative(time)) {
      throw new AuthConfigError({
        reason: "malformed",
        option: "verifier",
        fix:
          `the second argument of cached: ${OptionValue.isNot(timeToLive, "a duration from 0")}. Write one such as ` +
          "\"1 minute\""
      })
    }
    const cache = TokenCache.make(TokenCache.timed(verifier, time), settings)
    caches.push(cache)
    return cache
  }
  const made = Result.try(() => wrap(configured, cached))
  if (Result.isFailure(made)) {
    return made.failure instanceof AuthConfigError
      ? Result.fail(made.failure)
      : fail(
        `the function threw: ${String(made.failure)}. It must return a verifier, such as that of TokenVerifier.make`
      )
  }
  return typeof made.success?.verify === "function"
    ? Result.succeed({ verifier: made.success, caches })
    : fail(
      `the function returned ${
        OptionValue.describe(made.success)
      }, which is not a verifier. Return a verifier, such as ` +
        "that of TokenVerifier.make"
    )
}
