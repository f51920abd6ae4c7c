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
import * as Dpop from "../verification/Dpop.ts"
import { Principal } from "../verification/Principal.ts"
import { RequestState } from "../verification/RequestState.ts"
import type { Tenants } from "../verification/Tenants.ts"
import type { Target } from "../verification/TokenCache.ts"
import type { TokenVerifier, VerificationError } from "../verification/TokenVerifier.ts"
import * as AllowedHosts from "./AllowedHosts.ts"
import * as Decision from "./Decision.ts"
import * as openStreams from "./internal/openStreams.ts"
import * as shareable from "./internal/shareable.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import * as Refusal from "./Refusal.ts"
import * as Sessions from "./Sessions.ts"

/**
 * What the gate sees of a request. `authorization` holds every `Authorization` line as it came in. `path` and `dpop`
 * (every line of that header) are what proofs are judged by: a host that does not give them admits no DPoP token, and
 * finds nothing by path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request extends Dpop.Request {
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
export type Caller = Principal["Service"] | "anonymous"

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
export const isHiddenFrom = (policy: Policy, principal: Principal["Service"] | undefined): boolean =>
  policy.unauthorized === "hide" && policy.scopes.some((scope) => principal?.scopes.has(scope) !== true)

/**
 * A request that has been authenticated, and what it wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<R> {
  /** Who calls; `undefined` for an anonymous request. */
  readonly principal: Principal["Service"] | undefined
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
  /** The ticket that the request was authenticated with. Default: it comes now. */
  readonly ticket?: Decision.Ticket | undefined
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
  readonly resourceOf: (principal: Principal["Service"] | undefined) => ProtectedResource
  /** What tenants publish; `undefined` without the option `tenants`. */
  readonly tenants: PublishedTenants | undefined
  /** Fetches what the first token would have to wait for, and fails where that token would be answered with 503. */
  readonly ready: Effect.Effect<void, AuthorizationServerUnavailable | InvalidMetadata>
  readonly allowedOrigins: ReadonlyArray<string>
  /** Whether the gate looks at the hosts that a request names. */
  readonly checksHost: boolean
  /** Lets a page read an answer, if its `Origin` is an allowed one. A host gives every answer to it before it is sent. */
  readonly allowOrigin: (refusal: Refusal.Refusal, origin: string | undefined) => Refusal.Refusal
  readonly sessions: Sessions.Sessions
  /** The authorization server's metadata, for hosts to mirror; only where that is switched on. */
  readonly legacyMetadata: Options["legacyMetadata"]
  /** The answers that a host gives where the gate itself gave none. */
  readonly refusals: Refusal.Refusals
  /** The services of an authenticated request: `Principal`, `RequestState`, the user's own claims. */
  readonly services: (principal: Principal["Service"]) => Context.Context<Principal | RequestState>
  /** The same beside what a context has already. */
  readonly enter: <R>(
    context: Context.Context<R>,
    principal: Principal["Service"]
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
    principal: Principal["Service"],
    end: number,
    ticket: Decision.Ticket | undefined
  ) => Effect.Effect<void>
  /**
   * The principal of a request whose token is cached, without waiting. `undefined` says nothing: `authenticate` decides. It
   * is for requests without `Origin`; `authorization` is their one `Authorization` line, `host` is that of `Request`, which
   * is read only if `checksHost`.
   */
  readonly recall: (
    authorization: string,
    ticket: Decision.Ticket,
    host: ReadonlyArray<string>
  ) => Principal["Service"] | undefined
  /**
   * Without a ticket the request comes now. Given the fiber of the request it looks at once, and what waits for nothing is
   * an `Exit`.
   */
  readonly authenticate: (
    request: Request,
    ticket?: Decision.Ticket | undefined,
    fiber?: Fiber.Fiber<unknown, unknown> | undefined
  ) => Effect.Effect<Caller, Refusal.Refusal>
  /**
   * Given the fiber of the request it looks at once, and waits for nothing but the operations. Where those are an `Exit` that
   * succeeds, and no listener or log has to be told, the result is an `Exit`.
   */
  readonly authorize: <R>(
    call: Call<R>,
    fiber?: Fiber.Fiber<unknown, unknown> | undefined
  ) => Effect.Effect<ReadonlyArray<Operation>, Refusal.Refusal, R>
  /**
   * Reports that a request came in which `authorize` does not get to see, decided `until` (in monotonic nanoseconds of the
   * `Clock`). Gives `Effect.void` itself where nothing is left to do. `asked`: what for, and with which scopes, where the
   * host knows. Default: nothing.
   */
  readonly admitted: (
    principal: Principal["Service"],
    ticket: Decision.Ticket,
    until: bigint,
    fiber: Fiber.Fiber<unknown, unknown>,
    asked?: Pick<Decision.Facts, "operations" | "required"> | undefined
  ) => Effect.Effect<void, Refusal.Refusal>
  /** The answer to a failure that nothing further inside has answered, reported as a decision: `broken`, for a defect. */
  readonly refuseCause: (
    cause: Cause.Cause<unknown>,
    ticket?: Decision.Ticket | undefined
  ) => Effect.Effect<never, Refusal.Refusal>
  /** The answer to a failure further inside, reported as a decision. */
  readonly refuse: (
    error: AuthError,
    circumstances: Refusal.Circumstances,
    ticket?: Decision.Ticket | undefined
  ) => Effect.Effect<never, Refusal.Refusal>
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
  readonly recall?: ((authorization: string, ticket: Decision.Ticket) => Principal["Service"] | undefined) | undefined
  /** Asked of every verified token, when it comes in and again when its body is complete: `true` rejects it. */
  readonly revocation?:
    | ((principal: Principal["Service"]) => Effect.Effect<boolean, AuthorizationServerUnavailable>)
    | undefined
  /** How often open streams ask `revocation` again. Default: 30 seconds. */
  readonly revocationInterval?: Duration.Duration | undefined
  /** How many seconds after `expiresAt` a token is still accepted: the tolerance of its verification. Default: 0. */
  readonly expiryTolerance?: number | undefined
  readonly requestState: RequestState["Service"]
  readonly tokenGrammar?: Credentials.Grammar | undefined
  /** How tokens are presented. Default: `Dpop.off`, which refuses those that are bound to a key. */
  readonly dpop?: Dpop.Dpop | undefined
  readonly invalidate?: ((target: Target) => Effect.Effect<void>) | undefined
  readonly allowedOrigins: ReadonlyArray<string> | undefined
  /** Default: none, besides the loopback hosts of a loopback resource. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  readonly challengeScopes: Refusal.ChallengeScopes
  readonly unlisted: "allow" | "deny"
  readonly anonymous: "deny" | "allow-unscoped"
  /** Decodes the user's own claims; its context is merged into the services of the request. */
  readonly claims: ((principal: Principal["Service"]) => Result.Result<Context.Context<never>, unknown>) | undefined
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
    "verify must succeed with a Principal (see Principal.make) whose subject, or clientId without a subject, is text, and " +
    "fail for every token that it does not accept"
})

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

