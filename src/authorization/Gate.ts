/**
 * The decision whether a request comes in, in two steps and apart from every host: `authenticate`, then `authorize`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import {
  AuthConfigError,
  type AuthError,
  AuthorizationServerUnavailable,
  InsufficientScope,
  InvalidDpopProof,
  InvalidMetadata,
  InvalidToken,
  MalformedRequest,
  MissingCredentials,
  ReplayStoreUnavailable
} from "../protocol/AuthError.ts"
import type { AuthorizationServerMetadata } from "../protocol/AuthorizationServerMetadata.ts"
import * as Credentials from "../protocol/Credentials.ts"
import { maximumTarget, type Operation } from "../protocol/Operation.ts"
import { sanitize } from "../protocol/RemoteText.ts"
import { Principal } from "../verification/Principal.ts"
import type { Tenants } from "../verification/tenants/Tenants.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import type { Target } from "../verification/tokens/TokenCache.ts"
import type { TokenVerifier, VerificationError } from "../verification/TokenVerifier.ts"
import * as AllowedHosts from "./AllowedHosts.ts"
import * as Decision from "./Decision.ts"
import * as openStreams from "./internal/openStreams.ts"
import * as shareable from "./internal/shareable.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import * as Rejection from "./Rejection.ts"
import { RequestState } from "./RequestState.ts"
import * as Sessions from "./Sessions.ts"

/**
 * What the gate sees of a request. `authorization` holds every `Authorization` line as it came in. `path` and `dpop`
 * (every line of that header) are what proofs are judged by: a host that does not give them admits no DPoP token, and
 * finds nothing by path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request extends Presentation.Request {
  readonly authorization: ReadonlyArray<string>
  /** The sessions that the query names (HTTP+SSE transport of MCP 2024-11-05). Default: none. */
  readonly streams?: ReadonlyArray<string> | undefined
  /**
   * Every host that the request names: each `Host` line, `:authority`, the authority of its URL. A request that names none
   * is rejected where hosts are checked. Default: none.
   */
  readonly host?: ReadonlyArray<string> | undefined
  /** Whether the host asked `recall` before, in vain. Default: `false`. */
  readonly recalled?: boolean | undefined
  /** A parameter of the route that the host's router matched; `undefined` if there is none of this name. */
  readonly routeParameter?: ((name: string) => string | undefined) | undefined
}

/**
 * What the tenants of a server publish, each for itself.
 *
 * @category models
 * @since 0.1.0
 */
export type PublishedTenants = Omit<Tenants<ProtectedResource>, "verify" | "invalidate">

/**
 * The caller of a request: a principal, or an anonymous one where that is allowed. A preflight has none: the gate answers
 * it.
 *
 * @category models
 * @since 0.1.0
 */
export type Caller = Principal | "anonymous"

/**
 * What an operation asks of its caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly scopes: ReadonlyArray<string>
  readonly unauthorized: "challenge" | "hide"
  /** Needs a caller, whatever the scopes. */
  readonly authenticated?: boolean | undefined
}

/**
 * Whether a policy hides its operation from a caller, who meets it as one that does not exist.
 *
 * @category guards
 * @since 0.1.0
 */
export const isHiddenFrom = (policy: Policy, principal: Principal | undefined): boolean =>
  policy.unauthorized === "hide" && policy.scopes.some((scope) => principal?.scopes.has(scope) !== true)

/**
 * A request that has been authenticated, and what it wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<R> {
  /** Who calls; `undefined` for an anonymous request. */
  readonly principal: Principal | undefined
  /** The `Mcp-Session-Id` that the request presents. */
  readonly session: string | undefined
  /** The `MCP-Protocol-Version` header. */
  readonly protocolVersion: string | undefined
  /** Reads the body: run only when everything before it is in order. */
  readonly operations: Effect.Effect<ReadonlyArray<Operation>, MalformedRequest | AuthConfigError, R>
  /** Finds the policies, once the body is complete and the token is known to be still valid. Default: they are there. */
  readonly prepare?: ((operations: ReadonlyArray<Operation>) => Effect.Effect<unknown, AuthConfigError, R>) | undefined
  /** The policy of an operation; `undefined` for one that the server does not know. */
  readonly policy: (operation: Operation) => Policy | undefined
  /** The timing that the request was authenticated with. Default: it comes now. */
  readonly timing?: Decision.RequestTiming | undefined
  /** The request, to be verified again if its token was invalidated meanwhile. Without it such a token is rejected. */
  readonly request?: Request | undefined
}

