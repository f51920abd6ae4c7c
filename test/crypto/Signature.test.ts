import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Signature } from "effect-mcp-auth/verification"

const setUp = Effect.gen(function*() {
  const { issuer } = yield* TestIssuer.make()
  const { publicJwk } = yield* issuer.currentKey
  return { jwk: { ...publicJwk }, token: yield* issuer.mint() }
})

describe("importKey", () => {
  it.effect("a public key for its algorithm, and for no other", () =>
    Effect.gen(function*() {
      const { jwk } = yield* setUp
      assert.isDefined(yield* Signature.importKey(jwk, "ES256"))
      for (const algorithm of ["ES384", "RS256", "EdDSA", "HS256", "none", ""]) {
        assert.isUndefined(yield* Signature.importKey(jwk, algorithm), algorithm)
      }
    }))

  it.effect("a symmetric key is none", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* Signature.importKey({ kty: "oct", k: "c2VjcmV0" }, "HS256"))
      assert.isUndefined(yield* Signature.importKey({ kty: "oct", k: "c2VjcmV0" }, "ES256"))
    }))

  it.effect.prop(
    "whatever the key looks like, it is a public key or nothing",
    {
      jwk: Schema.Record(
        Schema.Literals(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "ext"]),
        Schema.Json
      )
    },
    ({ jwk }) =>
      Effect.gen(function*() {
        for (const kty of ["EC", "RSA", "OKP", "oct", jwk["kty"]]) {
          for (const algorithm of ["ES256", "RS256", "EdDSA"]) {
            const key = yield* Signature.importKey({ ...jwk, kty }, algorithm)
            assert.isTrue(key === undefined || key.type === "public")
          }
        }
      })
  )
})

describe.each([["jose", Signature.viaJose], ["node:crypto", Signature.viaNode!]] as const)(
  "verifying by %s",
  (_, verify) => {
    it.effect("true for what the key signed", () =>
      Effect.gen(function*() {
        const { jwk, token } = yield* setUp
        const key = yield* Signature.importKey(jwk, "ES256")
        assert.isTrue(yield* verify(token, key!, "ES256"))
      }))

    it.effect("false for another algorithm than the one asked for", () =>
      Effect.gen(function*() {
        const { jwk, token } = yield* setUp
        const key = yield* Signature.importKey(jwk, "ES256")
        for (const algorithm of ["ES384", "RS256", "HS256", "none"]) {
          assert.isFalse(yield* verify(token, key!, algorithm))
        }
      }))

    it.effect("false for another key, and for whatever is no token", () =>
      Effect.gen(function*() {
        const { jwk, token } = yield* setUp
        const other = yield* setUp
        const key = yield* Signature.importKey(jwk, "ES256")
        for (const text of [other.token, "", "...", "a.b.c", `${token}x`, `${token}.`, token.slice(0, -1), "\0"]) {
          assert.isFalse(yield* verify(text, key!, "ES256"), text)
        }
      }))
  }
)
