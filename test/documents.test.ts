import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "..")

const files = (folder: string, extension: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension) && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name))

interface Block {
  readonly from: string
  readonly code: string
}

const blocks = (path: string, text: string): ReadonlyArray<Block> =>
  [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code], index) => ({
    from: `${relative(root, path)}, block ${index + 1}`,
    code: code!
  }))

/** The text of the doc comments of a source file, without the stars. */
const comments = (source: string): string =>
  [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].map(([comment]) => comment.replace(/^[ \t]*\*? ?/gm, "")).join("\n")

describe("every TypeScript block", () => {
  const found = [
    ...[join(root, "README.md"), ...files("examples", ".md")].flatMap((path) =>
      blocks(path, readFileSync(path, "utf8"))
    ),
    ...files("src", ".ts").flatMap((path) => blocks(path, comments(readFileSync(path, "utf8"))))
  ]

  it("of the documents and doc comments compiles", () => {
    assert.isAbove(found.length, 5)
    // Inside the package, so that the blocks import it by its name, as users do.
    const folder = mkdtempSync(join(root, ".documents-"))
    try {
      for (const [index, { code }] of found.entries()) {
        writeFileSync(join(folder, `block${index}.ts`), `${code}\nexport {}\n`)
      }
      writeFileSync(
        join(folder, "tsconfig.json"),
        JSON.stringify({
          extends: "../tsconfig.json",
          compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
          include: ["*.ts"]
        })
      )
      try {
        execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", folder], {
          stdio: "pipe"
        })
      } catch (error) {
        const output = String((error as { readonly stdout: Buffer }).stdout)
        const named = output.replace(/\S*block(\d+)\.ts/g, (_, index) => found[Number(index)]!.from)
        assert.fail(named)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, 60_000)
})

describe("links", () => {
  it("to files of this repository lead somewhere", () => {
    const documents = [join(root, "README.md"), ...files("examples", ".md")]
    for (const path of documents) {
      for (const [, target] of readFileSync(path, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
        const there = join(dirname(path), target!)
        assert.doesNotThrow(
          () => readdirSync(dirname(there)).includes(there.split("/").at(-1)!) || assert.fail(),
          there
        )
      }
    }
  })
})
