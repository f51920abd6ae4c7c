/**
 * The gate decides whether a request comes in. Every host calls it in the same order, and nothing else decides.
 *
 * | step | member                    | checks                                                                  | or else       |
 * | ---- | ------------------------- | ----------------------------------------------------------------------- | ------------- |
 * | 1    | `authenticate`            | `Host`, `Origin` (a preflight is answered), credentials, token           | 403, 400, 401 |
 * | 2    | `sessions.check`          | the session belongs to the caller                                       | 404, 401      |
 * | 3    | (the host reads the body) |                                                                         | 400 … 415     |
 * | 4    | `recheck`                 | the token is still valid, now that the body is complete                 | 401, 503      |
 * | 5    | `authorize`               | the caller has the scopes that the policies of the operations require   | 403, 401      |
 *
 * A failure on the way goes to `reject`, and a host without operations calls `recordAdmission` instead of `authorize`, so that
 * each request is reported as one decision. `provideCaller` gives a handler its services, `untilStreamEnds` ends its streams.
 *
 * These members return an `Exit` if nothing has to be awaited, and do their work when they are called: run what they return
 * once, and never call them for an effect that may not run.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { AuthError, AuthorizationServerUnavailable, InvalidMetadata } from "../protocol/AuthError.ts"
import { MissingCredentials } from "../protocol/AuthError.ts"
import type { AuthorizationServerMetadata } from "../protocol/AuthorizationServerMetadata.ts"
import type * as Credentials from "../protocol/Credentials.ts"
import type { Operation } from "../protocol/Operation.ts"
import { Principal } from "../verification/Principal.ts"
import type { Tenants } from "../verification/tenants/TenantVerifier.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import type { Target } from "../verification/tokens/TokenCache.ts"
import type { TokenVerifier } from "../verification/TokenVerifier.ts"
import * as AllowedHosts from "./AllowedHosts.ts"
import * as Authenticate from "./Authenticate.ts"
import * as Authorize from "./Authorize.ts"
import type { Caller, Request } from "./Caller.ts"
import type * as Decision from "./Decision.ts"
import * as openStreams from "./internal/openStreams.ts"
import * as ownClaims from "./internal/ownClaims.ts"
import * as reject from "./internal/reject.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import * as RecordDecision from "./RecordDecision.ts"
import * as Rejection from "./Rejection.ts"
import { RequestState } from "./RequestState.ts"
import * as Sessions from "./Sessions.ts"

/**
 * A request as a host presents it, and the caller that `authenticate` finds behind it.
 *
 * @category models
 * @since 0.1.0
 */
export type { Caller, Request } from "./Caller.ts"

/**
 * The policy of an operation: what it requires of its caller.
 *
 * @category models
 * @since 0.1.0
 */
export type { Policy } from "./OperationPolicy.ts"

/**
 * The tenants of a server, as far as metadata and challenges show them.
 *
 * @category models
 * @since 0.1.0
 */
export type PublishedTenants = Omit<Tenants<ProtectedResource>, "verify" | "invalidate">

/**
 * Holds the values that hosts publish, except the metadata of the resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published {
  /** Returns the resource that a principal was verified for: that of its tenant, or else that of the layer. */
  readonly resourceFor: (principal: Principal | undefined) => ProtectedResource
  /** `undefined` without the option `tenants`. */
  readonly tenants: PublishedTenants | undefined
  /** Whether requests without credentials may use operations that require no scope. */
  readonly anonymous: "deny" | "allow-unscoped"
  /** The origins whose pages may call the server and read its answers. */
  readonly allowedOrigins: ReadonlyArray<string>
  /** The metadata of the first authorization server, if hosts are to mirror it for clients of MCP 2025-03-26. */
  readonly authorizationServerMetadata:
    | Effect.Effect<AuthorizationServerMetadata, AuthorizationServerUnavailable | InvalidMetadata>
    | undefined
}

/**
 * The sessions of a server, with the check that rejects.
 *
 * @category models
 * @since 0.1.0
 */
export interface GateSessions extends Sessions.Sessions {
  /** Rejects a caller that may not use a session: 404, or 401 if credentials would help. */
  readonly check: (caller: Caller, session: string) => Effect.Effect<void, Rejection.Rejection>
}

/**
 * Describes an admission that `authorize` does not decide.
 *
 * @category models
 * @since 0.1.0
 */
export type AdmissionFacts = Partial<Pick<RecordDecision.Facts, "operations" | "required" | "until">>

