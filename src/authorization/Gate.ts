/**
 * The gate decides whether a request is admitted. Every server adapter calls the members of the gate in the same order, and
 * decides nothing itself.
 *
 * | step | member                    | checks                                                                  | or else       |
 * | ---- | ------------------------- | ----------------------------------------------------------------------- | ------------- |
 * | 1    | `authenticate`            | `Host`, `Origin` (a preflight is answered), credentials, token, quotas  | 400 … 503     |
 * | 2    | `sessions.check`          | the session belongs to the caller                                       | 404, 401, 503 |
 * | 3    | (adapter reads the body)  |                                                                         | 400 … 415     |
 * | 4    | `recheck`                 | the token is still valid, now that the body is complete                 | 401, 503      |
 * | 5    | `authorize`               | the caller has the scopes that the policies of the operations require   | 400, 401, 403 |
 *
 * If a step in the adapter fails, the adapter calls `reject`. For a request without operations, the adapter calls
 * `recordAdmission` instead of `authorize`. Each request is thus reported as one decision. `provideCaller` adds the services
 * that a handler needs. `untilStreamEnds` waits until an event stream must end.
 *
 * The members of the table do their work when they are called, not when the returned effect runs. If they need not wait for
 * anything, they return an `Exit`. Call them only when the step is due, and run the returned effect exactly once.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type {
  ApiKeyStoreUnavailable,
  AuthConfigError,
  AuthError,
  AuthorizationServerUnavailable,
  InvalidMetadata,
  RevocationStoreUnavailable,
  SessionStoreUnavailable
} from "../protocol/AuthError.ts"
import type { AuthorizationServerMetadata } from "../protocol/AuthorizationServerMetadata.ts"
import type * as Credentials from "../protocol/Credentials.ts"
import type { Operation } from "../protocol/Operation.ts"
import type * as ApiKeys from "../verification/api-keys/ApiKeys.ts"
import { Principal } from "../verification/Principal.ts"
import type { Tenants } from "../verification/tenants/TenantVerifier.ts"
import type * as TokenHeader from "../verification/token-header/TokenHeader.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import type { Target } from "../verification/tokens/TokenCache.ts"
import type { TokenVerifier } from "../verification/TokenVerifier.ts"
import * as AllowedHosts from "./AllowedHosts.ts"
import * as AllowedOrigins from "./AllowedOrigins.ts"
import type { AuthChallenge } from "./AuthChallenge.ts"
import * as Authenticate from "./Authenticate.ts"
import * as Authorize from "./Authorize.ts"
import type { Caller, Request } from "./Caller.ts"
import type { CallerQuotas } from "./CallerQuotas.ts"
import type * as Decision from "./Decision.ts"
import * as GateSessions from "./GateSessions.ts"
import * as callerStreams from "./internal/callerStreams.ts"
import * as openStreams from "./internal/openStreams.ts"
import * as ownClaims from "./internal/ownClaims.ts"
import * as reject from "./internal/reject.ts"
import * as withQuotas from "./internal/withQuotas.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import * as RecordDecision from "./RecordDecision.ts"
import * as Rejection from "./Rejection.ts"
import { RequestState } from "./RequestState.ts"
import * as Sessions from "./Sessions.ts"

/**
 * A request as a server adapter presents it, and the caller that `authenticate` identifies.
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
export type { OperationPolicy } from "./policy/OperationPolicy.ts"

/**
 * The tenants of a server, without the members that verify tokens.
 *
 * @category models
 * @since 0.1.0
 */
export type PublishedTenants = Omit<
  Tenants<ProtectedResource>,
  "verify" | "invalidate" | "resourceOf" | "admitsKeyOf"
>

/**
 * The values of the gate that server adapters publish, except the metadata of the resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published {
  /**
   * Returns the resource for which a principal was verified: the resource of its tenant, or the resource of the layer if the
   * principal has no tenant.
   */
  readonly resourceFor: (principal: Principal | undefined) => ProtectedResource
  /** `undefined` without the option `tenants`. */
  readonly tenants: PublishedTenants | undefined
  /** The resources of a server with several public URLs. Absent if there is only one. */
  readonly resources?: ReadonlyArray<ProtectedResource> | undefined
  /**
   * Returns the resource that is served under the host names of a request, or `undefined` if there is none. Absent if the server
   * has only one public URL.
   */
  readonly resourceAt?: ((hosts: ReadonlyArray<string>) => ProtectedResource | undefined) | undefined
  /** Whether requests without credentials may use operations that require no scope. */
  readonly anonymous: "deny" | "allow-unscoped"
  /** Whether operations without scopes and without a policy are rejected. */
  readonly unlisted: "allow" | "deny"
  /** The form in which challenges for tool calls are sent. Default: `"http"`. */
  readonly authChallenge?: AuthChallenge | undefined
  /** Whether denials of tool calls are tool results with the envelope of SEP-2643. Default: `false`. */
  readonly structuredDenials?: boolean | undefined
  /**
   * Returns whether pages of an origin may call the server and read its responses. Returns `false` if the function of the option
   * `allowedOrigins` is broken.
   */
  readonly allowsOrigin: (origin: string) => boolean
  /**
   * The metadata of the first authorization server, which adapters publish for clients of MCP 2025-03-26. `undefined` if
   * adapters must not publish it.
   */
  readonly authorizationServerMetadata:
    | Effect.Effect<AuthorizationServerMetadata, AuthConfigError | AuthorizationServerUnavailable | InvalidMetadata>
    | undefined
}

