import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { withFloors } from "../tools/contributing.ts"
import * as Names from "../tools/prose/Names.ts"
import * as Prose from "../tools/prose/Prose.ts"

const root = join(import.meta.dirname, "..")
const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8")

/** Returns the rows of the first table after a text, without the header row. */
const rowsAfter = (start: string): ReadonlyArray<ReadonlyArray<string>> => {
  const [table = ""] = /^\|[\s\S]*?(?=\n\n)/m.exec(text.slice(text.indexOf(start))) ?? []
  return table.split("\n").slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
}

describe("CONTRIBUTING", () => {
  it("has the floors of tools/floors.ts: write them with `npm run docs`", () => {
    assert.strictEqual(withFloors(text), text)
  })

  it("lists the files that a request visits, each exactly once", () => {
    const rows = rowsAfter("## The way of a request")
    const files = rows.map(([file]) => /^`(src\/.*\.ts)`(?: \*)?$/.exec(file!)?.[1] ?? file!)
    assert.isAbove(files.length, 40)
    assert.deepStrictEqual(files.filter((file) => !existsSync(join(root, file))), [])
    assert.deepStrictEqual(files.filter((file, index) => files.indexOf(file) !== index), [])
    for (const [file, effect, node, sdk] of rows) assert.include([effect, node, sdk], "●", file)
  })

  it("starts the way of a request on each host at the adapter of that host", () => {
    const rows = rowsAfter("## The way of a request")
    const firstOf = (column: number) => rows.find((row) => row[column] === "●")?.[0]
    assert.include(firstOf(1), "src/servers/effect/")
    assert.include(firstOf(2), "src/servers/node/")
    assert.include(firstOf(3), "src/servers/sdk-v2/")
  })

  it("has a glossary whose old terms the prose check finds", () => {
    const terms = rowsAfter("### Glossary").flatMap(([, not]) =>
      [...not!.matchAll(/`([^`]+)`/g)].map(([, term]) => term!)
    )
    assert.isAbove(terms.length, 20)
    const missed = terms.filter((term) => Prose.check([{ line: 1, text: `The server has ${term} here` }]).length === 0)
    assert.deepStrictEqual(missed, [])
  })

  it("has a table of names whose old names the check of names finds", () => {
    const names = rowsAfter("Names of declarations follow").flatMap(([, not]) =>
      [...not!.matchAll(/`(\w+)`/g)].map(([, name]) => name!)
    )
    assert.isAbove(names.length, 15)
    const missed = names.filter((name) => Names.check("src/file.ts", `const ${name} = 1`).length === 0)
    assert.deepStrictEqual(missed, [])
  })

  it("names every script of package.json that is not an example", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const examples = readdirSync(join(root, "examples"))
    const parts = new Set([
      "prepack",
      "build:cli",
      "build:node",
      "test:unit",
      "observability",
      "express",
      "tenants",
      "upstream",
      "edge"
    ])
    const unnamed = Object.keys(scripts).filter((script) =>
      !parts.has(script) && !examples.includes(script.split(":")[0]!) && script !== "test" &&
      !text.includes(`npm run ${script}\``)
    )
    assert.deepStrictEqual(unnamed, [])
  })
})
