import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { createHmac } from "node:crypto"
import * as Hmac from "../../src/crypto/Hmac.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

describe("Hmac", () => {
  it.effect("computes the second test vector of RFC 4231", () =>
    Effect.gen(function*() {
      const { sign } = Hmac.make(Redacted.make("Jefe"))
      assert.strictEqual(
        Buffer.from(yield* sign(bytes("what do ya want for nothing?"))).toString("hex"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      )
    }))

  it.effect.prop("computes the same tag as node:crypto, and accepts it for its data alone", {
    secret: Schema.NonEmptyString,
    data: Schema.String
  }, ({ data, secret }) =>
    Effect.gen(function*() {
      const { sign, verify } = Hmac.make(Redacted.make(secret))
      const tag = yield* sign(bytes(data))
      assert.strictEqual(
        Buffer.from(tag).toString("hex"),
        createHmac("sha256", bytes(secret)).update(bytes(data)).digest("hex")
      )
      assert.isTrue(yield* verify(tag, bytes(data)))
      assert.isFalse(yield* verify(tag, bytes(`${data}.`)))
      assert.isFalse(yield* verify(tag.slice(0, 16), bytes(data)))
      assert.isFalse(yield* verify(new Uint8Array(0), bytes(data)))
      for (let index = 0; index < tag.length; index++) {
        const changed = tag.slice()
        changed[index] = changed[index]! ^ 1
        assert.isFalse(yield* verify(changed, bytes(data)))
      }
    }))

  it.effect("has a random key without a secret, which stays the same", () =>
    Effect.gen(function*() {
      const one = Hmac.make(undefined)
      const two = Hmac.make(undefined)
      const [first, second] = yield* Effect.all([one.sign(bytes("a")), one.sign(bytes("a"))], { concurrency: 2 })
      assert.deepStrictEqual(first, second)
      assert.isFalse(yield* two.verify(first, bytes("a")))
    }))
})