/**
 * The sessions of a server.
 *
 * @category models
 * @since 0.1.0
 */
export type { GateSessions } from "./GateSessions.ts"

/**
 * The facts that `recordAdmission` reports about a request that was admitted without a call of `authorize`.
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
 * A token must be valid when its request is executed, not only when the request arrives. Therefore `recheck` checks expiry and
 * `revocation` again, and verifies the token again if it was invalidated in between.
 *
 * Code that the author of the server supplies, such as a verifier, a policy or a `DecisionListener`, can die, or fail with an
 * error that is not an `AuthError`. Every adapter then answers 500 with the reason `broken`, and the gate logs the cause.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gate {
  /** The resource of the layer. A tenant can have a different resource: see `published.resourceFor`. */
  readonly resource: ProtectedResource
  readonly published: Published
  /**
   * Fetches the metadata and keys that the verification of the first token needs. Fails if the gate would reject that token
   * with 503.
   */
  readonly ready: Effect.Effect<void, AuthorizationServerUnavailable | InvalidMetadata>
  /**
   * Checks `Host` and `Origin`, and verifies the token. Does not wait if the token is cached. Returns an anonymous caller if
   * the request has no credentials and the option `anonymous` allows that.
   */
  readonly authenticate: (request: Request) => Effect.Effect<Caller, Rejection.Rejection>
  readonly sessions: GateSessions.GateSessions
  /**
   * Checks the token again, after the body and before `authorize`, and returns the caller to pass to `authorize`. `awaited` is
   * `true` if the adapter has waited for anything since `authenticate`. If it is `false`, `revocation` is called again only if
   * the token was invalidated in between.
   */
  readonly recheck: (caller: Caller, awaited: boolean) => Effect.Effect<Caller, Rejection.Rejection>
  /** Decides whether the policies of all operations admit the caller, and reports the decision. */
  readonly authorize: Authorize.Authorize
  /**
   * Reports the admission of a request without operations, such as a request to a plain route. Returns `Effect.void` itself if
   * no work is left, so that an adapter can compare by identity.
   */
  readonly recordAdmission: (caller: Caller, facts?: AdmissionFacts) => Effect.Effect<void, Rejection.Rejection>
  /** Rejects a request because a step in the adapter or in a handler failed, and reports the rejection with `operations`. */
  readonly reject: (
    caller: Caller,
    failure: AuthError | Cause.Cause<unknown>,
    operations?: ReadonlyArray<Operation>
  ) => Effect.Effect<never, Rejection.Rejection>
  /** Adds the services of an authenticated request to a context: `Principal`, `RequestState` and the option `claims`. */
  readonly provideCaller: <R>(
    context: Context.Context<R>,
    principal: Principal
  ) => Context.Context<R | Principal | RequestState>
  /** Returns the value of the option `claims` for a principal. `undefined` without that option. */
  readonly claimsFor: ((principal: Principal) => unknown) | undefined
  /**
   * Evicts the cached results of tokens, and ends the open streams of these tokens. With the option `sessionStore`, also ends the
   * sessions of the callers on every instance, unless the target is a single token. Fails if the store fails: the sessions then
   * exist until you repeat the call. Call it after a sign-out, or when the rights of a caller have changed.
   */
  readonly invalidate: (target: Target) => Effect.Effect<void, SessionStoreUnavailable>
  /**
   * Waits until an open stream must end, which is the first of these events:
   *
   * - The time `end`, in milliseconds since 1970, by the wall clock. If that clock is set back, the wait does not get longer.
   * - The token is invalidated or revoked on this instance.
   * - `revocation`, called every 30 seconds or as configured, reports that the token was revoked elsewhere. If it fails with an
   *   `AuthorizationServerUnavailable` or takes too long, the stream stays open.
   * - The caller opens more streams than it may have (`streamsPerCaller`), and this is its oldest one.
   *
   * The stream counts as open until then, or until the wait is interrupted: interrupt it when the stream is closed. The stream of an
   * anonymous caller ends only for the last reason.
   */
  readonly untilStreamEnds: (caller: Caller, end: number) => Effect.Effect<void>
}

