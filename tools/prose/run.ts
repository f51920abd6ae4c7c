/**
 * `npm run prose`: checks the prose of the finished files, or of the files that are given. Exits with 1 if there are findings.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { finished } from "./finished.ts"
import * as Prose from "./Prose.ts"

const root = join(import.meta.dirname, "../..")
const files = process.argv.length > 2 ? process.argv.slice(2) : finished

let findings = 0
for (const file of files) {
  const text = readFileSync(join(root, file), "utf8")
  const lines = file.endsWith(".md") ? Prose.ofMarkdown(text) : Prose.ofTypeScript(file, text)
  for (const { advice, found, line } of Prose.check(lines)) {
    console.log(`${file}:${line}: "${found}": ${advice}`)
    findings++
  }
}
console.log(`${files.length} files, ${findings} findings`)
process.exit(findings === 0 ? 0 : 1)
