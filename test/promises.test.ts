import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { promises } from "./promises.ts"

const security = readFileSync(join(import.meta.dirname, "..", "SECURITY.md"), "utf8")
/** The list entries in those sections of SECURITY.md that make promises. */
const sentences = ["What is promised", "Where tokens go", "State that instances share"].flatMap((heading) => { // prose: names of headings
  const section = new RegExp(`^## ${heading}\\n([\\s\\S]*?)^## `, "m").exec(security)?.[1] ?? ""
  return section
    .split(/^- /m)
    .slice(1)
    .map((entry) => entry.split(/\n(?:###|\n)/, 1)[0]!.replace(/\s+/g, " ").trim())
})

describe("the promises of SECURITY.md", () => {
  it("are the sentences for which test/promises.ts names tests", () => {
    assert.isAbove(sentences.length, 40)
    assert.deepStrictEqual(Object.keys(promises), sentences)
  })

  it("have proofs, which the reporter looks up among the titles of tests that passed", () => {
    assert.deepStrictEqual(Object.entries(promises).filter(([, proofs]) => proofs.length === 0), [])
  })
})
