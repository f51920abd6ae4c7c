/** What the tests of the kit share: the verifier of `AuthLayer`, around a `TestIssuer`. */
import { Effect, Layer, Redacted, Result } from "effect"
import { Audience, TokenType } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer, Discovery, Fetcher, JwkSet, JwtVerifier } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"

/** The moment at which every test begins, in seconds. */
export const now = 1_800_000_000

/** An issuer, and how a verifier with the defaults of `AuthLayer` answers to its tokens: `"accepted"`, or the reason. */
export const verifying = Effect.fnUntraced(function*(options: TestIssuer.Options = {}) {
  yield* TestClock.setTime(now * 1000)
  const { client, fetcher, issuer } = yield* TestIssuer.make(options)
  const server = Result.getOrThrow(AuthorizationServer.make(issuer.issuer, "authorizationServers[0]"))
  const keys = JwkSet.layer.pipe(
    Layer.provide(Discovery.layer),
    Layer.provide(Layer.succeed(Fetcher.Fetcher, fetcher))
  )
  const { verify } = yield* JwtVerifier.make({
    resource: issuer.resource,
    authorizationServers: [server],
    audience: Audience.resource,
    tokenType: TokenType.standard(),
    clockTolerance: undefined,
    effectiveScopes: (granted) => granted
  }).pipe(Effect.provide(yield* Layer.build(keys)))
  const judge = (token: string) =>
    verify({ scheme: "Bearer", token: Redacted.make(token) }).pipe(
      Effect.as("accepted"),
      Effect.catch((error) => Effect.succeed(error._tag === "InvalidToken" ? error.reason : error._tag))
    )
  return { issuer, client, judge }
})
