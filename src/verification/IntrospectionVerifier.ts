/**
 * Verifies tokens by asking the authorization server that issued them (RFC 7662; RFC 9701 for signed answers).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import {
  type AuthConfigError,
  AuthorizationServerUnavailable,
  type InvalidMetadata,
  type InvalidToken
} from "../protocol/AuthError.ts"
import type * as Audience from "./Audience.ts"
import type { AuthorizationServer } from "./AuthorizationServer.ts"
import * as ClientAuthentication from "./ClientAuthentication.ts"
import { Discovery } from "./Discovery.ts"
import * as base64url from "./internal/base64url.ts"
import * as Claims from "./internal/claims.ts"
import { judgeClaims, startOf, toleranceOf } from "./internal/judgeClaims.ts"
import { jsonObject, postForm } from "./internal/postForm.ts"
import * as Rules from "./internal/rules.ts"
import { Sharing } from "./internal/sharing.ts"
import type * as Introspection from "./Introspection.ts"
import { JwkSet } from "./JwkSet.ts"
import * as Signature from "./Signature.ts"
import * as TokenCache from "./TokenCache.ts"
import type * as TokenType from "./TokenType.ts"
import { isJwt, type VerificationError, type Verifier } from "./TokenVerifier.ts"

/**
 * What a verifier by introspection must know.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly resource: string
  /** The one server that is asked. */
  readonly authorizationServer: AuthorizationServer
  readonly introspection: Introspection.Introspection
  /** Else the profile of the server decides, else it is the resource. */
  readonly audience?: Audience.Audience | undefined
  /** Which JWTs are access tokens, where JWTs are asked about as well; else the profile decides. */
  readonly tokenType?: TokenType.TokenType | undefined
  /** In seconds, for `exp`, `nbf` and `iat` alike; without it 0 for `exp` and 30 for the others. */
  readonly clockTolerance: number | undefined
  /** From the scopes of the token to those in effect. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** How long a cache may use an answer again. Default: 1 minute. */
  readonly timeToLive?: Duration.Duration | undefined
}

type Unavailable = AuthorizationServerUnavailable | InvalidMetadata

/** Characters of a token: nobody is asked about longer ones. */
const maximumLength = 16 * 1024

/** Requests to one endpoint at a time. Strangers can make up tokens faster than anybody can answer for them. */
const maximumRequests = 64

/**
 * Makes the verifier of one authorization server.
 *
 * **Details**
 *
 * A token goes to this server and nowhere else. Requests about the same token are one request. An endpoint that is down,
 * that redirects, that refuses this server's credentials, or that answers with something else than an introspection
 * response fails with `AuthorizationServerUnavailable`: the token may be fine.
 *
 * A good answer is the boolean `active: true` and claims that hold: `iss`, where present, must be the server's; `aud`
 * must satisfy the audience rule; `exp` must be there unless a `maxLifetime` stands in for it. Of a JWT what it says
 * itself counts where the answer is silent, so an answer takes no restriction away.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options
): Effect.Effect<
  Verifier<VerificationError>,
  AuthConfigError,
  Discovery | JwkSet | HttpClient.HttpClient | Scope.Scope
> =>
  Effect.gen(function*() {
    const { authorizationServer: server, introspection } = options
    const scope = yield* Effect.scope
    const ask = yield* asker(options)
    const permits = yield* Semaphore.make(maximumRequests)
    const rules = Rules.compile(server, {
      resource: options.resource,
      audience: options.audience,
      tokenType: options.tokenType
    })
    const circumstances = {
      tolerance: toleranceOf(options.clockTolerance),
      effectiveScopes: options.effectiveScopes
    }
    const timeToLive = Duration.toMillis(options.timeToLive ?? Duration.minutes(1))

    const judge = (response: Claims.Claims, token: Redacted.Redacted, now: number) =>
      Result.gen(function*() {
        if (Claims.own(response, "active") !== true) return yield* Claims.refuse("inactive")
        const answer = { ...yield* claimsOf(Redacted.value(token), rules.tokenType), ...response }
        const issuer = Claims.own(answer, "iss") ?? server.issuer
        if (typeof issuer !== "string" || (issuer !== server.issuer && !server.tokenIssuers.includes(issuer))) {
          return yield* Claims.refuse("unknown-issuer")
        }
        const claims = withExpiry(answer, introspection.maxLifetime, now)
        const principal = yield* judgeClaims(rules, circumstances, { claims, introspected: true, issuer, token }, now)
        return TokenCache.reusable(principal, {
          from: startOf(claims, circumstances.tolerance),
          until: Math.min((principal.expiresAt + circumstances.tolerance.expiry) * 1000, now * 1000 + timeToLive)
        })
      })

    // Whoever asks about a token that is being asked about waits for that answer. The request belongs to the layer: a
    // caller that goes away takes nobody's answer along.
    const running = new Map<string, Deferred.Deferred<Claims.Claims, Unavailable>>()
    const shares = yield* Sharing
    const askOnce = (token: Redacted.Redacted): Effect.Effect<Claims.Claims, Unavailable> =>
      shares ? askShared(token) : askInTime(ask(token))
    const askInTime = (asked: Effect.Effect<Claims.Claims, Unavailable>): Effect.Effect<Claims.Claims, Unavailable> =>
      Effect.timeoutOrElse(asked, {
        duration: Duration.seconds(8),
        orElse: () =>
          Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer: server.issuer, retryAfter: 1 }))
      })
    const askShared = (token: Redacted.Redacted): Effect.Effect<Claims.Claims, Unavailable> =>
      Effect.suspend(() => {
        const text = Redacted.value(token)
        const known = running.get(text)
        if (known !== undefined) return Deferred.await(known)
        const deferred = Deferred.makeUnsafe<Claims.Claims, Unavailable>()
        running.set(text, deferred)
        return permits.withPermits(1)(ask(token)).pipe(
          askInTime,
          Effect.onExit((exit) => {
            running.delete(text)
            return Deferred.done(deferred, exit)
          }),
          Effect.ignore,
          Effect.forkIn(scope, { startImmediately: true }),
          Effect.andThen(Deferred.await(deferred))
        )
      })

    return {
      verify: Effect.fnUntraced(function*({ token }) {
        if (Redacted.value(token).length > maximumLength) return yield* Effect.fromResult(Claims.refuse("too-large"))
        const answer = yield* askOnce(token)
        const now = yield* Clock.currentTimeMillis
        return yield* Effect.fromResult(judge(answer, token, now / 1000))
      })
    }
  })

/** What a JWT says itself: an ID token is refused, active or not. */
const claimsOf = (
  token: string,
  judgeType: Rules.Rules["tokenType"]
): Result.Result<Claims.Claims, InvalidToken> => {
  if (!isJwt(token)) return Result.succeed({})
  const [header, payload] = token.split(".", 2).map(base64url.decodeJsonObject)
  if (header === undefined || payload === undefined) return Claims.refuse("malformed")
  const wrongType = judgeType(Claims.own(header, "typ"), payload)
  return wrongType === undefined ? Result.succeed(payload) : Claims.refuse(wrongType)
}

