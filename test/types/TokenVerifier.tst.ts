import { Effect, Redacted } from "effect"
import { AuthError, AuthLayer, type Principal, TokenVerifier } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { describe, expect, test } from "tstyche"

declare const jwt: TokenVerifier.Verifier<AuthError.InvalidMetadata>
declare const opaque: TokenVerifier.Verifier<AuthError.AuthorizationServerUnavailable>
type Both = AuthError.InvalidMetadata | AuthError.AuthorizationServerUnavailable

describe("a combination of verifiers", () => {
  test("fails with what its parts fail with, and with what it adds itself", () => {
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

  test("for a server fails with what the gate can answer", () => {
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
  test("names who asks, and keeps the secret redacted", () => {
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
  test("is nothing that a string is expected for", () => {
    expect<string>().type.not.toBeAssignableFrom<Principal["token"]>()
  })
})
