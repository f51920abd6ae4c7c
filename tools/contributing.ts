/** Writes the table of floors into CONTRIBUTING.md. `npm run docs` runs it. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { markdownTable } from "../src/cli/format/markdownTable.ts"
import { floors } from "./floors.ts"

const path = join(import.meta.dirname, "../CONTRIBUTING.md")

/** Returns the table of floors as Markdown. Its columns are padded as `dprint` pads them. */
export const floorsTable = (): string =>
  markdownTable(
    ["folder of `src/`", "rule"],
    floors.map(({ folder, ours, why }) => [
      `\`${folder}/\``,
      ours === "everything" ? "No folder imports it, so it may import every folder." : why
    ]),
    { padded: true }
  )

/** Returns CONTRIBUTING.md with the current table. */
export const withFloors = (text: string): string =>
  text.replace(/(<!-- floors: .*? -->\n)[\s\S]*?(<!-- end of floors -->)/, `$1\n${floorsTable()}\n\n$2`)

if (process.argv[1] === import.meta.filename) writeFileSync(path, withFloors(readFileSync(path, "utf8")))