/**
 * The gate.
 *
 * **Details**
 *
 * A token must be valid when its request is executed, not only when it comes in. So `recheck` checks expiry and `revocation`
 * again, and verifies the token again if it was invalidated meanwhile.
 *
 * A failure that is no `AuthError`, and a defect, such as those of a verifier, a policy or a `DecisionListener` of the
 * author's, is a 500 with the reason `broken`, the same on every host, logged with its cause.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gate {
  /** The resource of the layer. That of a tenant may be another: see `published.resourceFor`. */
  readonly resource: ProtectedResource
  readonly published: Published
  /** Fetches what the first token would have to wait for. Fails if that token would be answered with 503. */
  readonly ready: Effect.Effect<void, AuthorizationServerUnavailable | InvalidMetadata>
  /**
   * Checks `Host` and `Origin`, and verifies the token. A cached token is found without waiting. The caller is anonymous if
   * the request has no credentials and the gate allows that.
   */
  readonly authenticate: (request: Request) => Effect.Effect<Caller, Rejection.Rejection>
  readonly sessions: GateSessions
  /**
   * Checks the token again, between the body and `authorize`, and returns the caller to authorize. `awaited`: whether the host
   * has awaited anything since `authenticate`. If not, `revocation` is not asked a second time.
   */
  readonly recheck: (caller: Caller, awaited: boolean) => Effect.Effect<Caller, Rejection.Rejection>
  /** Decides whether the caller may run all the operations, by the policy of each, and reports the decision. */
  readonly authorize: Authorize.Authorize
  /** Reports the admission of a request without operations, such as one to a plain route. `Effect.void` if that is done. */
  readonly recordAdmission: (caller: Caller, facts?: AdmissionFacts) => Effect.Effect<void, Rejection.Rejection>
  /** Rejects a request for a failure further inside, and reports that. `operations`: what the request asks for. */
  readonly reject: (
    caller: Caller,
    failure: AuthError | Cause.Cause<unknown>,
    operations?: ReadonlyArray<Operation>
  ) => Effect.Effect<never, Rejection.Rejection>
  /** Adds the services of an authenticated request to a context: `Principal`, `RequestState`, the author's own claims. */
  readonly provideCaller: <R>(
    context: Context.Context<R>,
    principal: Principal
  ) => Context.Context<R | Principal | RequestState>
  /** Returns the value of the option `claims` for a principal. `undefined` without that option. */
  readonly claimsFor: ((principal: Principal) => unknown) | undefined
  /**
   * Evicts cached results, after a sign-out or when the rights of a caller have changed, and ends the open streams of these
   * tokens.
   */
  readonly invalidate: (target: Target) => Effect.Effect<void>
  /**
   * Waits until an open stream must end: at `end` (in milliseconds since 1970, by the wall clock, and not later if that is
   * set back), when the token is invalidated or revoked on this instance, or when `revocation`, which is asked every 30 seconds
   * or as configured, reports that it was revoked elsewhere. While `revocation` fails, the stream stays open until `end`. A
   * stream of an anonymous caller never ends.
   */
  readonly untilStreamEnds: (caller: Caller, end: number) => Effect.Effect<void>
}

/**
 * The gate as a service. A program without the authentication layer does not compile, since it requires this service.
 *
 * @category services
 * @since 0.1.0
 */
export class AuthLayer extends Context.Service<AuthLayer, Gate>()("effect-mcp-auth/AuthLayer") {}

