import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { authenticateToken, provider } from "./harness.ts"
import { rows } from "./rows.ts"

describe.each(rows)("$row", (shape) => {
  const { claims, header = {}, profile } = shape
  const started = provider(profile, { algorithm: shape.algorithm, keys: shape.keys })

  const getOutcome = (token: { readonly header?: object; readonly claims?: object }) =>
    Effect.gen(function*() {
      const { gate, sign } = yield* started
      return yield* authenticateToken(gate, yield* sign({ ...header, ...token.header }, { ...claims, ...token.claims }))
    })

  it.effect("admits its access token (JWT-01)", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* getOutcome({}), shape.admits)
    }))

  for (const [title, { admits, ...token }] of Object.entries(shape.alsoAdmits ?? {})) {
    it.effect(`admits ${title}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* getOutcome(token), { ...shape.admits, ...admits })
      }))
  }

  for (const [title, { reason, ...token }] of Object.entries(shape.rejects)) {
    it.effect(`rejects ${title}: ${reason}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* getOutcome(token), reason)
      }))
  }

  it.effect("rejects a token of another issuer (JWT-02)", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* getOutcome({ claims: { iss: "https://evil.example" } }), "unknown-issuer")
      assert.strictEqual(yield* getOutcome({ claims: { iss: undefined } }), "unknown-issuer")
    }))

  it.effect("rejects an expired token, and one that never expires (T-CLAIM-02)", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* getOutcome({ claims: { exp: claims["iat"] } }), "expired")
      assert.strictEqual(yield* getOutcome({ claims: { exp: undefined } }), "expiry")
    }))
})
