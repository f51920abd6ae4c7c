import { assert, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const folder = join(import.meta.dirname, "../..")

/** Removes all whitespace, because a page shows a part of a file without the indentation of the surrounding code. */
const compact = (code: string): string => code.replaceAll(/\s+/g, "")

// This test compares the code of the pages with the files. `test/tutorials` compares the output in the pages.
it.each([
  { example: "whoami", shows: 5 },
  { example: "todo-manager", shows: 5 },
  { example: "express", shows: 5 },
  { example: "migrate-from-mcp-auth", shows: 4 },
  { example: "edge", shows: 5 },
  { example: "tenants", shows: 4 },
  { example: "policies", shows: 9 },
  { example: "upstream", shows: 5 },
  { example: "observability", shows: 6, alsoOf: "testing" },
  { example: "testing", shows: 13 },
  { example: "agent", shows: 5 },
  { example: "machine-client", shows: 4 },
  { example: "cli-client", shows: 3 }
])("the page of $example shows the files of the example", ({ alsoOf, example, shows }) => {
  const page = readFileSync(join(folder, example, "README.md"), "utf8")
  const blocks = [...page.matchAll(/^```(?:ts|sh) (?:file=(\S+)|fragment)\n(.*?)^```$/gms)]
  assert.isAtLeast(blocks.length, shows)
  const sources = (name: string) =>
    readdirSync(join(folder, name), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
      .map((path) => readFileSync(join(folder, name, path), "utf8"))
  const around = [example, ...alsoOf === undefined ? [] : [alsoOf]].flatMap(sources).map(compact)
  for (const [, path, code = ""] of blocks) {
    if (path === undefined) {
      assert.isTrue(around.some((source) => source.includes(compact(code))), `in no file of ${example}:\n${code}`)
    } else {
      const file = [join(folder, example, path), join(folder, "shared", path)].find(existsSync)
      assert(file !== undefined, path)
      assert.strictEqual(code, readFileSync(file, "utf8"), path)
    }
  }
})
