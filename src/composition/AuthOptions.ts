/**
 * What can be said about a protected server, and how the gate is made of it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as AllowedHosts from "../authorization/AllowedHosts.ts"
import * as Decision from "../authorization/Decision.ts"
import * as Gate from "../authorization/Gate.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import type { ChallengeScopes } from "../authorization/Rejection.ts"
import * as RequestState from "../authorization/RequestState.ts"
import type { ScopeHierarchy } from "../authorization/ScopeHierarchy.ts"
import * as Sessions from "../authorization/Sessions.ts"
import * as Discovery from "../outbound/Discovery.ts"
import type { Fetcher } from "../outbound/Fetcher.ts"
import { AuthConfigError } from "../protocol/AuthError.ts"
import type * as Credentials from "../protocol/Credentials.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as optionNames from "../protocol/OptionNames.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as Audience from "../verification/claims/Audience.ts"
import type { Rules } from "../verification/claims/Rules.ts"
import type * as TokenType from "../verification/claims/TokenType.ts"
import * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import * as Profile from "../verification/issuers/Profile.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import type * as Revocations from "../verification/revocation/Revocations.ts"
import type * as Tenants from "../verification/tenants/Tenants.ts"
import * as IssuerVerifier from "../verification/tokens/IssuerVerifier.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import * as TokenCache from "../verification/tokens/TokenCache.ts"
import type * as TokenVerifier from "../verification/TokenVerifier.ts"

/**
 * The scopes of a configuration, with literal types.
 *
 * @category models
 * @since 0.1.0
 */
export type Scopes = ProtectedResource.Scopes

/**
 * Rejects scopes of the wide type `string`.
 *
 * @category utility types
 * @since 0.1.0
 */
export type LiteralScopes<S extends Scopes> = string extends ProtectedResource.OfferedOf<S>
  ? "scopes must be literals: a value of type string cannot be checked against what the tools need"
  : unknown

/**
 * How a server is protected.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<S extends Scopes, C = never, A = unknown, RD = never, RT = never, RR = never> =
  & Common<S, C, A, RD, RT, RR>
  & Issuers
  & {
    /** The resource identifier: the URL at which clients reach the server, in canonical form, https off loopback. */
    readonly resource: string
  }

/**
 * Names the authorization servers that may issue tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Issuers {
  /**
   * Issuers, issuers with details, or profiles of identity providers, such as `[Profiles.okta({ … })]` with `Profiles` from
   * `effect-mcp-auth/provider`. Clients sign in at the first.
   */
  readonly authorizationServers: readonly [AuthorizationServer.Input, ...ReadonlyArray<AuthorizationServer.Input>]
}

/**
 * The options that do not name a place.
 *
 * @category models
 * @since 0.1.0
 */
