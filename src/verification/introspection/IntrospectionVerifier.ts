/**
 * Verifies tokens by asking the authorization server that issued them (RFC 7662; RFC 9701 for signed answers).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as base64url from "../../crypto/Base64Url.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import { Discovery } from "../../outbound/Discovery.ts"
import * as EndpointGuard from "../../outbound/EndpointGuard.ts"
import { Fetcher } from "../../outbound/Fetcher.ts"
import { postForm } from "../../outbound/FormPost.ts"
import { Sharing } from "../../outbound/Sharing.ts"
import { type AuthConfigError, AuthorizationServerUnavailable, type InvalidMetadata } from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import { isRecord, parseObject } from "../../protocol/Json.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import * as Claims from "../claims/Claims.ts"
import { copyJson } from "../claims/Frozen.ts"
import * as TokenType from "../claims/TokenType.ts"
import * as Rules from "../issuers/IssuerRules.ts"
import type { Issuer, Parts } from "../issuers/OpaqueTokens.ts"
import { JwkSet } from "../keys/JwkSet.ts"
import * as TokenCache from "../tokens/TokenCache.ts"
import { startOf, toleranceOf, verifyClaims } from "../tokens/VerifyClaims.ts"
import type { VerificationError, Verifier } from "../TokenVerifier.ts"
import * as Jwt from "./internal/introspectedJwt.ts"
import type { Settings } from "./IntrospectionOptions.ts"

/** What a store keeps: what an endpoint said, and the wall-clock time at which it was asked, for all instances. */
interface Stored {
  readonly claims: Claims.Claims
  readonly at: number
}

/** The same in this process, with the monotonic time: ages count from it. */
interface Said extends Stored {
  readonly since: number
}

type Unavailable = AuthorizationServerUnavailable | InvalidMetadata

/** In characters. Longer tokens are rejected without a request. */
const maximumLength = 16 * 1024

/** How many tokens are known to have verified: they go ahead of tokens that were never seen. */
const maximumVerified = 10_000

