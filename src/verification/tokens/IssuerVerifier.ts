/**
 * Verifies the tokens of a list of authorization servers, each token by the method of its issuer.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Discovery } from "../../outbound/Discovery.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import type { Rules } from "../claims/Rules.ts"
import type { AuthorizationServer } from "../issuers/AuthorizationServer.ts"
import type { Checked, Introspected } from "../issuers/OpaqueTokens.ts"
import type { JwkSet } from "../keys/JwkSet.ts"
import type * as TokenVerifier from "../TokenVerifier.ts"
import * as JwtVerifier from "./JwtVerifier.ts"
import type * as TokenCache from "./TokenCache.ts"

/**
 * Creates the verifier of a list of authorization servers.
 *
 * **Details**
 *
 * JWTs are verified with the keys of their issuer. Other tokens are verified by introspection. If several servers issue such
 * tokens, the prefix of a token selects the server. If the introspection of a server has `tokens: "all"`, the JWTs of this
 * server are introspected as well. Fails with `AuthConfigError` if two servers issue opaque tokens that cannot be distinguished
 * by a prefix.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(
  servers: ReadonlyArray<AuthorizationServer<R>>,
  rules: Rules,
  settings: TokenCache.Settings
): Effect.Effect<
  TokenVerifier.Verifier,
  AuthConfigError,
  Discovery | JwkSet | Fetcher | Scope.Scope | R
> =>
  Effect.gen(function*() {
    const jwt = yield* JwtVerifier.make({
      ...rules,
      // If all tokens of a server are introspected, `JwtVerifier` verifies none of them.
      authorizationServers: servers.filter((_) => _.introspection?.tokens !== "all"),
      timeToLive: settings.jwt
    })
    const introspected: Array<Introspected> = []
    let combine: Checked["combine"] | undefined
    for (const server of servers) {
      if (server.introspection === undefined) continue
      const { option, prefix, tokens, verifier } = server.introspection
      const parts = { authorizationServer: server, rules, lastInvalidation: settings.lastInvalidation }
      introspected.push({ server, option, prefix, tokens, verifier: yield* verifier(parts) })
      combine = server.introspection.combine
    }
    // The introspection option provides `combine`, so that servers without introspection do not load its code.
    return combine === undefined ? jwt : yield* Effect.fromResult(combine(introspected, jwt))
  })
