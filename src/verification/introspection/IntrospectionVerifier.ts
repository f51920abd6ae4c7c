/**
 * Verifies tokens by introspection at the authorization server that issued them (RFC 7662, and RFC 9701 for signed answers).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Discovery } from "../../outbound/Discovery.ts"
import * as EndpointGuard from "../../outbound/EndpointGuard.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import { Sharing } from "../../outbound/Sharing.ts"
import * as SingleFlight from "../../outbound/SingleFlight.ts"
import { withTimeLimit } from "../../outbound/TimeLimit.ts"
import { type AuthConfigError, InvalidToken } from "../../protocol/AuthError.ts"
import type { Credentials } from "../../protocol/Credentials.ts"
import * as Claims from "../claims/Claims.ts"
import { copyJson } from "../claims/Frozen.ts"
import { attach } from "../claims/RejectedClaims.ts"
import * as TokenType from "../claims/TokenType.ts"
import * as IssuerRules from "../issuers/IssuerRules.ts"
import type { Issuer, Parts } from "../issuers/OpaqueTokens.ts"
import { JwkSet } from "../keys/JwkSet.ts"
import * as TokenCache from "../tokens/TokenCache.ts"
import { reuseFor, verifyClaims } from "../tokens/VerifyClaims.ts"
import type { VerificationError, Verified, Verifier } from "../TokenVerifier.ts"
import * as Jwt from "./internal/introspectedJwt.ts"
import * as introspectionAnswer from "./internal/introspectionAnswer.ts"
import * as introspectionRequest from "./internal/introspectionRequest.ts"
import * as sharedAnswers from "./internal/sharedAnswers.ts"
import type { Settings } from "./IntrospectionOptions.ts"

type Answer = introspectionAnswer.IntrospectionAnswer
type GetAnswer = introspectionAnswer.GetAnswer

/** The longest token for which a request is sent, in characters. */
const maximumLength = 16 * 1024

/** The time limit for an answer. It includes the wait in the queue and the requests to the shared store. */
const answerTime = "8 seconds"

/**
 * Creates the verifier of one authorization server.
 *
 * **Details**
 *
 * A token is sent to this authorization server only. Concurrent requests about one token are coalesced. The verifier fails with
 * `AuthorizationServerUnavailable` if the endpoint is unavailable, redirects, rejects the credentials of the resource server,
 * or answers with anything other than an introspection response. In all these cases the token may be valid. A 401 whose body is
 * exactly `{"active": false}` counts as an answer, because some servers use this status for inactive tokens.
 *
 * Load on the endpoint is bounded. At most 64 requests run at a time, at most 48 of them about tokens that were not verified
 * before, and at most 256 requests of each kind wait. After 3 failures in a row, the verifier sends no request for 1 second,
 * and then only one. Each further failure doubles this cooldown, up to 1 minute (`Freshness` configures both durations).
 * Rejected credentials and a `Retry-After` start a cooldown at once. Tokens that were verified before have a separate cooldown.
 * Failures for other tokens do not start it, unless the response has a `Retry-After`. `inactiveLimit` bounds the requests about
 * invented tokens. While requests about verified tokens succeed, a failed request about an unverified token also counts against
 * this limit. A request that the verifier does not send fails at once with `cooling-down` or `overloaded`.
 *
 * A token is accepted if `active` is `true` and the claims of the answer are valid: `iss`, if present, must be an issuer of the
 * authorization server; `aud` must satisfy the audience rule; `exp` is required unless `maxLifetime` replaces it.
 *
 * A JWT (`tokens: "all"`) completes the claims of an answer only if a key of its issuer verifies its signature. Otherwise, the
 * JWT can only restrict the result: its issuer, times, audience, key and type can cause a rejection, and its `exp` can replace
 * a later `exp` of the answer. The keys of the issuer are needed only if the JWT has claims that the answer lacks. If these
 * keys are needed and cannot be fetched, the verifier fails with `AuthorizationServerUnavailable`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(
  parts: Parts,
  settings: Settings<R>
): Effect.Effect<
  Verifier<VerificationError>,
  AuthConfigError,
  Discovery | JwkSet | Fetcher | Scope.Scope | R
> =>
  Effect.gen(function*() {
    const { authorizationServer: server, rules: general } = parts
    const keys = yield* JwkSet
    const guard = yield* EndpointGuard.make({
      issuer: server.issuer,
      endpoint: "The introspection endpoint",
      option: settings.option,
      inactiveLimit: settings.inactiveLimit
    })
    const rules = IssuerRules.compile(server, {
      ...general,
      subjectClaims: settings.subjectClaims,
      machineMarks: settings.machineMarks
    })
    const timeToLive = Duration.toMillis(settings.cacheFor)
    const { recordVerified, request } = introspectionAnswer.guarded(
      guard,
      yield* introspectionRequest.make(server, general, settings)
    )
    const store = yield* settings.shared
    const isShared = store !== undefined && timeToLive > 0
    const getAnswer = yield* coalesced(
      isShared ? yield* sharedAnswers.make(store, request, parts, timeToLive) : request,
      parts
    )
    const verifyAnswer = answerVerifier(server, rules, settings)
    const inactive = Effect.fail(TokenCache.rejectFor(settings.inactiveFor))

    return {
      verify: Effect.fnUntraced(function*(credentials) {
        const { token } = credentials
        const text = Redacted.value(token)
        if (text.length > maximumLength) return yield* Effect.fromResult(Claims.reject("too-large"))
        const answer = withoutNulls(yield* getAnswer(token))
        if (!introspectionAnswer.isActive(answer)) return yield* inactive
        const jwt = yield* Effect.fromResult(Jwt.read(text, rules.tokenType))
        const isProven = jwt !== undefined && Jwt.hasMoreClaims(jwt, answer.claims) &&
          (yield* Jwt.isFromIssuer(text, jwt, server, rules, keys))
        const now = (yield* Clock.currentTimeMillis) / 1000
        const verified = yield* Effect.fromResult(
          Result.mapError(
            verifyAnswer(answer, jwt, isProven, credentials, now),
            // The log explains the rejection with these claims, because an opaque token contains none.
            ({ reason }) => attach(new InvalidToken({ reason }), { claims: answer.claims })
          )
        )
        yield* recordVerified(token)
        return verified
      })
    }
  })

/**
 * Coalesces concurrent requests about one token. Does not join a request that started before the last invalidation of cached
 * results. Each request runs in the scope of the layer, so if one caller disconnects, the request continues for the others.
 */
