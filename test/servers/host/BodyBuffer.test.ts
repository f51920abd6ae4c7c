import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { BodyBuffer } from "../../../src/servers/host/BodyBuffer.ts"

const megabyte = 1024 * 1024

const size = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3000 }))

describe("[T-AUD-06b] the buffer of a body", () => {
  it("does not copy a body of one chunk", () => {
    const buffer = new BodyBuffer(10)
    const chunk = new Uint8Array(10)
    assert.isTrue(buffer.add(new Uint8Array(0)))
    assert.isTrue(buffer.add(chunk))
    assert.isTrue(buffer.add(new Uint8Array(0)))
    assert.strictEqual(buffer.toBytes(), chunk)
  })

  it("holds at most twice what was added, and never more than its limit", () => {
    const buffer = new BodyBuffer(4 * megabyte)
    const byte = Uint8Array.of(0x20)
    for (let count = 1; count <= 4 * megabyte; count++) {
      buffer.add(byte)
      if (count % 100_000 === 0) {
        assert.isAtMost(buffer.toBytes().buffer.byteLength, Math.min(4 * megabyte, Math.max(1024, 2 * count)))
      }
    }
    assert.strictEqual(buffer.toBytes().byteLength, 4 * megabyte)
    assert.isFalse(buffer.add(byte))
    assert.strictEqual(buffer.toBytes().buffer.byteLength, 0)
    assert.isFalse(buffer.add(byte))
  })

  it("does not write into the chunks that it was given", () => {
    const given = Uint8Array.of(1, 2, 3, 4)
    const buffer = new BodyBuffer(100)
    buffer.add(given.subarray(0, 2))
    buffer.add(Uint8Array.of(9, 9))
    assert.deepStrictEqual([...given], [1, 2, 3, 4])
    assert.deepStrictEqual([...buffer.toBytes()], [1, 2, 9, 9])
  })

  it.prop(
    "returns the added bytes in their order",
    { sizes: Arbitrary.array(Arbitrary.schema(size)) },
    ({ sizes }) => {
      const chunks = sizes.map((size, index) => new Uint8Array(size).fill(index + 1))
      const total = sizes.reduce((sum, size) => sum + size, 0)
      const buffer = new BodyBuffer(total)
      for (const chunk of chunks) assert.isTrue(buffer.add(chunk))
      assert.isTrue(Buffer.concat(chunks).equals(buffer.toBytes()))
      assert.isFalse(buffer.add(new Uint8Array(total + 1)))
    },
    { arbitrary: { runs: 100 } }
  )
})