export interface Common<S extends Scopes, C = never, A = unknown, RD = never, RT = never, RR = never> {
  /** The scopes that the server offers: a list, or a baseline and what comes by step-up. */
  readonly scopes: S & LiteralScopes<S>
  /** Scopes that include others, such as `{ "todos:write": ["todos:read"] }`. */
  readonly scopeHierarchy?: ScopeHierarchy | undefined
  /** Whom tokens must be meant for, whatever a profile says. Default: the profile's, else `Audience.resource`. */
  readonly audience?: Audience.Audience | undefined
  /**
   * Which JWTs are access tokens. Default: `TokenType.standard()`. What a profile demands of a token holds besides, so
   * an ID token of that provider passes under no rule.
   */
  readonly tokenType?: TokenType.TokenType | undefined
  /** Allowed difference of clocks, for `exp`, `nbf` and `iat` alike. Default: none for `exp`, 30 seconds for the others. */
  readonly clockTolerance?: Duration.Input | undefined
  /**
   * Which characters a token may be made of. Default: `"token68"`, the grammar of RFC 6750. `"visible-ascii"` is for
   * providers whose opaque tokens leave it (`oauth:…`, `00D…!…`).
   */
  readonly tokenGrammar?: Credentials.Grammar | undefined
  /**
   * Tokens that are bound to a key of the client (RFC 9449): `Dpop.optional({ … })` accepts them, with a proof of the key,
   * beside Bearer tokens; `Dpop.required({ … })` accepts nothing else. Default: they are rejected.
   */
  readonly dpop?: Presentation.Mechanism<RD> | undefined
  /** How long, and how many, verdicts on tokens are remembered. */
  readonly tokenCache?: TokenCache.Options | undefined
  /**
   * Rejects tokens that were revoked before they expire: `Revocations.stored`, or `Revocations.check(function)`. It is checked
   * on every request, also for cached tokens, once more when the body of the request is complete, and for open streams every
   * `revocationInterval`. A revocation that is made with `Revocations` on this instance ends open streams at once; with a
   * function of your own, `Gate.invalidate` does.
   */
  readonly revocation?: Revocations.Mechanism<RR> | undefined
  /**
   * How often an open stream asks `revocation` again, from 1 second to 1 hour. At most 16 ask at a time. If `revocation`
   * fails, the stream stays open until its token ends. Default: 30 seconds.
   */
  readonly revocationInterval?: Duration.Input | undefined
  /**
   * The authorization servers of each tenant, found while the server runs. A request that names no tenant is rejected,
   * unless `withoutTenant` says otherwise: the authorization servers above verify no token then. They are published where a
   * client asks without naming a tenant. Not beside `anonymous: "allow-unscoped"`.
   */
  readonly tenants?: Tenants.Mechanism<RT> | undefined
  /**
   * Replaces or wraps the configured verifier, which is that of the authorization servers and tenants with its cache: see
   * the combinators in `TokenVerifier`. What it admits is admitted.
   *
   * It runs on every request, so it may depend on the request. Its own results are not cached. `cached` caches the
   * results of a verifier that depend on the token alone.
   *
   * With `tenants`, a principal is rejected unless its `tenant` is the one that the request names: a verifier that makes
   * principals itself sets it.
   */
  readonly verifier?: ((configured: TokenVerifier.Verifier, cached: Cached) => TokenVerifier.Verifier) | undefined
  /** Origins of browsers that may call, besides the server's own. A request without `Origin` is none of a browser. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
  /**
   * Host names under which the server may be addressed, compared with the `Host` header whatever the port. Default: a loopback
   * resource accepts `localhost`, `*.localhost`, `127.0.0.0/8` and `[::1]`, and rejects every other `Host` with 403 (DNS
   * rebinding); any other resource accepts every `Host`.
   *
   * The list extends the default of a loopback resource, for a container or a tunnel that reaches it by another name. A web
   * page on one of these names can then send requests to the server. For any other resource, the list and the resource's own
   * host are accepted, and nothing else. `X-Forwarded-Host` is not read.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** Which scopes a 403 asks for. Default: `"auto"`. */
  readonly challengeScopes?: ChallengeScopes | undefined
  /** What tools, prompts and resources without scopes are: for every valid token (`"allow"`, the default), or nobody's. */
  readonly unlisted?: "allow" | "deny" | undefined
  /**
   * What a request without credentials is on an MCP server: nobody's (`"deny"`, the default), or free to use what needs
   * no scope (`"allow-unscoped"`). An invalid token is rejected either way.
   */
  readonly anonymous?: "deny" | "allow-unscoped" | undefined
  /**
   * How many sessions one caller may have, from 1 to 100,000; one more ends the session that the caller did not use for
   * the longest time. Raise it for a program that opens sessions for many users with one token. Default: 100.
   */
  readonly sessionsPerCaller?: number | undefined
  /**
   * A service of your own, decoded from the claims of each token; a token that does not fit is rejected. Requests with the
   * same token share it, so it is frozen. If it holds more than plain data and instances of a `Schema.Class`, it is decoded
   * for each request.
   */
  readonly claims?: {
    readonly service: Context.Key<C, A>
    readonly schema: Schema.ConstraintDecoder<A>
  } | undefined
  /**
   * How `RequestState` seals the state that handlers hand out. `secret` has 32 bytes or more; every instance needs the same.
   * Default: a random secret.
   */
  readonly requestState?: { readonly secret?: Redacted.Redacted | undefined } | undefined
  /** How logs and audits name the subject of a token (`subject`). Default: `Decision.plainSubject`. */
  readonly decisions?: { readonly subject?: Decision.SubjectForm | undefined } | undefined
  /**
   * Publishes a copy of the first authorization server's metadata at `/.well-known/oauth-authorization-server`, where
   * clients of MCP 2025-03-26 look for it: they take the server itself for the authorization server. Default: `false`.
   */
  readonly mirrorMetadata?: boolean | undefined
  /** Shown to people by clients (`resource_name`). */
  readonly resourceName?: string | undefined
  /** A page for developers (`resource_documentation`). */
  readonly resourceDocumentation?: string | undefined
}