/**
 * The gate.
 *
 * **Details**
 *
 * It looks in this order: `Host` of a loopback resource (403), `Origin` (403), a preflight (answered with 204), credentials
 * (400, 401, 503), session (404), body (408, 413, 415, 400), credentials again (401, 503), scopes (403).
 *
 * A token must be valid when its request is executed, not only when it comes in. Once the body is complete, its expiry is
 * checked again, `revocation` is asked again, and if the token was invalidated meanwhile, it is verified again.
 *
 * What fails with no error of `AuthError`, or dies, such as a verifier, a policy or a `DecisionListener` of the user's, is a
 * 500 with the reason `broken`, the same on every host, logged with its cause.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gate {
  /** The resource of the layer. A tenant's may be another: see `resourceOf`. */
  readonly resource: ProtectedResource
  /** The resource that a caller is verified for. */
  readonly resourceOf: (principal: Principal | undefined) => ProtectedResource
  /** What tenants publish; `undefined` without the option `tenants`. */
  readonly tenants: PublishedTenants | undefined
  /** Fetches what the first token would have to wait for, and fails where that token would be answered with 503. */
  readonly ready: Effect.Effect<void, AuthorizationServerUnavailable | InvalidMetadata>
  readonly allowedOrigins: ReadonlyArray<string>
  /** Whether the gate looks at the hosts that a request names. */
  readonly checksHost: boolean
  /** Lets a page read an answer, if its `Origin` is an allowed one. A host gives every answer to it before it is sent. */
  readonly allowOrigin: (rejection: Rejection.Rejection, origin: string | undefined) => Rejection.Rejection
  readonly sessions: Sessions.Sessions
  /** The authorization server's metadata, for hosts to mirror; only where that is switched on. */
  readonly legacyMetadata: Options["legacyMetadata"]
  /** The answers that a host gives where the gate itself gave none. */
  readonly rejections: Rejection.Rejections
  /** The services of an authenticated request: `Principal`, `RequestState`, the user's own claims. */
  readonly services: (principal: Principal) => Context.Context<Principal | RequestState>
  /** The same beside what a context has already. */
  readonly enter: <R>(
    context: Context.Context<R>,
    principal: Principal
  ) => Context.Context<R | Principal | RequestState>
  /**
   * Evicts cached results, after a sign-out or when the rights of a caller have changed, and ends the open streams of these
   * tokens.
   */
  readonly invalidate: (target: Target) => Effect.Effect<void>
  /**
   * Waits until an open stream must end: at `end` (in milliseconds since 1970, by the wall clock, and not later if that is
   * set back), when the token is invalidated or revoked on this instance, or, asking every 30 seconds or as configured,
   * when `revocation` says that it was revoked elsewhere. While `revocation` fails, the stream stays open until `end`.
   */
  readonly untilStreamEnds: (
    principal: Principal,
    end: number,
    timing: Decision.RequestTiming | undefined
  ) => Effect.Effect<void>
  /**
   * The principal of a request whose token is cached, without waiting. `undefined` says nothing: `authenticate` decides. It
   * is for requests without `Origin`; `authorization` is their one `Authorization` line, `host` is that of `Request`, which
   * is read only if `checksHost`.
   */
  readonly recall: (
    authorization: string,
    timing: Decision.RequestTiming,
    host: ReadonlyArray<string>
  ) => Principal | undefined
  /**
   * Without a timing the request comes now. Given the fiber of the request it looks at once, and what waits for nothing is
   * an `Exit`.
   */
  readonly authenticate: (
    request: Request,
    timing?: Decision.RequestTiming | undefined,
    fiber?: Fiber.Fiber<unknown, unknown> | undefined
  ) => Effect.Effect<Caller, Rejection.Rejection>
  /**
   * Given the fiber of the request it looks at once, and waits for nothing but the operations. Where those are an `Exit` that
   * succeeds, and no listener or log has to be told, the result is an `Exit`.
   */
  readonly authorize: <R>(
    call: Call<R>,
    fiber?: Fiber.Fiber<unknown, unknown> | undefined
  ) => Effect.Effect<ReadonlyArray<Operation>, Rejection.Rejection, R>
  /**
   * Reports that a request came in which `authorize` does not get to see, decided `until` (in monotonic nanoseconds of the
   * `Clock`). Gives `Effect.void` itself where nothing is left to do. `asked`: what for, and with which scopes, where the
   * host knows. Default: nothing.
   */
  readonly admitted: (
    principal: Principal,
    timing: Decision.RequestTiming,
    until: bigint,
    fiber: Fiber.Fiber<unknown, unknown>,
    asked?: Pick<Decision.Facts, "operations" | "required"> | undefined
  ) => Effect.Effect<void, Rejection.Rejection>
  /** The answer to a failure that nothing further inside has answered, reported as a decision: `broken`, for a defect. */
  readonly rejectCause: (
    cause: Cause.Cause<unknown>,
    timing?: Decision.RequestTiming | undefined
  ) => Effect.Effect<never, Rejection.Rejection>
  /** The answer to a failure further inside, reported as a decision. */
  readonly reject: (
    error: AuthError,
    circumstances: Rejection.Circumstances,
    timing?: Decision.RequestTiming | undefined
  ) => Effect.Effect<never, Rejection.Rejection>
}

