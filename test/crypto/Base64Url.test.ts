import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as base64url from "../../src/crypto/Base64Url.ts"

const Bytes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))

describe("isCanonical", () => {
  it.each(["", "AA", "AAA", "AAAA", "-_-_", "_w"])("accepts %j", (text) => assert.isTrue(base64url.isCanonical(text)))

  it.each(["A", "AAAAA", "AB", "AAB", "_x", "AA==", "AAA=", "AA\n", " AA", "AA AA", "+/+/", "AA.", "ÄÄ", "AAA\0"])(
    "rejects %j",
    (text) => {
      assert.isFalse(base64url.isCanonical(text))
      assert.isUndefined(base64url.decode(text))
    }
  )

  it.effect.prop(
    "encodes bytes in the one spelling that it accepts, and decodes it again",
    { bytes: Bytes },
    ({ bytes }) =>
      Effect.sync(() => {
        const text = Buffer.from(bytes).toString("base64url")
        assert.strictEqual(base64url.encode(Uint8Array.from(bytes)), text)
        assert.deepStrictEqual([...base64url.decode(text)!], [...bytes])
        const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        const spellings = [...alphabet].map((last) => text.slice(0, -1) + last).filter((other) =>
          Buffer.from(other, "base64url").equals(Buffer.from(bytes)) && base64url.isCanonical(other)
        )
        assert.lengthOf(spellings, bytes.length === 0 ? 0 : 1)
      })
  )
})

describe("decodeJsonObject", () => {
  const encode = (content: string | Uint8Array) => Buffer.from(content).toString("base64url")

  it("decodes an object", () => {
    assert.deepStrictEqual(base64url.decodeJsonObject(encode(`{"a":[1,{"b":null}]}`)), { a: [1, { b: null }] })
    assert.deepStrictEqual(base64url.decodeJsonObject(encode("{}")), {})
  })

  it.each(["", "[]", "null", "1", `"{}"`, " {}", "\ufeff{}", "{", "{}{}", "{'a':1}", `{"a":NaN}`, `{"a":1,}`, "{}\0"])(
    "rejects %j",
    (text) => assert.isUndefined(base64url.decodeJsonObject(encode(text)))
  )

  it("rejects invalid UTF-8", () => {
    assert.isUndefined(base64url.decodeJsonObject(encode(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))))
  })

  it("reads __proto__ as a member like any other", () => {
    const object = base64url.decodeJsonObject(encode(`{"__proto__":{"sub":"admin"}}`))!
    assert.isTrue(Object.hasOwn(object, "__proto__"))
    assert.isUndefined(object["sub"])
  })

  it.effect.prop(
    "returns an object or nothing for every text",
    { text: Schema.String },
    ({ text }) =>
      Effect.sync(() => {
        for (const segment of [text, encode(text), encode(`{${text}`)]) {
          const found = base64url.decodeJsonObject(segment)
          assert.isTrue(found === undefined || (typeof found === "object" && !Array.isArray(found)))
        }
      })
  )
})
