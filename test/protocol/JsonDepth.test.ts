import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { isTextWithin, isValueWithin, maximumBodyDepth } from "../../src/protocol/JsonDepth.ts"

const lists = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
const objects = (depth: number) => `{"a":`.repeat(depth - 1) + "{}" + "}".repeat(depth - 1)

/**
 * Computes the expected depth by recursion. The library must not use recursion, because an untrusted body could overflow the
 * stack.
 */
const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

describe("the depth of JSON", () => {
  it.each([lists, objects, (depth: number) => `[[],{"b":[]},${lists(depth - 1)},1]`])(
    "[T-AUD-06a] %s is accepted up to the maximum",
    (nested) => {
      for (
        const [depth, expected] of [[maximumBodyDepth, true], [maximumBodyDepth + 1, false], [5000, false]] as const
      ) {
        assert.strictEqual(isTextWithin(nested(depth)), expected, String(depth))
        assert.strictEqual(isValueWithin(JSON.parse(nested(depth))), expected, String(depth))
      }
    }
  )

  it("[T-AUD-06a] brackets in strings, and many brackets in a row, add no depth", () => {
    const many = Array.from({ length: 1000 }, () => [{ a: [] }])
    const strings = { "{{[": "[".repeat(1000), "\\": "\\\"{[", "\"": `"${"{".repeat(100)}\\"`, many }
    assert.isTrue(isTextWithin(JSON.stringify(strings)))
    assert.isTrue(isValueWithin(strings))
  })

  it("[T-AUD-06a] an unterminated string hides nothing from the parser, and ends the check", () => {
    const text = `{"a":"${"[".repeat(1000)}`
    assert.isTrue(isTextWithin(text))
    assert.throws(() => JSON.parse(text))
  })

  it("[T-AUD-06a] a value that contains itself is too deep", () => {
    const cycle: Array<unknown> = []
    cycle.push(cycle, cycle)
    assert.isFalse(isValueWithin(cycle))
  })

  it.prop(
    "text and value agree with the depth that recursion finds",
    {
      value: Arbitrary.schema(Schema.MutableJson),
      depth: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70 })))
    },
    ({ depth, value }) => {
      const nested = `[${JSON.stringify(value)},${lists(depth)}]`
      const expected = depthOf(JSON.parse(nested)) <= maximumBodyDepth
      assert.strictEqual(isTextWithin(nested), expected)
      assert.strictEqual(isValueWithin(JSON.parse(nested)), expected)
    },
    { arbitrary: { runs: 300 } }
  )
})
