import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { InvalidToken } from "../../protocol/AuthError.ts"
import { attach } from "../../verification/claims/RejectedClaims.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as shareable from "./shareable.ts"

/* The option `claims`. Several requests can share a cached principal, so its claims are decoded once if the result can be
 * frozen. */

/** Decodes the claims of a principal. Returns a context with the service that the option `claims` names. */
export type Decode = (principal: Principal) => Result.Result<Context.Context<never>, unknown>

export interface OwnClaims {
  /** Returns whether `decode` has succeeded for this principal. Always `true` without the option `claims`. */
  readonly isDecoded: (principal: Principal) => boolean
  /**
   * Decodes the claims of a principal, and returns the principal. Fails with `InvalidToken` if the decoder rejects the claims.
   */
  readonly decode: (principal: Principal) => Effect.Effect<Principal, InvalidToken>
  /**
   * Returns a context with the decoded claims, or `undefined` before `decode` has succeeded or without the option `claims`.
   */
  readonly contextFor: (principal: Principal) => Context.Context<never> | undefined
}

export const make = (decode: Decode | undefined): OwnClaims => {
  // Values that cannot be frozen are decoded again for each request, so that a handler cannot change them for other requests.
  const decoded = new WeakMap<Principal, Context.Context<never> | "unshareable">()
  return decode === undefined ? none : {
    isDecoded: (principal) => decoded.has(principal),
    decode: (principal) => {
      if (decoded.has(principal)) return Effect.succeed(principal)
      const made = decode(principal)
      if (Result.isFailure(made)) {
        const { claims } = principal
        return Effect.fail(attach(new InvalidToken({ reason: "claims" }), { claims, cause: made.failure }))
      }
      const decodedClaims = [...made.success.mapUnsafe.values()]
      decoded.set(principal, decodedClaims.every(shareable.freeze) ? made.success : "unshareable")
      return Effect.succeed(principal)
    },
    contextFor: (principal) => {
      const own = decoded.get(principal)
      return own === "unshareable" ? Result.getOrThrow(decode(principal)) : own
    }
  }
}

const none: OwnClaims = {
  isDecoded: () => true,
  decode: Effect.succeed,
  contextFor: () => undefined
}
