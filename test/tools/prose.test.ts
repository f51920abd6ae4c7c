import { assert, describe, it } from "@effect/vitest"
import * as Names from "../../tools/prose/Names.ts"
import * as Prose from "../../tools/prose/Prose.ts"

const foundIn = (text: string) =>
  Prose.check(Prose.ofTypeScript("file.ts", text)).map(({ found, line }) => [line, found])

describe("the prose check", () => {
  it.each([
    ["/** Nobody gets in. */", "Nobody"],
    ["// Whoever asks is answered.", "Whoever"],
    ["/**\n * Works. What is left is sent.\n */", "What i"],
    ["fail(\"the client is told to wait\")", "is told"],
    ["// Asked lately.", "lately"],
    ["const message = `this is no scope: ${scope}`", "is no s"],
    ["it(\"has a key of its own\", run)", "of its own"]
  ])("finds an odd word in %s", (text, found) => {
    assert.deepStrictEqual(foundIn(text).map(([, _]) => _), [text.includes("What") ? ". What i" : found])
  })

  it.each([
    "const nobody = 1",
    "run(\"nobody\")",
    "/** Returns `nobody` for an anonymous caller. */",
    "/**\n * ```ts\n * const nobody = 1\n * ```\n */",
    "// Nobody gets in. prose: quoted from a log",
    "// There is no queue, and it is no longer needed."
  ])("passes over code, short strings, exceptions and ordinary words in %s", (text) => {
    assert.deepStrictEqual(foundIn(text), [])
  })

  it("reads Markdown without code and headings, and counts lines from 1", () => {
    const text = "# What is promised\n\n```sh\nnobody\n```\n\n- Nobody gets in.\n"
    assert.deepStrictEqual(Prose.check(Prose.ofMarkdown(text)).map(({ line }) => line), [7])
  })
})

describe("the check of titles in sources", () => {
  it.each([
    "it(\"[ID-1] and tokens are rejected\", run)",
    "it.effect(\"ID-1: of a token\", run)",
    "it.effect.each(rows)(\"fails\", run)",
    "it(\"is what the caller has\", run)\nit(\"what the caller has is sent\", run)"
  ])("finds a title that is not a sentence in %s", (text) => {
    assert.lengthOf(foundIn(text), 1)
  })

  it.each([
    "it(\"ID-1 rejects a token without exp\", run)",
    "it.each(rows)(\"$title\", run)",
    "items.find(\"and what is found\")",
    "names.some((it) => it.startsWith(\"and so\"))"
  ])("accepts sentences, rows and other strings in %s", (text) => {
    assert.deepStrictEqual(foundIn(text), [])
  })
})

describe("the check of names", () => {
  const namesIn = (text: string, path = "src/file.ts") =>
    Names.check(path, text).map(({ found, line }) => [line, found])

  it.each([
    ["const isRecalled = 1", "isRecalled"],
    ["interface Judgement {}", "Judgement"],
    ["const f = (asked: string) => asked", "asked"],
    ["class A { told() {} }", "told"],
    ["import { a as nobody } from \"a\"\nexport { b as Books }", "Books"],
    ["type A = { readonly demands: 1 }", "demands"]
  ])("finds an old name where it is declared in %s", (text, found) => {
    assert.deepStrictEqual(namesIn(text).map(([, name]) => name), [found])
  })

  it.each([
    "use(asked.told)",
    "const { asked } = options",
    "const judicious = task(masked)",
    "const fence = \"```\" // prose: of a block of code"
  ])("passes over uses, parts of words and exceptions in %s", (text) => {
    assert.deepStrictEqual(namesIn(text), [])
  })

  it("reads the names of files", () => {
    assert.deepStrictEqual(namesIn("", "src/internal/judgeClaims.ts"), [[0, "judgeClaims"]])
  })
})
