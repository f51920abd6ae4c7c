/**
 * `npm run prose`: checks the prose of the finished files, or of the files that are given, and the names that are declared in
 * every TypeScript file but those of `unfinishedNames.ts`. Exits with 1 if there are findings.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { finished } from "./finished.ts"
import * as Names from "./Names.ts"
import * as Prose from "./Prose.ts"
import { unfinishedNames } from "./unfinishedNames.ts"

const root = join(import.meta.dirname, "../..")
const given = process.argv.slice(2)

const sources = ["src", "test", "tools", "bench", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.includes("node_modules"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
)

let findings = 0
const report = (file: string, found: ReadonlyArray<Prose.Finding>) => {
  for (const { advice, found: word, line } of found) console.log(`${file}:${line}: "${word}": ${advice}`)
  findings += found.length
}

const prose = given.length > 0
  ? given
  : finished.flatMap((path) => path.endsWith("/") ? sources.filter((file) => file.startsWith(path)) : [path])
for (const file of prose) {
  const text = readFileSync(join(root, file), "utf8")
  report(file, Prose.check(file.endsWith(".md") ? Prose.ofMarkdown(text) : Prose.ofTypeScript(file, text)))
}

const unfinished = new Set(unfinishedNames)
const named = given.length > 0 ? given.filter((file) => file.endsWith(".ts")) : sources
const clean: Array<string> = []
for (const file of named) {
  const found = Names.check(file, readFileSync(join(root, file), "utf8"))
  if (given.length > 0 || !unfinished.has(file)) report(file, found)
  else if (found.length === 0) clean.push(file)
}
if (clean.length > 0) console.log(`Clean by now, so take them off unfinishedNames.ts: ${clean.join(", ")}`)

console.log(`prose of ${prose.length} files, names of ${named.length} files, ${findings} findings`)
process.exit(findings === 0 ? 0 : 1)
