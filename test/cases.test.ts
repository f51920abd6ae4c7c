import { assert, describe, it } from "@effect/vitest"
import ts from "@typescript/typescript6"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import cases from "./cases.json" with { type: "json" }
import { differences } from "./differences.ts"

const root = join(import.meta.dirname, "..")

/** The areas whose every `must` is held by a test or listed as a difference. */
const areas = ["HDR", "CHAL", "JWT", "ALG", "KEY", "DISC", "PRM", "SCOPE", "SESS", "MCP", "CFG"]

const idsIn = (title: string): ReadonlyArray<string> => title.match(/(?<![\w-])[A-Z]{2,6}-\d{2,3}\b/g) ?? []

const known = new Set(cases.map(({ id }) => id))
const prefixes = new Set(cases.map(({ id }) => id.split("-")[0]!))
const demanded = cases.filter(({ area, level }) => level === "must" && areas.includes(area))

/**
 * The titles of the tests in a source file, those of skipped and planned tests left out.
 *
 * A title is the first argument of a call of `it` or of what hangs on it (`it.effect`, `it.live`, `it.effect.prop`,
 * `it.effect.each(table)`): a string, written there. Where it takes a member of its table's rows (`$title`, `%s`), the
 * strings of the table count, too: with `$title` those of that member, with `%s` all that are not inside an object.
 */
const titlesOf = (path: string, text: string): ReadonlyArray<string> => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const titles: Array<string> = []
  const constants = new Map<string, ts.Expression>()

  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
      constants.set(node.name.text, node.initializer)
    }
    if (ts.isCallExpression(node)) {
      if (/^describe\.(skip|todo|skipIf|runIf)\b/.test(node.expression.getText(source))) return
      const callee = chainOf(node.expression)
      const [title] = node.arguments
      if (callee !== undefined && title !== undefined) titles.push(...titlesFrom(title, callee.table))
    }
    ts.forEachChild(node, visit)
  }

  /** `it.effect.each(table)` and its like; `undefined` for what starts no test. */
  const chainOf = (expression: ts.Expression): { readonly table: ts.Expression | undefined } | undefined => {
    let at = expression
    let table: ts.Expression | undefined
    if (ts.isCallExpression(at)) {
      if (!ts.isPropertyAccessExpression(at.expression) || !["each", "for"].includes(at.expression.name.text)) return
      table = at.arguments[0]
      at = at.expression.expression
    } else if (ts.isPropertyAccessExpression(at) && ["each", "for"].includes(at.name.text)) return
    while (ts.isPropertyAccessExpression(at)) {
      if (["skip", "todo", "fails", "skipIf", "runIf", "layer"].includes(at.name.text)) return
      at = at.expression
    }
    return ts.isIdentifier(at) && ["it", "test"].includes(at.text) ? { table } : undefined
  }

  const titlesFrom = (title: ts.Expression, table: ts.Expression | undefined): ReadonlyArray<string> => {
    const written = textOf(title)
    if (written === undefined) return []
    if (table === undefined) return [written]
    const members = new Set([...written.matchAll(/\$([A-Za-z_]\w*)/g)].map(([, name]) => name!))
    return [written, ...stringsOf(table, members, /%[sjo]/.test(written))]
  }

  const textOf = (node: ts.Node): string | undefined => {
    if (ts.isStringLiteralLike(node)) return node.text
    if (ts.isTemplateExpression(node)) {
      return node.head.text + node.templateSpans.map(({ literal }) => `?${literal.text}`).join("")
    }
    if (ts.isBinaryExpression(node)) return `${textOf(node.left) ?? "?"}${textOf(node.right) ?? "?"}`
    return undefined
  }

  const stringsOf = (
    table: ts.Node,
    members: ReadonlySet<string>,
    bare: boolean,
    seen: ReadonlySet<ts.Node> = new Set()
  ): ReadonlyArray<string> => {
    if (seen.has(table)) return []
    const into = (node: ts.Node) => stringsOf(node, members, bare, new Set([...seen, table]))
    if (ts.isArrayLiteralExpression(table)) return table.elements.flatMap(into)
    if (ts.isIdentifier(table)) return constants.has(table.text) ? into(constants.get(table.text)!) : []
    if (ts.isSpreadElement(table) || ts.isAsExpression(table) || ts.isSatisfiesExpression(table)) {
      return into(table.expression)
    }
    if (ts.isObjectLiteralExpression(table)) {
      return table.properties.flatMap((property) => {
        if (!ts.isPropertyAssignment(property) || !members.has(property.name.getText(source))) return []
        const text = textOf(property.initializer)
        return text === undefined ? [] : [text]
      })
    }
    const text = bare ? textOf(table) : undefined
    return text === undefined ? [] : [text]
  }

  visit(source)
  return titles
}

