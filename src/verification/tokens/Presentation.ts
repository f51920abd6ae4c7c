/**
 * Checks how a token is presented: as a Bearer token, or with a proof of possession of the key that it is bound to.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Algorithm } from "../../crypto/Algorithm.ts"
import {
  type AuthConfigError,
  type InvalidDpopProof,
  InvalidToken,
  type MalformedRequest,
  type QuotaExceeded,
  type QuotaStoreUnavailable,
  type ReplayStoreUnavailable
} from "../../protocol/AuthError.ts"
import type { Credentials, Scheme } from "../../protocol/Credentials.ts"
import { bindingOf } from "../claims/Claims.ts"
import type { Principal } from "../Principal.ts"

/**
 * Contains the proof of a request (the value of each `DPoP` header line, as received) and the parts of the request that the
 * proof is compared with. `path` is the path as received, before a router removes a prefix. If `path` is missing, no proof is
 * accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly method: string
  readonly header: (name: string) => string | undefined
  readonly path?: string | undefined
  readonly dpop?: ReadonlyArray<string> | undefined
}

/**
 * Lists the errors of `Presentation.check`, which checks the proof of a request.
 *
 * @category errors
 * @since 0.1.0
 */
export type ProofError =
  | InvalidDpopProof
  | InvalidToken
  | ReplayStoreUnavailable
  | MalformedRequest
  | QuotaExceeded
  | QuotaStoreUnavailable

/**
 * Checks how a token is presented.
 *
 * @category models
 * @since 0.1.0
 */
export interface Presentation {
  /** The accepted authentication schemes. */
  readonly schemes: ReadonlyArray<Scheme>
  /**
   * Checks the proof of a request, even if the token is cached. `now` is the wall clock time of the request, in milliseconds.
   * `since` is a monotonic time at or before `now`, in nanoseconds of the `Clock`.
   */
  readonly check: (
    request: Request,
    credentials: Credentials,
    principal: Principal,
    now: number,
    since: bigint
  ) => Effect.Effect<void, ProofError>
}

const bound = Effect.fail(new InvalidToken({ reason: "bound-to-key" }))

/**
 * Accepts only Bearer tokens, and rejects tokens that are bound to a key (RFC 9449 §7.2).
 *
 * @category constants
 * @since 0.1.0
 */
export const bearerOnly: Presentation = {
  schemes: ["Bearer"],
  check: (_request, _credentials, principal) => bindingOf(principal.claims) === undefined ? Effect.void : bound
}

/**
 * Contains the values that metadata and challenges publish about DPoP. With the mode `"optional"`, Bearer tokens are accepted
 * as well.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published {
  readonly mode: "off" | "optional" | "required"
  readonly algorithms: ReadonlyArray<Algorithm>
}

/**
 * The public URL of a resource, which proofs are compared with.
 *
 * @category models
 * @since 0.1.0
 */
export interface PublishedAt {
  /** The resource identifier. */
  readonly resource: string
  readonly origin: string
  /**
   * Returns the path of the public URL for a path that the server received, or `undefined` if no public URL has this path.
   * Default: the same path.
   */
  readonly toPublicPath?: ((path: string) => string | undefined) | undefined
}

/**
 * Counts a verified proof of an owner (`Principal.owner`), before it is stored. Fails if the owner has used up its quota of proofs.
 *
 * @category models
 * @since 0.1.0
 */
export type CountProof = (owner: string) => Effect.Effect<void, QuotaExceeded | QuotaStoreUnavailable>

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Presentation"

/**
 * Describes a value that enables DPoP. `Dpop` creates such values. `R` lists the services that the value requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** The values that metadata and challenges publish about DPoP, or the error of an invalid option. */
  readonly published: Result.Result<Published, AuthConfigError>
  readonly make: (
    resource: PublishedAt,
    countProof?: CountProof
  ) => Effect.Effect<Presentation, AuthConfigError, R | Scope.Scope>
}

/**
 * Tells whether a value was created by `Dpop`. Types do not ensure this, because options may come from JavaScript or a file.
 *
 * @category guards
 * @since 0.1.0
 */
export const isMechanism = (value: unknown): value is Mechanism<unknown> => Predicate.hasProperty(value, TypeId)
