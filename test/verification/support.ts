/**
 * Support for the tests of verification: verifiers that trust a `TestIssuer`, and parts of tokens for tests to change.
 */
import { Effect, Redacted, Result } from "effect"
import { Audience, TokenType } from "effect-mcp-auth"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer, Discovery, Fetcher, JwkSet, JwtVerifier } from "effect-mcp-auth/verification"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { base64url } from "jose"

/** The resource that a `TestIssuer` issues tokens for. */
export const resource = "https://server.test/mcp"

/** The time at which every test begins, in seconds since 1970. */
export const now = 1_800_000_000

type Issuer = TestIssuer.TestIssuer["Service"]
type ServerOptions = Partial<Omit<AuthorizationServer.Options, "issuer">>

/** An authorization server as `AuthLayer` creates it. */
export const serverOf = (issuer: string, options: ServerOptions = {}): AuthorizationServer.AuthorizationServer =>
  Result.getOrThrow(AuthorizationServer.make({ issuer, ...options }, "authorizationServers[0]"))

/** Creates the services `Discovery` and `JwkSet`, which send their requests with this client. */
const asking = Effect.fnUntraced(function*(client: HttpClient.HttpClient) {
  const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, HttpClientFetcher.make(client))
  const keys = yield* JwkSet.make.pipe(
    Effect.provideService(Fetcher.Fetcher, HttpClientFetcher.make(client)),
    Effect.provideService(Discovery.Discovery, discovery)
  )
  return { discovery, keys }
})

/** Creates several issuers, and key sets that can fetch the keys of each. */
export const severalIssuers = Effect.fnUntraced(function*(...names: ReadonlyArray<string>) {
  yield* TestClock.setTime(now * 1000)
  const made = yield* Effect.forEach(names, (issuer) => TestIssuer.make({ issuer }))
  const { client } = yield* TestIssuer.make({ issuer: "https://nobody.test", others: made.map(({ issuer }) => issuer) })
  const { keys } = yield* asking(client)
  return { client, keys, issuers: made.map(({ issuer }) => ({ ...issuer, server: serverOf(issuer.issuer) })) }
})

/** Creates an issuer, and discovery and key sets that send their requests to it. */
export const services = Effect.fnUntraced(
  function*(options: TestIssuer.Options & { readonly server?: ServerOptions | undefined } = {}) {
    yield* TestClock.setTime(now * 1000)
    const { server: serverOptions, ...issuerOptions } = options
    const { client, issuer } = yield* TestIssuer.make(issuerOptions)
    const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, HttpClientFetcher.make(client))
    const keys = yield* JwkSet.make.pipe(
      Effect.provideService(Fetcher.Fetcher, HttpClientFetcher.make(client)),
      Effect.provideService(Discovery.Discovery, discovery)
    )
    return { issuer, client, discovery, keys, server: serverOf(issuer.issuer, serverOptions) }
  }
)

/** The options of a verifier. Omitted options have the defaults of `AuthLayer`. */
export interface VerifierOptions extends Partial<Omit<JwtVerifier.Options, "authorizationServers">> {
  readonly issuer?: TestIssuer.Options
  readonly server?: ServerOptions
}

/** Verifies a token. Returns `"accepted"`, the reason of the rejection, or the tag of another error. */
export type OutcomeOf = (token: string) => Effect.Effect<string>

/** Creates a verifier that trusts several authorization servers. */
export const verifierOf = (
  authorizationServers: ReadonlyArray<AuthorizationServer.AuthorizationServer>,
  options: Omit<VerifierOptions, "issuer" | "server"> = {}
) =>
  Effect.map(
    JwtVerifier.make({
      resource,
      authorizationServers,
      audience: Audience.resource,
      tokenType: TokenType.standard(),
      clockTolerance: undefined,
      effectiveScopes: (granted) => granted,
      ...options
    }),
    ({ verify: verifyCredentials }) => {
      const verify = (token: string) =>
        Effect.map(
          verifyCredentials({ scheme: "Bearer", token: Redacted.make(token) }),
          ({ principal }) => principal
        )
      const outcomeOf: OutcomeOf = (token) =>
        verify(token).pipe(
          Effect.as("accepted"),
          Effect.catch((error) => Effect.succeed(error._tag === "InvalidToken" ? error.reason : error._tag))
        )
      return { verify, outcomeOf }
    }
  )

/** Creates a verifier, and the issuer that it trusts. */
export const verifier = Effect.fnUntraced(function*({ issuer, server, ...options }: VerifierOptions = {}) {
  const made = yield* services({ ...issuer, server })
  const verifier = yield* Effect.provideService(verifierOf([made.server], options), JwkSet.JwkSet, made.keys)
  return { ...made, ...verifier }
})

/** Encodes a segment of a compact token in base64url. An object is written as JSON first. */
export const segment = (content: object | string | Uint8Array): string =>
  typeof content === "string" || content instanceof Uint8Array
    ? base64url.encode(content)
    : TestIssuer.encodeSegment(content)

/** The claims of a good token. A test spreads them to change some. */
export const goodClaims: Readonly<Record<string, unknown>> = {
  iss: "https://issuer.test",
  sub: "alice",
  aud: resource,
  client_id: "client-1",
  iat: now,
  exp: now + 300,
  scope: "todos:read"
}

/** The header of a good token. */
export const goodHeader: Readonly<Record<string, unknown>> = { alg: "ES256", typ: "at+jwt", kid: "key-1" }

/** Returns the URLs that were requested so far, without the origin `https://issuer.test`. */
export const requestedUrls = (issuer: Issuer): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(issuer.requests, (requests) => requests.map(({ url }) => url.replace("https://issuer.test", "")))

/** Returns the same URLs as `requestedUrls`, and clears the list. */
export const takeRequestedUrls = (issuer: Issuer): Effect.Effect<ReadonlyArray<string>> =>
  Effect.tap(requestedUrls(issuer), () => issuer.takeRequests)
