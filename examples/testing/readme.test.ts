import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8")

/** Lines without their indentation, so that a page may show them without that of the test around them. */
const lines = (text: string): ReadonlyArray<string> => text.trim().split("\n").map((line) => line.trim())

const tests = read("Notes.test.ts")
const fragments = [...read("README.md").matchAll(/^```ts fragment\n(.*?)^```$/gms)].map(([, code]) => code ?? "")

describe("the page about testing", () => {
  it("shows what runs", () => {
    assert.isAtLeast(fragments.length, 10)
    const run = lines(tests).join("\n")
    for (const fragment of fragments) assert.include(run, lines(fragment).join("\n"))
  })

  it("has tests of five lines at most", () => {
    const bodies = [
      ...tests.matchAll(/it\.effect\("(.*?)", \(\) =>\n\s+Effect\.gen\(function\*\(\) \{\n(.*?)\n\s+\}\)\)/gs)
    ]
    assert.strictEqual(bodies.length, tests.split("it.effect(").length - 1)
    for (const [, title, body] of bodies) assert.isAtMost(lines(body!).length, 5, title)
  })
})
