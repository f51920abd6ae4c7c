import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { AuthorizationServerUnavailable } from "../protocol/AuthError.ts"

/**
 * Fails with `AuthorizationServerUnavailable` (`timeout`) if an effect takes longer than the limit. `component` names a component
 * other than the authorization server.
 */
export const withTimeLimit =
  (limit: Duration.Input, issuer: string, component?: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | AuthorizationServerUnavailable, R> =>
    Effect.timeoutOrElse(effect, {
      duration: limit,
      orElse: () =>
        Effect.fail(new AuthorizationServerUnavailable({ reason: "timeout", issuer, retryAfter: 1, component }))
    })