/**
 * The gate as a service: what forgetting the authentication layer leaves unmet.
 *
 * @category services
 * @since 0.1.0
 */
export class AuthLayer extends Context.Service<AuthLayer, Gate>()("effect-mcp-auth/AuthLayer") {}

/**
 * What a gate is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly resource: ProtectedResource
  readonly tenants?: PublishedTenants | undefined
  readonly verifier: TokenVerifier["Service"]
  /**
   * The verdicts of the verifier that may be used again at once, where they depend on the token alone: on no proof of a
   * key, either (see `TokenCache.Cached`).
   */
  readonly recall?: ((authorization: string, timing: Decision.RequestTiming) => Principal | undefined) | undefined
  /** Asked of every verified token, when it comes in and again when its body is complete: `true` rejects it. */
  readonly revocation?:
    | ((principal: Principal) => Effect.Effect<boolean, AuthorizationServerUnavailable>)
    | undefined
  /** How often open streams ask `revocation` again. Default: 30 seconds. */
  readonly revocationInterval?: Duration.Duration | undefined
  /** How many seconds after `expiresAt` a token is still accepted: the tolerance of its verification. Default: 0. */
  readonly expiryTolerance?: number | undefined
  readonly requestState: RequestState["Service"]
  readonly tokenGrammar?: Credentials.Grammar | undefined
  /** How tokens are presented. Default: `Presentation.bearerOnly`, which rejects those that are bound to a key. */
  readonly dpop?: Presentation.Presentation | undefined
  readonly invalidate?: ((target: Target) => Effect.Effect<void>) | undefined
  readonly allowedOrigins: ReadonlyArray<string> | undefined
  /** Default: none, besides the loopback hosts of a loopback resource. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  readonly challengeScopes: Rejection.ChallengeScopes
  readonly unlisted: "allow" | "deny"
  readonly anonymous: "deny" | "allow-unscoped"
  /** Decodes the user's own claims; its context is merged into the services of the request. */
  readonly claims: ((principal: Principal) => Result.Result<Context.Context<never>, unknown>) | undefined
  /** Default: there is nothing to fetch. */
  readonly ready?: Gate["ready"] | undefined
  /** The sessions that one caller may have. Default: 100. */
  readonly sessionsPerCaller?: number | undefined
  /** The listener of decisions, and how decisions name subjects. */
  readonly decisions?: Decision.Options | undefined
  /** The metadata of the first authorization server, to be published for clients of MCP 2025-03-26. */
  readonly legacyMetadata?:
    | Effect.Effect<AuthorizationServerMetadata, AuthorizationServerUnavailable | InvalidMetadata>
    | undefined
}

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

const nameTooLong = new MalformedRequest({ reason: "name-too-long" })