/**
 * The parts that a gate is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly resource: ProtectedResource
  readonly tenants?: PublishedTenants | undefined
  readonly verifier: TokenVerifier["Service"]
  /**
   * Returns the principal of an `Authorization` line whose token is cached. Only for results that depend on the token alone
   * (see `TokenCache.Cached`). Default: `verifier` is called for every request.
   */
  readonly lookupVerified?:
    | ((authorization: string, timing: Decision.RequestTiming) => Principal | undefined)
    | undefined
  /** Called for every verified token, when it comes in and again when its body is complete: `true` rejects it. */
  readonly revocation?:
    | ((principal: Principal) => Effect.Effect<boolean, AuthorizationServerUnavailable>)
    | undefined
  /** How often open streams ask `revocation` again. Default: 30 seconds. */
  readonly revocationInterval?: Duration.Duration | undefined
  /** How long after `expiresAt` a token is still accepted, in seconds: the tolerance of its verification. Default: 0. */
  readonly expiryTolerance?: number | undefined
  readonly requestState: RequestState["Service"]
  readonly tokenGrammar?: Credentials.Grammar | undefined
  /** How tokens are presented. Default: `Presentation.bearerOnly`, which rejects those that are bound to a key. */
  readonly presentation?: Presentation.Presentation | undefined
  readonly invalidate?: ((target: Target) => Effect.Effect<void>) | undefined
  readonly allowedOrigins: ReadonlyArray<string> | undefined
  /** Default: only the loopback hosts of a loopback resource. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  readonly challengeScopes: Rejection.ChallengeScopes
  readonly unlisted: "allow" | "deny"
  readonly anonymous: "deny" | "allow-unscoped"
  /** Decodes the author's own claims; the context is merged into the services of the request. */
  readonly claims: ownClaims.Decode | undefined
  /** Default: there is nothing to fetch. */
  readonly ready?: Gate["ready"] | undefined
  /** The sessions that one caller may have. Default: 100. */
  readonly sessionsPerCaller?: number | undefined
  /** The listener of decisions, and how decisions name subjects. */
  readonly decisions?: RecordDecision.Options | undefined
  readonly authorizationServerMetadata?: Published["authorizationServerMetadata"]
}

/**
 * Builds a gate of parts that were checked before. `AuthLayer.make` checks options and calls it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Gate => {
  const { expiryTolerance = 0, resource, revocation, tenants } = options
  const record = RecordDecision.make(options.decisions ?? {}, Rejection.broken)
  const rejecting = reject.make({ resource, tenants, challengeScopes: options.challengeScopes, record })
  const streams = openStreams.make({ revocation, interval: options.revocationInterval ?? Duration.seconds(30) })
  const claims = ownClaims.make(options.claims)
  const allowedOrigins = [...new Set([resource.origin, ...(options.allowedOrigins ?? [])])]
  const { authenticate, recheck } = Authenticate.make({
    verifier: options.verifier,
    lookupVerified: options.lookupVerified,
    tenants,
    revocation,
    expiryTolerance,
    tokenGrammar: options.tokenGrammar,
    presentation: options.presentation ?? Presentation.bearerOnly,
    allowedOrigins,
    allowsHost: AllowedHosts.make(resource.resource, options.allowedHosts),
    anonymous: options.anonymous,
    claims,
    streams,
    reject: rejecting
  })
  const sessions = Sessions.make({ perCaller: options.sessionsPerCaller })
  return {
    resource,
    published: {
      resourceFor: rejecting.resourceFor,
      tenants,
      anonymous: options.anonymous,
      allowedOrigins,
      authorizationServerMetadata: options.authorizationServerMetadata
    },
    ready: options.ready ?? Effect.void,
    authenticate,
    sessions: {
      ...sessions,
      check: (caller, session) => {
        const access = sessions.access(session, caller.principal)
        if (access === "own") return Effect.void
        return access === "foreign"
          ? rejecting.rejectWith(caller, Rejection.unknownSession)
          : rejecting.reject(caller, noCredentials)
      }
    },
    recheck,
    authorize: Authorize.make({ unlisted: options.unlisted, reject: rejecting, record }),
    recordAdmission: ({ principal, request, timing }, { operations = none, required = none, until } = nothing) =>
      record({ rejection: undefined, principal, operations, required, timing, until }, request.fiber),
    reject: (caller, failure, operations = none) => rejecting.reject(caller, failure, { operations }),
    provideCaller: (context, principal) => {
      // One by one, since merging would copy the whole context of a request. Data first, since a pipe would make two functions.
      const services = Context.add(Context.add(context, RequestState, options.requestState), Principal, principal)
      const own = claims.contextFor(principal)
      return own === undefined ? services : Context.merge(services, own)
    },
    claimsFor: options.claims === undefined
      ? undefined
      : (principal) => claims.contextFor(principal)?.mapUnsafe.values().next().value,
    // Evicts first: a token that is verified again must not find what was cached.
    invalidate: (target) =>
      Effect.andThen(options.invalidate?.(target) ?? Effect.void, Effect.sync(() => streams.end(target))),
    untilStreamEnds: ({ principal, timing }, end) =>
      principal === undefined ? Effect.never : streams.untilEnd(principal, end, timing.revision)
  }
}

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

const none: ReadonlyArray<never> = []

const nothing: AdmissionFacts = {}