/**
 * Caches what a verifier of your own succeeds with, by token and at most for `timeToLive`. The results must depend on the
 * token alone. `invalidate` evicts them; nothing is cached past `expiresAt`. The cache has the capacity that `tokenCache`
 * sets.
 *
 * **Example** (API keys beside tokens)
 *
 * ```ts
 * import { AuthLayer, TokenVerifier } from "effect-mcp-auth"
 *
 * declare const apiKeys: TokenVerifier.Verifier
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   verifier: (configured, cached) => TokenVerifier.byPrefix({ "key_": cached(apiKeys, "1 minute") }, configured)
 * })
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Cached = (verifier: TokenVerifier.Verifier, timeToLive: Duration.Input) => TokenVerifier.Verifier

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
    yield* Effect.fromResult(checkNames(options))
    yield* Effect.fromResult(checkClaims(options.claims))
    yield* Effect.fromResult(checkTokenType(options.tokenType))
    for (const [option, values] of choices) yield* Effect.fromResult(checkChoice(options, option, values))
    const servers = yield* Effect.fromResult(checkServers(options))
    const issuers = servers.map((_) => _.issuer) as [string, ...Array<string>]
    const serverOf = AuthorizationServer.ofIssuer(servers)
    const dpop = yield* Effect.fromResult(checkDpop(options.dpop))
    for (const [option, names] of groups) {
      if (options[option] !== undefined) yield* Effect.fromResult(optionNames.check(options[option], option, names))
    }
    for (const mechanism of mechanisms) yield* Effect.fromResult(checkMechanism(options, mechanism))
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
    yield* Effect.fromResult(Audience.check(options.audience ?? Audience.resource))
    const allowedHosts = yield* Effect.fromResult(AllowedHosts.check(options.allowedHosts))
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
      clockTolerance: yield* Effect.fromResult(checkTolerance(options.clockTolerance)),
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
      revocationInterval: yield* Effect.fromResult(checkInterval(options.revocationInterval)),
      expiryTolerance: rules.clockTolerance,
      tokenGrammar: yield* Effect.fromResult(checkGrammar(options.tokenGrammar)),
      presentation: options.dpop === undefined ? Presentation.bearerOnly : yield* options.dpop.make(resource),
      invalidate: (target) =>
        Effect.forEach([configured, ...own.caches], (_) => _.invalidate(target), { discard: true }),
      allowedOrigins: yield* Effect.fromResult(checkOrigins(options.allowedOrigins ?? [])),
      allowedHosts,
      challengeScopes: options.challengeScopes ?? "auto",
      unlisted: options.unlisted ?? "allow",
      anonymous: options.anonymous ?? "deny",
      sessionsPerCaller: yield* Effect.fromResult(checkSessions(options.sessionsPerCaller)),
      claims: claimsReader(options.claims),
      // A server that is asked about its tokens may have no keys at all.
      ready: Effect.forEach(servers.filter((_) => _.introspection === undefined), keys.load, {
        concurrency: "unbounded",
        discard: true
      }),
      decisions: {
        listener: yield* Decision.DecisionListener,
        subject: yield* Effect.fromResult(Decision.checkSubjectForm(options.decisions?.subject, "decisions.subject"))
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
  const fail = (fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option: "verifier", fix }))
  if (typeof wrap !== "function") {
    return fail(
      `${OptionValue.isNot(wrap, "a function")}. Give one that takes the configured verifier and returns a verifier`
    )
  }
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

const checkInterval = (
  input: Duration.Input | undefined
): Result.Result<Duration.Duration | undefined, AuthConfigError> => {
  if (input === undefined) return Result.succeed(undefined)
  const duration = OptionValue.toDuration(input)
  return duration !== undefined &&
      Duration.between(duration, { minimum: Duration.seconds(1), maximum: Duration.hours(1) })
    ? Result.succeed(duration)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "revocationInterval",
        fix: `${OptionValue.isNot(input, "a duration from 1 second to 1 hour")}. Write one such as "30 seconds"`
      })
    )
}

const checkGrammar = (
  grammar: Credentials.Grammar | undefined
): Result.Result<Credentials.Grammar, AuthConfigError> =>
  grammar === undefined || grammar === "token68" || grammar === "visible-ascii"
    ? Result.succeed(grammar ?? "token68")
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "tokenGrammar",
        fix: `${
          OptionValue.isNot(grammar, "\"token68\" or \"visible-ascii\"")
        }. Leave it out for "token68" (RFC 6750 §2.1)`
      })
    )

/**
 * Decodes the user's own claims of a principal.
 *
 * @category decoding
 * @since 0.1.0
 */
