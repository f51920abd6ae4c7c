import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { allTitles } from "../tools/titles.ts"
import { promises } from "./promises.ts"

const security = readFileSync(join(import.meta.dirname, "..", "SECURITY.md"), "utf8")
/** The list entries of the sections that make promises. */
const sentences = ["What is promised", "Where tokens go", "State that instances share"].flatMap((heading) => { // prose: names of headings
  const section = new RegExp(`^## ${heading}\\n([\\s\\S]*?)^## `, "m").exec(security)?.[1] ?? ""
  return section
    .split(/^- /m)
    .slice(1)
    .map((entry) => entry.split(/\n(?:###|\n)/, 1)[0]!.replace(/\s+/g, " ").trim())
})

/** The id of a case or a threat. Everything else is a part of a title. */
const id = /^[A-Z]+(?:-[A-Z]+)*-\d+[a-z]?$/

describe("the promises of SECURITY.md", () => {
  it("are the sentences for which test/promises.ts names tests", () => {
    assert.isAbove(sentences.length, 40)
    assert.deepStrictEqual(Object.keys(promises), sentences)
  })

  it.each(Object.entries(promises))("have the tests that are named for: %s", (_, proofs) => {
    assert.isNotEmpty(proofs)
    for (const proof of proofs) {
      const named = new RegExp(`\\b${proof}(?![0-9a-z])`)
      const tests = allTitles.filter(({ file, title }) =>
        file !== "test/promises.test.ts" && (id.test(proof) ? named.test(title) : title.includes(proof))
      )
      assert.isNotEmpty(tests, `no title contains ${proof}`)
    }
  })
})