const noPrincipal = new AuthConfigError({
  reason: "malformed",
  option: "verifier",
  fix:
    "verify succeeded with a value that is not a Principal with text as its subject, or as its clientId if it has no " +
    "subject. Return the result of Principal.make, and fail with InvalidToken for every token that is not accepted"
})

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

const isNameIfAny = (value: unknown): boolean => value === undefined || isName(value)

/** Each member is used later, where an error would have no decision event. */
const isPrincipal = (value: unknown): value is Principal => {
  if (typeof value !== "object" || value === null) return false
  const { audience, claims, clientId, expiresAt, granted, issuer, key, owner, scopes, subject, token } =
    value as Partial<
      Principal
    >
  // Without a name, all callers of the verifier would share one owner. `null` would be such a name, too.
  return isNameIfAny(subject) && isNameIfAny(clientId) && isName(subject ?? clientId) &&
    typeof issuer === "string" && isName(owner) && isName(key) && scopes instanceof Set && granted instanceof Set &&
    Array.isArray(audience) && typeof expiresAt === "number" && !Number.isNaN(expiresAt) &&
    typeof claims === "object" && claims !== null && Redacted.isRedacted(token)
}

/** Whether a token that was verified again says what it said before. Only its end may have moved. */
const isUnchanged = (before: Principal, again: Principal): boolean =>
  again.key === before.key && [...before.scopes].every((_) => again.scopes.has(_)) &&
  Equal.equals({ ...before.claims, exp: undefined }, { ...again.claims, exp: undefined })

const isAuthError = (error: unknown): error is AuthError =>
  error instanceof InvalidToken || error instanceof MissingCredentials || error instanceof MalformedRequest ||
  error instanceof InvalidDpopProof || error instanceof ReplayStoreUnavailable || error instanceof InsufficientScope ||
  error instanceof AuthorizationServerUnavailable || error instanceof InvalidMetadata ||
  error instanceof AuthConfigError

const failNoPrincipal = Effect.fail(noPrincipal)
const revoked = Effect.fail(new InvalidToken({ reason: "revoked" }))
const foreignTenant = Effect.fail(new InvalidToken({ reason: "unknown-tenant" }))
const expired = new InvalidToken({ reason: "expired" })

