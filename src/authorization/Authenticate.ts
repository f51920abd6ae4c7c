/**
 * Determines the caller of a request (`authenticate`), and checks the caller's token again when the body is complete
 * (`recheck`).
 *
 * Both functions do their work when they are called, not when the returned effect runs. If they need not wait for anything,
 * they return an `Exit`. A server adapter therefore needs no fiber for a request whose token is cached.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import {
  type ApiKeyStoreUnavailable,
  type AuthorizationServerUnavailable,
  type InvalidApiKey,
  InvalidToken,
  type MalformedRequest,
  type MissingCredentials,
  type RevocationStoreUnavailable
} from "../protocol/AuthError.ts"
import * as Credentials from "../protocol/Credentials.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type * as ApiKeys from "../verification/api-keys/ApiKeys.ts"
import { isUnchanged, type Principal } from "../verification/Principal.ts"
import type { Tenants } from "../verification/tenants/Tenants.ts"
import type * as TokenHeader from "../verification/token-header/TokenHeader.ts"
import type { Presentation } from "../verification/tokens/Presentation.ts"
import type { TokenVerifier, VerificationError, Verified } from "../verification/TokenVerifier.ts"
import type { AllowedOrigins } from "./AllowedOrigins.ts"
import * as Caller from "./Caller.ts"
import * as Decision from "./Decision.ts"
import { isPrincipal, noPrincipal } from "./internal/checkPrincipal.ts"
import type { OpenStreams } from "./internal/openStreams.ts"
import type { OwnClaims } from "./internal/ownClaims.ts"
import { attempt, type Reject } from "./internal/reject.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import { traceVerification } from "./RecordDecision.ts"
import * as Rejection from "./Rejection.ts"

/**
 * The functions and settings that authentication needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly verifier: TokenVerifier["Service"]
  /**
   * Returns the cached principal for a value of the `Authorization` header. Returns `undefined` if none is cached, or if a
   * check of the token would have to wait.
   */
  readonly lookupVerified:
    | ((authorization: string, timing: Decision.RequestTiming) => Principal | undefined)
    | undefined
  readonly tenants: Pick<Tenants<ProtectedResource>, "isNamedBy"> | undefined
  readonly apiKeys: Pick<ApiKeys.Authentication, "header" | "isKey" | "read" | "verify"> | undefined
  /** Reads tokens from another header than `Authorization`. */
  readonly tokenHeader: Pick<TokenHeader.Mechanism, "linesOf" | "parse"> | undefined
  /** Checks a token that was verified. */
  readonly revocation: Pick<ApiKeys.RevocationChecks<never>, "isRevoked"> | undefined
  /** Checks a token again. Also looks up API keys, whose first check is part of their verification. */
  readonly lasting: Pick<ApiKeys.RevocationChecks<ApiKeyStoreUnavailable>, "isRevoked"> | undefined
  /** How long after `expiresAt` a token is still accepted, in seconds. */
  readonly expiryTolerance: number
  readonly tokenGrammar: Credentials.Grammar | undefined
  readonly presentation: Presentation
  readonly allowsOrigin: AllowedOrigins
  /** Returns whether the server accepts a value of the `Host` header. `undefined` if the gate does not check it. */
  readonly allowsHost: ((host: string) => boolean) | undefined
  readonly anonymous: "deny" | "allow-unscoped"
  readonly claims: OwnClaims
  readonly streams: OpenStreams
  readonly reject: Reject
}

