import { assert, describe, it } from "@effect/vitest"
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