/**
 * Makes the verifier of one authorization server.
 *
 * **Details**
 *
 * A token goes to this server and nowhere else. Requests about the same token are one request. An endpoint that is down,
 * that redirects, that rejects this server's credentials, or that answers with something else than an introspection
 * response fails with `AuthorizationServerUnavailable`: the token may be fine. A 401 whose body is exactly
 * `{"active": false}` is the answer of a server that uses the status for inactive tokens.
 *
 * Load on the endpoint is bounded. At most 64 requests run at a time, 48 of them about tokens that never verified, and 256
 * of each kind wait. After 3 failures in a row no request is sent for 1 second, then one; each further failure doubles the
 * time, up to 1 minute (`Freshness` sets both). Rejected credentials and a `Retry-After` count at once. Tokens that verified
 * before have a cooldown of their own, so tokens that the endpoint fails at do not stop them. `inactiveLimit` bounds the
 * requests about invented tokens, and about tokens that the endpoint fails at while it answers about verified ones. What is
 * not sent fails at once with `cooling-down` or `overloaded`.
 *
 * A good answer is the boolean `active: true` and claims that hold: `iss`, where present, must be the server's; `aud`
 * must satisfy the audience rule; `exp` must be there unless a `maxLifetime` stands in for it.
 *
 * A JWT (`tokens: "all"`) fills the gaps of an answer only if a key of its issuer proves its signature. Otherwise it grants
 * nothing: its issuer, times, audience, key and type can reject the token, and its `exp` can end it earlier. The keys of the
 * issuer are needed only where the JWT says more than the answer; while they cannot be fetched the result is an outage.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(
  { authorizationServer: server, forgotten, rules: general }: Parts,
  introspection: Settings<R>
): Effect.Effect<
  Verifier<VerificationError>,
  AuthConfigError,
  Discovery | JwkSet | Fetcher | Scope.Scope | R
> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const ask = yield* asker(server, general, introspection)
    const keys = yield* JwkSet
    const guard = yield* EndpointGuard.make({
      issuer: server.issuer,
      endpoint: "The introspection endpoint",
      option: introspection.option,
      inactiveLimit: introspection.inactiveLimit
    })
    const rules = Rules.compile(server, {
      resource: general.resource,
      audience: general.audience,
      tokenType: general.tokenType,
      subjectClaims: introspection.subjectClaims,
      machineMarks: introspection.machineMarks
    })
    const circumstances = {
      tolerance: toleranceOf(general.clockTolerance),
      effectiveScopes: general.effectiveScopes,
      tenant: general.tenant
    }
    const timeToLive = Duration.toMillis(introspection.cacheFor)

    const judge = (
      { at, claims: response, since }: Said,
      jwt: Jwt.IntrospectedJwt | undefined,
      isProven: boolean,
      credentials: Credentials,
      now: number
    ) =>
      Result.gen(function*() {
        // Some servers call refresh tokens active, too, and name the kind (Hydra: `token_use: "refresh_token"`).
        const kind = TokenType.kindOf(response, server.profile?.accessTokenMarks)
        if (kind === "id" || kind === "other") return yield* Claims.reject(kind === "id" ? "id-token" : "token-type")
        // Several requests may wait for one answer, and a look-up may return an object of the user's.
        const answer = copyJson(isProven ? { ...jwt!.claims, ...response } : response)
        const issuer = Claims.own(answer, "iss") ?? server.issuer
        if (typeof issuer !== "string" || (issuer !== server.issuer && !server.tokenIssuers.includes(issuer))) {
          return yield* Claims.reject("unknown-issuer")
        }
        const believed = withExpiry(answer, introspection.maxLifetime, at / 1000)
        const claims = jwt === undefined
          ? believed
          : yield* Jwt.restrict(believed, jwt, server, rules, circumstances.tolerance, now)
        const principal = yield* verifyClaims(
          rules,
          circumstances,
          { claims, credentials, introspected: true, issuer },
          now
        )
        return {
          principal,
          reuse: {
            from: startOf(claims, circumstances.tolerance),
            until: (principal.expiresAt + circumstances.tolerance.expiry) * 1000,
            // The answer may be another request's, or another instance's: it counts from the moment it was asked for.
            freshUntil: since + timeToLive
          }
        }
      })

    const shared = yield* introspection.shared
    const inactive = Effect.fail(TokenCache.rejectFor(introspection.inactiveFor))
    const verified = new BoundedMap<string, true>(maximumVerified)
    const askNow = (token: Redacted.Redacted): Effect.Effect<Said, Unavailable> =>
      withHash(Redacted.value(token), (hash) => {
        const origin = verified.has(hash) ? "verified" : "unverified"
        const said = Clock.clockWith((clock) => {
          const at = clock.currentTimeMillisUnsafe()
          const since = monotonic.millisOf(clock)
          return Effect.map(ask(token), (claims): Said => ({ claims, at, since }))
        })
        return Effect.tap(guard.protect(origin, said), ({ claims }) => {
          if (Claims.own(claims, "active") === true) return Effect.void
          return verified.delete(hash) ? Effect.void : guard.countInactive
        })
      })
    const markVerified = (token: Redacted.Redacted): Effect.Effect<void> =>
      withHash(Redacted.value(token), (hash) =>
        Effect.sync(() => {
          verified.set(hash, true)
        }))

    // Instances have no clock in common but the wall clock, which may step back and make an answer look younger. So each
    // instance also measures the time since it first saw an answer; the store's own time to live bounds the rest.
    const seen = new BoundedMap<string, { readonly at: number; readonly since: number }>(maximumVerified)
    const sinceOf = (key: string, at: number, now: number, monotonicNow: number): number => {
      const known = seen.get(key)
      if (known?.at === at) return known.since
      const since = monotonicNow - (now - at)
      seen.set(key, { at, since })
      return since
    }

    const askOrRead = shared === undefined || timeToLive === 0 ?
      askNow :
      (token: Redacted.Redacted) =>
        Effect.gen(function*() {
          const hash = sha256(JSON.stringify([server.issuer, general.resource, Redacted.value(token)]))
          const key = typeof hash === "string" ? hash : yield* Effect.promise(() => hash)
          const stored = yield* unlessItFails(() => shared.get(key))
          const now = yield* Clock.currentTimeMillis
          const monotonicNow = yield* monotonic.millis
          if (isStored(stored) && stored.at <= now && now < stored.at + timeToLive && stored.at > forgotten.at) {
            const since = sinceOf(key, stored.at, now, monotonicNow)
            if (monotonicNow - since < timeToLive && since > forgotten.since) return { ...stored, since }
          }
          const said = yield* askNow(token)
          if (Claims.own(said.claims, "active") !== true) return said
          seen.set(key, { at: said.at, since: said.since })
          const exp = Claims.own(said.claims, "exp")
          const until = Math.min(said.at + timeToLive, typeof exp === "number" ? exp * 1000 : Number.POSITIVE_INFINITY)
          if (until > now) {
            const stored: Stored = { claims: said.claims, at: said.at }
            yield* unlessItFails(() => shared.set(key, stored, Duration.millis(until - now)))
          }
          return said
        })

    // Concurrent requests about one token are coalesced, unless a result was evicted in between.
    // The request belongs to the layer, so that a caller that disconnects does not cancel it for the others.
    const running = new Map<string, { readonly since: number; readonly said: Deferred.Deferred<Said, Unavailable> }>()
    const shares = yield* Sharing
    const askOnce = (token: Redacted.Redacted): Effect.Effect<Said, Unavailable> =>
      shares ? askTogether(token) : askInTime(askOrRead(token))
    const askInTime = (asked: Effect.Effect<Said, Unavailable>): Effect.Effect<Said, Unavailable> =>
      Effect.timeoutOrElse(asked, {
        duration: Duration.seconds(8),
        orElse: () =>
          Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer: server.issuer, retryAfter: 1 }))
      })
    const askTogether = (token: Redacted.Redacted): Effect.Effect<Said, Unavailable> =>
      Clock.clockWith((clock) => {
        const text = Redacted.value(token)
        const known = running.get(text)
        if (known !== undefined && known.since > forgotten.since) return Deferred.await(known.said)
        const deferred = Deferred.makeUnsafe<Said, Unavailable>()
        const entry = { since: monotonic.millisOf(clock), said: deferred }
        running.set(text, entry)
        return askOrRead(token).pipe(
          askInTime,
          Effect.onExit((exit) => {
            if (running.get(text) === entry) running.delete(text)
            return Deferred.done(deferred, exit)
          }),
          Effect.ignore,
          Effect.forkIn(scope, { startImmediately: true }),
          Effect.andThen(Deferred.await(deferred))
        )
      })

    return {
      verify: Effect.fnUntraced(function*(credentials) {
        const { token } = credentials
        if (Redacted.value(token).length > maximumLength) return yield* Effect.fromResult(Claims.reject("too-large"))
        const answer = withoutNulls(yield* askOnce(token))
        if (Claims.own(answer.claims, "active") !== true) return yield* inactive
        const jwt = yield* Effect.fromResult(Jwt.read(Redacted.value(token), rules.tokenType))
        const isProven = jwt !== undefined && Jwt.saysMore(jwt, answer.claims) &&
          (yield* Jwt.isFromIssuer(Redacted.value(token), jwt, server, rules, keys))
        const now = yield* Clock.currentTimeMillis
        const principal = yield* Effect.fromResult(
          judge(answer, jwt, isProven, credentials, now / 1000)
        )
        yield* markVerified(token)
        return principal
      })
    }
  })

/** Hands on the hash of a token: at once where the platform can. */
const withHash = <A, E>(token: string, use: (hash: string) => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  const hash = sha256(token)
  return typeof hash === "string" ? use(hash) : Effect.flatMap(Effect.promise(() => hash), use)
}

