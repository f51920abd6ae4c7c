import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { reasons } from "./threatReasons.ts"
import catalogue from "./threats.json" with { type: "json" }

const root = join(import.meta.dirname, "..")

const testFiles = ["test", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((_) => _.isFile() && _.name.endsWith(".test.ts") && !_.parentPath.includes("node_modules"))
    .map((_) => join(_.parentPath, _.name))
)

/** Titles of tests that run: of `it`, not of `it.skip` or `it.todo`, and of the rows of tables (`title: "…"`, `["…", `). */
const titles = (source: string): ReadonlyArray<string> =>
  [
    ...source.matchAll(/\bit(?:\.(?:effect|live|prop|each|effect\.prop|effect\.each))*\(\s*(["'`])((?:(?!\1).)*)\1/g),
    ...source.matchAll(/\btitle: (["'`])((?:(?!\1).)*)\1/g),
    ...source.matchAll(/^\s*\[(["'`])((?:(?!\1).)*)\1,/gm)
  ].map(([, , title]) => title!)

const ids = catalogue.map(({ id }) => id)

const proven = new Map<string, ReadonlyArray<string>>(ids.map((id) => [id, []]))
for (const file of testFiles) {
  for (const title of titles(readFileSync(file, "utf8"))) {
    for (const [id] of title.matchAll(/\bT-[A-Z]+-\d+\b/g)) {
      proven.set(id, [...(proven.get(id) ?? []), `${relative(root, file)}: ${title}`])
    }
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