/**
 * The two checks of a caller. `awaited` is `true` if the adapter has waited for anything since `authenticate`. The token can
 * have been revoked in this time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authentication {
  readonly authenticate: (request: Caller.Request) => Effect.Effect<Caller.Caller, Rejection.Rejection>
  readonly recheck: (caller: Caller.Caller, awaited: boolean) => Effect.Effect<Caller.Caller, Rejection.Rejection>
}

type VerificationFailure = VerificationError | InvalidApiKey | ApiKeyStoreUnavailable | RevocationStoreUnavailable

/**
 * Makes the two checks.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (parts: Parts): Authentication => {
  const {
    allowsHost,
    allowsOrigin,
    apiKeys,
    claims,
    lasting,
    presentation,
    streams,
    tenants,
    tokenHeader,
    verifier
  } = parts
  const { reject, rejectCause, rejectUnverified, rejectWith } = parts.reject
  const lookupVerified = presentation.schemes.includes("Bearer") ? parts.lookupVerified : undefined

  const schemes: ReadonlyArray<Credentials.Scheme> = apiKeys === undefined || apiKeys.header !== undefined
    ? presentation.schemes
    : [...presentation.schemes, "ApiKey"]

  const checkRevocation = <E>(
    checks: Pick<ApiKeys.RevocationChecks<E>, "isRevoked"> | undefined,
    principal: Principal
  ): Effect.Effect<Principal, InvalidToken | RevocationStoreUnavailable | AuthorizationServerUnavailable | E> =>
    checks === undefined
      ? Effect.succeed(principal)
      : Effect.flatMapEager(
        checks.isRevoked(principal),
        (isRevoked): Effect.Effect<Principal, InvalidToken> => isRevoked === false ? Effect.succeed(principal) : revoked
      )

  const decodeClaims = (principal: Principal): Effect.Effect<Principal, VerificationFailure> => {
    const decoded = claims.decode(principal)
    if (Exit.isExit(decoded)) return decoded
    // The credentials can have been revoked while an asynchronous schema decoded the claims.
    return Effect.flatMapEager(
      decoded,
      (principal): Effect.Effect<Principal, VerificationFailure> => checkRevocation(lasting, principal)
    )
  }

  /** Verifies credentials, checks revocation and decodes the value of the option `claims`. Does not check a DPoP proof. */
  const verifyToken = (
    request: Caller.Request,
    credentials: Credentials.Credentials,
    timing: Decision.RequestTiming | undefined
  ): Effect.Effect<Principal, VerificationFailure> => {
    if (credentials.scheme === "ApiKey") {
      const found = Effect.flatMapEager(
        apiKeys!.verify(credentials, request, timing ?? Decision.startTiming(request.fiber)),
        (principal) => checkRevocation(parts.revocation, principal)
      )
      return Effect.flatMapEager(traceVerification(found, request.fiber), decodeClaims)
    }
    // A client can send its API key in the wrong place. Introspection would send the key to the authorization server.
    if (apiKeys !== undefined && apiKeys.isKey(Credentials.textOf(credentials))) return keyAsToken
    const verification = OptionValue.ignoreFailure(verifier.verify(credentials, request, timing))
    // The verifier can be custom code, so its result is checked: a request without a principal must not be admitted.
    const found: Effect.Effect<Principal, VerificationError | RevocationStoreUnavailable> =
      !Effect.isEffect(verification as unknown)
        ? failNoPrincipal
        : Effect.flatMapEager(
          verification,
          (verified): Effect.Effect<Principal, VerificationError | RevocationStoreUnavailable> => {
            const principal: unknown = (verified as Partial<Verified> | undefined)?.principal
            if (!isPrincipal(principal) || !Object.keys(verified).every(isMemberOfVerified)) return failNoPrincipal
            // A custom verifier may cache results by token alone, but only the request names the tenant.
            return tenants === undefined || tenants.isNamedBy(principal, credentials.token, request)
              ? checkRevocation(parts.revocation, principal)
              : foreignTenant
          }
        )
    return Effect.flatMapEager(traceVerification(found, request.fiber), decodeClaims)
  }

  /** Returns the `Authorization` lines, or the token of `tokenHeader` in the same form. */
  const linesOf = (request: Caller.Request): ReadonlyArray<string> =>
    tokenHeader === undefined ? request.authorization : tokenHeader.linesOf(request)

  /** Reads the API key of a separate header. Returns `undefined` if there is none. */
  const readKey = (request: Caller.Request) => apiKeys?.read(request, linesOf(request).length > 0)

  const parse = (
    request: Caller.Request
  ): Result.Result<Credentials.Credentials, MissingCredentials | MalformedRequest> =>
    readKey(request) ?? (tokenHeader === undefined
      ? Credentials.parse(request.authorization, parts.tokenGrammar, schemes)
      : tokenHeader.parse(request, parts.tokenGrammar))

  const verify = (
    request: Caller.Request,
    timing: Decision.RequestTiming,
    now: number
  ): Effect.Effect<Caller.Caller, Rejection.Rejection> => {
    const unknown = Caller.make(request, undefined, timing)
    const parsed = parse(request)
    if (Result.isFailure(parsed)) return rejectUnverified(unknown, Cause.fail(parsed.failure), "Bearer")
    const credentials = parsed.success
    // The DPoP proof is checked after the token, so that a client without a valid token does not cause a second signature
    // check. It is checked outside of every cache, because each proof is accepted once.
    return attempt(() =>
      Effect.flatMapEager(
        verifyToken(request, credentials, timing),
        (principal) =>
          Effect.mapEager(
            credentials.scheme === "ApiKey"
              ? Effect.void
              : presentation.check(request, credentials, principal, now, timing.since),
            () => Caller.make(request, principal, timing)
          )
      ), (cause) => rejectUnverified(unknown, cause, credentials.scheme))
  }

  /**
   * Returns the principal of a request whose token is cached. If there is a tracer, returns `undefined`, so that each
   * verification has a span.
   */
  const findVerified = (request: Caller.Request, timing: Decision.RequestTiming): Principal | undefined => {
    if (lookupVerified === undefined || request.fiber.cache.tracer !== undefined) return undefined
    if (readKey(request) !== undefined) return undefined
    const authorization = linesOf(request)
    const principal = authorization.length === 1 ? lookupVerified(authorization[0]!, timing) : undefined
    return principal !== undefined && claims.isDecoded(principal) ? principal : undefined
  }

  const authenticate: Authentication["authenticate"] = (request) => {
    const timing = Decision.startTiming(request.fiber)
    if (allowsHost !== undefined) {
      const { host = [] } = request
      if (host.length === 0 || !host.every(allowsHost)) {
        return rejectWith(Caller.make(request, undefined, timing), Rejection.foreignHost)
      }
    }
    const origin = request.header("origin")
    if (origin !== undefined) {
      let isAllowed: boolean
      try {
        isAllowed = allowsOrigin(origin)
      } catch (defect) {
        return rejectCause(Caller.make(request, undefined, timing), Cause.die(defect))
      }
      if (!isAllowed) return rejectWith(Caller.make(request, undefined, timing), Rejection.foreignOrigin)
      if (request.method === "OPTIONS" && request.header("access-control-request-method") !== undefined) {
        return Effect.fail(Rejection.preflight(
          origin,
          request.header("access-control-request-headers"),
          apiKeys?.header
        ))
      }
    }
    timing.revision = streams.revision()
    if (
      parts.anonymous === "allow-unscoped" && linesOf(request).length === 0 && readKey(request) === undefined
    ) {
      return Effect.succeed(Caller.make(request, undefined, timing))
    }
    const principal = findVerified(request, timing)
    return principal === undefined
      ? verify(request, timing, timing.clock.currentTimeMillisUnsafe())
      : Effect.succeed(Caller.make(request, principal, timing))
  }

  const recheck: Authentication["recheck"] = (caller, awaited) => {
    const { principal, request, timing } = caller
    if (principal === undefined) return Effect.succeed(caller)
    if (timing.clock.currentTimeMillisUnsafe() >= (principal.expiresAt + parts.expiryTolerance) * 1000) {
      return reject(caller, expired)
    }
    const { revision } = timing
    if (revision !== undefined && streams.isConcerned(principal, revision)) {
      // Only the token is verified again. The DPoP proof was accepted before, and a second check would reject it as a replay.
      return attempt(() => {
        const parsed = parse(request)
        if (Result.isFailure(parsed)) return revoked
        const now = streams.revision()
        return Effect.flatMapEager(verifyToken(request, parsed.success, undefined), (again) => {
          // Handlers use the principal of the first verification. If the rights have changed, the client must send a new
          // request.
          if (!isUnchanged(principal, again)) return revoked
          timing.revision = now
          return Effect.succeed(Caller.make(request, again, timing))
        })
      }, (cause) => rejectCause(caller, cause))
    }
    return lasting === undefined || !awaited
      ? Effect.succeed(caller)
      : attempt(
        () => Effect.mapEager(checkRevocation(lasting, principal), () => caller),
        (cause) => rejectCause(caller, cause)
      )
  }

  return { authenticate, recheck }
}

// Any other member of a verifier's result, for example `scopes` in `{ ...verified, scopes }`, is an error, because the gate
// would ignore it.
const isMemberOfVerified = (name: string) => name === "principal" || name === "reuse"

const failNoPrincipal = Effect.fail(noPrincipal)
const keyAsToken = Effect.fail(new InvalidToken({ reason: "api-key-as-token" }))
const revoked = Effect.fail(new InvalidToken({ reason: "revoked" }))
const foreignTenant = Effect.fail(new InvalidToken({ reason: "unknown-tenant" }))
const expired = new InvalidToken({ reason: "expired" })
