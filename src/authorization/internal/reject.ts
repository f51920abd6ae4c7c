import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import {
  AccessDenied,
  ApiKeyStoreUnavailable,
  AuthConfigError,
  type AuthError,
  AuthorizationServerUnavailable,
  InsufficientScope,
  InvalidApiKey,
  InvalidDpopProof,
  InvalidMetadata,
  InvalidToken,
  MalformedRequest,
  MissingCredentials,
  QuotaExceeded,
  QuotaStoreUnavailable,
  ReplayStoreUnavailable,
  RevocationStoreUnavailable,
  SessionStoreUnavailable
} from "../../protocol/AuthError.ts"
import type { Scheme } from "../../protocol/Credentials.ts"
import type { Operation } from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Tenants } from "../../verification/tenants/Tenants.ts"
import type { Caller } from "../Caller.ts"
import type { ProtectedResource } from "../ProtectedResource.ts"
import type { RecordDecision } from "../RecordDecision.ts"
import * as Rejection from "../Rejection.ts"

/* Turns failures into rejections and records them as decisions, for authentication and authorization. */

export interface Options {
  readonly resource: ProtectedResource
  readonly tenants: Pick<Tenants<ProtectedResource>, "publishedBy" | "publishedFor"> | undefined
  readonly challengeScopes: Rejection.ChallengeScopes
  /** Whether challenges name the scheme `ApiKey`. */
  readonly hasKeyScheme: boolean
  readonly record: RecordDecision
}

/** Adds facts about the rejected request to the decision. */
export interface Details {
  readonly operations?: ReadonlyArray<Operation> | undefined
  /** Default: the resource of the caller. */
  readonly resource?: ProtectedResource | undefined
}

export interface Reject {
  /** Returns the resource for which a principal was verified: that of its tenant, or the configured one. */
  readonly resourceFor: (principal: Principal | undefined) => ProtectedResource
  /** Records a rejection, and fails with it. */
  readonly rejectWith: (
    caller: Caller,
    rejection: Rejection.Rejection,
    details?: Details
  ) => Effect.Effect<never, Rejection.Rejection>
  /**
   * Rejects a request because of a failure. An `AuthError` determines the rejection. For any other error or a defect, the
   * rejection is `broken`. A `Rejection` was recorded before, so it is neither recorded again nor changed. An interruption is
   * passed on.
   */
  readonly rejectCause: (
    caller: Caller,
    cause: Cause.Cause<unknown>,
    details?: Details
  ) => Effect.Effect<never, Rejection.Rejection>
  /** Rejects a request because of an error or the cause of a failure. */
  readonly reject: (
    caller: Caller,
    failure: AuthError | Cause.Cause<unknown>,
    details?: Details
  ) => Effect.Effect<never, Rejection.Rejection>
  /**
   * Rejects a request whose token was not verified. If the request names a tenant, the challenge names the metadata of this
   * tenant.
   */
  readonly rejectUnverified: (
    caller: Caller,
    cause: Cause.Cause<unknown>,
    scheme: Scheme
  ) => Effect.Effect<never, Rejection.Rejection>
  /** Rejects an anonymous caller of an operation with a 401 challenge that names `scopes` and the baseline. */
  readonly signIn: (
    caller: Caller,
    scopes: ReadonlyArray<string>,
    operations: ReadonlyArray<Operation>
  ) => Effect.Effect<never, Rejection.Rejection>
}

