import { assert, describe, it } from "@effect/vitest"
import { join, relative } from "node:path"
import { allTitles, titlesOf } from "../tools/titles.ts"
import cases from "./cases.json" with { type: "json" }
import { differences } from "./differences.ts"

const root = join(import.meta.dirname, "..")

/** The areas whose every `must` is held by a test or listed as a difference. */
const areas = ["HDR", "CHAL", "JWT", "ALG", "KEY", "DISC", "PRM", "SCOPE", "SESS", "MCP", "CFG", "INTR", "DPOP"]

const idsIn = (title: string): ReadonlyArray<string> => title.match(/(?<![\w-])[A-Z]{2,6}-\d{2,3}\b/g) ?? []

const known = new Set(cases.map(({ id }) => id))
const prefixes = new Set(cases.map(({ id }) => id.split("-")[0]!))
const demanded = cases.filter(({ area, level }) => level === "must" && areas.includes(area))

/** Every test of the repository but those here, as far as they can be read without running them. */
const titles = allTitles.filter(({ file }) => file !== relative(root, import.meta.filename))

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
    [`const rows = [{ title: "JWT-01 a" }]\nit.each(rows.filter(Boolean))("$title", () => {})`, ["JWT-01"]],
    [`it.each([...[1].map((n) => row(\`JWT-01 \${n}\`)), { ...row("JWT-02 b"), c: 1 }])("$title", () => {})`, [
      "JWT-01",
      "JWT-02"
    ]],
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
    `it.each([row("JWT-01 a")])("%s", () => {})`,
    `run("JWT-01 a", () => {})`
  ])("not in %s", (code) => assert.deepStrictEqual(found(code), []))
})
