import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { InvalidToken } from "../../protocol/AuthError.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as shareable from "./shareable.ts"

/* The author's own claims. They are decoded once for each principal, since many requests may share one. */

/** Decodes the author's own claims of a principal into a service. */
export type Decode = (principal: Principal) => Result.Result<Context.Context<never>, unknown>

export interface OwnClaims {
  /** Whether the claims of this principal need no decoding any more. */
  readonly isDecoded: (principal: Principal) => boolean
  /** Decodes the claims of a principal. Fails with `InvalidToken` if they do not fit. */
  readonly decode: (principal: Principal) => Effect.Effect<Principal, InvalidToken>
  /** Returns the decoded claims; `undefined` if there are none. */
  readonly contextFor: (principal: Principal) => Context.Context<never> | undefined
}

export const make = (decode: Decode | undefined): OwnClaims => {
  // Claims that a handler could change for other requests are decoded for each request.
  const decoded = new WeakMap<Principal, Context.Context<never> | "unshareable">()
  return decode === undefined ? none : {
    isDecoded: (principal) => decoded.has(principal),
    decode: (principal) => {
      if (decoded.has(principal)) return Effect.succeed(principal)
      const made = decode(principal)
      if (Result.isFailure(made)) return Effect.fail(new InvalidToken({ reason: "claims" }))
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
