import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import * as Seal from "../../src/crypto/Seal.ts"

const secret = Redacted.make("0123456789abcdef0123456789abcdef")
const other = Redacted.make("0123456789abcdef0123456789abcdeg")

// Only texts without a lone surrogate, which UTF-8 cannot encode and which would be opened as U+FFFD.
const Text = Schema.String.check(Schema.makeFilter((text) => Buffer.from(text).toString() === text))

describe("Seal", () => {
  it.effect.prop(
    "opens every text that it sealed, in its context alone",
    { text: Text, context: Text, elsewhere: Text },
    ({ context, elsewhere, text }) =>
      Effect.gen(function*() {
        const { open, seal } = Seal.make(secret, "test")
        const sealed = yield* seal(text, context)
        assert.match(sealed, /^[A-Za-z0-9_-]+$/)
        assert.strictEqual(yield* open(sealed, context), text)
        if (elsewhere !== context) assert.isUndefined(yield* open(sealed, elsewhere))
        assert.isUndefined(yield* open(sealed, `${context}.`))
      })
  )

  it.effect.prop(
    "opens no text that it did not seal, and does not throw",
    { text: Schema.String },
    ({ text }) =>
      Effect.gen(function*() {
        const { open } = Seal.make(secret, "test")
        for (
          const sealed of [
            text,
            Buffer.from(text).toString("base64url"),
            `AQ${Buffer.from(text).toString("base64url")}`
          ]
        ) {
          assert.isUndefined(yield* open(sealed, ""))
        }
      })
  )

  it.effect("rejects every change of a bit, and every shorter or longer text", () =>
    Effect.gen(function*() {
      const { open, seal } = Seal.make(secret, "test")
      const sealed = Buffer.from(yield* seal("state", "context"), "base64url")
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const changed = Buffer.from(sealed)
        changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7))
        assert.isUndefined(yield* open(changed.toString("base64url"), "context"), `${bit}`)
      }
      for (let length = 0; length < sealed.length; length++) {
        assert.isUndefined(yield* open(sealed.subarray(0, length).toString("base64url"), "context"), `${length}`)
      }
      assert.isUndefined(yield* open(Buffer.concat([sealed, Buffer.alloc(1)]).toString("base64url"), "context"))
    }))

  it.effect("rejects other spellings of the same bytes", () =>
    Effect.gen(function*() {
      const { open, seal } = Seal.make(secret, "test")
      // A seal adds 29 bytes to the text. For these three texts, the last base64url character has two, zero and four unused
      // bits, in this order.
      for (const text of ["", "a", "ab"]) {
        const sealed = yield* seal(text, "")
        assert.strictEqual(yield* open(sealed, ""), text)
        for (const spelling of [`${sealed}=`, `${sealed}==`, `${sealed}\n`, ` ${sealed}`]) {
          assert.isUndefined(yield* open(spelling, ""))
        }
        const same = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
          .map((last) => sealed.slice(0, -1) + last)
          .filter((spelling) => Buffer.from(spelling, "base64url").equals(Buffer.from(sealed, "base64url")))
        for (const spelling of same) {
          assert.strictEqual(yield* open(spelling, ""), spelling === sealed ? text : undefined)
        }
      }
    }))

  it.effect("has a key for each secret and each purpose", () =>
    Effect.gen(function*() {
      const sealed = yield* Seal.make(secret, "one").seal("state", "")
      assert.strictEqual(yield* Seal.make(secret, "one").open(sealed, ""), "state")
      assert.isUndefined(yield* Seal.make(secret, "two").open(sealed, ""))
      assert.isUndefined(yield* Seal.make(other, "one").open(sealed, ""))
    }))

  it.effect("has a random key without a secret", () =>
    Effect.gen(function*() {
      const one = Seal.make(undefined, "test")
      const two = Seal.make(undefined, "test")
      const sealed = yield* one.seal("state", "")
      assert.strictEqual(yield* one.open(sealed, ""), "state")
      assert.isUndefined(yield* two.open(sealed, ""))
    }))

  it.effect("uses one key where several texts are sealed at the same time before there is a key", () =>
    Effect.gen(function*() {
      const { open, seal } = Seal.make(undefined, "test")
      const sealed = yield* Effect.forEach(["a", "b", "c"], (text) => seal(text, ""), { concurrency: 3 })
      assert.deepStrictEqual(yield* Effect.forEach(sealed, (text) => open(text, "")), ["a", "b", "c"])
    }))

  it.effect("gives the same text a new nonce each time", () =>
    Effect.gen(function*() {
      const { seal } = Seal.make(secret, "test")
      const sealed = yield* Effect.forEach(Array.from({ length: 100 }), () => seal("same", ""))
      assert.strictEqual(new Set(sealed.map((text) => text.slice(0, 17))).size, 100)
    }))

  it.effect("opens a text that was sealed by the first version of the format", () =>
    Effect.gen(function*() {
      const { open } = Seal.make(secret, "test")
      assert.strictEqual(
        yield* open("AfN0uKExOosRY1XwZOf8Ib0kywOi0WfPpjAxftJO28npaWJqJ8ufljDypsymdALgqulfSkt2SRE", "context"),
        "a text of the first version"
      )
    }))
})