/** Every test of the repository, as far as it can be read without running it. */
const titles = ["test", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts") && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== import.meta.filename)
    .flatMap((path) =>
      titlesOf(path, readFileSync(path, "utf8")).map((title) => ({ title, file: relative(root, path) }))
    )
)

const tested = new Set(titles.flatMap(({ title }) => idsIn(title)))
const listed = new Set(differences.map(({ id }) => id))

describe("the cases of others", () => {
  it("are held by a test or listed as a difference, each `must` of the areas in scope", () => {
    const open = demanded.filter(({ id }) => !tested.has(id) && !listed.has(id))
    const byTest = demanded.filter(({ id }) => tested.has(id)).length
    const others = [...tested].filter((id) => known.has(id)).length - byTest
    process.stdout.write(
      `cases.json: ${demanded.length} must cases in scope, of which ${byTest} have a test and ` +
        `${demanded.filter(({ id }) => listed.has(id)).length} are differences; ${others} other cases have a test\n`
    )
    assert.deepStrictEqual(open.map(({ expect, given, id }) => `${id} ${given}: ${expect}`), [])
  })

  it("are called by their right ids in the titles of tests", () => {
    const wrong = titles.filter(({ title }) =>
      idsIn(title).some((id) => prefixes.has(id.split("-")[0]!) && !known.has(id))
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("from which we differ exist, are `must` cases, have no test, stand once and give a reason", () => {
    const wrong = differences.filter(({ id, reason }, index) =>
      !cases.some((_) => _.id === id && _.level === "must") || tested.has(id) || reason.trim().length < 20 ||
      differences.findIndex((_) => _.id === id) !== index
    )
    assert.deepStrictEqual(wrong, [])
  })
})

describe("a title is found", () => {
  const found = (code: string) => titlesOf("a.test.ts", code).flatMap(idsIn)

  it.each([
    [`it("JWT-01 a", () => {})`, ["JWT-01"]],
    [`test('JWT-01 a', () => {})`, ["JWT-01"]],
    ["it.live(`JWT-01 a`, () => {})", ["JWT-01"]],
    ["it.effect(`JWT-01 ${n} JWT-02`, () => {})", ["JWT-01", "JWT-02"]],
    [`it.effect("JWT-01 a " + "JWT-02", () => {})`, ["JWT-01", "JWT-02"]],
    [`it.effect.prop("JWT-01 a", {}, () => {})`, ["JWT-01"]],
    [`describe("x", () => { layer(l)("y", (it) => { it.effect("JWT-01 JWT-02 a", () => {}) }) })`, [
      "JWT-01",
      "JWT-02"
    ]],
    [`it.each([1, 2])("JWT-01 %d", () => {})`, ["JWT-01"]],
    [`it.effect.each([{ title: "JWT-01 a" }, { title: "JWT-02 b" }])("$title", () => {})`, ["JWT-01", "JWT-02"]],
    [`const rows = [{ title: "JWT-01 a" }] as const\nit.effect.each(rows)("$title", () => {})`, ["JWT-01"]],
    [`const more = [{ title: "JWT-01 a" }]\nit.each([...more])("$title: $is", () => {})`, ["JWT-01"]],
    [`it("T-JWT-01 is another list's", () => {})`, []],
    [`it.each([["JWT-01 a", 1], ["JWT-02 b", 2]])("%s", () => {})`, ["JWT-01", "JWT-02"]]
  ])("in %s", (code, ids) => assert.deepStrictEqual(found(code), ids))

  it.each([
    `// it("JWT-01 a")`,
    `/* JWT-01 */ it("a", () => { /* JWT-01 */ })`,
    `const text = "JWT-01 a"`,
    `describe("JWT-01 a", () => {})`,
    `it("a", () => { assert.isTrue(x, "JWT-01 a") })`,
    `it.skip("JWT-01 a", () => {})`,
    `it.effect.skip("JWT-01 a", () => {})`,
    `it.effect.fails("JWT-01 a", () => {})`,
    `it.skip.each([1])("JWT-01 a", () => {})`,
    `it.todo("JWT-01 a")`,
    `describe.skip("a", () => { it("JWT-01 a", () => {}) })`,
    `it.each(["JWT-01 a"])`,
    `it.each([{ title: "a", note: "JWT-01" }])("$title", () => {})`,
    `it.each([{ title: "JWT-01 a" }])("a row", () => {})`,
    `run("JWT-01 a", () => {})`
  ])("not in %s", (code) => assert.deepStrictEqual(found(code), []))
})
