import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { AuthConfigError } from "../../../protocol/AuthError.ts"
import * as ConfigOption from "../../../protocol/ConfigOption.ts"
import * as OptionValue from "../../../protocol/OptionValue.ts"
import type { Introspected } from "../../issuers/OpaqueTokens.ts"
import * as TokenVerifier from "../../TokenVerifier.ts"

/**
 * Creates a verifier for all tokens. The prefix of an opaque token selects the authorization server that introspects it. A JWT
 * is introspected by its issuer if that issuer has `tokens: "all"`; `jwt` verifies every other JWT. Fails with
 * `AuthConfigError` if two authorization servers issue opaque tokens that no prefix distinguishes.
 */
export const combineVerifiers = (
  introspected: ReadonlyArray<Introspected>,
  jwt: TokenVerifier.Verifier
): Result.Result<TokenVerifier.Verifier, AuthConfigError> => {
  const fail = ({ option }: Introspected, fix: string) =>
    Result.fail(ConfigOption.error(`${option}.prefix`, fix, "conflict"))
  const [other, another] = introspected.filter((_) => _.prefix === undefined)
  if (another !== undefined) {
    return fail(
      another,
      `${
        other!.server.issuer
      } and ${another.server.issuer} both issue opaque tokens, and neither has a prefix. Set prefix to ` +
        "the characters with which the tokens of one of them begin, so that each token is sent to its issuer only"
    )
  }
  const prefixes = introspected.flatMap((_) => _.prefix ?? [])
  const ambiguous = introspected.find(({ prefix }) =>
    prefix !== undefined && prefixes.filter((_) => _.startsWith(prefix)).length > 1
  )
  if (ambiguous !== undefined) {
    return fail(
      ambiguous,
      `the prefix ${
        OptionValue.describe(ambiguous.prefix)
      } overlaps with the prefix of another server. No prefix may begin ` +
        "with another one"
    )
  }
  const opaque = TokenVerifier.byPrefix(
    Object.fromEntries(
      introspected.flatMap(({ prefix, verifier }) => prefix === undefined ? [] : [[prefix, verifier]])
    ),
    other?.verifier
  )
  const all = new Map(
    introspected.flatMap(({ server, tokens, verifier }) =>
      tokens === "all" ? server.tokenIssuers.map((issuer) => [issuer, verifier] as const) : []
    )
  )
  return Result.succeed(TokenVerifier.byShape({
    jwt: all.size === 0 ? jwt : TokenVerifier.choose((token) => {
      const issuer = TokenVerifier.issuerOf(Redacted.value(token))
      return (issuer === undefined ? undefined : all.get(issuer)) ?? jwt
    }),
    opaque
  }))
}