const coalesced = Effect.fnUntraced(function*(
  getAnswer: GetAnswer,
  { authorizationServer: { issuer }, lastInvalidation }: Parts
): Effect.fn.Return<GetAnswer, never, Scope.Scope> {
  const limited: GetAnswer = (token) => getAnswer(token).pipe(withTimeLimit(answerTime, issuer))
  if (!(yield* Sharing)) return limited
  const scope = yield* Effect.scope
  const flights = SingleFlight.make<Answer, introspectionRequest.Unavailable>(scope)
  return (token) =>
    Effect.suspend(() => {
      const text = Redacted.value(token)
      return flights.join(text, lastInvalidation.since) ?? Effect.flatten(flights.start(text, limited(token)))
    })
})

/** Creates the function that checks the claims of an answer about an active token. `now` is in seconds. */
const answerVerifier = (
  server: Issuer,
  rules: IssuerRules.IssuerRules,
  { cacheFor, maxLifetime }: Settings<unknown>
) => {
  const timeToLive = Duration.toMillis(cacheFor)
  return (
    { at, claims: response, since }: Answer,
    jwt: Jwt.IntrospectedJwt | undefined,
    isProven: boolean,
    credentials: Credentials,
    now: number
  ): Result.Result<Verified, InvalidToken> =>
    Result.gen(function*() {
      // Some servers report refresh tokens as active, and name their kind (Hydra: `token_use: "refresh_token"`).
      const kind = TokenType.kindOf(response, server.profile?.accessTokenMarks)
      if (kind === "id" || kind === "other") return yield* Claims.reject(kind === "id" ? "id-token" : "token-type")
      // A copy, because the principal is frozen later. Several requests may share the original answer, and a look-up function
      // may keep it.
      const answer = copyJson(isProven ? { ...jwt!.claims, ...response } : response)
      const issuer = Claims.own(answer, "iss") ?? server.issuer
      if (typeof issuer !== "string" || (issuer !== server.issuer && !server.tokenIssuers.includes(issuer))) {
        return yield* Claims.reject("unknown-issuer")
      }
      const complete = withExpiry(answer, maxLifetime, at / 1000)
      const claims = jwt === undefined ? complete : yield* Jwt.restrict(complete, jwt, server, rules, now)
      const principal = yield* verifyClaims(rules, { claims, credentials, introspected: true, issuer }, now)
      return {
        principal,
        // The answer may come from another request or another instance, so its age starts when it was requested.
        reuse: reuseFor(principal, rules.tolerance, since + timeToLive)
      }
    })
}

/**
 * Members that count as absent if they are `null`. Members that restrict a token, such as `aud` and `cnf`, are not in this
 * list.
 */
const nullable = ["sub", "token_type"]

/** Removes members that some servers set to `null` instead of leaving them out. */
const withoutNulls = (answer: Answer): Answer => {
  const absent = nullable.filter((name) => Claims.own(answer.claims, name) === null)
  if (absent.length === 0) return answer
  const claims: Record<string, unknown> = { ...answer.claims }
  for (const name of absent) delete claims[name]
  return { ...answer, claims }
}

/**
 * Adds the `exp` that results from `maxLifetime` to an answer without `exp`. `now` is the time at which the answer was
 * requested, in seconds.
 */
const withExpiry = (answer: Claims.Claims, maxLifetime: number | undefined, now: number): Claims.Claims => {
  const exp = Claims.own(answer, "exp")
  if (maxLifetime === undefined || (exp !== undefined && exp !== null)) return answer
  const iat = Claims.own(answer, "iat")
  return { ...answer, exp: (typeof iat === "number" ? iat : now) + maxLifetime }
}
