/** `npm run docs`: writes the reference, and removes pages of modules that no longer exist. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Reference from "./Reference.ts"

const root = join(import.meta.dirname, "../..")
const entries = Reference.read(root)
const pages = Reference.render(entries)

rmSync(join(root, "reference"), { recursive: true, force: true })
for (const [path, text] of pages) {
  const file = join(root, "reference", path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
console.log(`${pages.size} pages in reference/`)

const lacking = [...new Set(Reference.lacking(entries))]
if (lacking.length > 0) {
  console.error(lacking.join("\n"))
  process.exitCode = 1
}