/** An answer without `exp` (`null` says as little) ends with its lifetime, where the configuration gives it one. */
const withExpiry = (answer: Claims.Claims, maxLifetime: number | undefined, now: number): Claims.Claims => {
  const exp = Claims.own(answer, "exp")
  if (maxLifetime === undefined || (exp !== undefined && exp !== null)) return answer
  const iat = Claims.own(answer, "iat")
  return { ...answer, exp: (typeof iat === "number" ? iat : now) + maxLifetime }
}

const asker = (
  { authorizationServer: server, introspection, resource, ...general }: Options
): Effect.Effect<
  (token: Redacted.Redacted) => Effect.Effect<Claims.Claims, Unavailable>,
  AuthConfigError,
  Discovery | JwkSet | HttpClient.HttpClient
> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const { option, options } = introspection
    if ("lookUp" in options) {
      return (token) =>
        Effect.suspend(() => options.lookUp(token)).pipe(Effect.provideService(HttpClient.HttpClient, client))
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
    const { start } = toleranceOf(general.clockTolerance)
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
        for (const key of found.slice(0, 4)) signed ||= yield* Signature.verify(text, key, alg)
        const aud = Claims.own(claims, "aud")
        const iat = Claims.own(claims, "iat")
        const answer = Claims.own(claims, "token_introspection")
        const now = (yield* Clock.currentTimeMillis) / 1000
        const holds = signed && Claims.own(claims, "iss") === server.issuer &&
          audience.some((_) => _ === aud || (Array.isArray(aud) && aud.includes(_))) &&
          // Made for this very request: an old answer that is played back says nothing about today.
          typeof iat === "number" && Math.abs(now - iat) <= Math.max(start, 30) &&
          typeof answer === "object" && answer !== null && !Array.isArray(answer)
        return holds ? answer as Claims.Claims : yield* unusable
      })

    return Effect.fnUntraced(function*(token) {
      const { body, contentType, status } = yield* postForm(client, {
        url: yield* endpoint,
        accept: options.signedAnswers === true ? "application/token-introspection+jwt" : "application/json",
        proof: yield* prove,
        parameters: [["token", Redacted.value(token)], ["token_type_hint", "access_token"]]
      }, server)
      if (status !== 200) return yield* unusable
      if (contentType === "application/token-introspection+jwt") return yield* readSigned(body)
      if (options.signedAnswers === true || !/^application\/(?:[\w.+-]+\+)?json$/.test(contentType)) {
        return yield* unusable
      }
      const answer = jsonObject(body)
      return answer === undefined ? yield* unusable : answer
    })
  })