const isNameIfAny = (value: unknown): boolean => value === undefined || isName(value)

/** Each member is used later, where an error would have no decision event. */
const isPrincipal = (value: unknown): value is Principal["Service"] => {
  if (typeof value !== "object" || value === null) return false
  const { audience, claims, clientId, expiresAt, granted, issuer, key, owner, scopes, subject, token } =
    value as Partial<
      Principal["Service"]
    >
  // Without a name, all callers of the verifier would share one owner. `null` would be such a name, too.
  return isNameIfAny(subject) && isNameIfAny(clientId) && isName(subject ?? clientId) &&
    typeof issuer === "string" && isName(owner) && isName(key) && scopes instanceof Set && granted instanceof Set &&
    Array.isArray(audience) && typeof expiresAt === "number" && !Number.isNaN(expiresAt) &&
    typeof claims === "object" && claims !== null && Redacted.isRedacted(token)
}

/** Whether a token that was verified again says what it said before. Only its end may have moved. */
const isUnchanged = (before: Principal["Service"], again: Principal["Service"]): boolean =>
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
  const { dpop = Dpop.off, resource, tenants, verifier } = options
  const refusals = Refusal.make(resource, options.challengeScopes)
  const report = Decision.reporter(options.decisions ?? {}, refusals.broken)
  const { expiryTolerance = 0, revocation } = options
  const streams = openStreams.make({ revocation, interval: options.revocationInterval ?? Duration.seconds(30) })
  const refusalsOfTenants = new WeakMap<ProtectedResource, Refusal.Refusals>()

  const refusalsAt = (place: ProtectedResource): Refusal.Refusals => {
    if (place === resource) return refusals
    const known = refusalsOfTenants.get(place)
    if (known !== undefined) return known
    const made = Refusal.make(place, options.challengeScopes)
    refusalsOfTenants.set(place, made)
    return made
  }

  const resourceOf = (principal: Principal["Service"] | undefined): ProtectedResource =>
    principal?.tenant === undefined || tenants === undefined ? resource : tenants.publishedBy(principal.tenant)

  const refusalsOf = (principal: Principal["Service"] | undefined): Refusal.Refusals =>
    principal?.tenant === undefined ? refusals : refusalsAt(resourceOf(principal))
  const allowedOrigins = [...new Set([resource.origin, ...(options.allowedOrigins ?? [])])]
  const allowsHost = AllowedHosts.make(resource.resource, options.allowedHosts)
  const isForThisServer = (host: ReadonlyArray<string>): boolean =>
    allowsHost === undefined || (host.length > 0 && host.every(allowsHost))
  const sessions = Sessions.make({ perCaller: options.sessionsPerCaller })
  // Claims are decoded once for a principal, since many requests may share one. What a handler could change for the others
  // is decoded for each of them.
  const decoded = new WeakMap<Principal["Service"], Context.Context<never> | "unshareable">()

  const refuseWith = (
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    refusal: Refusal.Refusal,
    principal: Principal["Service"] | undefined = undefined,
    operations: ReadonlyArray<Operation> = [],
    advice: string | undefined = undefined
  ): Effect.Effect<never, Refusal.Refusal> => {
    const required = refusal.error?._tag === "InsufficientScope" ? refusal.error.required : []
    return Effect.flatMapEager(
      report({ refusal, principal, operations, required, ticket, advice }, fiber),
      () => Effect.fail(refusal)
    )
  }

  /** What fails without an error of the closed set: a bug, here or in a function of the user's. Interruption passes. */
  const refuseCause = (
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    cause: Cause.Cause<unknown>,
    known: Refusal.Circumstances,
    principal: Principal["Service"] | undefined = undefined,
    operations: ReadonlyArray<Operation> = []
  ): Effect.Effect<never, Refusal.Refusal> => {
    const error = Result.getOrUndefined(Cause.findError(cause))
    if (isRefusal(error)) return Effect.fail(error)
    if (isAuthError(error)) {
      return refuseWith(fiber, ticket, refusalsOf(principal).of(error, known), principal, operations)
    }
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const refusal = refusals.broken
    return Effect.flatMapEager(
      report({ refusal, principal, operations, required: none, ticket, cause }, fiber),
      () => Effect.fail(refusal)
    )
  }

  /** Rejects a request whose caller is not known: its challenge is that of the tenant that the request names. */
  const refuseUnverified = (
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    request: Request,
    cause: Cause.Cause<unknown>,
    known: Refusal.Circumstances
  ): Effect.Effect<never, Refusal.Refusal> => {
    const error = tenants === undefined ? undefined : Result.getOrUndefined(Cause.findError(cause))
    return tenants === undefined || !isAuthError(error) || !hasChallenge(error)
      ? refuseCause(fiber, ticket, cause, known)
      : Effect.flatMap(
        Effect.catchCause(Effect.suspend(() => tenants.publishedFor(request)), () => Effect.undefined),
        (place = resource) => refuseWith(fiber, ticket, refusalsAt(place).of(error, known))
      )
  }

  const askRevocation = (
    principal: Principal["Service"]
  ): Effect.Effect<Principal["Service"], InvalidToken | AuthorizationServerUnavailable> =>
    revocation === undefined
      ? Effect.succeed(principal)
      : Effect.flatMapEager(
        revocation(principal),
        (isRevoked): Effect.Effect<Principal["Service"], InvalidToken> =>
          isRevoked === false ? Effect.succeed(principal) : revoked
      )

  const readClaims = (principal: Principal["Service"]): Effect.Effect<Principal["Service"], InvalidToken> => {
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
    present: Decision.Ticket | undefined
  ) => {
    const verification = verifier.verify(credentials, request, present)
    // A verifier may be the user's own, and no request may come in without a principal.
    const found: Effect.Effect<Principal["Service"], VerificationError> = !Effect.isEffect(verification as unknown)
      ? failNoPrincipal
      : Effect.flatMapEager(
        verification,
        (principal): Effect.Effect<Principal["Service"], VerificationError> =>
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
  const isRecalled = (authorization: string, ticket: Decision.Ticket): Principal["Service"] | undefined => {
    const principal = recall?.(authorization, ticket)
    if (principal === undefined || (options.claims !== undefined && !decoded.has(principal))) return undefined
    ticket.revision = streams.revision()
    return principal
  }

  const circumstances: Refusal.Circumstances = { principal: undefined, protocolVersion: undefined }
  const circumstancesOfDpop: Refusal.Circumstances = { ...circumstances, scheme: "DPoP" }

  const verify = (
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    request: Request,
    authorization: ReadonlyArray<string>,
    now: number
  ): Effect.Effect<Principal["Service"], Refusal.Refusal> => {
    const parsed = Credentials.parse(authorization, options.tokenGrammar, dpop.schemes)
    if (Result.isFailure(parsed)) {
      return refuseUnverified(fiber, ticket, request, Cause.fail(parsed.failure), circumstances)
    }
    const credentials = parsed.success
    const known = credentials.scheme === "Bearer" ? circumstances : circumstancesOfDpop
    const refuse = (cause: Cause.Cause<unknown>) => refuseUnverified(fiber, ticket, request, cause, known)
    // After the token, so that a stranger costs no signature more; and outside of every memory of tokens.
    return attempt(() =>
      Effect.flatMapEager(
        identify(fiber, request, credentials, ticket),
        (principal) => Effect.mapEager(dpop.judge(request, credentials, principal, now, ticket.since), () => principal)
      ), refuse)
  }

  /**
   * The token once more, now that the body is complete. Gives the principal to be judged by; `undefined` where nothing
   * has to be awaited.
   */
  const recheck = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    { operations, protocolVersion, request }: Call<R>,
    principal: Principal["Service"]
  ): Effect.Effect<Principal["Service"], Refusal.Refusal> | undefined => {
    const known: Refusal.Circumstances = { principal, protocolVersion }
    if (ticket.clock.currentTimeMillisUnsafe() >= (principal.expiresAt + expiryTolerance) * 1000) {
      return refuseWith(fiber, ticket, refusalsOf(principal).of(expired, known), principal)
    }
    const refuse = (cause: Cause.Cause<unknown>) => refuseCause(fiber, ticket, cause, known, principal)
    const { revision } = ticket
    if (revision !== undefined && streams.isConcerned(principal, revision)) {
      // The proof of a key was accepted once, and is not asked for again.
      return attempt(() => {
        const parsed = request && Credentials.parse(request.authorization, options.tokenGrammar, dpop.schemes)
        if (request === undefined || parsed === undefined || Result.isFailure(parsed)) return revoked
        const now = streams.revision()
        return Effect.flatMapEager(identify(fiber, request, parsed.success, undefined), (again) => {
          // Handlers have the principal that came in: one with other rights has to come again.
          if (!isUnchanged(principal, again)) return revoked
          ticket.revision = now
          return Effect.succeed(again)
        })
      }, refuse)
    }
    // Where the operations were here at once, nothing has passed since it was asked.
    return revocation === undefined || Exit.isExit(operations)
      ? undefined
      : attempt(() => askRevocation(principal), refuse)
  }

  const judge = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    call: Call<R>,
    operations: ReadonlyArray<Operation>
  ): Effect.Effect<ReadonlyArray<Operation>, Refusal.Refusal, R> => {
    const { prepare, principal } = call
    const known = principal === undefined ? undefined : recheck(fiber, ticket, call, principal)
    if (known !== undefined) {
      return Effect.flatMapEager(known, (principal) => prepared(fiber, ticket, call, operations, principal))
    }
    return prepare === undefined
      ? judgePolicies(fiber, ticket, call, operations, principal)
      : prepared(fiber, ticket, call, operations, principal)
  }

  const prepared = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    call: Call<R>,
    operations: ReadonlyArray<Operation>,
    principal: Principal["Service"] | undefined
  ): Effect.Effect<ReadonlyArray<Operation>, Refusal.Refusal, R> => {
    const { prepare } = call
    if (prepare === undefined) return judgePolicies(fiber, ticket, call, operations, principal)
    return Effect.flatMapEager(
      attempt(
        () => prepare(operations),
        (cause) => refuseCause(fiber, ticket, cause, circumstances, principal, operations)
      ),
      () => judgePolicies(fiber, ticket, call, operations, principal)
    )
  }

  const judgePolicies = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    { policy: policyOf, protocolVersion }: Call<R>,
    operations: ReadonlyArray<Operation>,
    principal: Principal["Service"] | undefined
  ): Effect.Effect<ReadonlyArray<Operation>, Refusal.Refusal> => {
    let required: ReadonlyArray<string> = none
    let needsCaller = false
    for (const operation of operations) {
      if (operation.target !== undefined && operation.target.length > maximumTarget) {
        return refuseWith(fiber, ticket, refusalsOf(principal).of(nameTooLong, circumstances), principal)
      }
      let policy: Policy | undefined
      try {
        policy = policyOf(operation)
      } catch (defect) {
        return refuseCause(fiber, ticket, Cause.die(defect), circumstances, principal, operations)
      }
      if (policy === undefined) continue // the server answers as it does for any unknown name
      // A hidden operation is answered like one that does not exist; the server itself makes that answer.
      const isHidden = isHiddenFrom(policy, principal)
      if ((isHidden || policy.scopes.length === 0) && options.unlisted === "deny" && operation.kind !== undefined) {
        const unlisted = new InsufficientScope({ reason: "unlisted", required: [] })
        return refuseWith(fiber, ticket, refusals.of(unlisted, circumstances), principal, operations)
      }
      if (isHidden || policy.authenticated === true) needsCaller = true
      if (isHidden) continue
      for (const scope of policy.scopes) if (!required.includes(scope)) required = [...required, scope]
    }
    if (principal === undefined && (needsCaller || required.length > 0)) {
      return refuseWith(fiber, ticket, refusals.signIn(required), undefined, operations)
    }
    if (principal !== undefined && required.some((scope) => !principal.scopes.has(scope))) {
      const missing = new InsufficientScope({ reason: "missing-scope", required })
      return refuseWith(
        fiber,
        ticket,
        refusalsOf(principal).of(missing, { principal, protocolVersion }),
        principal,
        operations
      )
    }
    return Effect.mapEager(
      report({ refusal: undefined, principal, operations, required, ticket }, fiber),
      () => operations
    )
  }

  const authorize = <R>(
    fiber: Fiber.Fiber<unknown, unknown>,
    call: Call<R>
  ): Effect.Effect<ReadonlyArray<Operation>, Refusal.Refusal, R> => {
    const { operations, principal, session, ticket = Decision.ticket(fiber) } = call
    if (session !== undefined) {
      const standing = sessions.judge(session, principal)
      if (standing === "foreign") return refuseWith(fiber, ticket, refusals.session, principal)
      if (standing === "needs-credentials") {
        return refuseWith(fiber, ticket, refusals.of(noCredentials, circumstances))
      }
    }
    if (Exit.isExit(operations) && Exit.isSuccess(operations)) {
      return judge(fiber, ticket, call, operations.value as ReadonlyArray<Operation>)
    }
    return Effect.matchCauseEffect(operations, {
      onFailure: (cause) => refuseCause(fiber, ticket, cause, circumstances, principal),
      onSuccess: (operations) => judge(fiber, ticket, call, operations)
    })
  }

  const authenticate = (
    fiber: Fiber.Fiber<unknown, unknown>,
    ticket: Decision.Ticket,
    request: Request
  ): Effect.Effect<Caller, Refusal.Refusal> => {
    if (allowsHost !== undefined && !isForThisServer(request.host ?? none)) {
      const foreign = request.host?.find((host) => !allowsHost(host))
      return refuseWith(fiber, ticket, refusals.host, undefined, none, adviceOnHost(foreign))
    }
    const origin = request.header("origin")
    if (origin !== undefined) {
      if (!allowedOrigins.includes(origin)) return refuseWith(fiber, ticket, refusals.origin)
      if (request.method === "OPTIONS" && request.header("access-control-request-method") !== undefined) {
        return Effect.fail(refusals.preflight(origin, request.header("access-control-request-headers")))
      }
    }
    ticket.revision = streams.revision()
    const { authorization } = request
    if (authorization.length === 0 && options.anonymous === "allow-unscoped") return Effect.succeed("anonymous")
    const now = ticket.clock.currentTimeMillisUnsafe()
    // Whoever traces wants to see every verification, also one out of memory.
    const principal = authorization.length === 1 && request.recalled !== true && fiber.cache.tracer === undefined
      ? isRecalled(authorization[0]!, ticket)
      : undefined
    return principal === undefined ? verify(fiber, ticket, request, authorization, now) : Effect.succeed(principal)
  }

  // One by one: merging would copy the whole context of a request.
  const servicesIn = <R>(context: Context.Context<R>, principal: Principal["Service"]) => {
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
    allowOrigin: (refusal, origin) =>
      origin !== undefined && allowedOrigins.includes(origin) ? Refusal.readableBy(refusal, origin) : refusal,
    sessions,
    legacyMetadata: options.legacyMetadata,
    refusals,
    // Evicts first: what is verified again must not find what was cached.
    invalidate: (target) =>
      Effect.andThen(options.invalidate?.(target) ?? Effect.void, Effect.sync(() => streams.end(target))),
    untilStreamEnds: (principal, end, ticket) => streams.untilEnd(principal, end, ticket?.revision),
    services: (principal) => servicesIn(Context.empty(), principal),
    enter: servicesIn,
    recall: (authorization, ticket, host) => isForThisServer(host) ? isRecalled(authorization, ticket) : undefined,
    authenticate: (request, ticket, fiber) =>
      fiber === undefined
        ? Effect.withFiber((fiber) => authenticate(fiber, ticket ?? Decision.ticket(fiber), request))
        : authenticate(fiber, ticket ?? Decision.ticket(fiber), request),
    authorize: (call, fiber) =>
      fiber === undefined ? Effect.withFiber((fiber) => authorize(fiber, call)) : authorize(fiber, call),
    admitted: (principal, ticket, until, fiber, { operations, required } = nothing) =>
      report({ refusal: undefined, principal, operations, required, ticket, until }, fiber),
    refuseCause: (cause, ticket) =>
      Effect.withFiber((fiber) => refuseCause(fiber, ticket ?? Decision.ticket(fiber), cause, circumstances)),
    refuse: (error, known, ticket) =>
      Effect.withFiber((fiber) =>
        refuseWith(
          fiber,
          ticket ?? Decision.ticket(fiber),
          refusalsOf(known.principal).of(error, known),
          known.principal
        )
      )
  }
  return gate
}

