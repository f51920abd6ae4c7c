import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import * as Reference from "../../tools/reference/Reference.ts"

const root = join(import.meta.dirname, "../..")
const folder = join(root, "reference")

const entries = Reference.read(root)

const written = (): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((it) => it.isFile())
      .map((it) => join(it.parentPath, it.name))
      .map((path) => [relative(folder, path).replaceAll("\\", "/"), readFileSync(path, "utf8")])
  )

describe("every public export", () => {
  it("is found, on each entry point of package.json", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    assert.strictEqual(entries.length, Object.keys(exports).filter((it) => it !== "./package.json").length)
    for (const { pages, specifier } of entries) assert.isAbove(pages.flatMap((it) => it.items).length, 0, specifier)
  })

  it("has a sentence, a category and the version that brought it", () => {
    assert.deepStrictEqual([...new Set(Reference.lacking(entries))], [])
  })

  it("begins its comment with a complete sentence", () => {
    const unended = entries.flatMap(({ pages }) => pages.flatMap((it) => it.items))
      .filter((it) => !/[.:)]$/.test(it.doc?.summary.split("\n\n")[0]!.trim() ?? "."))
      .map((it) => `${it.at}: ${it.name}`)
    assert.deepStrictEqual([...new Set(unended)], [])
  })
})

describe("every function that programs call", () => {
  const called = new Set(["layers", "profiles", "testing", "assertions", "checks"])
  /** Functions that need no example: parts of other layers, and a function for the list of providers. */
  const parts = ["Discovery.layer", "JwkSet.layer", "Check.checkFact"]
  /** Modules with constructors and combinators that programs call. These functions need an example as well. */
  const modules = new Set(["Audience", "TokenType", "TokenVerifier", "DpopClient", "SigningKey", "McpAuthFetch"])
  const all = entries.flatMap(({ pages }) => pages.flatMap((page) => page.items.map((item) => ({ item, page }))))

  it("has an example, or says when to use it", () => {
    const wanting = all.filter(({ item: { doc, kind }, page }) =>
      !["interface", "type"].includes(kind) &&
      (called.has(doc?.category ?? "") ||
        modules.has(page.name) && ["constructors", "combinators"].includes(doc?.category ?? "")) &&
      !/^(```ts|\*\*When to use\*\*)$/m.test(doc?.details ?? "")
    )
    assert.deepStrictEqual(wanting.map(({ item, page }) => `${page.name}.${item.name}`).sort(), parts.sort())
  })
})

describe("the reference", () => {
  it("equals what `npm run docs` writes", () => {
    const expected = Reference.render(entries)
    const found = written()
    assert.deepStrictEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted())
    for (const [path, text] of expected) assert.strictEqual(found.get(path), text, `reference/${path}`)
  })
})

describe("the reader of doc comments", () => {
  it("separates summary, heads and tags", () => {
    const doc = Reference.parseDoc(
      "/**\n * One.\n * Two.\n *\n * **Details**\n *\n * ```ts\n * @decorated\n * ```\n *\n * @category models\n * @since 0.1.0\n */"
    )
    assert.deepStrictEqual(doc, {
      summary: "One.\nTwo.",
      details: "**Details**\n\n```ts\n@decorated\n```",
      category: "models",
      since: "0.1.0",
      see: []
    })
  })

  it("gives headings the same anchors as GitHub", () => {
    assert.deepStrictEqual(Reference.anchorsOf(["Make", "make", "On what? A & B"]), [
      "make",
      "make-1",
      "on-what-a--b"
    ])
  })
})
