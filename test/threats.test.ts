import { assert, describe, it } from "@effect/vitest"
import { allTitles } from "../tools/titles.ts"
import { reasons } from "./threatReasons.ts"
import catalogue from "./threats.json" with { type: "json" }

const ids = catalogue.map(({ id }) => id)

const proven = new Map<string, ReadonlyArray<string>>(ids.map((id) => [id, []]))
// The examples of titles in the gate of the cases are no tests.
for (const { file, title } of allTitles.filter((_) => _.file !== "test/cases.test.ts")) {
  for (const [id] of title.matchAll(/\bT-[A-Z]+-\d+[a-z]?\b/g)) {
    proven.set(id, [...(proven.get(id) ?? []), `${file}: ${title}`])
  }
}

describe("the catalogue of threats", () => {
  it("has every entry once", () => {
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.isAbove(ids.length, 50)
  })

  it.each(ids)("%s has a test whose title names it, or a written reason", (id) => {
    const tests = proven.get(id)!
    const reason = reasons[id]
    if (reason === undefined) assert.isNotEmpty(tests, `${id} is neither proven nor explained`)
    else assert.isEmpty(tests, `${id} is proven: its reason in threatReasons.ts is out of date`)
  })

  it("is all that titles and reasons speak of", () => {
    assert.deepStrictEqual([...proven.keys(), ...Object.keys(reasons)].filter((id) => !ids.includes(id)), [])
  })
})