/**
 * The gate as a service. Protected routes require it, so a program without the authentication layer does not compile.
 *
 * @category services
 * @since 0.1.0
 */
export class AuthLayer extends Context.Service<AuthLayer, Gate>()("effect-mcp-auth/AuthLayer") {}

/**
 * The functions and settings that a gate needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly resource: ProtectedResource
  readonly tenants?: PublishedTenants | undefined
  readonly verifier: TokenVerifier["Service"]
  /**
   * Returns the cached principal for a value of the `Authorization` header, or `undefined`. Its results must depend on nothing
   * but the token (see `TokenCache.Cached`). Default: the gate calls `verifier` for every request.
   */
  readonly lookupVerified?:
    | ((authorization: string, timing: Decision.RequestTiming) => Principal | undefined)
    | undefined
  /** Verifies API keys. Default: the gate accepts none. */
  readonly apiKeys?: ApiKeys.Authentication | undefined
  /** Reads tokens from another header. Default: the gate reads `Authorization`. */
  readonly tokenHeader?: TokenHeader.Mechanism | undefined
  /**
   * The gate calls it after the verification of a token, again if the request then had to wait (for its body), and regularly
   * for open streams. If a token is revoked, the gate rejects it and ends its streams.
   */
  readonly revocation?: Revocation | undefined
  /**
   * The time between two checks of an open stream: whether its token is revoked, and whether its end has passed by the wall
   * clock. Default: 30 seconds.
   */
  readonly revocationInterval?: Duration.Duration | undefined
  /** How long after `expiresAt` a token is still accepted, in seconds. Use the tolerance of the verifier. Default: 0. */
  readonly expiryTolerance?: number | undefined
  readonly requestState: RequestState["Service"]
  readonly tokenGrammar?: Credentials.Grammar | undefined
  /** How clients present tokens. Default: `Presentation.bearerOnly`, which rejects tokens that are bound to a key. */
  readonly presentation?: Presentation.Presentation | undefined
  readonly invalidate?: ((target: Target) => Effect.Effect<void>) | undefined
  /** The origins that are allowed in addition to the origin of the resource. Default: none. */
  readonly allowedOrigins?: AllowedOrigins.Input | undefined
  /** Whether the origin `null` is allowed. Default: `false`. */
  readonly allowNullOrigin?: boolean | undefined
  /**
   * The accepted host names in the `Host` header (see `AllowedHosts.make`). Default: if the host name of the resource is a
   * loopback name, loopback names only. If the resource is http on another host, its host name only. Otherwise the gate accepts
   * every host name.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  readonly challengeScopes: Rejection.ChallengeScopes
  readonly unlisted: "allow" | "deny"
  readonly anonymous: "deny" | "allow-unscoped"
  /** The form in which challenges for tool calls are sent. Default: `"http"`. */
  readonly authChallenge?: AuthChallenge | undefined
  /** Whether denials of tool calls are tool results with the envelope of SEP-2643. Default: `false`. */
  readonly structuredDenials?: boolean | undefined
  /** Decodes the option `claims` to a context, which the gate merges into the services of the request. */
  readonly claims: ownClaims.Decode | undefined
  /** Default: there is nothing to fetch. */
  readonly ready?: Gate["ready"] | undefined
  /** The maximum number of sessions of one caller. Default: 100. */
  readonly sessionsPerCaller?: number | undefined
  /** The maximum number of open event streams of one caller. `Infinity`: streams are not counted. Default: 200. */
  readonly streamsPerCaller?: number | undefined
  /** The sessions, if other gates share them. Default: separate sessions. */
  readonly sessions?: Sessions.Sessions | undefined
  /** The sessions that several instances share. Default: the gate knows only the sessions that it opened. */
  readonly sharedSessions?: Sessions.SharedSessions | undefined
  /** The quotas of callers. Default: no rate is limited. */
  readonly quotas?: CallerQuotas | undefined
  /** The listener of decisions, and how decisions name subjects. */
  readonly decisions?: RecordDecision.Options | undefined
  readonly authorizationServerMetadata?: Published["authorizationServerMetadata"]
}

