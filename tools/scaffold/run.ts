/**
 * `npm run new:host`, `new:provider` and `new:rule`: add the files of a new host, provider or rule, with its test and its places in the
 * lists. CONTRIBUTING.md describes what remains to do, and the program prints it.
 */
import { spawnSync } from "node:child_process"
import { ScaffoldError } from "./Files.ts"
import * as Files from "./Files.ts"
import { addHost } from "./Host.ts"
import { addProvider } from "./Provider.ts"
import { addRule } from "./Rule.ts"

const kinds: Readonly<Record<string, (files: Files.Files, given: ReadonlyArray<string>) => ReadonlyArray<string>>> = {
  host: addHost,
  provider: addProvider,
  rule: addRule
}

const [kind = "", ...given] = process.argv.slice(2)
try {
  const add = kinds[kind]
  if (add === undefined) throw new ScaffoldError(`unknown kind: ${kind}. Give one of: ${Object.keys(kinds).join(", ")}`)
  const files = Files.open(process.cwd())
  const steps = add(files, given)
  const saved = files.save()
  // Sorts the imports, and breaks lines that a long name makes too long.
  const { error, status, stderr } = spawnSync("node_modules/.bin/dprint", ["fmt", ...saved], { encoding: "utf8" })
  if (status !== 0) throw error ?? new Error(stderr)
  const lines = ["Written:", ...saved.map((file) => `  ${file}`), "", "Next:", ...steps.map((step) => `  ${step}`)]
  console.log(lines.join("\n"))
} catch (error) {
  if (!(error instanceof ScaffoldError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
