import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { promises } from "./promises.ts"
import { allTitles } from "./titles.ts"

const security = readFileSync(join(import.meta.dirname, "..", "SECURITY.md"), "utf8")
const section = /^## What is promised\n([\s\S]*?)^## /m.exec(security)?.[1] ?? ""

/** The list entries of the section, each on one line. */
const sentences = section
  .split(/^- /m)
  .slice(1)
  .map((entry) => entry.split(/\n(?:###|\n)/, 1)[0]!.replace(/\s+/g, " ").trim())

describe("the promises of SECURITY.md", () => {
  it("are the sentences for which test/promises.ts names tests", () => {
    assert.isAbove(sentences.length, 40)
    assert.deepStrictEqual(Object.keys(promises), sentences)
  })

  it.each(Object.entries(promises))("have the tests that are named for: %s", (_, ids) => {
    assert.isNotEmpty(ids)
    for (const id of ids) {
      const named = new RegExp(`\\b${id}(?![0-9a-z])`)
      const tests = allTitles.filter(({ file, title }) => file !== "test/promises.test.ts" && named.test(title))
      assert.isNotEmpty(tests, `no title contains ${id}`)
    }
  })
})
