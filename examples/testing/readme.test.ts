import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8")

/** Removes all whitespace, because the page shows code without the indentation of the file, and breaks lines elsewhere. */
const compact = (code: string): string => code.replaceAll(/\s+/g, "")

const tests = read("Notes.test.ts")
const fragments = [...read("README.md").matchAll(/^```ts fragment\n(.*?)^```$/gms)].map(([, code]) => code ?? "")

describe("the page about testing", () => {
  it("shows what runs", () => {
    assert.isAtLeast(fragments.length, 10)
    for (const fragment of fragments) assert.include(compact(tests), compact(fragment))
  })

  it("has tests of five lines at most", () => {
    const bodies = [
      ...tests.matchAll(/it\.effect\("(.*?)", \(\) =>\n\s+Effect\.gen\(function\*\(\) \{\n(.*?)\n\s+\}\)\)/gs)
    ]
    assert.strictEqual(bodies.length, tests.split("it.effect(").length - 1)
    for (const [, title, body] of bodies) assert.isAtMost(body!.split("\n").length, 5, title)
  })
})