/**
 * Builds a gate of parts that are checked already. `AuthLayer.make` and its sisters check options and call it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Gate => {
  const { dpop = Presentation.bearerOnly, resource, tenants, verifier } = options
  const rejections = Rejection.make(resource, options.challengeScopes)
  const report = Decision.reporter(options.decisions ?? {}, rejections.broken)
  const { expiryTolerance = 0, revocation } = options
  const streams = openStreams.make({ revocation, interval: options.revocationInterval ?? Duration.seconds(30) })
  const rejectionsOfTenants = new WeakMap<ProtectedResource, Rejection.Rejections>()

  const rejectionsAt = (place: ProtectedResource): Rejection.Rejections => {
    if (place === resource) return rejections
    const known = rejectionsOfTenants.get(place)
    if (known !== undefined) return known
    const made = Rejection.make(place, options.challengeScopes)
    rejectionsOfTenants.set(place, made)
    return made
  }

  const resourceOf = (principal: Principal | undefined): ProtectedResource =>
    principal?.tenant === undefined || tenants === undefined ? resource : tenants.publishedBy(principal.tenant)

  const rejectionsOf = (principal: Principal | undefined): Rejection.Rejections =>
    principal?.tenant === undefined ? rejections : rejectionsAt(resourceOf(principal))
  const allowedOrigins = [...new Set([resource.origin, ...(options.allowedOrigins ?? [])])]
  const allowsHost = AllowedHosts.make(resource.resource, options.allowedHosts)
  const isForThisServer = (host: ReadonlyArray<string>): boolean =>
    allowsHost === undefined || (host.length > 0 && host.every(allowsHost))
  const sessions = Sessions.make({ perCaller: options.sessionsPerCaller })
  // Claims are decoded once for a principal, since many requests may share one. What a handler could change for the others
  // is decoded for each of them.
  const decoded = new WeakMap<Principal, Context.Context<never> | "unshareable">()

  const rejectWith = (
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    rejection: Rejection.Rejection,
    principal: Principal | undefined = undefined,
    operations: ReadonlyArray<Operation> = [],
    advice: string | undefined = undefined
  ): Effect.Effect<never, Rejection.Rejection> => {
    const required = rejection.error?._tag === "InsufficientScope" ? rejection.error.required : []
    return Effect.flatMapEager(
      report({ rejection, principal, operations, required, timing, advice }, fiber),
      () => Effect.fail(rejection)
    )
  }

  /** What fails without an error of the closed set: a bug, here or in a function of the user's. Interruption passes. */
  const rejectCause = (
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    cause: Cause.Cause<unknown>,
    known: Rejection.Circumstances,
    principal: Principal | undefined = undefined,
    operations: ReadonlyArray<Operation> = []
  ): Effect.Effect<never, Rejection.Rejection> => {
    const error = Result.getOrUndefined(Cause.findError(cause))
    if (isRejection(error)) return Effect.fail(error)
    if (isAuthError(error)) {
      return rejectWith(fiber, timing, rejectionsOf(principal).of(error, known), principal, operations)
    }
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const rejection = rejections.broken
    return Effect.flatMapEager(
      report({ rejection, principal, operations, required: none, timing, cause }, fiber),
      () => Effect.fail(rejection)
    )
  }

  /** Rejects a request whose caller is not known: its challenge is that of the tenant that the request names. */
  const rejectUnverified = (
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    request: Request,
    cause: Cause.Cause<unknown>,
    known: Rejection.Circumstances
  ): Effect.Effect<never, Rejection.Rejection> => {
    const error = tenants === undefined ? undefined : Result.getOrUndefined(Cause.findError(cause))
    return tenants === undefined || !isAuthError(error) || !hasChallenge(error)
      ? rejectCause(fiber, timing, cause, known)
      : Effect.flatMap(
        Effect.catchCause(Effect.suspend(() => tenants.publishedFor(request)), () => Effect.undefined),
        (place = resource) => rejectWith(fiber, timing, rejectionsAt(place).of(error, known))
      )
  }

  const askRevocation = (
    principal: Principal
  ): Effect.Effect<Principal, InvalidToken | AuthorizationServerUnavailable> =>
    revocation === undefined
      ? Effect.succeed(principal)
      : Effect.flatMapEager(
        revocation(principal),
        (isRevoked): Effect.Effect<Principal, InvalidToken> => isRevoked === false ? Effect.succeed(principal) : revoked
      )

  const readClaims = (principal: Principal): Effect.Effect<Principal, InvalidToken> => {
    if (options.claims === undefined || decoded.has(principal)) return Effect.succeed(principal)
    const services = options.claims(principal)
    if (Result.isFailure(services)) return Effect.fail(new InvalidToken({ reason: "claims" }))
    const own = [...services.success.mapUnsafe.values()]
    decoded.set(principal, own.every(shareable.freeze) ? services.success : "unshareable")
    return Effect.succeed(principal)
  }

  /** From credentials to a principal that is not revoked and whose claims fit; apart from the proof of a key. */
  const identify = (
    fiber: Fiber.Fiber<unknown, unknown>,
    request: Request,
    credentials: Credentials.Credentials,
    present: Decision.RequestTiming | undefined
  ) => {
    const verification = verifier.verify(credentials, request, present)
    // A verifier may be the user's own, and no request may come in without a principal.
    const found: Effect.Effect<Principal, VerificationError> = !Effect.isEffect(verification as unknown)
      ? failNoPrincipal
      : Effect.flatMapEager(
        verification,
        (principal): Effect.Effect<Principal, VerificationError> =>
          !isPrincipal(principal)
            ? failNoPrincipal
            // A verifier of the user's may cache by the token alone, and the tenant is in the request.
            : tenants === undefined || tenants.isNamedBy(principal, credentials.token, request)
            ? askRevocation(principal)
            : foreignTenant
      )
    return Effect.flatMapEager(Decision.traced(found, fiber), readClaims)
  }

  const recall = dpop.schemes.includes("Bearer") ? options.recall : undefined
  const isRecalled = (authorization: string, timing: Decision.RequestTiming): Principal | undefined => {
    const principal = recall?.(authorization, timing)
    if (principal === undefined || (options.claims !== undefined && !decoded.has(principal))) return undefined
    timing.revision = streams.revision()
    return principal
  }

  const circumstances: Rejection.Circumstances = { principal: undefined, protocolVersion: undefined }
  const circumstancesOfDpop: Rejection.Circumstances = { ...circumstances, scheme: "DPoP" }

  const verify = (
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    request: Request,
    authorization: ReadonlyArray<string>,
    now: number
  ): Effect.Effect<Principal, Rejection.Rejection> => {
    const parsed = Credentials.parse(authorization, options.tokenGrammar, dpop.schemes)
    if (Result.isFailure(parsed)) {
      return rejectUnverified(fiber, timing, request, Cause.fail(parsed.failure), circumstances)
    }
    const credentials = parsed.success
    const known = credentials.scheme === "Bearer" ? circumstances : circumstancesOfDpop
    const reject = (cause: Cause.Cause<unknown>) => rejectUnverified(fiber, timing, request, cause, known)
    // After the token, so that a stranger costs no signature more; and outside of every memory of tokens.
    return attempt(() =>
      Effect.flatMapEager(
        identify(fiber, request, credentials, timing),
        (principal) => Effect.mapEager(dpop.check(request, credentials, principal, now, timing.since), () => principal)
      ), reject)
  }

  /**
   * The token once more, now that the body is complete. Gives the principal to be judged by; `undefined` where nothing
   * has to be awaited.
   */
  const recheck = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    { operations, protocolVersion, request }: Call<R>,
    principal: Principal
  ): Effect.Effect<Principal, Rejection.Rejection> | undefined => {
    const known: Rejection.Circumstances = { principal, protocolVersion }
    if (timing.clock.currentTimeMillisUnsafe() >= (principal.expiresAt + expiryTolerance) * 1000) {
      return rejectWith(fiber, timing, rejectionsOf(principal).of(expired, known), principal)
    }
    const reject = (cause: Cause.Cause<unknown>) => rejectCause(fiber, timing, cause, known, principal)
    const { revision } = timing
    if (revision !== undefined && streams.isConcerned(principal, revision)) {
      // The proof of a key was accepted once, and is not asked for again.
      return attempt(() => {
        const parsed = request && Credentials.parse(request.authorization, options.tokenGrammar, dpop.schemes)
        if (request === undefined || parsed === undefined || Result.isFailure(parsed)) return revoked
        const now = streams.revision()
        return Effect.flatMapEager(identify(fiber, request, parsed.success, undefined), (again) => {
          // Handlers have the principal that came in: one with other rights has to come again.
          if (!isUnchanged(principal, again)) return revoked
          timing.revision = now
          return Effect.succeed(again)
        })
      }, reject)
    }
    // Where the operations were here at once, nothing has passed since it was asked.
    return revocation === undefined || Exit.isExit(operations)
      ? undefined
      : attempt(() => askRevocation(principal), reject)
  }

  const judge = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    call: Call<R>,
    operations: ReadonlyArray<Operation>
  ): Effect.Effect<ReadonlyArray<Operation>, Rejection.Rejection, R> => {
    const { prepare, principal } = call
    const known = principal === undefined ? undefined : recheck(fiber, timing, call, principal)
    if (known !== undefined) {
      return Effect.flatMapEager(known, (principal) => prepared(fiber, timing, call, operations, principal))
    }
    return prepare === undefined
      ? judgePolicies(fiber, timing, call, operations, principal)
      : prepared(fiber, timing, call, operations, principal)
  }

  const prepared = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    call: Call<R>,
    operations: ReadonlyArray<Operation>,
    principal: Principal | undefined
  ): Effect.Effect<ReadonlyArray<Operation>, Rejection.Rejection, R> => {
    const { prepare } = call
    if (prepare === undefined) return judgePolicies(fiber, timing, call, operations, principal)
    return Effect.flatMapEager(
      attempt(
        () => prepare(operations),
        (cause) => rejectCause(fiber, timing, cause, circumstances, principal, operations)
      ),
      () => judgePolicies(fiber, timing, call, operations, principal)
    )
  }

  const judgePolicies = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    { policy: policyOf, protocolVersion }: Call<R>,
    operations: ReadonlyArray<Operation>,
    principal: Principal | undefined
  ): Effect.Effect<ReadonlyArray<Operation>, Rejection.Rejection> => {
    let required: ReadonlyArray<string> = none
    let needsCaller = false
    for (const operation of operations) {
      if (operation.target !== undefined && operation.target.length > maximumTarget) {
        return rejectWith(fiber, timing, rejectionsOf(principal).of(nameTooLong, circumstances), principal)
      }
      let policy: Policy | undefined
      try {
        policy = policyOf(operation)
      } catch (defect) {
        return rejectCause(fiber, timing, Cause.die(defect), circumstances, principal, operations)
      }
      if (policy === undefined) continue // the server answers as it does for any unknown name
      // A hidden operation is answered like one that does not exist; the server itself makes that answer.
      const isHidden = isHiddenFrom(policy, principal)
      if ((isHidden || policy.scopes.length === 0) && options.unlisted === "deny" && operation.kind !== undefined) {
        const unlisted = new InsufficientScope({ reason: "unlisted", required: [] })
        return rejectWith(fiber, timing, rejections.of(unlisted, circumstances), principal, operations)
      }
      if (isHidden || policy.authenticated === true) needsCaller = true
      if (isHidden) continue
      for (const scope of policy.scopes) if (!required.includes(scope)) required = [...required, scope]
    }
    if (principal === undefined && (needsCaller || required.length > 0)) {
      return rejectWith(fiber, timing, rejections.signIn(required), undefined, operations)
    }
    if (principal !== undefined && required.some((scope) => !principal.scopes.has(scope))) {
      const missing = new InsufficientScope({ reason: "missing-scope", required })
      return rejectWith(
        fiber,
        timing,
        rejectionsOf(principal).of(missing, { principal, protocolVersion }),
        principal,
        operations
      )
    }
    return Effect.mapEager(
      report({ rejection: undefined, principal, operations, required, timing }, fiber),
      () => operations
    )
  }

  const authorize = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    call: Call<R>
  ): Effect.Effect<ReadonlyArray<Operation>, Rejection.Rejection, R> => {
    const { operations, principal, session, timing = Decision.startTiming(fiber) } = call
    if (session !== undefined) {
      const standing = sessions.judge(session, principal)
      if (standing === "foreign") return rejectWith(fiber, timing, rejections.session, principal)
      if (standing === "needs-credentials") {
        return rejectWith(fiber, timing, rejections.of(noCredentials, circumstances))
      }
    }
    if (Exit.isExit(operations) && Exit.isSuccess(operations)) {
      return judge(fiber, timing, call, operations.value as ReadonlyArray<Operation>)
    }
    return Effect.matchCauseEffect(operations, {
      onFailure: (cause) => rejectCause(fiber, timing, cause, circumstances, principal),
      onSuccess: (operations) => judge(fiber, timing, call, operations)
    })
  }

  const authenticate = (
    fiber: Fiber.Fiber<unknown, unknown>,
    timing: Decision.RequestTiming,
    request: Request
  ): Effect.Effect<Caller, Rejection.Rejection> => {
    if (allowsHost !== undefined && !isForThisServer(request.host ?? none)) {
      const foreign = request.host?.find((host) => !allowsHost(host))
      return rejectWith(fiber, timing, rejections.host, undefined, none, adviceOnHost(foreign))
    }
    const origin = request.header("origin")
    if (origin !== undefined) {
      if (!allowedOrigins.includes(origin)) return rejectWith(fiber, timing, rejections.origin)
      if (request.method === "OPTIONS" && request.header("access-control-request-method") !== undefined) {
        return Effect.fail(rejections.preflight(origin, request.header("access-control-request-headers")))
      }
    }
    timing.revision = streams.revision()
    const { authorization } = request
    if (authorization.length === 0 && options.anonymous === "allow-unscoped") return Effect.succeed("anonymous")
    const now = timing.clock.currentTimeMillisUnsafe()
    // Whoever traces wants to see every verification, also one out of memory.
    const principal = authorization.length === 1 && request.recalled !== true && fiber.cache.tracer === undefined
      ? isRecalled(authorization[0]!, timing)
      : undefined
    return principal === undefined ? verify(fiber, timing, request, authorization, now) : Effect.succeed(principal)
  }

  // One by one: merging would copy the whole context of a request.
  const servicesIn = <R>(context: Context.Context<R>, principal: Principal) => {
    // Data first: a pipe would make two functions for each request.
    const services = Context.add(Context.add(context, RequestState, options.requestState), Principal, principal)
    const own = options.claims === undefined ? undefined : decoded.get(principal)
    if (own === undefined) return services
    return Context.merge(services, own === "unshareable" ? Result.getOrThrow(options.claims!(principal)) : own)
  }

  const gate: Gate = {
    resource,
    resourceOf,
    tenants,
    ready: options.ready ?? Effect.void,
    allowedOrigins,
    checksHost: allowsHost !== undefined,
    allowOrigin: (rejection, origin) =>
      origin !== undefined && allowedOrigins.includes(origin) ? Rejection.readableBy(rejection, origin) : rejection,
    sessions,
    legacyMetadata: options.legacyMetadata,
    rejections,
    // Evicts first: what is verified again must not find what was cached.
    invalidate: (target) =>
      Effect.andThen(options.invalidate?.(target) ?? Effect.void, Effect.sync(() => streams.end(target))),
    untilStreamEnds: (principal, end, timing) => streams.untilEnd(principal, end, timing?.revision),
    services: (principal) => servicesIn(Context.empty(), principal),
    enter: servicesIn,
    recall: (authorization, timing, host) => isForThisServer(host) ? isRecalled(authorization, timing) : undefined,
    authenticate: (request, timing, fiber) =>
      fiber === undefined
        ? Effect.withFiber((fiber) => authenticate(fiber, timing ?? Decision.startTiming(fiber), request))
        : authenticate(fiber, timing ?? Decision.startTiming(fiber), request),
    authorize: (call, fiber) =>
      fiber === undefined ? Effect.withFiber((fiber) => authorize(fiber, call)) : authorize(fiber, call),
    admitted: (principal, timing, until, fiber, { operations, required } = nothing) =>
      report({ rejection: undefined, principal, operations, required, timing, until }, fiber),
    rejectCause: (cause, timing) =>
      Effect.withFiber((fiber) => rejectCause(fiber, timing ?? Decision.startTiming(fiber), cause, circumstances)),
    reject: (error, known, timing) =>
      Effect.withFiber((fiber) =>
        rejectWith(
          fiber,
          timing ?? Decision.startTiming(fiber),
          rejectionsOf(known.principal).of(error, known),
          known.principal
        )
      )
  }
  return gate
}