/** A store that is slower than this is no help. */
const storeTime = Duration.seconds(1)

/** What a store says; `undefined` if it fails, throws, dies or is slow. Its errors may quote what it stores. */
const unlessItFails = <A, E>(use: () => Effect.Effect<A, E>): Effect.Effect<A | undefined> =>
  Effect.suspend(use).pipe(
    Effect.timeout(storeTime),
    Effect.catchCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed(undefined))
  )

const isStored = (value: unknown): value is Stored => {
  const { at, claims } = (value ?? {}) as Partial<Stored>
  return typeof at === "number" && isRecord(claims)
}

/** Some servers write `null` for what they leave out. Members that restrict a token, such as `aud` and `cnf`, stay. */
const withoutNulls = (said: Said): Said => {
  const absent = nullable.filter((name) => Claims.own(said.claims, name) === null)
  if (absent.length === 0) return said
  const claims: Record<string, unknown> = { ...said.claims }
  for (const name of absent) delete claims[name]
  return { ...said, claims }
}

const nullable = ["sub", "token_type"] as const

/** An answer without `exp` (`null` says as little) ends with its lifetime, where the configuration gives it one. */
const withExpiry = (answer: Claims.Claims, maxLifetime: number | undefined, now: number): Claims.Claims => {
  const exp = Claims.own(answer, "exp")
  if (maxLifetime === undefined || (exp !== undefined && exp !== null)) return answer
  const iat = Claims.own(answer, "iat")
  return { ...answer, exp: (typeof iat === "number" ? iat : now) + maxLifetime }
}

/** How long a look-up of the user's own may take, as a request to an endpoint. */
const lookUpTime = Duration.seconds(5)

const isJson = (contentType: string): boolean => /^application\/(?:[\w.+-]+\+)?json$/.test(contentType)

const inactive: Claims.Claims = { active: false }

