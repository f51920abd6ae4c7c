import { Effect, Redacted } from "effect"
import { AuthError, AuthLayer, type Principal, TokenVerifier } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { describe, expect, test } from "tstyche"

declare const jwt: TokenVerifier.Verifier<AuthError.InvalidMetadata>
declare const opaque: TokenVerifier.Verifier<AuthError.AuthorizationServerUnavailable>
type Both = AuthError.InvalidMetadata | AuthError.AuthorizationServerUnavailable

describe("a combination of verifiers", () => {
  test("fails with the errors of its parts, and with those that it adds", () => {
    expect(TokenVerifier.byShape({ jwt, opaque })).type.toBe<TokenVerifier.Verifier<Both>>()
    expect(TokenVerifier.byIssuer({ a: jwt })).type.toBe<
      TokenVerifier.Verifier<AuthError.InvalidMetadata | AuthError.InvalidToken>
    >()
    expect(TokenVerifier.byPrefix({ a: jwt }, opaque)).type.toBe<
      TokenVerifier.Verifier<Both | AuthError.InvalidToken>
    >()
    expect(TokenVerifier.choose(() => jwt)).type.toBe<TokenVerifier.Verifier<AuthError.InvalidMetadata>>()
    expect(TokenVerifier.make(() => Effect.fail(new AuthError.InvalidToken({ reason: "inactive" })))).type.toBe<
      TokenVerifier.Verifier<AuthError.InvalidToken>
    >()
  })

  test("for a server fails only with errors that the gate handles", () => {
    const options = {
      resource: "https://a.example/mcp",
      authorizationServers: ["https://as.example"],
      scopes: ["a"]
    } as const
    AuthLayer.make({ ...options, verifier: (configured) => TokenVerifier.byShape({ jwt: configured, opaque }) })
    const odd = TokenVerifier.make(() => Effect.fail("odd"))
    // @ts-expect-error Type 'string' is not assignable
    AuthLayer.make({ ...options, verifier: () => odd })
  })
})

describe("introspection", () => {
  test("names the client, and keeps the secret redacted", () => {
    const issuer = "https://as.example"
    expect<AuthorizationServer.Input>().type.toBeAssignableFrom({
      issuer,
      introspection: Introspection.make({ clientId: "a", clientSecret: Redacted.make("b") })
    })
    expect<AuthorizationServer.Input>().type.not.toBeAssignableFrom({
      issuer,
      introspection: { clientId: "a", clientSecret: Redacted.make("b") }
    })
    expect(Introspection.make).type.not.toBeCallableWith({ clientId: "a", clientSecret: "b" })
    expect(Introspection.make).type.not.toBeCallableWith({ clientId: "a" })
    expect(Introspection.make).type.not.toBeCallableWith({
      clientId: "a",
      clientSecret: Redacted.make("b"),
      method: "none" as const
    })
  })
})

describe("a token", () => {
  test("is not accepted as a string", () => {
    expect<string>().type.not.toBeAssignableFrom<Principal["token"]>()
  })
})