export const claimsReader = (claims: Common<Scopes, any, any>["claims"]): Gate.Options["claims"] => {
  if (claims === undefined) return undefined
  const decode = Schema.decodeUnknownResult(claims.schema as Schema.ConstraintDecoder<unknown>)
  return (principal) => Result.map(decode(principal.claims), (own) => Context.make(claims.service, own) as never)
}

const checkClaims = (claims: Common<Scopes, any, any>["claims"]): Result.Result<void, AuthConfigError> => {
  if (claims === undefined) return Result.succeed(undefined)
  const fail = (fix: string, option = "claims") =>
    Result.fail(new AuthConfigError({ reason: "malformed", option, fix }))
  if (typeof claims !== "object" || claims === null) {
    return fail(
      `${OptionValue.isNot(claims, "{ service, schema }")}. Give a Context.Service class and the Schema of its value`
    )
  }
  if (!Context.isKey(claims.service)) {
    return fail(
      `${OptionValue.isNot(claims.service, "a Context.Service class")}. Give { service, schema }`,
      "claims.service"
    )
  }
  return Schema.isSchema(claims.schema)
    ? Result.succeed(undefined)
    : fail(
      `${OptionValue.isNot(claims.schema, "a Schema")}. Give one such as Schema.Struct({ org: Schema.String })`,
      "claims.schema"
    )
}

const checkTokenType = (rule: TokenType.TokenType | undefined): Result.Result<void, AuthConfigError> =>
  rule === undefined || rule?._tag === "Strict" || (rule?._tag === "Standard" && Array.isArray(rule.accessTokenClaims))
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "tokenType",
        fix: `${OptionValue.isNot(rule, "a rule of TokenType")}. Write TokenType.strict or TokenType.standard()`
      })
    )

const checkServers = (
  issuers: Issuers
): Result.Result<ReadonlyArray<AuthorizationServer.AuthorizationServer>, AuthConfigError> =>
  Result.gen(function*() {
    const inputs = issuers.authorizationServers
    if (!Array.isArray(inputs) || inputs.length === 0) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "missing",
          option: "authorizationServers",
          fix: `${OptionValue.isNot(inputs, "a list with at least one issuer")}. Write one such as ` +
            "[\"https://auth.example.com\"] or [Profiles.okta({ … })]"
        })
      )
    }
    const servers: Array<AuthorizationServer.AuthorizationServer> = []
    const seen = new Set<string>()
    for (const [index, input] of inputs.entries()) {
      const option = `authorizationServers[${index}]`
      const server = yield* AuthorizationServer.make(input, option)
      if (server.jwks !== undefined) yield* JwkSet.checkConfigured(server.jwks, `${option}.jwks`)
      for (const issuer of server.tokenIssuers) {
        if (seen.has(issuer)) {
          return yield* Result.fail(
            new AuthConfigError({
              reason: "duplicate",
              option,
              fix:
                `${issuer} is named twice. Each issuer may appear once, so that iss selects one authorization server. Remove ` +
                "one of the entries"
            })
          )
        }
        seen.add(issuer)
      }
      servers.push(server)
    }
    return servers
  })

/** Options with members. */
const groups: ReadonlyArray<readonly [option: "decisions" | "requestState", names: Readonly<Record<string, true>>]> = [
  ["decisions", { subject: true } satisfies Record<keyof NonNullable<Common<Scopes>["decisions"]>, true>],
  ["requestState", { secret: true } satisfies Record<keyof NonNullable<Common<Scopes>["requestState"]>, true>]
]

/** Mechanisms that are enabled by a value, the mark of their values, and what to write. */
const mechanisms = [
  {
    option: "tenants",
    mark: "~effect-mcp-auth/Tenants",
    expected: "a value of Tenants (effect-mcp-auth/tenants)",
    fix: "Write Tenants.fromRoute, fromPath, fromHeader or fromClaim with { authorizationServers }"
  },
  {
    option: "revocation",
    mark: "~effect-mcp-auth/Revocations",
    expected: "a value of Revocations (effect-mcp-auth/revocation)",
    fix: "Write Revocations.stored or Revocations.check(function)"
  }
] as const

const checkMechanism = (
  options: { readonly tenants?: unknown; readonly revocation?: unknown },
  { expected, fix, mark, option }: typeof mechanisms[number]
): Result.Result<void, AuthConfigError> =>
  options[option] === undefined || Predicate.hasProperty(options[option], mark)
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option,
        fix: `${OptionValue.isNot(options[option], expected)}. ${fix}`
      })
    )

