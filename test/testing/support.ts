/** The JWT verifier that `AuthLayer` uses, with a `TestIssuer`, for the tests of the testing kit. */
import { Effect, Layer, Redacted, Result } from "effect"
import { Audience, TokenType } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer, Discovery, Fetcher, JwkSet, JwtVerifier } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"

/** The time at which every test begins, in seconds since 1970. */
export const now = 1_800_000_000

/**
 * Creates an issuer, and a function that verifies a token with the defaults of `AuthLayer`. The function returns
 * `"accepted"`, the reason of the rejection, or the tag of another error.
 */
export const makeVerifier = Effect.fnUntraced(function*(options: TestIssuer.Options = {}) {
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
  const verifyToken = (token: string) =>
    verify({ scheme: "Bearer", token: Redacted.make(token) }).pipe(
      Effect.as("accepted"),
      Effect.catch((error) => Effect.succeed(error._tag === "InvalidToken" ? error.reason : error._tag))
    )
  return { issuer, client, verifyToken }
})
