import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { judge, provider } from "./harness.ts"
import { rows } from "./rows.ts"

describe.each(rows)("$row", (shape) => {
  const { claims, header = {}, profile } = shape
  const made = provider(profile, { algorithm: shape.algorithm, keys: shape.keys })

  const reasonFor = (token: { readonly header?: object; readonly claims?: object }) =>
    Effect.gen(function*() {
      const { gate, sign } = yield* made
      return yield* judge(gate, yield* sign({ ...header, ...token.header }, { ...claims, ...token.claims }))
    })

  it.effect("admits its access token (JWT-01)", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* reasonFor({}), shape.admits)
    }))

  for (const [title, { admits, ...token }] of Object.entries(shape.alsoAdmits ?? {})) {
    it.effect(`admits ${title}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* reasonFor(token), { ...shape.admits, ...admits })
      }))
  }

  for (const [title, { reason, ...token }] of Object.entries(shape.rejects)) {
    it.effect(`rejects ${title}: ${reason}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* reasonFor(token), reason)
      }))
  }

  it.effect("rejects a token of another issuer (JWT-02)", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* reasonFor({ claims: { iss: "https://evil.example" } }), "unknown-issuer")
      assert.strictEqual(yield* reasonFor({ claims: { iss: undefined } }), "unknown-issuer")
    }))

  it.effect("rejects an expired token, and one that never expires (T-CLAIM-02)", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* reasonFor({ claims: { exp: claims["iat"] } }), "expired")
      assert.strictEqual(yield* reasonFor({ claims: { exp: undefined } }), "expiry")
    }))
})