const checkDpop = (dpop: unknown): Result.Result<Presentation.Published, AuthConfigError> =>
  dpop === undefined
    ? Result.succeed({ mode: "off", algorithms: [] })
    : Presentation.isMechanism(dpop)
    ? dpop.published
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "dpop",
        fix:
          `${
            OptionValue.isNot(dpop, "a value of Dpop (effect-mcp-auth/dpop)")
          }. Write Dpop.required() or Dpop.optional(), or ` +
          "leave it out to reject tokens that are bound to a key"
      })
    )

const checkTolerance = (input: Duration.Input | undefined): Result.Result<number | undefined, AuthConfigError> => {
  if (input === undefined) return Result.succeed(undefined)
  const duration = OptionValue.toDuration(input)
  const seconds = duration === undefined ? Number.NaN : Duration.toSeconds(duration)
  return seconds >= 0 && seconds <= 300
    ? Result.succeed(seconds)
    : Result.fail(
      new AuthConfigError({
        reason: "insecure",
        option: "clockTolerance",
        fix: `${OptionValue.isNot(input, "a duration from 0 to 5 minutes")}. Write one such as "10 seconds"`
      })
    )
}

const checkSessions = (input: number | undefined): Result.Result<number, AuthConfigError> =>
  input === undefined || (Number.isSafeInteger(input) && input >= 1 && input <= 100_000)
    ? Result.succeed(input ?? Sessions.defaultPerCaller)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "sessionsPerCaller",
        fix: `${
          OptionValue.isNot(input, "a whole number from 1 to 100000")
        }. Leave it out for ${Sessions.defaultPerCaller}`
      })
    )

/**
 * Every option. The compiler rejects a list that lacks one or has one too many.
 *
 * @category constants
 * @since 0.1.0
 */
export const names: ReadonlyArray<string> = Object.keys(
  {
    allowedHosts: true,
    allowedOrigins: true,
    anonymous: true,
    audience: true,
    authorizationServers: true,
    challengeScopes: true,
    claims: true,
    clockTolerance: true,
    decisions: true,
    dpop: true,
    mirrorMetadata: true,
    resource: true,
    resourceDocumentation: true,
    resourceName: true,
    revocation: true,
    revocationInterval: true,
    scopeHierarchy: true,
    scopes: true,
    sessionsPerCaller: true,
    requestState: true,
    tenants: true,
    tokenCache: true,
    tokenGrammar: true,
    tokenType: true,
    unlisted: true,
    verifier: true
  } satisfies Record<keyof Common<Scopes> | keyof Issuers | "resource", true>
)

/** A misspelled option, from JavaScript or a file, must not leave a check out: `revocaton` would revoke nothing. */
const checkNames = (options: object): Result.Result<void, AuthConfigError> => {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return Result.fail(
      new AuthConfigError({
        reason: "missing",
        option: "options",
        fix: `${OptionValue.isNot(options, "an object")}. Give one with resource, authorizationServers and scopes`
      })
    )
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  return unknown === undefined
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: unknown,
        fix: OptionValue.noSuchOption(names)
      })
    )
}

/** Options with few values, the default first. Another value, from JavaScript or a file, must not pass for the default. */
const choices = [
  ["anonymous", ["deny", "allow-unscoped"]],
  ["unlisted", ["allow", "deny"]],
  ["challengeScopes", ["auto", "required", "required-and-granted"]],
  ["mirrorMetadata", [false, true]]
] as const

const checkChoice = (
  options: { readonly [K in (typeof choices)[number][0]]?: unknown },
  option: (typeof choices)[number][0],
  values: ReadonlyArray<unknown>
): Result.Result<void, AuthConfigError> =>
  options[option] === undefined || values.includes(options[option])
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option,
        fix: `${OptionValue.isNot(options[option], OptionValue.oneOf(values))}. Leave it out for ${
          JSON.stringify(values[0])
        }`
      })
    )

const checkOrigins = (origins: ReadonlyArray<string>): Result.Result<ReadonlyArray<string>, AuthConfigError> => {
  const fail = (fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option: "allowedOrigins", fix }))
  if (!Array.isArray(origins)) {
    return fail(`${OptionValue.isNot(origins, "a list of origins")}. Write one such as ["https://app.example.com"]`)
  }
  const wrong = origins.findIndex((_) => typeof _ !== "string" || !URL.canParse(_) || new URL(_).origin !== _)
  return wrong === -1
    ? Result.succeed(origins)
    : fail(
      `${
        OptionValue.describe(origins[wrong])
      } is not an origin. Write scheme, host and port only, such as https://app.example.com`
    )
}
