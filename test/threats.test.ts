import { assert, describe, it } from "@effect/vitest"
import { reasons } from "./threatReasons.ts"
import catalogue from "./threats.json" with { type: "json" }

const ids = catalogue.map(({ id }) => id)

describe("the catalogue of threats", () => {
  it("lists each threat once", () => {
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.isAbove(ids.length, 50)
  })

  it("contains every threat for which a reason is written", () => {
    assert.deepStrictEqual(Object.keys(reasons).filter((id) => !ids.includes(id)), [])
  })
})