/** Runs what may be the user's function: what it throws is a defect of the effect, and every failure goes to `reject`. */
const attempt = <A, E, R>(
  effect: () => Effect.Effect<A, E, R>,
  reject: (cause: Cause.Cause<unknown>) => Effect.Effect<never, Rejection.Rejection>
): Effect.Effect<A, Rejection.Rejection, R> => {
  let made: Effect.Effect<A, E, R>
  try {
    made = effect()
  } catch (defect) {
    return reject(Cause.die(defect))
  }
  if (!Exit.isExit(made)) return Effect.catchCause(made, reject)
  return Exit.isSuccess(made) ? Effect.succeed(made.value as A) : reject((made as Exit.Failure<A, E>).cause)
}

const isRejection = (error: unknown): error is Rejection.Rejection =>
  typeof error === "object" && error !== null && (error as Partial<Rejection.Rejection>)._tag === "Rejection"

/** Outages and misconfiguration are answered without a challenge, so no tenant is looked up for them. */
const hasChallenge = ({ _tag }: AuthError): boolean =>
  _tag === "MissingCredentials" || _tag === "MalformedRequest" || _tag === "InvalidToken" ||
  _tag === "InvalidDpopProof" || _tag === "InsufficientScope"

/** Short, since anyone can have it written to the log. */
const longestHost = 64

const adviceOnHost = (host: string | undefined): string =>
  host === undefined
    ? "The request has no Host header"
    : `The Host ${
      sanitize(JSON.stringify(host), longestHost)
    } is not allowed. If clients reach this server under that ` +
      "name, add it without the port to allowedHosts"

const none: ReadonlyArray<never> = []
const nothing = { operations: none, required: none }