export const make = ({ challengeScopes, hasKeyScheme, record, resource, tenants }: Options): Reject => {
  const own = Rejection.make(resource, challengeScopes, hasKeyScheme)
  const ofTenants = new WeakMap<ProtectedResource, Rejection.Rejections>()

  const rejectionsAt = (place: ProtectedResource): Rejection.Rejections => {
    if (place === resource) return own
    const known = ofTenants.get(place)
    if (known !== undefined) return known
    const made = Rejection.make(place, challengeScopes, hasKeyScheme)
    ofTenants.set(place, made)
    return made
  }

  const resourceFor: Reject["resourceFor"] = (principal) =>
    principal?.tenant === undefined || tenants === undefined ? resource : tenants.publishedBy(principal.tenant)

  const rejectionFor = (error: AuthError, { principal, request }: Caller): Rejection.Rejection =>
    rejectionsAt(resourceFor(principal)).forError(error, {
      principal,
      protocolVersion: request.header("mcp-protocol-version")
    })

  const rejectWith: Reject["rejectWith"] = ({ principal, request, timing }, rejection, details = noDetails) => {
    const { operations = none, resource = resourceFor(principal) } = details
    const required = rejection.error?._tag === "InsufficientScope" ? rejection.error.required : none
    return Effect.flatMapEager(
      record({ rejection, principal, operations, required, timing, request, resource }, request.fiber),
      () => Effect.fail(rejection)
    )
  }

  const rejectCause: Reject["rejectCause"] = (caller, cause, details = noDetails) => {
    const error = Result.getOrUndefined(Cause.findError(cause)) ?? thrownError(cause)
    if (isRejection(error)) return Effect.fail(error)
    if (isAuthError(error)) return rejectWith(caller, rejectionFor(error, caller), details)
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const { principal, request, timing } = caller
    const { operations = none } = details
    return Effect.flatMapEager(
      record(
        { rejection: Rejection.broken, principal, operations, required: none, timing, request, cause },
        request.fiber
      ),
      () => Effect.fail(Rejection.broken)
    )
  }

  return {
    resourceFor,
    rejectWith,
    rejectCause,
    reject: (caller, failure, details) =>
      Cause.isCause(failure)
        ? rejectCause(caller, failure, details)
        : rejectWith(caller, rejectionFor(failure, caller), details),
    rejectUnverified: (caller, cause, scheme) => {
      const error = Result.getOrUndefined(Cause.findError(cause))
      if (!isAuthError(error)) return rejectCause(caller, cause)
      const circumstances = { principal: undefined, protocolVersion: undefined, scheme }
      const rejectAt = (place: ProtectedResource) =>
        rejectWith(caller, rejectionsAt(place).forError(error, circumstances), { resource: place })
      return tenants === undefined || !hasChallenge(error) ? rejectAt(resource) : Effect.flatMap(
        Effect.catchCause(Effect.suspend(() => tenants.publishedFor(caller.request)), () => Effect.undefined),
        (place = resource) => rejectAt(place)
      )
    },
    signIn: (caller, scopes, operations) => rejectWith(caller, own.signIn(scopes), { operations })
  }
}

/**
 * Calls a function that may run code of the server's author. If the function throws or its effect fails, calls `reject` with
 * the cause.
 */
export const attempt = <A, E, R>(
  effect: () => Effect.Effect<A, E, R>,
  reject: (cause: Cause.Cause<unknown>) => Effect.Effect<never, Rejection.Rejection>
): Effect.Effect<A, Rejection.Rejection, R> => {
  let made: Effect.Effect<A, E, R>
  try {
    made = effect()
  } catch (defect) {
    return reject(Cause.die(defect))
  }
  // An `Exit` is handled without `catchCause`, which would wrap it into an effect that needs a fiber.
  if (!Exit.isExit(made)) return Effect.catchCause(made, reject)
  return Exit.isSuccess(made) ? Effect.succeed(made.value as A) : reject((made as Exit.Failure<A, E>).cause)
}

/** Returns the error of claims that could not be decoded again, where code could only throw it. */
const thrownError = (cause: Cause.Cause<unknown>): InvalidToken | undefined => {
  const defect = Result.getOrUndefined(Cause.findDefect(cause))
  return defect instanceof InvalidToken ? defect : undefined
}

const isRejection = (error: unknown): error is Rejection.Rejection =>
  typeof error === "object" && error !== null && (error as Partial<Rejection.Rejection>)._tag === "Rejection"

/** The errors whose rejections can have a challenge. */
const errorsWithChallenge = [
  InvalidToken,
  InvalidApiKey,
  MissingCredentials,
  MalformedRequest,
  InvalidDpopProof,
  InsufficientScope
]

const errorsWithoutChallenge = [
  AccessDenied,
  ApiKeyStoreUnavailable,
  ReplayStoreUnavailable,
  RevocationStoreUnavailable,
  SessionStoreUnavailable,
  QuotaExceeded,
  QuotaStoreUnavailable,
  AuthorizationServerUnavailable,
  InvalidMetadata,
  AuthConfigError
]

/**
 * Returns whether the rejection of an error can have a challenge. Without a challenge, the tenant of the request is not needed
 * and is not looked up.
 */
const hasChallenge = (error: unknown): boolean => errorsWithChallenge.some((type) => error instanceof type)

const isAuthError = (error: unknown): error is AuthError =>
  hasChallenge(error) || errorsWithoutChallenge.some((type) => error instanceof type)

const none: ReadonlyArray<never> = []

const noDetails: Details = {}