/** Runs what may be the user's function: what it throws is a defect of the effect, and every failure goes to `refuse`. */
const attempt = <A, E, R>(
  effect: () => Effect.Effect<A, E, R>,
  refuse: (cause: Cause.Cause<unknown>) => Effect.Effect<never, Refusal.Refusal>
): Effect.Effect<A, Refusal.Refusal, R> => {
  let made: Effect.Effect<A, E, R>
  try {
    made = effect()
  } catch (defect) {
    return refuse(Cause.die(defect))
  }
  if (!Exit.isExit(made)) return Effect.catchCause(made, refuse)
  return Exit.isSuccess(made) ? Effect.succeed(made.value as A) : refuse((made as Exit.Failure<A, E>).cause)
}

const isRefusal = (error: unknown): error is Refusal.Refusal =>
  typeof error === "object" && error !== null && (error as Partial<Refusal.Refusal>)._tag === "Refusal"

/** Outages and misconfiguration are answered without a challenge, so no tenant is looked up for them. */
const hasChallenge = ({ _tag }: AuthError): boolean =>
  _tag === "MissingCredentials" || _tag === "MalformedRequest" || _tag === "InvalidToken" ||
  _tag === "InvalidDpopProof" || _tag === "InsufficientScope"

/** Short, since anyone can have it written to the log. */
const longestHost = 64

const adviceOnHost = (host: string | undefined): string =>
  host === undefined
    ? "The request names no host"
    : `The Host ${
      sanitize(JSON.stringify(host), longestHost)
    } is not allowed: if clients reach this server under it, add ` +
      "its name without the port to allowedHosts"

const none: ReadonlyArray<never> = []
const nothing = { operations: none, required: none }
