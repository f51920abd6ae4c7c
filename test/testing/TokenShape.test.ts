import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestIssuer, TokenShape } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { decodeJwt, decodeProtectedHeader } from "jose"
import { now } from "./support.ts"

const mint = (provider: TokenShape.Provider, options: TestIssuer.ShapeOptions = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now * 1000)
    const { issuer } = yield* TestIssuer.make({ ...TestIssuer.optionsLike(provider), algorithm: "ES256" })
    return { issuer, token: yield* issuer.mintLike(provider, options) }
  })

const options: TestIssuer.ShapeOptions = {
  subject: "alice",
  clientId: "client-9",
  scopes: ["todos:read", "todos:write"],
  audience: "https://todos.test/mcp"
}

/** For each provider, the values of some claims that a verifier misinterprets without the profile of that provider. */
const rows: ReadonlyArray<readonly [TokenShape.Provider, (claims: Record<string, unknown>) => unknown, unknown]> = [
  ["auth0", ({ iss }) => iss, "https://todos.eu.auth0.com/"],
  ["auth0", ({ azp, client_id }) => [azp, client_id], ["client-9", undefined]],
  ["okta", ({ cid, scope, scp }) => [cid, scope, scp], ["client-9", undefined, ["todos:read", "todos:write"]]],
  ["entra", ({ azp, scope, scp }) => [azp, scope, scp], ["client-9", undefined, "todos:read todos:write"]],
  ["entra-v1", ({ appid, iss }) => [appid, String(iss).startsWith("https://sts.windows.net/")], ["client-9", true]],
  ["adfs", ({ iss }) => iss, "http://fs.todos.test/adfs/services/trust"],
  ["cognito", ({ aud, token_use }) => [aud, token_use], [undefined, "access"]],
  ["keycloak", ({ azp, typ }) => [azp, typ], ["client-9", "Bearer"]],
  ["workos", ({ permissions, scope }) => [permissions, scope], [["todos:read", "todos:write"], "openid profile"]],
  ["clerk", ({ aud }) => aud, undefined],
  ["supabase", ({ aud, scope }) => [aud, scope], ["authenticated", undefined]],
  ["zitadel", ({ aud }) => aud, ["client-9", "https://todos.test/mcp"]],
  ["hydra", ({ aud, scp }) => [aud, scp], [["https://todos.test/mcp"], ["todos:read", "todos:write"]]],
  ["better-auth", ({ azp, client_id }) => [azp, client_id], ["client-9", "client-9"]],
  ["lemonldap", ({ aud }) => aud, ["client-9", "https://todos.test/mcp"]],
  ["openauth", ({ iat, mode, scope }) => [iat, mode, scope], [undefined, "access", undefined]],
  ["oidc-provider", ({ aud, scope }) => [aud, scope], ["https://todos.test/mcp", "todos:read todos:write"]]
]

describe("a token in the shape of a provider", () => {
  it.effect.each(rows)("has the claims of %s", ([provider, pick, expected]) =>
    Effect.gen(function*() {
      const { token } = yield* mint(provider, options)
      assert.deepStrictEqual(pick(decodeJwt(token)), expected)
    }))

  it.effect.each(TokenShape.providers)(
    "has the form, issuer and header of %s",
    (provider) =>
      Effect.gen(function*() {
        const shape = TokenShape.shapes[provider]
        const { issuer, token } = yield* mint(provider, options)
        if (shape.opaque !== undefined) {
          assert.isAtLeast(token.length, 30)
          assert.throws(() => decodeProtectedHeader(token))
          return
        }
        const claims = decodeJwt(token)
        assert.strictEqual(claims.iss, shape.tokenIssuer ?? shape.issuer)
        assert.strictEqual(claims.exp, now + 300)
        assert.deepStrictEqual(Object.values(claims).filter((value) => value === undefined), [])
        const header = decodeProtectedHeader(token)
        assert.strictEqual(header.typ, shape.header["typ"])
        assert.strictEqual(header.kid, (yield* issuer.currentKey).kid)
      })
  )

  it.effect.each(TokenShape.providers)(
    "differs from the ID token of %s, whose audience is the client",
    (provider) =>
      Effect.gen(function*() {
        const { issuer } = yield* mint(provider)
        const claims = decodeJwt(yield* issuer.mintIdTokenLike(provider, options))
        assert.include(claims.aud, "client-9")
        assert.isString(claims["nonce"])
        assert.isUndefined(claims["scope"])
      })
  )

  it.effect("has the subject of the client if it has no user", () =>
    Effect.gen(function*() {
      const getSubject = (provider: TokenShape.Provider) =>
        Effect.map(mint(provider, { ...options, machine: true }), ({ token }) => decodeJwt(token).sub)
      assert.strictEqual(yield* getSubject("auth0"), "client-9@clients")
      assert.strictEqual(yield* getSubject("okta"), "client-9")
      assert.isUndefined(yield* getSubject("adfs"))
      assert.isUndefined(yield* getSubject("pingone"))
    }))

  it.effect("comes from an issuer with the documents of the provider", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.make({ ...TestIssuer.optionsLike("entra"), algorithm: "ES256" })
      const get = (url: string) =>
        Effect.flatMap(issuer.respond(new Request(url)), (response) =>
          Effect.promise(() => response.json() as Promise<any>))
      const metadata = yield* get(`${issuer.issuer}/.well-known/openid-configuration`)
      assert.strictEqual(metadata.issuer, TokenShape.shapes.entra.issuer)
      assert.isFalse("code_challenge_methods_supported" in metadata)
      const { keys } = yield* get(issuer.jwksUri)
      assert.isFalse("alg" in keys[0])
    }))
})