/** The body with which some servers answer 401 about a token, and not about the credentials of the client that asks. */
const isInactive = (contentType: string, body: Uint8Array): boolean => {
  const answer = isJson(contentType) ? parseObject(body) : undefined
  return answer !== undefined && Object.keys(answer).length === 1 && Claims.own(answer, "active") === false
}

const asker = <R>(
  server: Issuer,
  { clockTolerance, resource }: Parts["rules"],
  { option, source: options }: Settings<R>
): Effect.Effect<
  (token: Redacted.Redacted) => Effect.Effect<Claims.Claims, Unavailable>,
  AuthConfigError,
  Discovery | JwkSet | Fetcher | R
> =>
  Effect.gen(function*() {
    const fetcher = yield* Fetcher
    if ("lookUp" in options) {
      const services = yield* Effect.context<R>()
      return (token) =>
        Effect.suspend(() => options.lookUp(token)).pipe(
          Effect.timeoutOrElse({
            duration: lookUpTime,
            orElse: () =>
              Effect.fail(
                new AuthorizationServerUnavailable({ reason: "timeout", issuer: server.issuer, retryAfter: 1 })
              )
          }),
          Effect.updateContext((request: Context.Context<never>) =>
            Context.add(Context.merge(services, request), Fetcher, fetcher)
          )
        )
    }
    const discovery = yield* Discovery
    const keys = yield* JwkSet
    const prove = yield* ClientAuthentication.make(options, { issuer: server.issuer, option })
    const endpoint: Effect.Effect<string, Unavailable> = options.endpoint !== undefined
      ? Effect.succeed(options.endpoint)
      : Effect.map(discovery.metadata(server, "introspection_endpoint"), (_) => _.introspection_endpoint!)
    const unusable = Effect.fail(
      new AuthorizationServerUnavailable({ reason: "unusable-answer", issuer: server.issuer, retryAfter: 30 })
    )
    const rejected = Effect.fail(
      new AuthorizationServerUnavailable({ reason: "client-rejected", issuer: server.issuer, retryAfter: 30 })
    )
    const { start } = toleranceOf(clockTolerance)
    // RFC 9701 §5: the answer is addressed to the client that asked. Who asks with a token has no other name than its own.
    const audience = "clientId" in options ? [options.clientId, resource] : [resource]

    const readSigned = (body: Uint8Array) =>
      Effect.gen(function*() {
        const text = new TextDecoder().decode(body).trim()
        const parts = text.split(".", 4)
        const header = parts.length === 3 ? base64url.decodeJsonObject(parts[0]!) : undefined
        const claims = header === undefined ? undefined : base64url.decodeJsonObject(parts[1]!)
        if (header === undefined || claims === undefined) return yield* unusable
        const { alg, kid, typ } = header
        const type = typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : undefined
        if (
          type !== "token-introspection+jwt" || typeof alg !== "string" || !server.algorithms.has(alg) ||
          (kid !== undefined && typeof kid !== "string") || Object.hasOwn(header, "crit")
        ) {
          return yield* unusable
        }
        const found = yield* keys.find(server, { algorithm: alg, kid })
        let signed = false
        for (const key of found.slice(0, 4)) signed ||= yield* key.verify(text)
        const aud = Claims.own(claims, "aud")
        const iat = Claims.own(claims, "iat")
        const answer = Claims.own(claims, "token_introspection")
        const now = (yield* Clock.currentTimeMillis) / 1000
        const holds = signed && Claims.own(claims, "iss") === server.issuer &&
          audience.some((_) => _ === aud || (Array.isArray(aud) && aud.includes(_))) &&
          // Made for this very request: an old answer that is played back says nothing about today.
          typeof iat === "number" && Math.abs(now - iat) <= Math.max(start, 30) &&
          isRecord(answer)
        return holds ? answer : yield* unusable
      })

    return Effect.fnUntraced(function*(token) {
      const { body, contentType, status } = yield* postForm(fetcher, {
        url: yield* endpoint,
        accept: options.signedAnswers === true ? "application/token-introspection+jwt" : "application/json",
        proof: yield* prove,
        parameters: [["token", Redacted.value(token)], ["token_type_hint", "access_token"]],
        reads: [401]
      }, server)
      if (status === 401) {
        return options.signedAnswers !== true && isInactive(contentType, body)
          ? inactive
          : yield* rejected
      }
      if (status !== 200) return yield* unusable
      if (contentType === "application/token-introspection+jwt") return yield* readSigned(body)
      if (options.signedAnswers === true || !isJson(contentType)) return yield* unusable
      const answer = parseObject(body)
      return answer === undefined ? yield* unusable : answer
    })
  })
