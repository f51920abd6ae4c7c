/**
 * How a token is presented: as a Bearer token alone, or with a proof of the key that it is bound to.
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
  type ReplayStoreUnavailable
} from "../../protocol/AuthError.ts"
import type { Credentials, Scheme } from "../../protocol/Credentials.ts"
import { bindingOf } from "../claims/Claims.ts"
import type { Principal } from "../Principal.ts"

/**
 * The parts of a request that a proof is compared with, and the proof itself: every line of the `DPoP` header, as it came
 * in. `path` is the path of the request on this server, as it came in and before any router cut a prefix off. Without it no
 * proof is accepted.
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
 * Lists the errors of a proof, or of a token without one.
 *
 * @category errors
 * @since 0.1.0
 */
export type ProofError = InvalidDpopProof | InvalidToken | ReplayStoreUnavailable | MalformedRequest

/**
 * Checks how a token is presented.
 *
 * @category models
 * @since 0.1.0
 */
export interface Presentation {
  /** The schemes that count as credentials. */
  readonly schemes: ReadonlyArray<Scheme>
  /**
   * Checks the proof of a request, also for a principal that was verified before. `now` is the one reading of the wall clock
   * that the request is compared with, in milliseconds. `since` is the monotonic time at which it was taken or earlier, in
   * nanoseconds of the `Clock`.
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
 * Accepts Bearer tokens alone, and rejects those that are bound to a key (RFC 9449 §7.2).
 *
 * @category constants
 * @since 0.1.0
 */
export const bearerOnly: Presentation = {
  schemes: ["Bearer"],
  check: (_request, _credentials, principal) => bindingOf(principal.claims) === undefined ? Effect.void : bound
}

/**
 * What metadata and challenges say about DPoP: `"off"`, `"optional"` beside Bearer tokens, or `"required"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published {
  readonly mode: "off" | "optional" | "required"
  readonly algorithms: ReadonlyArray<Algorithm>
}

/**
 * Marks the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Presentation"

/**
 * Enables DPoP: a value of `Dpop`. `R` is what it needs from the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** The checked options, or the option that is wrong. */
  readonly published: Result.Result<Published, AuthConfigError>
  readonly make: (
    resource: { readonly resource: string; readonly origin: string }
  ) => Effect.Effect<Presentation, AuthConfigError, R | Scope.Scope>
}

/**
 * Checks that a value was made by `Dpop`: options may come from JavaScript or a file.
 *
 * @category guards
 * @since 0.1.0
 */
export const isMechanism = (value: unknown): value is Mechanism<unknown> => Predicate.hasProperty(value, TypeId)
