import { assert, describe, it } from "@effect/vitest"
import cases from "./cases.json" with { type: "json" }
import { differences } from "./differences.ts"

describe("the differences from the cases of others", () => {
  it("name `must` cases that exist, each once, with a reason", () => {
    const wrong = differences.filter(({ id, reason }, index) =>
      !cases.some((_) => _.id === id && _.level === "must") || reason.trim().length < 20 ||
      differences.findIndex((_) => _.id === id) !== index
    )
    assert.deepStrictEqual(wrong, [])
  })
})
