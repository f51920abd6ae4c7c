/**
 * Verifies the tokens of a list of authorization servers, each token by the method of its issuer.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Discovery } from "../../outbound/Discovery.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Rules } from "../claims/Rules.ts"
import type { AuthorizationServer } from "../issuers/AuthorizationServer.ts"
import type { Checked } from "../issuers/OpaqueTokens.ts"
import type { JwkSet } from "../keys/JwkSet.ts"
import * as TokenVerifier from "../TokenVerifier.ts"
import * as JwtVerifier from "./JwtVerifier.ts"
import type * as TokenCache from "./TokenCache.ts"

/**
 * Creates the verifier of a list of authorization servers.
 *
 * **Details**
 *
 * JWTs are verified with the keys of their issuer. Other tokens are verified by introspection, at the server that their prefix
 * selects. If the introspection of a server covers `"all"` tokens, its JWTs are introspected as well. Fails with
 * `AuthConfigError` if two servers issue opaque tokens that cannot be distinguished by a prefix.
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
      // Avoids fetching keys of a server whose JWTs are never access tokens.
      authorizationServers: servers.filter((_) =>
        _.introspection?.tokens !== "all" && _.profile?.opaque.issued !== "always"
      ),
      timeToLive: settings.jwt
    })
    const introspecting: Array<{
      readonly server: AuthorizationServer<R>
      readonly introspection: Checked<R>
      readonly verifier: TokenVerifier.Verifier
    }> = []
    for (const server of servers) {
      const { introspection } = server
      if (introspection === undefined) continue
      const verifier = yield* introspection.verifier({
        authorizationServer: server,
        rules,
        lastInvalidation: settings.lastInvalidation
      })
      introspecting.push({ server, introspection, verifier })
    }
    if (introspecting.length === 0) return jwt
    const [other, another] = introspecting.filter((_) => _.introspection.prefix === undefined)
    if (another !== undefined) {
      return yield* new AuthConfigError({
        reason: "conflict",
        option: `${another.introspection.option}.prefix`,
        fix:
          `${
            other!.server.issuer
          } and ${another.server.issuer} both issue opaque tokens, and neither has a prefix. Set ` +
          "prefix to the characters with which the tokens of one of them begin, so that each token is sent to its issuer only"
      })
    }
    const prefixes = introspecting.flatMap(({ introspection: { prefix } }) => prefix ?? [])
    const ambiguous = introspecting.find(({ introspection: { prefix } }) =>
      prefix !== undefined && prefixes.filter((_) => _.startsWith(prefix)).length > 1
    )
    if (ambiguous !== undefined) {
      return yield* new AuthConfigError({
        reason: "conflict",
        option: `${ambiguous.introspection.option}.prefix`,
        fix:
          `the prefix ${
            OptionValue.describe(ambiguous.introspection.prefix)
          } overlaps with the prefix of another server. ` +
          "No prefix may begin with another one"
      })
    }
    const opaque = TokenVerifier.byPrefix(
      Object.fromEntries(
        introspecting.flatMap(({ introspection: { prefix }, verifier }) =>
          prefix === undefined ? [] : [[prefix, verifier]]
        )
      ),
      other?.verifier
    )
    const all = new Map(
      introspecting.flatMap(({ introspection, server, verifier }) =>
        introspection.tokens === "all" ? server.tokenIssuers.map((issuer) => [issuer, verifier] as const) : []
      )
    )
    return TokenVerifier.byShape({
      jwt: all.size === 0 ? jwt : TokenVerifier.choose((token) => {
        const issuer = TokenVerifier.issuerOf(Redacted.value(token))
        return (issuer === undefined ? undefined : all.get(issuer)) ?? jwt
      }),
      opaque
    })
  })
