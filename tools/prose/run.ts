/**
 * `npm run prose`: checks the prose of every document and TypeScript file that `unchecked.ts` does not list, and the names
 * that every TypeScript file declares. If arguments name files, it checks only those
 * files. Exits with 1 if there are findings.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import * as Names from "./Names.ts"
import * as Prose from "./Prose.ts"
import { unchecked } from "./unchecked.ts"

const root = join(import.meta.dirname, "../..")
const given = process.argv.slice(2)

/** Returns the files of a folder and its subfolders that have one of these endings. */
const filesOf = (folder: string, ...endings: ReadonlyArray<string>) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((file) => endings.some((ending) => file.endsWith(ending)))

const sources = ["src", "test", "tools", "bench", "examples"].flatMap((folder) => filesOf(folder, ".ts"))

/** The documents. `reference/` is not among them, since it is generated from doc comments, which are checked. */
const documents = [
  ...["docs", "examples", "bench"].flatMap((folder) => filesOf(folder, ".md")),
  ...readdirSync(root).filter((file) => file.endsWith(".md") || file.endsWith(".config.ts"))
]

let findings = 0
const report = (file: string, found: ReadonlyArray<Prose.Finding>) => {
  for (const { advice, found: word, line } of found) console.log(`${file}:${line}: "${word}": ${advice}`)
  findings += found.length
}

const checkProse = (file: string) => {
  const text = readFileSync(join(root, file), "utf8")
  return Prose.check(file.endsWith(".md") ? Prose.ofMarkdown(text) : Prose.ofTypeScript(file, text))
}

const prose = given.length > 0 ? given : [...documents, ...sources].filter((file) => !(file in unchecked))
for (const file of prose) report(file, checkProse(file))
if (given.length === 0) {
  for (const file of Object.keys(unchecked)) {
    if (checkProse(file).length === 0) console.log(`Clean by now, so take it off unchecked.ts: ${file}`)
  }
}

const named = given.length > 0 ? given.filter((file) => file.endsWith(".ts")) : sources
for (const file of named) report(file, Names.check(file, readFileSync(join(root, file), "utf8")))

console.log(`prose of ${prose.length} files, names of ${named.length} files, ${findings} findings`)
process.exit(findings === 0 ? 0 : 1)