/**
 * Checks whether tokens are revoked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Revocation {
  /** Tells whether the token of a principal is revoked. */
  readonly isRevoked: (
    principal: Principal
  ) => Effect.Effect<boolean, RevocationStoreUnavailable | AuthorizationServerUnavailable>
  /** Waits until the token of an open stream is revoked. Checks the token once per `interval`. */
  readonly untilRevoked: (principal: Principal, interval: Duration.Duration) => Effect.Effect<void>
}

/**
 * Builds a gate. This function does not check `options`: `AuthLayer.make` checks its options before it calls this function.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Gate => {
  const { apiKeys, expiryTolerance = 0, resource, revocation, tenants } = options
  const lasting: ApiKeys.RevocationChecks<ApiKeyStoreUnavailable> | undefined = apiKeys === undefined
    ? revocation
    : apiKeys.withRevocation(revocation)
  const { allowedOrigins, allowNullOrigin } = options
  const allowsOrigin = AllowedOrigins.make(resource.origin, allowedOrigins, allowNullOrigin)
  const allowedHosts = AllowedHosts.namesFor(resource.resource, options.allowedHosts)
  const hasKeyScheme = apiKeys !== undefined && apiKeys.header === undefined
  const record = RecordDecision.make({
    ...options.decisions,
    setup: { allowedHosts, ...options.decisions?.setup, allowedOrigins, allowNullOrigin, hasKeyScheme }
  }, Rejection.broken)
  const rejecting = reject.make({
    resource,
    tenants,
    challengeScopes: options.challengeScopes,
    hasKeyScheme,
    record
  })
  const streams = openStreams.make({
    revocation: lasting,
    interval: options.revocationInterval ?? Duration.seconds(30),
    perCaller: options.streamsPerCaller ?? callerStreams.defaultPerCaller
  })
  const claims = ownClaims.make(options.claims)
  const { authenticate, recheck } = Authenticate.make({
    verifier: options.verifier,
    lookupVerified: options.lookupVerified,
    tenants,
    apiKeys,
    tokenHeader: options.tokenHeader,
    revocation,
    lasting,
    expiryTolerance,
    tokenGrammar: options.tokenGrammar,
    presentation: options.presentation ?? Presentation.bearerOnly,
    allowsOrigin,
    allowsHost: AllowedHosts.make(resource.resource, allowedHosts),
    anonymous: options.anonymous,
    claims,
    streams,
    reject: rejecting
  })
  const sessions = GateSessions.make(
    rejecting,
    options.sessions ?? Sessions.make({ perCaller: options.sessionsPerCaller }),
    options.sharedSessions
  )
  const provideCaller: Gate["provideCaller"] = (context, principal) => {
    // Adds the services one by one, because `merge` copies the whole context. Calls `add` directly, because `pipe` would
    // create two functions for each request.
    const services = Context.add(Context.add(context, RequestState, options.requestState), Principal, principal)
    const own = claims.contextFor(principal)
    return own === undefined ? services : Context.merge(services, own)
  }
  return {
    resource,
    published: {
      resourceFor: rejecting.resourceFor,
      tenants,
      anonymous: options.anonymous,
      unlisted: options.unlisted,
      authChallenge: options.authChallenge,
      structuredDenials: options.structuredDenials,
      allowsOrigin: (origin) => {
        try {
          return allowsOrigin(origin)
        } catch {
          return false
        }
      },
      authorizationServerMetadata: options.authorizationServerMetadata
    },
    ready: options.ready ?? Effect.void,
    ...withQuotas.make(options.quotas, streams, rejecting, {
      authenticate,
      sessions,
      recheck,
      authorize: Authorize.make({ unlisted: options.unlisted, reject: rejecting, record, provideCaller })
    }),
    recordAdmission: ({ principal, request, timing }, { operations = none, required = none, until } = nothing) =>
      record({ rejection: undefined, principal, operations, required, timing, until }, request.fiber),
    reject: (caller, failure, operations = none) => rejecting.reject(caller, failure, { operations }),
    provideCaller,
    claimsFor: options.claims === undefined
      ? undefined
      : (principal) => claims.contextFor(principal)?.mapUnsafe.values().next().value,
    // Evicts the results before it ends the streams. A client that then repeats its request does not get the old result.
    invalidate: (target) =>
      Effect.andThen(
        Effect.andThen(options.invalidate?.(target) ?? Effect.void, apiKeys?.invalidate(target) ?? Effect.void),
        Effect.suspend(() => {
          streams.end(target)
          return options.sharedSessions?.endAll(target) ?? Effect.void
        })
      ),
    untilStreamEnds: ({ principal, timing }, end) => streams.untilEnd(principal, end, timing.revision)
  }
}

const none: ReadonlyArray<never> = []

const nothing: AdmissionFacts = {}
