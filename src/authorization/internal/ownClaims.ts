import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { InvalidToken } from "../../protocol/AuthError.ts"
import { attach } from "../../verification/claims/RejectedClaims.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Reading } from "../ClaimsDecoder.ts"
import * as shareable from "./shareable.ts"

/* The option `claims`. Several requests can share a cached principal, so its claims are decoded once if the result can be
 * frozen. */

/** Decodes the claims of a principal. Returns a context with the service that the option `claims` names. */
export type Decode = (principal: Principal) => Reading

export interface OwnClaims {
  /** Returns whether `decode` has succeeded for this principal. Always `true` without the option `claims`. */
  readonly isDecoded: (principal: Principal) => boolean
  /**
   * Decodes the claims of a principal, and returns the principal. Fails with `InvalidToken` if the decoder rejects the claims.
   */
  readonly decode: (principal: Principal) => Effect.Effect<Principal, InvalidToken>
  /**
   * Returns a context with the decoded claims, or `undefined` before `decode` has succeeded or without the option `claims`. Throws
   * `InvalidToken` if the claims have to be decoded again and the decoder then rejects them.
   */
  readonly contextFor: (principal: Principal) => Context.Context<never> | undefined
}

export const make = (decode: Decode | undefined): OwnClaims => {
  // The functions return the value for one request, so that a handler cannot change it for other requests.
  const decoded = new WeakMap<Principal, () => Context.Context<never>>()
  if (decode === undefined) return none

  const record = (
    principal: Principal,
    made: Result.Result<Context.Context<never>, unknown>,
    again: (made: Context.Context<never>) => Context.Context<never>
  ): Effect.Effect<Principal, InvalidToken> => {
    if (Result.isFailure(made)) return Effect.fail(toError(principal, made.failure))
    const context = made.success
    const isFrozen = [...context.mapUnsafe.values()].every(shareable.freeze)
    decoded.set(principal, isFrozen ? () => context : () => again(context))
    return Effect.succeed(principal)
  }

  const decodeAgain = (principal: Principal) => {
    const again = decode(principal)
    if (Effect.isEffect(again)) throw new TypeError("the schema of the option claims is not always synchronous")
    // A schema can reject claims that it accepted before, for example if it compares a time with the clock.
    if (Result.isFailure(again)) throw toError(principal, again.failure)
    return again.success
  }

  return {
    isDecoded: (principal) => decoded.has(principal),
    decode: (principal) => {
      if (decoded.has(principal)) return Effect.succeed(principal)
      const made = decode(principal)
      return Effect.isEffect(made)
        // The value is copied, because `contextFor` cannot wait for a second decoding.
        ? Effect.flatMap(Effect.result(made), (result) => record(principal, result, shareable.copy))
        : record(principal, made, () => decodeAgain(principal))
    },
    contextFor: (principal) => decoded.get(principal)?.()
  }
}

const toError = ({ claims }: Principal, cause: unknown): InvalidToken =>
  attach(new InvalidToken({ reason: "claims" }), { claims, cause })

const none: OwnClaims = {
  isDecoded: () => true,
  decode: Effect.succeed,
  contextFor: () => undefined
}
